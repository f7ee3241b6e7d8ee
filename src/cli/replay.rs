//! `tideline replay`: recorded feeds, or a journal, through the whole engine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use model::PricerConfig;
use sources::SourceConfig;
use tideline::data_dir::DataDir;
use tideline::engine::{Both, Observer};
use tideline::setup::{Decisions, Done, Rehearsal};
use tideline::summary::Summary;
use tideline::topology::Topology;
use tideline::views_digest::ViewsDigest;

use super::progress::Bar;
use super::{Shared, print, print_json, shown};

/// Replay recorded feeds through the whole engine, as fast as they can be read
///
/// Give feeds (a folder of football-data CSVs, JSON lines plain or as gz or zst, Arrow or Parquet
/// tables) or the journal of an earlier run. Facts become ticks by event time; the same feeds
/// always give the same suggestions, and the journal of a run gives that run's.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tideline replay sample/season.jsonl.zst\n  tideline replay \
    ../football --json --data-dir ./try   # writes journal, suggestions and ledger to ./try\n  \
    tideline replay ./try/journal --json               # the same digest again")]
pub struct Args {
    /// Feeds, or one journal directory
    #[arg(required = true, value_name = "FEED")]
    pub(super) feeds: Vec<PathBuf>,
    /// Bet only from this day on (YYYY-MM-DD); what is before only teaches
    #[arg(long, value_name = "DATE")]
    pub(super) from: Option<schema::Time>,
    /// Where to keep trainings that are done: an interrupted replay of the same data goes on there
    #[arg(long, value_name = "DIR")]
    pub(super) resume: Option<PathBuf>,
    /// The pricer when no topology names one
    #[arg(skip)]
    pub(super) pricer: Option<PricerConfig>,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    let (summary, failed) = rehearse(shared, args, &mut ())?;
    if shared.json() {
        print_json(&summary)?;
    } else {
        print(&in_words(&summary))?;
        if let Some(dir) = &shared.data_dir {
            print(&format!("Journal, suggestions and ledger are in {}.\n", shown(dir)))?;
        }
    }
    Ok(report_failures(&failed))
}

/// Replays feeds or a journal under the eyes of an observer.
pub fn rehearse(
    shared: &Shared,
    args: &Args,
    observer: &mut dyn Observer,
) -> Result<(Summary, Vec<(String, tideline::Error)>)> {
    let mut views = ViewsDigest::default();
    let mut done = take_through(shared, args, &mut Both(observer, &mut views))?;
    done.summary.views = Some(views);
    Ok((done.summary, done.failed))
}

/// The same, with the engine as it stands in the end.
pub fn take_through(shared: &Shared, args: &Args, observer: &mut dyn Observer) -> Result<Done> {
    let topology = shared.topology()?;
    let mut decisions = args.decisions(shared, &topology);
    decisions.bets_from = args.from;
    decisions.rehearse();
    let rehearsal = if is_journal(&args.feeds) {
        let journal = args.feeds[0].clone();
        let recorded = if shared.topology.is_some() { Some(decisions) } else { None };
        Rehearsal::of_journal(journal, recorded)?
    } else {
        Rehearsal::of_feeds(guess(&args.feeds)?, args.feeds.clone(), decisions)
    };
    let bar = Bar::new("replay", shared.json());
    let done = rehearsal
        .workers(shared.workers())
        .ticks_per_step(shared.ticks_per_step())
        .data_dir(shared.data_dir.clone())
        .trainings(args.resume.clone())
        .sinks(if shared.topology.is_some() { topology.sinks.clone() } else { BTreeMap::new() })
        .run(&mut Both(observer, &mut bar.watch()), |stream, engine| bar.show(stream, engine));
    bar.done();
    Ok(done?)
}

/// The decisions that [`take_through`] will take these feeds through with.
pub fn decisions(shared: &Shared, args: &Args) -> Result<Decisions> {
    let recorded = args.feeds[0].parent().filter(|_| is_journal(&args.feeds));
    if let Some(beside) = recorded.filter(|_| shared.topology.is_none())
        && let Some(origin) = DataDir::existing(beside).origin()?
    {
        return Ok(origin.decisions);
    }
    Ok(args.decisions(shared, &shared.topology()?))
}

impl Args {
    /// The decisions of a topology, with this command's pricer where none was asked for.
    fn decisions(&self, shared: &Shared, topology: &Topology) -> Decisions {
        let mut decisions = Decisions::of(topology);
        if let Some(pricer) = self.pricer.as_ref().filter(|_| shared.topology.is_none()) {
            decisions.pricer = pricer.clone();
        }
        decisions
    }
}

/// Whether the only feed is a journal directory.
fn is_journal(feeds: &[PathBuf]) -> bool {
    let [feed] = feeds else { return false };
    let Ok(listing) = std::fs::read_dir(feed) else { return false };
    listing.flatten().any(|entry| entry.path().extension().is_some_and(|e| e == "tide"))
}

/// Sources for paths, named by their order: `feed`, `feed_2`, ...
fn guess(feeds: &[PathBuf]) -> Result<BTreeMap<String, SourceConfig>> {
    let mut sources = BTreeMap::new();
    for (i, path) in feeds.iter().enumerate() {
        if !path.exists() {
            bail!(
                "{} does not exist: give a feed file, a folder of feeds or a journal",
                path.display()
            );
        }
        let name = if i == 0 { "feed".to_owned() } else { format!("feed_{}", i + 1) };
        sources.insert(name, sources::guess(path)?);
    }
    Ok(sources)
}

/// Says which sources failed; the exit code is that of bad data when any did.
#[allow(clippy::print_stderr, reason = "telling the user what went wrong is this function's job")]
pub fn report_failures(failed: &[(String, tideline::Error)]) -> ExitCode {
    for (name, error) in failed {
        eprintln!("tideline: source {name}: {error}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(65) }
}

/// A summary for people.
pub fn in_words(summary: &Summary) -> String {
    let ledger = &summary.ledger;
    let done = &summary.suggestions;
    let percent = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{:+.2} %", x * 100.0));
    let mut text = format!(
        "{} facts in {} ticks, {} rejected; {} fixtures, {} with a result\n\
         suggestions: {} issued, {} revised, {} withdrawn, {} expired, {} settled, {} corrected\n\
         ledger: {} bets, staked {}, profit {}, bankroll {}\n\
         closing line value: {} [{}, {}] over {} bets; deepest drawdown {:.1} %\n",
        summary.events,
        summary.ticks,
        summary.rejected,
        summary.fixtures,
        summary.results,
        done.issued,
        done.revised,
        done.withdrawn,
        done.expired,
        done.settled,
        done.corrected,
        ledger.bets,
        ledger.staked,
        ledger.pnl,
        summary.bankroll,
        percent(ledger.clv_mean),
        percent(ledger.clv_lo),
        percent(ledger.clv_hi),
        ledger.clv_bets,
        ledger.max_drawdown * 100.0,
    );
    if summary.hard_stops > 0 {
        text.push_str(&format!("hard stop: tripped on {} days\n", summary.hard_stops));
    }
    for (reason, count) in &summary.reject_reasons {
        text.push_str(&format!("rejected {count}: {reason}\n"));
    }
    text.push_str(&format!("digest {}\n", summary.digest));
    text
}
