//! The tearsheet of a backtest: how good the prices were beside every benchmark there is, what the
//! bets came to, and which model priced when.
//!
//! A [`record::Record`] watches the run; [`Sheet::of`] works the figures out when it is over;
//! [`write()`] leaves them as `tearsheet.json` and, for people, as `index.html`. The page is rendered
//! from the JSON and from nothing else, so the two cannot disagree.

pub mod bets;
pub mod chance;
pub mod columns;
pub mod dixon_coles;
pub mod elo;
pub mod forecasts;
pub mod history;
mod page;
mod pictures;
pub mod record;
pub mod scores;
pub mod windows;

use std::path::Path;

use schema::Time;
use serde::Serialize;
use sinks::calibration::{Calibration, ForecastRecord};

use crate::summary::Summary;
use crate::{Error, Result};
use bets::Bets;
use columns::{CLOSE, Columns, TIDELINE};
use forecasts::Forecasts;
use record::Record;
use windows::Window;

/// Version of the JSON's layout.
pub const SCHEMA: u16 = 1;
/// The page's file name.
pub const PAGE: &str = "index.html";
/// The JSON's file name.
pub const JSON: &str = "tearsheet.json";

/// Where the figures come from.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The command line.
    pub command: String,
    /// Version of Tideline.
    pub version: String,
    /// First day that is bet and scored on; none for all.
    pub from: Option<String>,
    /// First kick-off in the feeds.
    pub first_kick_off: Option<String>,
    /// Last kick-off in the feeds.
    pub last_kick_off: Option<String>,
    /// Last event time.
    pub last_event: String,
    /// Facts accepted.
    pub facts: u64,
    /// Records refused.
    pub rejected: u64,
    /// Fixtures in the feeds.
    pub fixtures: u64,
    /// Of these, with a result.
    pub results: u64,
    /// Suggestions issued.
    pub suggestions: u64,
    /// The sha256 of the whole suggestion stream.
    pub digest: String,
    /// Seed of every drawing in this sheet.
    pub seed: u64,
    /// Resamples an interval is told from.
    pub draws: usize,
}

/// One bin of the reliability diagram.
#[derive(Clone, Debug, Serialize)]
pub struct Bin {
    /// Lower edge.
    pub from: f64,
    /// Upper edge.
    pub to: f64,
    /// Events.
    pub events: u64,
    /// Their mean forecast.
    pub forecast: f64,
    /// The share that came true.
    pub observed: f64,
    /// Lower end of its 95 % interval (Wilson).
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The mean difference to the close so far, at the end of a week.
#[derive(Clone, Debug, Serialize)]
pub struct Progress {
    /// Last day of the week, since 1970.
    pub day: i64,
    /// Tideline's log-loss less the close's, mean over all fixtures so far.
    pub tideline: f64,
    /// The same of the consensus.
    pub consensus: f64,
}

/// Everything a tearsheet says.
#[derive(Clone, Debug, Serialize)]
pub struct Sheet {
    /// Version of this layout.
    pub schema: u16,
    /// Where the figures come from.
    pub run: Run,
    /// Forecasts of home, draw and away.
    pub forecasts: Forecasts,
    /// Reliability of Tideline's prices, the three outcomes pooled.
    pub reliability: Vec<Bin>,
    /// How the difference to the close settled.
    pub progress: Vec<Progress>,
    /// Bets.
    pub bets: Bets,
    /// Training windows.
    pub windows: Vec<Window>,
}

impl Sheet {
    /// Works out everything a finished run comes to.
    pub fn of(record: &Record, summary: &Summary, command: &str) -> Self {
        let columns = Columns::of(record);
        Self {
            schema: SCHEMA,
            run: run(record, summary, command),
            forecasts: Forecasts::of(&columns, |league| record.name(league).to_owned()),
            reliability: reliability(&columns),
            progress: progress(&columns),
            bets: Bets::of(record),
            windows: windows::windows(record, &columns),
        }
    }
}

fn run(record: &Record, summary: &Summary, command: &str) -> Run {
    let from = record.settings().from;
    let fixtures = record.fixtures();
    Run {
        command: command.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        from: (from != Time::MIN).then(|| from.date()),
        first_kick_off: fixtures.first().map(|fixture| fixture.kick_off.to_string()),
        last_kick_off: fixtures.last().map(|fixture| fixture.kick_off.to_string()),
        last_event: record.last().to_string(),
        facts: summary.events,
        rejected: summary.rejected,
        fixtures: summary.fixtures,
        results: summary.results,
        suggestions: summary.suggestions.issued,
        digest: summary.digest.clone(),
        seed: chance::SEED,
        draws: chance::DRAWS,
    }
}

fn reliability(columns: &Columns) -> Vec<Bin> {
    let mut calibration = Calibration::default();
    let prices = columns.get(TIDELINE).map_or(&[][..], |column| &column.p);
    for (p, outcome) in prices.iter().zip(&columns.outcomes) {
        let forecast = p.map(|fair| schema::Forecast {
            fixture: String::new(),
            league: String::new(),
            kick_off: Time::MIN,
            fair,
            closing: None,
            outcome: *outcome,
        });
        if let Some(record) = forecast.as_ref().and_then(ForecastRecord::of) {
            calibration.add(&record);
        }
    }
    let bin = |bin: sinks::calibration::ReliabilityBin| Bin {
        from: bin.from,
        to: bin.to,
        events: bin.n,
        forecast: bin.predicted,
        observed: bin.observed,
        low: bin.low,
        high: bin.high,
    };
    calibration.bins().into_iter().map(bin).collect()
}

fn progress(columns: &Columns) -> Vec<Progress> {
    let main = [TIDELINE, columns::CONSENSUS, CLOSE].map(|name| columns.get(name));
    let [Some(tideline), Some(consensus), Some(close)] = main else { return Vec::new() };
    let mut out: Vec<Progress> = Vec::new();
    let (mut n, mut sums) = (0.0, [0.0; 2]);
    for i in 0..columns.len() {
        let all = tideline.p[i].zip(consensus.p[i]).zip(close.p[i]);
        let Some(((p, q), close)) = all else { continue };
        let loss = |p| scores::log_loss(p, columns.outcomes[i]);
        n += 1.0;
        sums[0] += loss(&p) - loss(&close);
        sums[1] += loss(&q) - loss(&close);
        let day = columns.weeks[i] * 7 + 10;
        let now = Progress { day, tideline: sums[0] / n, consensus: sums[1] / n };
        match out.last_mut() {
            Some(last) if last.day == day => *last = now,
            _ => out.push(now),
        }
    }
    out
}

/// Writes the JSON and the page into a folder, which is made when it is missing.
///
/// # Errors
/// [`Error::File`] when something cannot be written.
pub fn write(sheet: &Sheet, folder: &Path) -> Result<()> {
    let made = std::fs::create_dir_all(folder);
    made.map_err(|source| Error::file("cannot make", folder, source))?;
    let path = folder.join(JSON);
    let value = serde_json::to_value(sheet).map_err(std::io::Error::from);
    let value = value.map_err(|source| Error::file("cannot write", &path, source))?;
    let page = page::render(&value);
    replace(&path, &format!("{value:#}\n"))?;
    replace(&folder.join(PAGE), &page)
}

/// Replaces a file whole: a reader never sees half of one.
fn replace(path: &Path, text: &str) -> Result<()> {
    let scratch = path.with_extension("tmp");
    let written = std::fs::write(&scratch, text).and_then(|()| std::fs::rename(&scratch, path));
    written.map_err(|source| Error::file("cannot write", path, source))
}
