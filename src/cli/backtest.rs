//! `tideline backtest`: a replay that writes down every price it would have given.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use model::{Pricer, PricerConfig};
use schema::{Delta, FixtureId, Market, Names, Outbox, Probability, Time};
use serde::Serialize;
use tideline::desk::Desk;
use tideline::engine::{Both, Observer};
use tideline::summary::Summary;
use tideline::tearsheet::record::{Record, Settings};
use tideline::tearsheet::{self, Sheet};

use super::{Shared, print, print_json, replay, shown};

/// Replay recorded seasons and write down the fair price of every fixture before its close
///
/// Prices are as they stood at the last moment before closing quotes are known. Nothing later than
/// that can have touched them. Without a topology the model is the graph transformer, trained at the end
/// of every week from three months before `--from` on.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tideline backtest ../football --from 2019-07-01 --predictions P.csv\n  \
    tideline backtest ../football --from 2019-07-01 --report ./tearsheet"
)]
pub struct Args {
    /// Feeds: a folder of football-data CSVs, JSON lines, tables
    #[arg(required = true, value_name = "FEED")]
    feeds: Vec<PathBuf>,
    /// Bet and predict from this day on (YYYY-MM-DD); what is before only teaches
    #[arg(long, value_name = "DATE")]
    from: Option<Time>,
    /// Where to write `fixture,p_home,p_draw,p_away`
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Where to keep trainings that are done: an interrupted backtest of the same data goes on there
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Where to write the tearsheet: a folder that gets `index.html` and `tearsheet.json`
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

/// What a backtest came to.
#[derive(Debug, Serialize)]
struct Tested {
    predictions: usize,
    scored: u32,
    log_loss: Option<f64>,
    log_loss_close: Option<f64>,
    ratio: Option<f64>,
    #[serde(flatten)]
    summary: Summary,
}

/// Least probability that log-loss is taken of, so that one impossible outcome does not end it all.
const PROBABILITY_MIN: f64 = 1e-12;

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    let mut watcher = Watcher {
        from: args.from.unwrap_or(Time::MIN),
        prices: BTreeMap::new(),
        forecasts: BTreeMap::new(),
    };
    let replayed = replay::Args {
        feeds: args.feeds.clone(),
        from: args.from,
        resume: args.resume.clone(),
        // What a backtest is for.
        pricer: Some(PricerConfig::Hgt(Box::default())),
    };
    let mut record = None;
    if args.report.is_some() {
        let decisions = replay::decisions(shared, &replayed)?;
        record = Some(Record::new(Settings::of(&decisions, args.from)));
    }
    let (summary, failed) = match &mut record {
        Some(record) => replay::rehearse(shared, &replayed, &mut Both(&mut watcher, record))?,
        None => replay::rehearse(shared, &replayed, &mut watcher)?,
    };
    if let Some(path) = &args.predictions {
        watcher.write(path)?;
    }
    if let Some((folder, record)) = args.report.as_ref().zip(record) {
        tearsheet::write(&Sheet::of(&record, &summary, &command()), folder)?;
    }
    let tested = watcher.tested(summary);
    if shared.json() {
        print_json(&tested)?;
    } else {
        print(&replay::in_words(&tested.summary))?;
        print(&in_words(&tested))?;
        if let Some(folder) = &args.report {
            print(&format!("Tearsheet: {}\n", shown(&folder.join(tearsheet::PAGE))))?;
        }
    }
    Ok(replay::report_failures(&failed))
}

/// The command line, as a shell would take it.
fn command() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,".contains(c);
    let argument = |(i, argument): (usize, std::ffi::OsString)| {
        let text = argument.to_string_lossy().into_owned();
        if i == 0 {
            "tideline".to_owned()
        } else if !text.is_empty() && text.chars().all(plain) {
            text
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    std::env::args_os().enumerate().map(argument).collect::<Vec<_>>().join(" ")
}

fn in_words(tested: &Tested) -> String {
    let Some(((log_loss, close), ratio)) =
        tested.log_loss.zip(tested.log_loss_close).zip(tested.ratio)
    else {
        return format!(
            "{} fixtures priced, none of them has a result and a close\n",
            tested.predictions
        );
    };
    format!(
        "{} fixtures priced; log-loss {log_loss:.5} against {close:.5} of the closing consensus \
         (ratio {ratio:.4}) on {} of them\n",
        tested.predictions, tested.scored,
    )
}

/// Watches prices at the lead before kick-off and what became of them.
struct Watcher {
    from: Time,
    prices: BTreeMap<FixtureId, (String, [f64; 3])>,
    forecasts: BTreeMap<String, schema::Forecast>,
}

impl Observer for Watcher {
    fn see(&mut self, delta: &Delta, outbox: &Outbox, names: &Names, _: &dyn Pricer, _: &Desk) {
        for price in &outbox.prices {
            if price.market == Market::ONE_X_TWO && price.kick_off >= self.from {
                let fair = price.fair.map(Probability::as_f64);
                self.prices.insert(price.fixture, (names.get(price.fixture).to_owned(), fair));
            }
        }
        debug_assert_eq!(delta.tick, outbox.tick, "a delta and what left because of it");
        for forecast in &outbox.forecasts {
            if forecast.kick_off >= self.from {
                self.forecasts.insert(forecast.fixture.clone(), forecast.clone());
            }
        }
    }
}

impl Watcher {
    fn write(&self, path: &Path) -> Result<()> {
        let file = std::fs::File::create(path)
            .with_context(|| format!("cannot write predictions to {}", path.display()))?;
        let mut out = std::io::BufWriter::new(file);
        writeln!(out, "fixture,p_home,p_draw,p_away")?;
        let mut rows: Vec<_> = self.prices.values().collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        for (fixture, [home, draw, away]) in rows {
            writeln!(out, "{},{home:.12},{draw:.12},{away:.12}", quoted(fixture))?;
        }
        out.flush()?;
        Ok(())
    }

    fn tested(&self, summary: Summary) -> Tested {
        let (mut scored, mut loss, mut loss_close) = (0, 0.0, 0.0);
        for forecast in self.forecasts.values() {
            let Some(closing) = forecast.closing else { continue };
            let outcome = usize::from(forecast.outcome);
            scored += 1;
            loss -= forecast.fair[outcome].max(PROBABILITY_MIN).ln();
            loss_close -= closing[outcome].max(PROBABILITY_MIN).ln();
        }
        let mean = |sum: f64| (scored > 0).then(|| sum / f64::from(scored));
        Tested {
            predictions: self.prices.len(),
            scored,
            log_loss: mean(loss),
            log_loss_close: mean(loss_close),
            ratio: (scored > 0).then(|| loss / loss_close),
            summary,
        }
    }
}

/// A CSV cell: quoted when it has to be.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
