//! `tideline sweep`: which settings of the model learn best from these feeds.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use model::{PricerConfig, Trial};
use schema::Time;
use serde::Serialize;

use super::progress::Bar;
use super::{Shared, print, print_json, replay};

/// Try learning rates, widths and dropouts of the model, one training each
///
/// All that the feeds say is learned from in the order of time; the newest settled fixtures are kept
/// apart, and those before them judge every training. Which settings are tried is the topology's
/// `model: pricer: sweep`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tideline sweep ../football\n  \
    tideline sweep ../football --topology hgt.yaml --json")]
pub struct Args {
    /// Feeds: a folder of football-data CSVs, JSON lines, tables
    #[arg(required = true, value_name = "FEED")]
    feeds: Vec<std::path::PathBuf>,
}

/// What a sweep came to.
#[derive(Debug, Serialize)]
struct Swept {
    /// End of the last window.
    until: Time,
    /// The best first.
    trials: Vec<Trial>,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    // From the end of time on: nothing is bet and nothing trained on the way, only learned.
    let pricer = Some(PricerConfig::Hgt(Box::default()));
    let replayed =
        replay::Args { feeds: args.feeds.clone(), from: Some(Time::MAX), resume: None, pricer };
    let done = replay::take_through(shared, &replayed, &mut ())?;
    let (engine, until) = (&done.engine, done.engine.time());
    let Some(sweep) = engine.pricer().sweep(until) else {
        bail!(
            "there is nothing to sweep: the pricer `{}` {}",
            engine.pricer().name(),
            "has no such settings, or has seen too few settled fixtures; give `model: { type: hgt }` \
             and feeds of a season or more"
        );
    };
    let bar = Bar::new("sweep", shared.json());
    let outcome = sweep.run(&mut |progress| bar.trial(progress));
    bar.done();
    let trials: Vec<Trial> =
        serde_json::from_slice(&outcome?).context("the sweep's outcome cannot be read")?;
    let swept = Swept { until, trials };
    if shared.json() {
        print_json(&swept)?;
    } else {
        print(&in_words(&swept))?;
    }
    Ok(replay::report_failures(&done.failed))
}

fn in_words(swept: &Swept) -> String {
    let mut text = format!(
        "{:>7}  {:>13}  {:>7}  {:>10}  {:>15}\n",
        "hidden", "learning_rate", "dropout", "steps", "validation loss"
    );
    for trial in &swept.trials {
        let Trial { hidden, learning_rate, dropout, best_step, validate_loss } = trial;
        let _ = writeln!(
            text,
            "{hidden:>7}  {learning_rate:>13}  {dropout:>7}  {best_step:>10}  {validate_loss:>15.6}"
        );
    }
    if let Some(best) = swept.trials.first() {
        let Trial { hidden, learning_rate, dropout, .. } = best;
        let _ = write!(
            text,
            "\nThe best on what was known on {}, for the topology:\n\nmodel:\n  pricer:\n    \
             type: hgt\n    hidden: {hidden}\n    learning_rate: {learning_rate}\n    \
             dropout: {dropout}\n",
            swept.until.date(),
        );
    }
    text
}
