//! Money as integers: the ledger must balance to the cent after any number of corrections.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Odds, Result};

/// An amount in ten-thousandths of the account's currency: 12.34 is 123,400.
///
/// Stakes are whole cents, so half a stake (quarter lines) and a stake times odds are exact or
/// rounded once, at the ten-thousandth.
///
/// | what | how | rounding |
/// |---|---|---|
/// | from a float | `round(x * 10_000)` | to the nearest |
/// | stake x (odds - 1) | integer product / 10,000 | toward zero |
/// | fraction of a bankroll | float product, then down to the cent | down |
/// | sum, difference | integer, saturating | none |
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

impl Money {
    /// Ten-thousandths in one unit of currency.
    pub const SCALE: i64 = 10_000;
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount from a float.
    ///
    /// # Errors
    /// [`Error::Money`] when it is not finite or does not fit.
    pub fn new(amount: f64) -> Result<Self> {
        let scaled = (amount * Self::SCALE as f64).round();
        if scaled.is_finite() && scaled.abs() < 9e18 {
            Ok(Self(scaled as i64))
        } else {
            Err(Error::Money(amount.to_string()))
        }
    }

    /// An amount from ten-thousandths.
    pub const fn from_scaled(n: i64) -> Self {
        Self(n)
    }

    /// Ten-thousandths.
    pub const fn scaled(self) -> i64 {
        self.0
    }

    /// As a float, for ratios and pictures only.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }

    /// `fraction` of this amount, rounded down to a whole cent; nothing for a fraction that is not
    /// positive.
    #[must_use]
    pub fn fraction(self, fraction: f64) -> Self {
        let cents = (self.as_f64() * fraction * 100.0).floor();
        if cents > 0.0 && cents < 9e14 {
            Self(cents as i64 * (Self::SCALE / 100))
        } else {
            Self::ZERO
        }
    }

    /// Winnings of this stake at these odds (without the stake), rounded toward zero.
    #[must_use]
    pub fn winnings(self, odds: Odds) -> Self {
        let above_one = i128::from(odds.scaled()) - i128::from(Odds::SCALE);
        let product = i128::from(self.0) * above_one.max(0) / i128::from(Odds::SCALE);
        Self(product.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// Half of the amount: exact for whole cents.
    #[must_use]
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// Whether the amount is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let n = self.0.unsigned_abs();
        let (whole, part) = (n / 10_000, n % 10_000);
        if part % 100 == 0 {
            f.pad(&format!("{sign}{whole}.{:02}", part / 100))
        } else {
            f.pad(&format!("{sign}{whole}.{part:04}"))
        }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Money {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let refuse = || Error::Money(text.chars().take(40).collect());
        let amount: f64 = text.trim().parse().map_err(|_| refuse())?;
        Self::new(amount)
    }
}

/// Written as a JSON number with at most four decimals.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_f64(self.as_f64())
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Self::new(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arithmetic_is_exact() {
        let stake: Money = "10.01".parse().unwrap();
        assert_eq!(stake.winnings(Odds::new(2.35).unwrap()).to_string(), "13.5135");
        assert_eq!(stake.half().to_string(), "5.0050");
        assert_eq!(Money::new(1000.0).unwrap().fraction(0.012_345).to_string(), "12.34");
        assert_eq!(Money::new(1000.0).unwrap().fraction(-0.1), Money::ZERO);
        assert_eq!((Money::ZERO - stake).to_string(), "-10.01");
        assert!(Money::new(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(n in -1_000_000_000_000_i64..1_000_000_000_000) {
            let amount = Money::from_scaled(n);
            prop_assert_eq!(amount.to_string().parse::<Money>().unwrap(), amount);
        }
    }
}
