//! Mr. Market: is this one book's mood, and is the market coming round to us?
//!
//! A price somewhat above what the other books think is an offer; far above, it is more likely an
//! error or an old price. A market that moves toward the selection agrees with the bet, one that
//! moves away knows something.

use schema::Span;
use serde::{Deserialize, Serialize};

use crate::error::within;
use crate::{Case, Lens, Reading, Result};

/// Name in topology and output.
pub const NAME: &str = "mr_market";
/// Settings in a topology's `panel`.
pub const EXAMPLE: &str = "type: mr_market\naway_full: 0.03\naway_odd: 0.06\naway_scale: 0.06\n\
                           score_still: 0.9\nmovement_scale: 0.01\nlag_scale: 12h\n";

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Edge against the other books' consensus from which the price is clearly away: 0.03.
    pub away_full: f64,
    /// Edge against them beyond which it starts to look odd: 0.06.
    pub away_odd: f64,
    /// Further edge that divides the score by e: 0.06.
    pub away_scale: f64,
    /// Score of a market that has not moved: 0.9.
    pub score_still: f64,
    /// Rise of the selection's probability that multiplies the odds of the score by e: 0.01.
    pub movement_scale: f64,
    /// Time behind the market's newest price that divides the score by e: 12 h.
    pub lag_scale: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            away_full: 0.03,
            away_odd: 0.06,
            away_scale: 0.06,
            score_still: 0.9,
            movement_scale: 0.01,
            lag_scale: Span::hours(12),
        }
    }
}

/// Score where no other book says anything, or where the others give no edge at all.
const SCORE_ALONE: f64 = 0.5;

/// The lens: distance from consensus x movement x freshness.
#[derive(Debug)]
pub struct MrMarket(Config);

impl MrMarket {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] with the accepted range.
    pub fn new(config: Config) -> Result<Self> {
        within("mr_market.away_full", config.away_full, 1e-6, 10.0)?;
        within("mr_market.away_odd", config.away_odd, config.away_full, 10.0)?;
        within("mr_market.away_scale", config.away_scale, 1e-6, 10.0)?;
        within("mr_market.score_still", config.score_still, 0.01, 0.99)?;
        within("mr_market.movement_scale", config.movement_scale, 1e-6, 10.0)?;
        within("mr_market.lag_scale (ms)", config.lag_scale.ms() as f64, 1.0, 1e12)?;
        Ok(Self(config))
    }

    /// From 1/2 with no edge against the others up to 1, flat, then down beyond what is odd.
    fn away_score(&self, away: f64) -> f64 {
        if away <= self.0.away_full {
            (SCORE_ALONE + (1.0 - SCORE_ALONE) * away / self.0.away_full).max(0.0)
        } else {
            (-(away - self.0.away_odd).max(0.0) / self.0.away_scale).exp()
        }
    }
}

impl Lens for MrMarket {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, case: &Case<'_>) -> Reading {
        let away = case.consensus_others.map(|consensus| crate::edge(consensus, case.net_odds));
        let distance = away.map_or(SCORE_ALONE, |away| self.away_score(away));
        let still = (self.0.score_still / (1.0 - self.0.score_still)).ln();
        let moving = 1.0 / (1.0 + (-(still + case.movement / self.0.movement_scale)).exp());
        let fresh = (-(case.lag_ms.max(0) as f64) / self.0.lag_scale.ms() as f64).exp();
        let stance = match away {
            Some(away) => format!("Edge {:+.1}% against the other books' consensus", away * 100.0),
            None => "No other book to compare with".to_owned(),
        };
        let reason = format!(
            "{stance}; the market moved {:+.2} points on the selection since the open, this price is \
             {:.1} h behind its newest.",
            case.movement * 100.0,
            case.lag_ms.max(0) as f64 / 3_600_000.0,
        );
        Reading::new(distance * moving * fresh, reason)
    }
}
