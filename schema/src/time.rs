//! Event time, durations and the one door to the wall clock.
//!
//! Replay equals live only if nothing reads the wall clock behind the engine's back, so `Clock` is
//! the only way to it (a lint refuses the others) and every other time in the system is data.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Result};

/// Earliest time accepted from a feed: 1990-01-01T00:00:00Z, in milliseconds.
const TIME_MS_MIN: i64 = 631_152_000_000;
/// Latest time accepted from a feed: 2200-01-01T00:00:00Z, in milliseconds.
const TIME_MS_MAX: i64 = 7_258_118_400_000;

/// A moment in UTC milliseconds since 1970.
///
/// ```
/// use schema::Time;
/// # use tideline_schema as schema;
/// let kick_off: Time = "2022-08-05T19:00:00Z".parse()?;
/// assert_eq!(kick_off.ms(), 1_659_726_000_000);
/// assert_eq!(kick_off.date(), "2022-08-05");
/// # Ok::<(), schema::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// Before every fact.
    pub const MIN: Self = Self(i64::MIN);
    /// After every fact.
    pub const MAX: Self = Self(i64::MAX);

    /// A time from UTC milliseconds without a range check: for values that were checked before.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// A time from a feed's UTC milliseconds.
    ///
    /// # Errors
    /// [`Error::Time`] outside the years 1990 to 2200, where a feed is more likely to be wrong
    /// (seconds for milliseconds, an unset field) than to speak of a match.
    pub fn checked(ms: i64) -> Result<Self> {
        if (TIME_MS_MIN..TIME_MS_MAX).contains(&ms) {
            Ok(Self(ms))
        } else {
            Err(Error::Time(ms.to_string()))
        }
    }

    /// UTC milliseconds since 1970.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time moved by a span.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This time moved back by a span.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The UTC calendar day as `YYYY-MM-DD`.
    pub fn date(self) -> String {
        self.timestamp().strftime("%Y-%m-%d").to_string()
    }

    /// Whole days since 1970 in UTC: a cheap key for daily accounts.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    fn timestamp(self) -> jiff::Timestamp {
        let ms = self.0.clamp(-62_135_596_800_000, 253_402_207_200_000);
        jiff::Timestamp::from_millisecond(ms).unwrap_or_default()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.fZ"))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = Error;

    /// Reads RFC 3339 (`2022-08-05T19:00:00Z`), a bare date (midnight UTC) or UTC milliseconds.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = || Error::Time(text.chars().take(40).collect());
        if let Ok(ms) = text.parse::<i64>() {
            return Self::checked(ms);
        }
        if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
            return Self::checked(stamp.as_millisecond());
        }
        let date: jiff::civil::Date = text.parse().map_err(|_| refuse())?;
        let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| refuse())?;
        Self::checked(zoned.timestamp().as_millisecond())
    }
}

/// A length of time in milliseconds, written `500ms`, `30s`, `10m`, `2h` or `7d`.
///
/// ```
/// use schema::Span;
/// # use tideline_schema as schema;
/// assert_eq!("10m".parse::<Span>()?.ms(), 600_000);
/// assert_eq!(Span::from_ms(604_800_000).to_string(), "7d");
/// # Ok::<(), schema::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Span {
    /// A span of this many milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }
    /// A span of this many minutes.
    pub const fn minutes(n: i64) -> Self {
        Self(n * 60_000)
    }
    /// A span of this many hours.
    pub const fn hours(n: i64) -> Self {
        Self(n * 3_600_000)
    }
    /// A span of this many days of 24 hours.
    pub const fn days(n: i64) -> Self {
        Self(n * 86_400_000)
    }
    /// The span in milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || Error::Span(text.chars().take(40).collect());
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
        let number: i64 = text[..split].parse().map_err(|_| refuse())?;
        let unit = match text[split..].trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(refuse()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
            if self.0 != 0 && self.0 % unit == 0 {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The one door to the wall clock. `run` opens it with [`SystemClock`]; replay, backtest and the
/// simulator with [`ManualClock`], which moves only when told to.
pub trait Clock: Send + Sync {
    /// The time now, in UTC milliseconds.
    fn now(&self) -> Time;
    /// Monotonic nanoseconds since some fixed start, for durations only.
    fn elapsed_ns(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock(std::time::Instant);

impl SystemClock {
    /// Opens the machine's clock. The only place in the workspace that may.
    #[allow(clippy::disallowed_methods, reason = "this is the door the lint sends everyone to")]
    pub fn new() -> Self {
        Self(std::time::Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the door the lint sends everyone to")]
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Time(since.map_or(0, |d| d.as_millis() as i64))
    }

    fn elapsed_ns(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// A clock that stands still until it is set: event time in replay, simulated time in tests.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `time`.
    pub fn at(time: Time) -> Self {
        Self(AtomicI64::new(time.ms()))
    }

    /// Shows `time` from now on.
    pub fn set(&self, time: Time) {
        self.0.store(time.ms(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }

    fn elapsed_ns(&self) -> u64 {
        (self.now().ms().max(0) as u64).saturating_mul(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_and_print() {
        let time: Time = "2022-08-05T19:00:00Z".parse().unwrap();
        assert_eq!(time.to_string(), "2022-08-05T19:00:00Z");
        assert_eq!("2022-08-05".parse::<Time>().unwrap().to_string(), "2022-08-05T00:00:00Z");
        assert_eq!("1659726000000".parse::<Time>().unwrap(), time);
        for bad in ["", "0", "yesterday", "1970-01-01", "9999-01-01"] {
            assert!(bad.parse::<Time>().is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_read_and_print() {
        for text in ["500ms", "30s", "10m", "2h", "7d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for bad in ["", "10", "m", "ten m", "10 years", "99999999999999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
