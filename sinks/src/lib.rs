//! Sinks: where suggestions go.
//!
//! A sink is told what each tick sends and shows or stores it in its own way; nothing it does can
//! change what the engine decides. One file a sink; the tagged enum [`SinkConfig`] is the registry,
//! and only this file matches on it.
//!
//! Every sink takes the same outbox twice without harm: messages are told apart by their ids, and
//! ledger rows by id and revision. So after a crash the engine simply publishes again from wherever
//! it recovers. `console`, `ledger` and `report` are views over the whole run, kept in memory: an
//! engine that recovers publishes to them from its first tick.

pub mod calibration;
pub mod chart;
pub mod console;
mod error;
mod files;
pub mod html;
pub mod jsonl;
pub mod ledger;
pub mod report;
pub mod statistics;

use std::path::Path;

use schema::Outbox;
use serde::{Deserialize, Serialize};

pub use error::{Error, Result};

/// Something that suggestions go to.
pub trait Sink: Send {
    /// Its name in the topology.
    fn name(&self) -> &str;

    /// Whether it could publish now: the folder is writable, the server answers. Changes nothing.
    fn check(&self) -> Result<()>;

    /// Takes what one tick sends. Called in order of ticks; the same outbox may come again after an
    /// error or a recovery. An error leaves the sink usable: the call may be repeated.
    fn publish(&mut self, outbox: &Outbox) -> Result<()>;

    /// Writes what is still held back. Called once at the end of a run.
    fn finish(&mut self) -> Result<()>;
}

/// A sink's settings, as in the topology: `type` says which.
///
/// ```
/// use tideline_sinks::SinkConfig;
/// # let folder = std::env::temp_dir();
/// let config = SinkConfig::Report(tideline_sinks::report::Config::default());
/// let sink = config.open("report", &folder)?;
/// assert_eq!(sink.name(), "report");
/// # Ok::<(), tideline_sinks::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SinkConfig {
    /// A live table of what to bet now.
    Console(console::Config),
    /// Every suggestion as one JSON object a line.
    Jsonl(jsonl::Config),
    /// The bets and what became of them, as CSV and Parquet.
    Ledger(ledger::Config),
    /// The Daily Edge Report.
    Report(report::Config),
}

impl SinkConfig {
    /// Opens the sink under its name in the topology. A path that the settings give is relative to
    /// the working folder; files whose path they leave out go into `data_dir`.
    ///
    /// # Errors
    /// [`Error::Setting`] for values that make no sense, [`Error::File`] when what is already there
    /// cannot be read.
    pub fn open(&self, name: &str, data_dir: &Path) -> Result<Box<dyn Sink>> {
        Ok(match self {
            Self::Console(config) => Box::new(config.open(name)?),
            Self::Jsonl(config) => Box::new(config.open(name, data_dir)?),
            Self::Ledger(config) => Box::new(config.open(name, data_dir)?),
            Self::Report(config) => Box::new(config.open(name)?),
        })
    }
}

/// What the registry knows about one type of sink.
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// The `type` in the topology.
    pub kind: &'static str,
    /// What it is for, in a few words.
    pub summary: &'static str,
    /// An example of its settings, in YAML.
    pub example: &'static str,
}

/// Every type of sink.
pub const REGISTRY: &[Component] = &[
    Component {
        kind: "console",
        summary: "a live table of what to bet now; quiet when piped",
        example: console::EXAMPLE,
    },
    Component {
        kind: "jsonl",
        summary: "every suggestion as one JSON object a line",
        example: jsonl::EXAMPLE,
    },
    Component {
        kind: "ledger",
        summary: "the bets and what became of them, as CSV and Parquet",
        example: ledger::EXAMPLE,
    },
    Component {
        kind: "report",
        summary: "the Daily Edge Report: one self-contained HTML page a day",
        example: report::EXAMPLE,
    },
];

#[cfg(test)]
pub(crate) mod made_up;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_round_trips_and_carries_its_type() {
        for component in REGISTRY {
            let config: SinkConfig = serde_saphyr::from_str(component.example).unwrap();
            let json = serde_json::to_value(&config).unwrap();
            assert_eq!(json["type"], component.kind);
            assert_eq!(serde_json::from_value::<SinkConfig>(json).unwrap(), config);
        }
    }

    #[test]
    fn the_type_alone_is_enough() {
        for component in REGISTRY {
            let text = format!("type: {}", component.kind);
            let config: SinkConfig = serde_saphyr::from_str(&text).unwrap();
            config.open("any", Path::new("state")).unwrap();
        }
    }

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        for component in REGISTRY {
            let text = format!("type: {}\nverbsoe: true", component.kind);
            let error = serde_saphyr::from_str::<SinkConfig>(&text).unwrap_err().to_string();
            assert!(error.contains("verbsoe"), "{}: {error}", component.kind);
        }
        let error = serde_saphyr::from_str::<SinkConfig>("type: consle").unwrap_err().to_string();
        assert!(error.contains("consle"), "{error}");
    }

    #[test]
    fn the_readme_lists_every_sink() {
        let readme = include_str!("../README.md");
        for component in REGISTRY {
            let row = format!("| `{}` | {} |", component.kind, component.summary);
            assert!(readme.contains(&row), "the README lacks the row {row}");
        }
    }
}
