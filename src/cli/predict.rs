//! `tideline predict`: what the engine thinks of a fixture, or of a day's.

use std::process::ExitCode;

use anyhow::{Result, bail};
use model::Pricer;
use schema::{Delta, FixtureId, Names, Outbox, Time};
use tideline::desk::FixtureView;
use tideline::engine::{Engine, Observer};
use tideline::setup::Rehearsal;

use super::{Shared, print, print_json};

/// Show fair prices, the best bets and what every lens says of them
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tideline predict game \"E0|2022-08-05|Crystal Palace|Arsenal\"\n  tideline predict slate --date 2022-08-06 --json"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// One fixture
    #[command(
        after_help = "Example:\n  tideline predict game \"E0|2022-08-05|Crystal Palace|Arsenal\""
    )]
    Game {
        /// `League|YYYY-MM-DD|Home|Away`
        #[arg(value_name = "FIXTURE")]
        fixture: String,
    },
    /// Every fixture of a day
    #[command(after_help = "Example:\n  tideline predict slate --date 2022-08-06")]
    Slate {
        /// The day (YYYY-MM-DD, UTC); without it, everything that has not started
        #[arg(long, value_name = "DATE")]
        date: Option<Time>,
    },
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    let dir = shared.data_dir(&shared.topology()?);
    let journal = tideline::engine::journal_dir(&dir);
    let rehearsal = Rehearsal::of_journal(journal, None)?.workers(shared.workers());
    let views = match &args.what {
        What::Game { fixture } => {
            let mut last = LastLook::new(vec![FixtureId::of(fixture)], None);
            let done = rehearsal.ticks_per_step(1).run(&mut last, |_, _| {})?;
            let views = last.views(&done.engine);
            if views.is_empty() {
                bail!(
                    "{fixture} has never had a price in {}: write it League|YYYY-MM-DD|Home|Away, as in the ledger",
                    dir.display()
                );
            }
            views
        }
        What::Slate { date } => {
            let mut last = LastLook::new(Vec::new(), date.map(Time::day));
            let done = rehearsal.run(&mut last, |_, _| {})?;
            last.views(&done.engine)
        }
    };
    if shared.json() {
        print_json(&views)?;
    } else {
        for view in &views {
            print(&in_words(view))?;
        }
        print(&format!("{} fixtures\n", views.len()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Remembers each wanted fixture as it was last looked at before its start.
struct LastLook {
    fixtures: Vec<FixtureId>,
    day: Option<i64>,
    seen: std::collections::BTreeMap<FixtureId, FixtureView>,
}

impl LastLook {
    fn new(fixtures: Vec<FixtureId>, day: Option<i64>) -> Self {
        Self { fixtures, day, seen: std::collections::BTreeMap::new() }
    }

    /// What was remembered, or what is still to start when no fixture and no day was named.
    fn views(self, engine: &Engine) -> Vec<FixtureView> {
        let open = self.fixtures.is_empty() && self.day.is_none();
        let mut views: Vec<_> =
            if open { engine.slate() } else { self.seen.into_values().collect() };
        views.sort_by(|a, b| (a.kick_off, &a.fixture).cmp(&(b.kick_off, &b.fixture)));
        views
    }
}

impl Observer for LastLook {
    fn see(
        &mut self,
        delta: &Delta,
        _: &Outbox,
        names: &Names,
        pricer: &dyn Pricer,
        desk: &tideline::desk::Desk,
    ) {
        let mut touched: Vec<_> = delta.markets.iter().map(|change| change.key.fixture).collect();
        touched.dedup();
        for fixture in touched {
            if !self.fixtures.is_empty() && !self.fixtures.contains(&fixture) {
                continue;
            }
            if self.fixtures.is_empty() && self.day.is_none() {
                continue;
            }
            let Some(view) = desk.explain(fixture, names, pricer) else { continue };
            let wanted = self.day.is_none_or(|day| view.kick_off.day() == day);
            if wanted && view.kick_off > delta.time {
                self.seen.insert(fixture, view);
            }
        }
    }
}

fn in_words(view: &FixtureView) -> String {
    let mut text = format!("{}  kick-off {}\n", view.fixture, view.kick_off);
    for (market, fair) in &view.fair {
        let prices: Vec<_> =
            fair.iter().map(|f| format!("{} {:.3}", f.selection, f.probability)).collect();
        text.push_str(&format!("  {market:24} fair {}\n", prices.join("  ")));
    }
    for candidate in &view.candidates {
        let verdict = match (&candidate.refusal, candidate.confidence) {
            (None, Some(confidence)) => format!("BET, confidence {confidence:.2}"),
            (Some(refusal), _) => refusal.clone(),
            (None, None) => "no edge".to_owned(),
        };
        text.push_str(&format!(
            "  {:24} {:5} at {:8} {:>6.2} against fair {:>6.2}  edge {:+.1} %  {verdict}\n",
            candidate.market,
            candidate.selection,
            candidate.book,
            candidate.odds,
            candidate.fair_odds,
            candidate.edge * 100.0,
        ));
        for lens in &candidate.lenses {
            text.push_str(&format!("      {:22} {:.2}  {}\n", lens.lens, lens.score, lens.reason));
        }
    }
    text
}
