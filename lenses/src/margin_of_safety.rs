//! Margin of safety: is there an edge left after commission and after doubting the fair price?
//!
//! A bet is only picked when its price looks high, so the fair price is more often too high than
//! too low where it is picked. Taking some deviations off it before looking at the edge pays for
//! that.

use serde::{Deserialize, Serialize};

use crate::error::within;
use crate::{Case, Lens, Reading, Result};

/// Name in topology and output.
pub const NAME: &str = "margin_of_safety";
/// Settings in a topology's `panel`.
pub const EXAMPLE: &str = "type: margin_of_safety\nuncertainty_weight: 0.5\nedge_scale: 0.02\n";

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Deviations taken off the fair probability before the edge counts: 0.5.
    pub uncertainty_weight: f64,
    /// Doubted edge at which the score is 1 - 1/e = 0.63: 0.02.
    pub edge_scale: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { uncertainty_weight: 0.5, edge_scale: 0.02 }
    }
}

/// The lens: `1 - exp(-doubted edge / scale)`.
#[derive(Debug)]
pub struct MarginOfSafety(Config);

impl MarginOfSafety {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] with the accepted range.
    pub fn new(config: Config) -> Result<Self> {
        within("margin_of_safety.uncertainty_weight", config.uncertainty_weight, 0.0, 10.0)?;
        within("margin_of_safety.edge_scale", config.edge_scale, 1e-6, 10.0)?;
        Ok(Self(config))
    }
}

impl Lens for MarginOfSafety {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, case: &Case<'_>) -> Reading {
        let doubted_fair =
            (case.fair - self.0.uncertainty_weight * case.deviation.max(0.0)).max(0.0);
        let doubted = crate::edge(doubted_fair, case.net_odds);
        let score = 1.0 - (-doubted.max(0.0) / self.0.edge_scale).exp();
        let reason = format!(
            "Edge {:+.1}% at {} net of {:.1}% commission, {doubted:+.1}% when the fair {:.1}% is doubted \
             by {} deviations of {:.2} points.",
            case.edge() * 100.0,
            case.odds,
            f64::from(case.commission_bps) / 100.0,
            case.fair * 100.0,
            self.0.uncertainty_weight,
            case.deviation * 100.0,
            doubted = doubted * 100.0,
        );
        Reading::new(score, reason)
    }
}
