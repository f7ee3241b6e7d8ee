//! Circle of competence: has this league and market been priced often, and well?
//!
//! A fair price is worth what its past ones were worth. The calibration error counts only beyond
//! what chance alone would show, or every young league would look badly priced.

use serde::{Deserialize, Serialize};

use crate::error::within;
use crate::{Case, Lens, Reading, Result};

/// Name in topology and output.
pub const NAME: &str = "circle_of_competence";
/// Settings in a topology's `panel`.
pub const EXAMPLE: &str = "type: circle_of_competence\nfixtures_half: 60\nscore_unknown: 0.2\n\
                           calibration_scale: 0.05\nbooks_full: 5\n";

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Settled fixtures at which half the way from unknown to known is gone: 60.
    pub fixtures_half: f64,
    /// Score of a league nothing is known of: 0.2.
    pub score_unknown: f64,
    /// Calibration error beyond chance that divides the score by e: 0.05.
    pub calibration_scale: f64,
    /// Complete books at which the price counts as well supported: 5.
    pub books_full: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { fixtures_half: 60.0, score_unknown: 0.2, calibration_scale: 0.05, books_full: 5.0 }
    }
}

/// The lens: coverage x calibration x support by books.
#[derive(Debug)]
pub struct CircleOfCompetence(Config);

impl CircleOfCompetence {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] with the accepted range.
    pub fn new(config: Config) -> Result<Self> {
        within("circle_of_competence.fixtures_half", config.fixtures_half, 0.0, 1e6)?;
        within("circle_of_competence.score_unknown", config.score_unknown, 0.0, 1.0)?;
        within("circle_of_competence.calibration_scale", config.calibration_scale, 1e-6, 10.0)?;
        within("circle_of_competence.books_full", config.books_full, 1.0, 1e3)?;
        Ok(Self(config))
    }
}

impl Lens for CircleOfCompetence {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, case: &Case<'_>) -> Reading {
        let n = f64::from(case.standing.fixtures);
        let known = if n > 0.0 { n / (n + self.0.fixtures_half) } else { 0.0 };
        let coverage = self.0.score_unknown + (1.0 - self.0.score_unknown) * known;
        let standing = case.standing;
        let excess = (standing.calibration_error - standing.calibration_floor).max(0.0);
        let calibration = (-excess / self.0.calibration_scale).exp();
        // Two books say much more than one, ten little more than five.
        let support = (f64::from(case.books) / self.0.books_full).min(1.0).sqrt();
        let reason = format!(
            "{} settled fixtures in this league and market, calibration error {:.1} points ({:.1} by \
             chance), {} books quote it.",
            standing.fixtures,
            standing.calibration_error * 100.0,
            standing.calibration_floor * 100.0,
            case.books,
        );
        Reading::new(coverage * calibration * support, reason)
    }
}
