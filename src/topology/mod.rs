//! What runs: sources, the market's arithmetic, the pricer, the lenses, the bankroll and the sinks,
//! read from one YAML file.
//!
//! A mistake here costs money later, so a topology is refused with every mistake it has, each at its
//! line and column. Components own their settings and are read through `serde`, which knows what is
//! wrong but not where; the tree of the file knows where, and `diagnose` brings the two together.
//!
//! | file | what it owns |
//! |---|---|
//! | `settings` | the sections and their defaults |
//! | `model` | the model's section, which can be written in two ways |
//! | `tree` | the file as a tree in which everything has a place |
//! | `variables` | `${VAR}` and `${VAR:-default}` |
//! | `diagnose` | which key a refusal is about |
//! | `words` | refusals in plain words, "did you mean" |
//! | `check` | what can be read and still makes no sense |
//! | `problem` | problems and how they are shown |
//! | `rehearsals` | the `tests` section |
//! | `graph` | the mermaid picture |

mod check;
mod diagnose;
mod graph;
mod model;
mod problem;
mod rehearsals;
mod settings;
#[cfg(test)]
mod tests;
mod tree;
mod variables;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sinks::SinkConfig;
use sources::SourceConfig;

pub use self::model::ModelSettings;
pub use problem::{Error, Problem};
pub use rehearsals::{Expectation, Runner, Test, TestOutcome};
pub use settings::{Bankroll, MarketSettings};

use crate::journal;

/// The topology that is built in: replays the bundled season into `./reports`.
pub const EMBEDDED: &str = include_str!("../../topology.yaml");

/// Version of the layout that this program reads.
pub const SCHEMA: u16 = 1;

/// Everything that can be set. All figures a suggestion depends on are in here.
///
/// ```
/// use tideline::topology::Topology;
///
/// let text = "schema: 1\nsources:\n  feed: { type: replay, path: feed.jsonl, sped: max }\n";
/// let error = Topology::parse(text, "topology.yaml").unwrap_err();
/// assert_eq!(error.problems()[0].help(), Some("did you mean `speed`? keys: `path`, `speed`, `stale_after`"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Version of this layout: 1.
    pub schema: u16,
    /// Where journal and state are kept. Default `./state`.
    #[serde(default = "settings::data_dir")]
    pub data_dir: PathBuf,
    /// Where facts come from, by the name their events carry.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceConfig>,
    /// How markets are read.
    #[serde(default)]
    pub market: MarketSettings,
    /// How fair prices are made.
    #[serde(default)]
    pub model: ModelSettings,
    /// Lenses, gates, sizing.
    #[serde(default)]
    pub lenses: lenses::Config,
    /// The paper account.
    #[serde(default)]
    pub bankroll: Bankroll,
    /// How the journal is written.
    #[serde(default)]
    pub journal: journal::Options,
    /// Where suggestions go, by name.
    #[serde(default)]
    pub sinks: BTreeMap<String, SinkConfig>,
    /// Given these facts, expect these suggestions: run by `tideline validate`.
    #[serde(default)]
    pub tests: Vec<Test>,
}

impl Topology {
    /// Reads a topology. `name` is what the file is called in messages.
    ///
    /// # Errors
    /// [`Error`] with every problem that could be found.
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        let variables = |variable: &str| std::env::var(variable).ok();
        problem::gather(text, name, |problems| check::read(text, &variables, problems))
    }

    /// The problems of a topology; none when it is good.
    pub fn validate(text: &str, name: &str) -> Vec<Problem> {
        Self::parse(text, name).err().map(Error::into_problems).unwrap_or_default()
    }

    /// The built-in topology as it stands in the source, to start one's own from.
    pub const fn embedded() -> &'static str {
        EMBEDDED
    }
}

impl Default for Topology {
    /// The built-in topology.
    fn default() -> Self {
        match Self::parse(EMBEDDED, "topology.yaml") {
            Ok(topology) => topology,
            Err(error) => unreachable!("the built-in topology is tested: {}", error.render()),
        }
    }
}
