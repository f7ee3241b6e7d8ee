//! Opening sources: each runs as its own task behind a bounded door, and one that fails neither
//! stops the others nor goes unmentioned.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sources::{Chunk, Door, SourceConfig};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

use crate::sequencer::CHUNKS_AHEAD_MAX;
use crate::{Error, Result};

/// Whether a source is a recording at full speed: it ends, and reads the same every time.
pub fn is_recording(source: &SourceConfig) -> bool {
    match source {
        SourceConfig::Replay(replay) => replay.speed == sources::replay::Speed::Max,
        SourceConfig::FootballData(football) => football.path.is_some(),
        SourceConfig::Simulate(_) => true,
        _ => false,
    }
}

/// Whether a source is a recording at any speed: its time is not the wall's.
pub fn is_recorded(source: &SourceConfig) -> bool {
    is_recording(source) || matches!(source, SourceConfig::Replay(_))
}

/// Where a recording lies.
pub fn path_of(source: &SourceConfig) -> Option<&Path> {
    match source {
        SourceConfig::Replay(replay) => Some(&replay.path),
        SourceConfig::FootballData(football) => football.path.as_deref(),
        _ => None,
    }
}

/// Running sources.
pub struct Feeding {
    running: Arc<AtomicUsize>,
    tasks: Vec<(String, JoinHandle<std::result::Result<(), sources::Error>>)>,
}

impl Feeding {
    /// Opens every source with a channel of its own, for a merge by event time.
    pub fn apart(
        handle: &Handle,
        sources: &BTreeMap<String, SourceConfig>,
    ) -> Result<(Self, Vec<Receiver<Chunk>>)> {
        let running = Arc::new(AtomicUsize::new(sources.len()));
        let mut tasks = Vec::new();
        let mut channels = Vec::new();
        for (name, config) in sources {
            let (sender, receiver) = channel(CHUNKS_AHEAD_MAX);
            tasks.push(start(handle, name, config, Door::new(sender), &running)?);
            channels.push(receiver);
        }
        Ok((Self { running, tasks }, channels))
    }

    /// Opens every source onto one channel, for live arrival.
    pub fn together(
        handle: &Handle,
        sources: &BTreeMap<String, SourceConfig>,
    ) -> Result<(Self, tokio::sync::mpsc::Sender<Chunk>, Receiver<Chunk>)> {
        let (sender, receiver) = channel(CHUNKS_AHEAD_MAX);
        let running = Arc::new(AtomicUsize::new(sources.len()));
        let mut tasks = Vec::new();
        for (name, config) in sources {
            tasks.push(start(handle, name, config, Door::new(sender.clone()), &running)?);
        }
        Ok((Self { running, tasks }, sender, receiver))
    }

    /// How many sources still run.
    pub fn running(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.running)
    }

    /// Waits for every source and gives what went wrong with each that failed.
    pub fn join(self, runtime: &Runtime) -> Vec<(String, Error)> {
        let mut failed = Vec::new();
        for (name, task) in self.tasks {
            match runtime.block_on(task) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed.push((name, error.into())),
                Err(_) => failed.push((name.clone(), Error::SourcePanic(name))),
            }
        }
        failed
    }
}

type Started = (String, JoinHandle<std::result::Result<(), sources::Error>>);

fn start(
    handle: &Handle,
    name: &str,
    config: &SourceConfig,
    door: Door,
    running: &Arc<AtomicUsize>,
) -> Result<Started> {
    let source = config.open(name)?;
    let running = Arc::clone(running);
    let task = async move {
        let ended = source.run(door).await;
        running.fetch_sub(1, Ordering::Relaxed);
        ended
    };
    Ok((name.to_owned(), handle.spawn(task)))
}
