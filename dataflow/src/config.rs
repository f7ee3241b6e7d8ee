//! What can be configured of the maintained collections, with the reasons for the defaults.

use schema::{Devig, Span};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Most workers accepted: beyond a machine's cores they only wait for each other.
pub const WORKERS_MAX: usize = 64;

/// How the collections are kept.
///
/// ```
/// use tideline_dataflow::Config;
/// let config: Config = serde_json::from_str(r#"{ "devig": "shin", "as_of_lead": "10m" }"#)?;
/// assert_eq!(config.form_half_life.to_string(), "60d");
/// assert!(serde_json::from_str::<Config>(r#"{ "devigg": "shin" }"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How a book's margin is taken out. Default `power`.
    pub devig: Devig,
    /// How long before kick-off a decision is made: the as-of rows show the market then. Default
    /// 5 minutes.
    pub as_of_lead: Span,
    /// After how long a match counts half in a team's form. Default 60 days.
    pub form_half_life: Span,
    /// After how long a match does not count at all. Default 400 days: a season and its summer.
    pub form_window: Span,
    /// How long after kick-off late facts may still change a fixture's closing line, form and
    /// training row; then its state is dropped and they are refused. Default 30 days.
    pub retain_after_kick_off: Span,
    /// Worker threads. Default 1, which runs on the caller's thread; two did not pay at the size
    /// of every odds feed a syndicate can buy.
    pub workers: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            devig: Devig::Power,
            as_of_lead: Span::minutes(5),
            form_half_life: Span::days(60),
            form_window: Span::days(400),
            retain_after_kick_off: Span::days(30),
            workers: 1,
        }
    }
}

impl Config {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what it accepts.
    pub fn check(&self) -> Result<()> {
        let spans = [
            ("form_half_life", self.form_half_life, 1),
            ("form_window", self.form_window, 1),
            ("as_of_lead", self.as_of_lead, 0),
            ("retain_after_kick_off", self.retain_after_kick_off, 0),
        ];
        for (name, span, min) in spans {
            if span.ms() < min {
                return Err(Error::Config(format!(
                    "{name} is {span}: give a longer one, as in 5m"
                )));
            }
        }
        if !(1..=WORKERS_MAX).contains(&self.workers) {
            let n = self.workers;
            return Err(Error::Config(format!("workers is {n}: give 1 to {WORKERS_MAX}")));
        }
        Ok(())
    }
}
