//! `tideline run`: the engine on a topology, until its sources end or someone stops it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use schema::{ManualClock, SystemClock, Time};
use tideline::control;
use tideline::data_dir::DataDir;
use tideline::dead_letters::DeadLetters;
use tideline::engine::{Engine, Learning};
use tideline::feeding::{self, Feeding};
use tideline::journal::{self, Journal};
use tideline::registry::Registry;
use tideline::sequencer::{LiveClock, LiveSequencer, RecordedTicks};
use tideline::setup::{Decisions, Outfit, Rehearsal, open_sinks, runtime};
use tideline::summary::Summary;
use tideline::topology::Topology;
use tideline::training::Pace;

use super::{Shared, print, print_json, progress::Bar, replay, shown};

/// Run a topology: the bundled season into ./reports when none is given
///
/// A topology whose sources are all recordings at full speed is a rehearsal: it runs to their end
/// and replaces what an earlier rehearsal left in the data directory. Any other runs until it is
/// stopped or its sources end, and goes on from its journal when it starts again; with recordings at
/// a pace it is as late as they are.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tideline run\n  tideline run --topology topology.yaml --data-dir /var/lib/tideline"
)]
pub struct Args {}

/// Runs the command.
pub fn run(shared: &Shared, _args: &Args) -> Result<ExitCode> {
    let topology = shared.topology()?;
    if topology.sources.values().all(feeding::is_recording) {
        rehearse(shared, &topology)
    } else {
        live(shared, &topology)
    }
}

fn rehearse(shared: &Shared, topology: &Topology) -> Result<ExitCode> {
    let mut decisions = Decisions::of(topology);
    decisions.rehearse();
    let bar = Bar::new("run", shared.json());
    let paths =
        topology.sources.values().filter_map(feeding::path_of).map(Path::to_path_buf).collect();
    let done = Rehearsal::of_feeds(topology.sources.clone(), paths, decisions)
        .workers(shared.workers())
        .ticks_per_step(shared.ticks_per_step())
        .data_dir(Some(shared.data_dir(topology)))
        .sinks(topology.sinks.clone())
        .run(&mut (), |stream, engine| bar.show(stream, engine));
    bar.done();
    let done = done?;
    finish(shared, topology, &done.summary)?;
    Ok(replay::report_failures(&done.failed))
}

fn finish(shared: &Shared, topology: &Topology, summary: &Summary) -> Result<()> {
    if shared.json() {
        return print_json(summary);
    }
    print(&replay::in_words(summary))?;
    let reports = topology.sinks.values().filter_map(|sink| match sink {
        sinks::SinkConfig::Report(report) => Some(&report.path),
        _ => None,
    });
    for path in reports {
        print(&format!(
            "\nOpen {} in a browser: the Daily Edge Reports.\n",
            shown(&path.join("index.html"))
        ))?;
    }
    Ok(())
}

fn live(shared: &Shared, topology: &Topology) -> Result<ExitCode> {
    let decisions = Decisions::of(topology);
    let dir = DataDir::live(&shared.data_dir(topology), &decisions)?;
    let mut engine = recover(shared, topology, &decisions, &dir)?;
    let runtime = runtime()?;
    let clock = if topology.sources.values().all(feeding::is_recorded) {
        LiveClock::Feed(Arc::new(ManualClock::at(engine.time().max(Time::from_ms(0)))))
    } else {
        LiveClock::Wall(Arc::new(SystemClock::new()))
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (feeding, sender, channel) = Feeding::together(runtime.handle(), &topology.sources)?;
    let watch =
        control::watch(dir.path().to_path_buf(), sources::Door::new(sender), clock.shared());
    runtime.spawn(watch);
    runtime.spawn(stop_on_signal(Arc::clone(&stop)));
    let window = topology.model.window;
    let handle = runtime.handle().clone();
    let mut stream =
        LiveSequencer::new(channel, clock, handle, window, engine.time(), stop, feeding.running());
    let ended = engine.run(&mut stream, shared.ticks_per_step(), &mut (), |_, _| {});
    drop(stream);
    engine.finish()?;
    ended?;
    let failed = feeding.join(&runtime);
    finish(shared, topology, &Summary::of(&engine))?;
    Ok(replay::report_failures(&failed))
}

/// The engine as the journal left it, and the journal ready for more.
fn recover(
    shared: &Shared,
    topology: &Topology,
    decisions: &Decisions,
    dir: &DataDir,
) -> Result<Engine> {
    let (journal, recovery) =
        Journal::create_or_open(&dir.journal(), topology.journal).map_err(tideline::Error::from)?;
    let outfit = Outfit {
        journal: None,
        sinks: open_sinks(&topology.sinks, dir.path())?,
        dead_letters: DeadLetters::open(Some(dir.path()))?,
        learning: Learning::Recorded,
        workers: shared.workers(),
        registry: Some(Registry::of(dir.path(), true)),
        training: Pace::Beside,
        kept: None,
    };
    let mut engine = decisions.engine(outfit)?;
    if recovery.last_tick > 0 {
        let bar = Bar::new("recover", shared.json());
        let entries = journal::read(&dir.journal()).map_err(tideline::Error::from)?;
        let mut stream = RecordedTicks::new(entries, recovery.last_tick);
        let recovered =
            engine.run(&mut stream, 256, &mut (), |stream, engine| bar.show(stream, engine));
        bar.done();
        recovered?;
    }
    engine.go_on(journal);
    Ok(engine)
}

/// Ends the stream at the first interrupt or termination signal; what is in hand is finished.
async fn stop_on_signal(stop: Arc<AtomicBool>) {
    let asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let Ok(mut terminate) = asked else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    stop.store(true, Ordering::Relaxed);
}
