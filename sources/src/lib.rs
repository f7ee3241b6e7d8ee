//! Sources: where facts come from. One file or folder a venue or format, each with its `Config`,
//! an `EXAMPLE` for the topology, the runtime and its tests.
//!
//! This file is the registry: [`SourceConfig`] is the only place that knows all of them, and
//! everything else goes through the [`Source`] trait. A new source is a file here and a variant
//! there.

mod door;
mod error;
pub mod football_data;
mod input;
pub mod jsonl;
pub mod replay;
pub mod simulate;
#[cfg(feature = "parquet")]
pub mod tables;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use schema::{Clock, Span, SystemClock};
use serde::{Deserialize, Serialize};

pub use door::{
    CHUNK_EVENTS_MAX, CHUNK_REJECTS_MAX, Chunk, Closed, DOOR_CHUNKS_MAX, Door, Progress,
    RECORD_BYTES_MAX, Reject,
};
pub use error::Error;
pub use input::{Found, LINE_BYTES_MAX, Lines};

/// What a running source is: it ends when its input does, when the door closes, or in an error.
pub type Running = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// One place facts come from.
pub trait Source: Send {
    /// Its name in the topology: events carry the id of it.
    fn name(&self) -> &str;

    /// Looks whether it could start: the path exists, the parts it needs are built in.
    ///
    /// # Errors
    /// Whatever would make [`Source::run`] fail at once.
    fn check(&self) -> Result<(), Error>;

    /// Hands all its facts over at the door, in order of event time where its input has one.
    /// Needs a tokio runtime with time; reading and parsing are done on its blocking threads.
    fn run(self: Box<Self>, door: Door) -> Running;
}

/// Settings of a source in the topology: `type` says which.
///
/// ```
/// use sources::SourceConfig;
/// # use tideline_sources as sources;
/// let text = r#"{"type": "replay", "path": "feed.jsonl.zst", "speed": "10x"}"#;
/// let config: SourceConfig = serde_json::from_str(text)?;
/// assert_eq!(config.type_name(), "replay");
/// let misspelt = r#"{"type": "replay", "path": "feed.jsonl.zst", "sped": "10x"}"#;
/// assert!(serde_json::from_str::<SourceConfig>(misspelt).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceConfig {
    /// Recorded facts from files.
    Replay(replay::Config),
    /// football-data.co.uk CSV files, from a folder or over HTTP.
    FootballData(football_data::Config),
    /// A made-up season.
    Simulate(simulate::Config),
}

/// One line of the table of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Value of `type` in the topology.
    pub type_name: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// An example of its settings in YAML, every key with its default.
    pub example: &'static str,
}

/// Every source, in order of name.
pub const LISTINGS: [Listing; 3] = [
    Listing {
        type_name: "football_data",
        summary: football_data::SUMMARY,
        example: football_data::EXAMPLE,
    },
    Listing { type_name: "replay", summary: replay::SUMMARY, example: replay::EXAMPLE },
    Listing { type_name: "simulate", summary: simulate::SUMMARY, example: simulate::EXAMPLE },
];

impl SourceConfig {
    /// Opens the source under its name in the topology, with the machine's clock.
    ///
    /// # Errors
    /// Settings that make no sense together.
    pub fn open(&self, name: &str) -> Result<Box<dyn Source>, Error> {
        self.open_with(name, Arc::new(SystemClock::new()))
    }

    /// Opens the source with a clock of your own: it stamps what is polled live.
    ///
    /// # Errors
    /// Settings that make no sense together.
    pub fn open_with(&self, name: &str, clock: Arc<dyn Clock>) -> Result<Box<dyn Source>, Error> {
        Ok(match self {
            Self::Replay(config) => Box::new(replay::Replay::new(name, config.clone())),
            Self::FootballData(config) => {
                Box::new(football_data::FootballData::new(name, config.clone(), clock)?)
            }
            Self::Simulate(config) => Box::new(simulate::Simulate::new(name, config.clone())),
        })
    }

    /// How long after its newest fact the source's prices stop counting.
    pub fn stale_after(&self) -> Span {
        match self {
            Self::Replay(config) => config.stale_after,
            Self::FootballData(config) => config.stale_after,
            Self::Simulate(config) => config.stale_after,
        }
    }

    /// Value of `type` in the topology.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Replay(_) => "replay",
            Self::FootballData(_) => "football_data",
            Self::Simulate(_) => "simulate",
        }
    }
}

/// Guesses the source for a path given on the command line: a CSV file, or a folder with CSV files
/// in it, is football-data; any other readable file, or folder of them, is a replay.
///
/// # Errors
/// [`Error::Read`] when the path cannot be read, [`Error::NoFeed`] for a folder without feeds,
/// [`Error::Guess`] for a file that is neither.
pub fn guess(path: &Path) -> Result<SourceConfig, Error> {
    let about = std::fs::metadata(path).map_err(|cause| Error::read(path, cause))?;
    if about.is_dir() {
        if !football_data::files_under(path)?.is_empty() {
            return Ok(SourceConfig::FootballData(football_data::Config::folder(path)));
        }
        if !replay::files_under(path)?.is_empty() {
            return Ok(SourceConfig::Replay(replay::Config::file(path)));
        }
        return Err(Error::NoFeed { path: path.into(), wanted: "CSV or JSON lines files" });
    }
    if football_data::is_csv(path) {
        return Ok(SourceConfig::FootballData(football_data::Config::folder(path)));
    }
    if replay::is_feed(path) || input::sniff(path)?.is_some() {
        return Ok(SourceConfig::Replay(replay::Config::file(path)));
    }
    Err(Error::Guess { path: path.into() })
}

/// Runs blocking work of a source, making a panic in it an error of that source alone.
pub(crate) async fn blocking<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(cause) => Err(Error::Stopped { name: name.to_owned(), cause: cause.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_listed_with_an_example_of_itself() {
        for listing in LISTINGS {
            let first = listing.example.lines().next().unwrap();
            assert_eq!(first, format!("type: {}", listing.type_name));
        }
        assert!(LISTINGS.is_sorted_by_key(|listing| listing.type_name));
    }

    #[tokio::test]
    async fn a_panic_in_a_source_is_an_error_of_that_source() {
        let end = blocking::<()>("feed", || panic!("broken")).await;
        assert!(matches!(end, Err(Error::Stopped { name, .. }) if name == "feed"));
    }
}
