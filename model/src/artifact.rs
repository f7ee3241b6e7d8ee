//! What the market pricer knows, as it is written to the journal and to checkpoints.
//!
//! Everything is a decayed sum in an ordered map: it can be added to, handed over and solved again,
//! and it prints the same wherever it is printed.

use std::collections::BTreeMap;

use schema::{BookId, LeagueId, MarketKind, Time};
use serde::{Deserialize, Serialize};

use crate::consensus::Logs;
use crate::market::Config;
use crate::ridge::{Coefficients, Sums};
use crate::{Error, Result};

/// Layout of artifacts and states; goes up when they change.
pub(crate) const LAYOUT: u16 = 1;
/// Markets of prior weight in a book's closing error.
const ERROR_PRIOR_MARKETS: f64 = 50.0;
/// Prior squared error of a book against the close, in squared log-probability.
const ERROR_PRIOR: f64 = 0.008;

/// A decayed mean that remembers how much it is a mean of.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Mean<T> {
    pub sum: T,
    pub weight: f64,
}

/// Everything learned about one kind of market, as sums that can be decayed and added.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Knowledge {
    pub sums: Sums,
    /// Squared error of each book against the close of the others.
    pub errors: BTreeMap<BookId, Mean<f64>>,
    /// What the live model left over, by league.
    pub leagues: BTreeMap<LeagueId, Mean<Logs>>,
}

impl Knowledge {
    pub fn decay(&mut self, factor: f64) {
        self.sums.decay(factor);
        for error in self.errors.values_mut() {
            *error = Mean { sum: error.sum * factor, weight: error.weight * factor };
        }
        for league in self.leagues.values_mut() {
            *league = Mean { sum: league.sum.map(|x| x * factor), weight: league.weight * factor };
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
        for (book, error) in &other.errors {
            let mine = self.errors.entry(*book).or_default();
            *mine = Mean { sum: mine.sum + error.sum, weight: mine.weight + error.weight };
        }
        for (league, drift) in &other.leagues {
            let mine = self.leagues.entry(*league).or_default();
            let sum = std::array::from_fn(|i| mine.sum[i] + drift.sum[i]);
            *mine = Mean { sum, weight: mine.weight + drift.weight };
        }
    }
}

/// What one kind of market is priced with.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct KindModel {
    pub coefficients: Coefficients,
    pub leagues: BTreeMap<LeagueId, Logs>,
    /// Weight of each book's closing price in the teacher.
    pub reference: BTreeMap<BookId, f64>,
}

impl KindModel {
    pub fn of(knowledge: &Knowledge, config: &Config) -> Self {
        let drift =
            |mean: &Mean<Logs>| mean.sum.map(|sum| sum / (mean.weight + config.league_shrink));
        let reference = |error: &Mean<f64>| reference_weight(error, config.reference_power);
        Self {
            coefficients: knowledge.sums.solve(config.ridge),
            leagues: knowledge.leagues.iter().map(|(id, mean)| (*id, drift(mean))).collect(),
            reference: knowledge.errors.iter().map(|(id, error)| (*id, reference(error))).collect(),
        }
    }
}

/// An artifact: the model, and the sums it came from so that learning can go on anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Artifact {
    pub layout: u16,
    pub window_end: Time,
    pub markets: BTreeMap<MarketKind, KindModel>,
    pub knowledge: BTreeMap<MarketKind, Knowledge>,
}

impl Default for Artifact {
    fn default() -> Self {
        Self {
            layout: LAYOUT,
            window_end: Time::MIN,
            markets: BTreeMap::new(),
            knowledge: BTreeMap::new(),
        }
    }
}

/// How far prices lay from the closes since the last window, over 1X2 markets.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Missed {
    markets: f64,
    priced: f64,
    consensus: f64,
}

impl Missed {
    pub fn add(&mut self, close: &Logs, priced: &Logs, consensus: &Logs) {
        let squared = |logs: &Logs| {
            close.iter().zip(logs).map(|(close, log)| (close - log).powi(2)).sum::<f64>()
        };
        self.markets += 1.0;
        self.priced += squared(priced);
        self.consensus += squared(consensus);
    }

    /// By name: `markets`, and the mean squared distance of centred log-probabilities from the close
    /// of the live model's price (`miss`) and of the plain mean of the books (`miss_consensus`).
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let mean = |sum: f64| sum / self.markets.max(1.0);
        let named = [
            ("markets", self.markets),
            ("miss", mean(self.priced)),
            ("miss_consensus", mean(self.consensus)),
        ];
        named.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// A saved state: what is live, and what was shown since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub digest: String,
    pub live: Artifact,
    /// Up to when `learned` reaches.
    pub learned_until: Time,
    /// What all closed windows taught, whether or not their artifacts went live.
    pub learned: BTreeMap<MarketKind, Knowledge>,
    /// What was shown since.
    pub fresh: BTreeMap<MarketKind, Knowledge>,
    /// How the live model did on it.
    #[serde(default)]
    pub missed: Missed,
}

/// How much a book's closing price counts, by its past errors.
pub(crate) fn reference_weight(error: &Mean<f64>, power: f64) -> f64 {
    let mean =
        (error.sum + ERROR_PRIOR * ERROR_PRIOR_MARKETS) / (error.weight + ERROR_PRIOR_MARKETS);
    (ERROR_PRIOR / mean).powf(power)
}

/// Refuses an artifact of another layout, or one whose pieces do not fit together.
pub(crate) fn check(artifact: &Artifact, digest: &str) -> Result<()> {
    let sound = artifact.knowledge.values().all(|knowledge| knowledge.sums.is_sound());
    if artifact.layout == LAYOUT && sound {
        return Ok(());
    }
    let found = if sound { artifact.layout } else { 0 };
    Err(Error::Layout { digest: digest.to_owned(), found, known: LAYOUT })
}
