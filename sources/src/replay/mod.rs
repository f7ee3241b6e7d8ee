//! `replay`: recorded facts from files, as fast as they can be read or in their own time.
//!
//! A replay is how a change is tested before it is trusted with money, so it has to give the same
//! facts in the same order every time: files are merged by event time, ties by path.

mod feed;
mod pace;
#[cfg(feature = "parquet")]
mod table;

use std::path::{Path, PathBuf};

use schema::Span;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::input;
use crate::{Door, Error, Running, Source};
use feed::Feeds;
pub use pace::Speed;

/// What it is.
pub const SUMMARY: &str =
    "recorded facts: JSON lines (plain, gz, zst), Parquet or Arrow files, or a folder of them";

/// Its settings, every key with its default except `path`, which has none.
pub const EXAMPLE: &str = "\
type: replay
path: sample/season.jsonl.zst # a file, or a folder of feeds
speed: max                    # max, step (one event time a line on stdin), or a multiple: 10x
stale_after: 14d              # prices stop counting this long after the newest fact
";

/// Chunks read ahead of a pace.
const AHEAD_CHUNKS_MAX: usize = 4;

/// Settings of a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A file, or a folder whose feeds are merged by event time.
    pub path: PathBuf,
    /// How fast: `max` by default.
    #[serde(default)]
    pub speed: Speed,
    /// How long after its newest fact its prices stop counting: 14 days by default, so that a
    /// break in the calendar does not.
    #[serde(default = "stale_after")]
    pub stale_after: Span,
}

fn stale_after() -> Span {
    Span::days(14)
}

impl Config {
    /// A path with everything else at its default.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), speed: Speed::Max, stale_after: stale_after() }
    }
}

/// Whether a file is a feed by its name.
pub(crate) fn is_feed(path: &Path) -> bool {
    input::has_extension(path, &["jsonl", "ndjson", "json", "parquet", "arrow", "feather"])
}

/// The feeds under a path, sorted.
pub(crate) fn files_under(path: &Path) -> Result<Vec<PathBuf>, Error> {
    input::files_under(path, is_feed)
}

/// A replay, ready to run.
#[derive(Clone, Debug)]
pub struct Replay {
    name: String,
    config: Config,
}

impl Replay {
    /// A replay under its name in the topology.
    pub fn new(name: &str, config: Config) -> Self {
        Self { name: name.to_owned(), config }
    }
}

impl Source for Replay {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Error> {
        Feeds::open(&self.name, &self.config.path).map(|_| ())
    }

    fn run(self: Box<Self>, door: Door) -> Running {
        Box::pin(async move {
            let Self { name, config } = *self;
            let reading = name.clone();
            let read = move |door: &Door| {
                // A closed door is how a replay is told to stop.
                let _stopped = Feeds::open(&reading, &config.path)?.run(door);
                Ok(())
            };
            if config.speed == Speed::Max {
                return crate::blocking(&name, move || read(&door)).await;
            }
            let (ahead, chunks) = mpsc::channel(AHEAD_CHUNKS_MAX);
            let reader = crate::blocking(&name, move || read(&Door::new(ahead)));
            let (read, ()) = tokio::join!(reader, pace::pace(config.speed, chunks, &door));
            read
        })
    }
}

#[cfg(test)]
mod tests;
