//! Probabilities as integers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A probability in trillionths (10^-12): 0.5 is 500,000,000,000.
///
/// Rows of the dataflow need a total order, and a sum of integers does not drift under replacement
/// where a sum of floats does. Trillionths keep an edge at odds of 500 exact to 10^-9.
///
/// | what | how | rounding |
/// |---|---|---|
/// | from a float | `round(p * 10^12)` | to the nearest |
/// | mean of n | `sum / n` as a float, then as above | to the nearest |
/// | fair odds | `1 / p` | none (floating point) |
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Probability(u64);

impl Probability {
    /// Trillionths in one.
    pub const SCALE: u64 = 1_000_000_000_000;
    /// Impossible; also "not known" in rows that say so.
    pub const ZERO: Self = Self(0);

    /// A probability from a float.
    ///
    /// # Errors
    /// [`Error::Probability`] for NaN and for anything outside 0..=1.
    pub fn new(p: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&p) {
            Ok(Self((p * Self::SCALE as f64).round() as u64))
        } else {
            Err(Error::Probability(p.to_string()))
        }
    }

    /// A probability from a float, pushed into 0..=1; NaN becomes 0. For results of arithmetic
    /// whose inputs were checked.
    #[inline]
    pub fn clamped(p: f64) -> Self {
        // Adding a half and cutting off rounds to the nearest: the product is no more than 10^12,
        // where floats are a ten-thousandth apart. `round` would be a call on baseline x86-64.
        Self((p.clamp(0.0, 1.0) * Self::SCALE as f64 + 0.5) as u64)
    }

    /// Trillionths.
    #[inline]
    pub const fn scaled(self) -> u64 {
        self.0
    }

    /// As a float in 0..=1.
    #[inline]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }

    /// Fair decimal odds, `1 / p`; infinite at zero.
    pub fn fair_odds(self) -> f64 {
        1.0 / self.as_f64()
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4}", self.as_f64())
    }
}

impl fmt::Debug for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.12}", self.as_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probabilities_are_accepted() {
        assert!(Probability::new(f64::NAN).is_err());
        assert!(Probability::new(-0.01).is_err());
        assert!(Probability::new(1.01).is_err());
        assert_eq!(Probability::new(0.25).unwrap().fair_odds(), 4.0);
        assert_eq!(Probability::clamped(f64::NAN), Probability::ZERO);
    }
}
