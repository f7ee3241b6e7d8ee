//! Patience: is this the moment, or will there be a better one?
//!
//! Betting less after losses, and less with much at risk, is what keeps a bettor in the game; the
//! opportunity costs nothing to let pass. A price taken a week early is taken against less
//! information.

use schema::Span;
use serde::{Deserialize, Serialize};

use crate::error::within;
use crate::{Case, Lens, Reading, Result};

/// Name in topology and output.
pub const NAME: &str = "patience";
/// Settings in a topology's `panel`.
pub const EXAMPLE: &str = "type: patience\ndrawdown_max: 0.5\nexposure_max: 0.5\nlead_full: 4d\n\
                           lead_half: 7d\nlead_min: 30s\n";

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Drawdown at which the score is zero: 0.5.
    pub drawdown_max: f64,
    /// Share of the bankroll at risk at which the score is zero: 0.5.
    pub exposure_max: f64,
    /// Time to start up to which nothing is lost by betting now: 4 d.
    pub lead_full: Span,
    /// Further time to start that halves the score: 7 d.
    pub lead_half: Span,
    /// Time to start below which a bet can hardly be placed any more; the score is zero: 30 s.
    pub lead_min: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            drawdown_max: 0.5,
            exposure_max: 0.5,
            lead_full: Span::days(4),
            lead_half: Span::days(7),
            lead_min: Span::from_ms(30_000),
        }
    }
}

/// The lens: room left by drawdown x room left by exposure x timing.
#[derive(Debug)]
pub struct Patience(Config);

impl Patience {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] with the accepted range.
    pub fn new(config: Config) -> Result<Self> {
        within("patience.drawdown_max", config.drawdown_max, 1e-6, 1.0)?;
        within("patience.exposure_max", config.exposure_max, 1e-6, 1.0)?;
        within("patience.lead_full (ms)", config.lead_full.ms() as f64, 0.0, 1e12)?;
        within("patience.lead_half (ms)", config.lead_half.ms() as f64, 1.0, 1e12)?;
        within("patience.lead_min (ms)", config.lead_min.ms() as f64, 0.0, 1e12)?;
        Ok(Self(config))
    }

    fn timing(&self, lead_ms: i64) -> f64 {
        if lead_ms < self.0.lead_min.ms() {
            return 0.0;
        }
        let early_ms = (lead_ms - self.0.lead_full.ms()).max(0) as f64;
        (-early_ms / self.0.lead_half.ms() as f64).exp2()
    }
}

impl Lens for Patience {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, case: &Case<'_>) -> Reading {
        let left = |used: f64, most: f64| (1.0 - used.max(0.0) / most).max(0.0);
        let drawdown = left(case.account.drawdown, self.0.drawdown_max);
        let exposure = left(case.account.exposure, self.0.exposure_max);
        let timing = self.timing(case.lead_ms());
        let reason = format!(
            "Drawdown {:.1}%, {:.1}% of the bankroll at risk, {:.1} h to the start.",
            case.account.drawdown * 100.0,
            case.account.exposure * 100.0,
            case.lead_ms() as f64 / 3_600_000.0,
        );
        Reading::new(drawdown * exposure * timing, reason)
    }
}
