//! How to train: numbers with a meaning and bounds, checked before the first step.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Most steps of one training.
pub const STEPS_MAX: usize = 100_000;

/// How to train.
///
/// ```
/// use tideline_hgt::train::Settings;
///
/// assert!(Settings::default().check().is_ok());
/// let wild = Settings { learning_rate: 3.0, ..Settings::default() };
/// assert!(wild.check().unwrap_err().to_string().contains("learning_rate"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Adam's, reached after [`WARM_UP_STEPS`]; above 0 up to 1.
    pub learning_rate: f64,
    /// Share of a matrix that learning rate 1 would take away each step (decoupled: Loshchilov and
    /// Hutter 2019); `0.0..=100.0`. Biases, priors and skips do not decay.
    pub weight_decay: f64,
    /// Most steps over the whole graph; `1..=`[`STEPS_MAX`].
    pub steps_max: usize,
    /// Checks in a row without a better validation loss after which training stops; 1 or more.
    pub patience: usize,
    /// Steps between checks; 1 or more.
    pub check_every: usize,
    /// Weight of the squared error of the closing move, relative to that of predicting no move;
    /// 0 or more. Lines say much more than results, so what lines say must be heard.
    pub closing_weight: f64,
    /// Weight of the Poisson loss of the goals; 0 or more. Counts of goals are mostly chance: much
    /// weight teaches the shared layers that chance.
    pub goals_weight: f64,
    /// Of the first weights and of what is left out by chance.
    pub seed: u64,
    /// Longest gradient, as the root of its sum of squares; above 0.
    pub gradient_clip: f64,
}

/// Steps over which the learning rate rises to its full height: Adam's first estimates are noise.
pub const WARM_UP_STEPS: usize = 10;

/// Chosen on made-up seasons of 6,000 fixtures whose lines are half foreseeable; data of another
/// kind deserve a [`sweep`](super::sweep()).
impl Default for Settings {
    fn default() -> Self {
        Self {
            learning_rate: 5e-3,
            weight_decay: 1.0,
            steps_max: 400,
            patience: 20,
            check_every: 5,
            closing_weight: 0.5,
            goals_weight: 0.02,
            seed: 1,
            gradient_clip: 1.0,
        }
    }
}

impl Settings {
    /// Checks every bound.
    ///
    /// # Errors
    /// [`Error::Settings`] with the first number that is out of bounds.
    pub fn check(&self) -> Result<()> {
        let above = |low: f64, high: f64, value: f64| value > low && value <= high;
        let within = |low: f64, high: f64, value: f64| (low..=high).contains(&value);
        let steps_max = STEPS_MAX as f64;
        let count = |value: usize| within(1.0, steps_max, value as f64);
        let numbers = [
            (
                "learning_rate",
                self.learning_rate,
                above(0.0, 1.0, self.learning_rate),
                "above 0 up to 1, such as 0.005",
            ),
            (
                "weight_decay",
                self.weight_decay,
                within(0.0, 1e2, self.weight_decay),
                "0 to 100, such as 1",
            ),
            (
                "closing_weight",
                self.closing_weight,
                within(0.0, 1e3, self.closing_weight),
                "0 to 1000, such as 0.5",
            ),
            (
                "goals_weight",
                self.goals_weight,
                within(0.0, 1e3, self.goals_weight),
                "0 to 1000, such as 0.02",
            ),
            (
                "gradient_clip",
                self.gradient_clip,
                above(0.0, 1e9, self.gradient_clip),
                "above 0 up to 1e9, such as 1",
            ),
            ("steps_max", self.steps_max as f64, count(self.steps_max), "1 to 100000"),
            ("patience", self.patience as f64, count(self.patience), "1 to 100000"),
            ("check_every", self.check_every as f64, count(self.check_every), "1 to 100000"),
        ];
        match numbers.into_iter().find(|it| !it.2) {
            None => Ok(()),
            Some((name, value, _, advice)) => {
                Err(Error::Settings(format!("{name} is {value}: choose {advice}")))
            }
        }
    }
}
