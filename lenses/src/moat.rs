//! Moat: has this kind of bet beaten the closing line before?
//!
//! The closing line is the best price there is, so beating it is the one sign of lasting advantage
//! that shows within months. Few bets say little, so their mean is shrunk to zero, which reads as
//! neutral.

use serde::{Deserialize, Serialize};

use crate::error::within;
use crate::{Case, Lens, Reading, Result};

/// Name in topology and output.
pub const NAME: &str = "moat";
/// Settings in a topology's `panel`.
pub const EXAMPLE: &str = "type: moat\nshrink_bets: 50\nscore_neutral: 0.75\nclv_scale: 0.01\n";

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bets with a closing line at which the record counts half: 50.
    pub shrink_bets: f64,
    /// Score with no record, or one that neither beats the close nor is beaten: 0.75.
    pub score_neutral: f64,
    /// Shrunk mean closing line value that multiplies the odds of the score by e: 0.01.
    pub clv_scale: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { shrink_bets: 50.0, score_neutral: 0.75, clv_scale: 0.01 }
    }
}

/// The lens: a logistic curve through neutral at zero.
#[derive(Debug)]
pub struct Moat(Config);

impl Moat {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] with the accepted range.
    pub fn new(config: Config) -> Result<Self> {
        within("moat.shrink_bets", config.shrink_bets, 1e-6, 1e6)?;
        within("moat.score_neutral", config.score_neutral, 0.01, 0.99)?;
        within("moat.clv_scale", config.clv_scale, 1e-6, 10.0)?;
        Ok(Self(config))
    }
}

impl Lens for Moat {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, case: &Case<'_>) -> Reading {
        let n = f64::from(case.record.clv_bets);
        let shrunk = case.record.clv_mean * n / (n + self.0.shrink_bets);
        let neutral = (self.0.score_neutral / (1.0 - self.0.score_neutral)).ln();
        let score = 1.0 / (1.0 + (-(neutral + shrunk / self.0.clv_scale)).exp());
        let reason = if case.record.clv_bets == 0 {
            "No bet of this kind has met its closing line yet; the record is neutral.".to_owned()
        } else {
            format!(
                "{} bets of this kind met their closing line at {:+.1}% on average, {:+.1}% when shrunk.",
                case.record.clv_bets,
                case.record.clv_mean * 100.0,
                shrunk * 100.0,
            )
        };
        Reading::new(score, reason)
    }
}
