//! The five lenses, the gates and the sizing: from a priced bet to a judged, sized one.
//!
//! Everything here is a pure function or a small state machine over integers, so that the desk can
//! re-judge and restate as often as facts change and a replay gives the same bytes. A new lens costs
//! one file and one word in the registry below, which is the only place that matches on it.
//!
//! ```
//! use lenses::{Config, Panel, TrackRecord};
//! use tideline_lenses as lenses;
//!
//! let config = Config::default();
//! let panel = Panel::open(&config)?;
//! let record = TrackRecord::default();
//! assert_eq!(panel.names().len(), 5);
//! assert_eq!(record.weights(&config.learning), lenses::Weights::EQUAL);
//! # Ok::<(), lenses::Error>(())
//! ```

mod case;
mod config;
mod error;
mod gates;
mod hard_stop;
mod kelly;
mod panel;
mod record;
mod scenarios;
mod sizing;
mod weights;

pub mod circle_of_competence;
pub mod margin_of_safety;
pub mod moat;
pub mod mr_market;
pub mod patience;

use serde::{Deserialize, Serialize};

pub use case::{Account, Ask, Case, edge, odds_min};
pub use config::{Caps, Config, EXAMPLE, Learning};
pub use error::{Error, Result};
pub use gates::{Gate, Refusal, SignalKind};
pub use hard_stop::{HardStop, daily_loss, exceeds_hard_stop};
pub use kelly::exclusive_kelly;
pub use panel::{Panel, Verdict};
pub use record::{BetKind, BetRecord, LeagueStanding, OddsBand, SettledBet, TrackRecord};
pub use sizing::{BETS_MAX, Bet, Held, Limit, MarketPrice, Room, Stake, size};
pub use weights::{LENSES_MAX, Weights};

/// What a lens sees in a bet.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Score in 0..=1; 1 speaks for the bet as strongly as this lens can.
    pub score: f64,
    /// One sentence with the numbers behind the score.
    pub reason: String,
}

impl Reading {
    /// A reading with its score pushed into 0..=1; NaN reads as 0, which refuses.
    pub fn new(score: f64, reason: String) -> Self {
        Self { score: if score.is_nan() { 0.0 } else { score.clamp(0.0, 1.0) }, reason }
    }
}

/// One way of looking at a bet.
pub trait Lens: Send + Sync {
    /// Its name in output and topology.
    fn name(&self) -> &'static str;
    /// What it sees. Pure: the same case always reads the same.
    fn read(&self, case: &Case<'_>) -> Reading;
}

/// The registry: which lens a topology names, and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LensConfig {
    /// Edge net of commission and of the model's uncertainty.
    MarginOfSafety(margin_of_safety::Config),
    /// Data and calibration in this league and market.
    CircleOfCompetence(circle_of_competence::Config),
    /// Closing line record of this kind of bet.
    Moat(moat::Config),
    /// Price away from consensus, and which way it moves.
    MrMarket(mr_market::Config),
    /// Drawdown, exposure and time to start.
    Patience(patience::Config),
}

impl LensConfig {
    /// All five with their default settings, in the order of every weight vector.
    pub fn all() -> Vec<Self> {
        vec![
            Self::MarginOfSafety(margin_of_safety::Config::default()),
            Self::CircleOfCompetence(circle_of_competence::Config::default()),
            Self::Moat(moat::Config::default()),
            Self::MrMarket(mr_market::Config::default()),
            Self::Patience(patience::Config::default()),
        ]
    }

    /// The YAML example of each, in the same order.
    pub const fn examples() -> [&'static str; LENSES_MAX] {
        [
            margin_of_safety::EXAMPLE,
            circle_of_competence::EXAMPLE,
            moat::EXAMPLE,
            mr_market::EXAMPLE,
            patience::EXAMPLE,
        ]
    }

    /// Names of all lenses, in the same order: the position of a lens in weights and records.
    pub const fn names() -> [&'static str; LENSES_MAX] {
        [
            margin_of_safety::NAME,
            circle_of_competence::NAME,
            moat::NAME,
            mr_market::NAME,
            patience::NAME,
        ]
    }

    /// Checks the settings and makes the lens.
    ///
    /// # Errors
    /// [`Error::Setting`] with the accepted range.
    pub fn open(&self) -> Result<Box<dyn Lens>> {
        Ok(match self {
            Self::MarginOfSafety(config) => {
                Box::new(margin_of_safety::MarginOfSafety::new(*config)?)
            }
            Self::CircleOfCompetence(config) => {
                Box::new(circle_of_competence::CircleOfCompetence::new(*config)?)
            }
            Self::Moat(config) => Box::new(moat::Moat::new(*config)?),
            Self::MrMarket(config) => Box::new(mr_market::MrMarket::new(*config)?),
            Self::Patience(config) => Box::new(patience::Patience::new(*config)?),
        })
    }
}
