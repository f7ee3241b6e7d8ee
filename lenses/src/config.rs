//! Every figure the desk decides by, with its default and why it is what it is.

use serde::{Deserialize, Serialize};

use crate::error::within;
use crate::{LensConfig, Result};

/// The `lenses` section of a topology.
pub const EXAMPLE: &str = "\
edge_min: 0.02
confidence_min: 0.70
signals_min: 2
signal_edge_min: 0.0
signal_movement_min: 0.005
falling_max: 0.01
odds_suspect_ratio: 1.10
odds_max: 15.0
bet_sharpest: false
kelly_fraction: 0.25
caps: { bet: 0.02, fixture: 0.05, league: 0.10, day: 0.25, bookmaker: 0.25, exchange: 0.25 }
hard_stop: 0.05
learning: { bets_min: 200, shrink_bets: 200, ridge: 0.1 }
panel:
  - { type: margin_of_safety, uncertainty_weight: 0.5, edge_scale: 0.02 }
  - { type: circle_of_competence }
  - { type: moat }
  - { type: mr_market }
  - { type: patience }
";

/// Gates, sizing, hard stop and the panel of lenses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Least expected profit per unit staked, net of commission: 0.02.
    pub edge_min: f64,
    /// Least combined score of the lenses: 0.70.
    pub confidence_min: f64,
    /// Least number of agreeing signals of [`crate::SignalKind`]: 2.
    pub signals_min: u8,
    /// Edge from which a second opinion (other books, the sharpest book) counts as agreeing: 0.
    pub signal_edge_min: f64,
    /// Rise of the selection's consensus probability that counts as movement toward it: 0.005.
    pub signal_movement_min: f64,
    /// Fall of the selection's consensus probability since the open beyond which its price is
    /// falling away and nothing is bet: 0.01.
    pub falling_max: f64,
    /// Prices above this times the median of the other books are suspect (a palpable error, which
    /// books void, or an entry in the wrong column): 1.10.
    pub odds_suspect_ratio: f64,
    /// Longest odds bet at: 15. Beyond, the margin's shape decides the fair price, not the match.
    pub odds_max: f64,
    /// Whether to bet at the book the pricer weighs most: false. Its price is the best single
    /// estimate there is, so an edge against it is usually the others lagging behind it.
    pub bet_sharpest: bool,
    /// Share of the Kelly stake: 0.25.
    pub kelly_fraction: f64,
    /// Most of the bankroll at risk, by what it is at risk on.
    pub caps: Caps,
    /// Loss of one day, as a share of the bankroll it started with, that trips the stop: 0.05.
    pub hard_stop: f64,
    /// How the lenses' weights are learned.
    pub learning: Learning,
    /// The lenses that sit on the panel: all five.
    pub panel: Vec<LensConfig>,
}

/// Greatest share of the bankroll outstanding at once, per what it is on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// One bet: 0.02.
    pub bet: f64,
    /// One fixture: 0.05.
    pub fixture: f64,
    /// One league: 0.10.
    pub league: f64,
    /// Everything that starts on one day: 0.25.
    pub day: f64,
    /// All bookmakers together: 0.25.
    pub bookmaker: f64,
    /// All exchanges together: 0.25.
    pub exchange: f64,
}

/// How the weights of the lenses are learned from settled bets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Learning {
    /// Bets with a closing line below which all weights are equal: 200.
    pub bets_min: u32,
    /// Bets at which learned and equal weights count the same: 200.
    pub shrink_bets: u32,
    /// Ridge on the regression, relative to the mean variance of the log scores: 0.1.
    pub ridge: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            edge_min: 0.02,
            confidence_min: 0.70,
            signals_min: 2,
            signal_edge_min: 0.0,
            signal_movement_min: 0.005,
            falling_max: 0.01,
            odds_suspect_ratio: 1.10,
            odds_max: 15.0,
            bet_sharpest: false,
            kelly_fraction: 0.25,
            caps: Caps::default(),
            hard_stop: 0.05,
            learning: Learning::default(),
            panel: LensConfig::all(),
        }
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self { bet: 0.02, fixture: 0.05, league: 0.10, day: 0.25, bookmaker: 0.25, exchange: 0.25 }
    }
}

impl Default for Learning {
    fn default() -> Self {
        Self { bets_min: 200, shrink_bets: 200, ridge: 0.1 }
    }
}

impl Config {
    /// Checks every figure.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the first figure out of range and the range.
    pub fn check(&self) -> Result<()> {
        let shares = [
            ("confidence_min", self.confidence_min),
            ("kelly_fraction", self.kelly_fraction),
            ("hard_stop", self.hard_stop),
            ("falling_max", self.falling_max),
            ("signal_movement_min", self.signal_movement_min),
            ("caps.bet", self.caps.bet),
            ("caps.fixture", self.caps.fixture),
            ("caps.league", self.caps.league),
            ("caps.day", self.caps.day),
            ("caps.bookmaker", self.caps.bookmaker),
            ("caps.exchange", self.caps.exchange),
        ];
        for (name, share) in shares {
            within(name, share, 0.0, 1.0)?;
        }
        within("edge_min", self.edge_min, 0.0, 10.0)?;
        within("signal_edge_min", self.signal_edge_min, -1.0, 10.0)?;
        within("signals_min", f64::from(self.signals_min), 0.0, 5.0)?;
        within("odds_suspect_ratio", self.odds_suspect_ratio, 1.0, 100.0)?;
        within("odds_max", self.odds_max, 1.01, 100_000.0)?;
        within("learning.ridge", self.learning.ridge, 1e-6, 1e6)
    }
}
