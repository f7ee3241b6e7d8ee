//! Decimal odds as integers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Decimal odds in ten-thousandths: 2.35 is 23,500. Zero means "no price" and only
/// [`Odds::NONE`] has it.
///
/// | what | how | rounding |
/// |---|---|---|
/// | from decimal | `round(x * 10_000)` | to the nearest ten-thousandth |
/// | from American | +a: `1 + a/100`; -a: `1 + 100/a` | as from decimal |
/// | from an exchange price p in 0..1 | `1 / p` | as from decimal |
/// | implied probability | `10_000 / n` | none (floating point) |
///
/// ```
/// # use tideline_schema as schema;
/// use schema::Odds;
/// let odds: Odds = "2.35".parse()?;
/// assert_eq!(odds.decimal(), 2.35);
/// assert_eq!(Odds::american(-150)?.to_string(), "1.6667");
/// assert!(Odds::new(0.5).is_err());
/// # Ok::<(), schema::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Odds(u32);

impl Odds {
    /// Ten-thousandths in one unit.
    pub const SCALE: u32 = 10_000;
    /// No price.
    pub const NONE: Self = Self(0);
    /// Greatest odds accepted: 100,000.
    pub const MAX: Self = Self(1_000_000_000);

    /// Odds from a decimal number.
    ///
    /// # Errors
    /// [`Error::Odds`] unless the number is finite, above 1 and at most 100,000.
    pub fn new(decimal: f64) -> Result<Self> {
        let scaled = (decimal * f64::from(Self::SCALE)).round();
        if scaled > f64::from(Self::SCALE) && scaled <= f64::from(Self::MAX.0) {
            Ok(Self(scaled as u32))
        } else {
            Err(Error::Odds(decimal.to_string()))
        }
    }

    /// Odds from ten-thousandths.
    ///
    /// # Errors
    /// [`Error::Odds`] unless they are above 1 and at most 100,000.
    pub fn from_scaled(n: u32) -> Result<Self> {
        if n > Self::SCALE && n <= Self::MAX.0 {
            Ok(Self(n))
        } else {
            Err(Error::Odds(format!("{n}/10000")))
        }
    }

    /// Odds from American moneyline odds (+150, -200).
    ///
    /// # Errors
    /// [`Error::Odds`] between -100 and +100 exclusive, where there are none.
    pub fn american(line: i32) -> Result<Self> {
        match line {
            100.. => Self::new(1.0 + f64::from(line) / 100.0),
            ..=-100 => Self::new(1.0 - 100.0 / f64::from(line)),
            _ => Err(Error::Odds(format!("{line:+} (American)"))),
        }
    }

    /// Ten-thousandths; zero for [`Odds::NONE`].
    #[inline]
    pub const fn scaled(self) -> u32 {
        self.0
    }

    /// The decimal number; zero for [`Odds::NONE`].
    #[inline]
    pub fn decimal(self) -> f64 {
        f64::from(self.0) / f64::from(Self::SCALE)
    }

    /// Whether there is a price.
    #[inline]
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }

    /// Whether there is no price.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// This price, or the other where there is none; takes no branch.
    #[inline]
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        let none = ((self.0 == 0) as u32).wrapping_neg();
        Self(self.0 | (other.0 & none))
    }

    /// Implied probability before the margin is taken out; 0 for [`Odds::NONE`].
    #[inline]
    pub fn implied(self) -> f64 {
        if self.0 == 0 { 0.0 } else { f64::from(Self::SCALE) / f64::from(self.0) }
    }

    /// Odds after a commission on winnings: `1 + (odds - 1) * (1 - commission)`, in basis points,
    /// rounded down so that an edge is never flattered.
    #[must_use]
    pub fn after_commission(self, commission_bps: u32) -> Self {
        if self.0 == 0 {
            return self;
        }
        let win = u64::from(self.0 - Self::SCALE);
        let net = win * u64::from(10_000 - commission_bps.min(10_000)) / 10_000;
        Self(Self::SCALE + net as u32)
    }
}

impl fmt::Display for Odds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.pad("-");
        }
        let (whole, part) = (self.0 / Self::SCALE, self.0 % Self::SCALE);
        let mut digits = format!("{part:04}");
        while digits.len() > 2 && digits.ends_with('0') {
            digits.pop();
        }
        f.pad(&format!("{whole}.{digits}"))
    }
}

impl fmt::Debug for Odds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Odds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || Error::Odds(text.chars().take(40).collect());
        let decimal: f64 = text.trim().parse().map_err(|_| refuse())?;
        Self::new(decimal).map_err(|_| refuse())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "NaN", "inf", "-2.0", "0", "0.5", "1", "1.00001", "1e9", "two"] {
            assert!(bad.parse::<Odds>().is_err(), "{bad}");
        }
        assert!(Odds::american(50).is_err());
        assert_eq!(Odds::american(150).unwrap().decimal(), 2.5);
    }

    #[test]
    fn commission_rounds_against_the_bettor() {
        let odds = Odds::new(2.0).unwrap();
        assert_eq!(odds.after_commission(500).decimal(), 1.95);
        assert_eq!(Odds::new(1.01).unwrap().after_commission(200).scaled(), 10_098);
        assert_eq!(odds.after_commission(0), odds);
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(n in 10_001_u32..1_000_000_000) {
            let odds = Odds::from_scaled(n).unwrap();
            prop_assert_eq!(odds.to_string().parse::<Odds>().unwrap(), odds);
        }
    }
}
