//! The hard stop: a bad day ends betting until a person has looked.
//!
//! Latched on purpose. A stop that releases itself when the figures recover would let a fault that
//! loses money in bursts go on losing it.

use schema::{Money, Time};
use serde::{Deserialize, Serialize};

/// Loss since the start of the day as a share of the bankroll it started with; 0 for a gain. All
/// of it when there was nothing to start with.
pub fn daily_loss(start: Money, now: Money) -> f64 {
    if !start.is_positive() {
        return if now < start { 1.0 } else { 0.0 };
    }
    ((start - now).as_f64() / start.as_f64()).max(0.0)
}

/// Whether the loss of the day is beyond the limit (a loss of exactly the limit is not).
///
/// ```
/// use schema::Money;
/// use tideline_lenses::exceeds_hard_stop;
/// let start = Money::new(1000.0)?;
/// assert!(!exceeds_hard_stop(start, Money::new(950.0)?, 0.05));
/// assert!(exceeds_hard_stop(start, Money::new(949.99)?, 0.05));
/// # Ok::<(), schema::Error>(())
/// ```
pub fn exceeds_hard_stop(start: Money, now: Money, limit: f64) -> bool {
    daily_loss(start, now) > limit + 1e-12
}

/// The latched stop, and the bankroll each UTC day started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HardStop {
    day: Option<i64>,
    start: Money,
    last: Money,
    tripped: Option<Time>,
}

impl HardStop {
    /// Shows it the bankroll at a time; gives true when this trips it. A day starts with the
    /// bankroll that the one before it ended with.
    pub fn observe(&mut self, now: Time, bankroll: Money, limit: f64) -> bool {
        match self.day {
            None => (self.day, self.start) = (Some(now.day()), bankroll),
            Some(day) if now.day() > day => (self.day, self.start) = (Some(now.day()), self.last),
            Some(_) => {}
        }
        self.last = bankroll;
        let trips = self.tripped.is_none() && exceeds_hard_stop(self.start, bankroll, limit);
        if trips {
            self.trip(now);
        }
        trips
    }

    /// Trips it, by whatever reason. The first time stands.
    pub fn trip(&mut self, now: Time) {
        self.tripped.get_or_insert(now);
    }

    /// Releases it: an operator's command only. The loss so far is forgiven, or it would trip again
    /// at once: the day counts from the bankroll as it is now.
    pub fn release(&mut self) {
        self.tripped = None;
        self.start = self.last;
    }

    /// When it tripped, while it is.
    pub fn tripped(&self) -> Option<Time> {
        self.tripped
    }

    /// Loss of the day so far, as a share.
    pub fn loss(&self) -> f64 {
        daily_loss(self.start, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(x: f64) -> Money {
        Money::new(x).unwrap()
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn it_latches_until_released() {
        let mut stop = HardStop::default();
        assert!(!stop.observe(at("2022-08-05T10:00:00Z"), money(1000.0), 0.05));
        assert!(!stop.observe(at("2022-08-05T11:00:00Z"), money(955.0), 0.05));
        assert!(stop.observe(at("2022-08-05T12:00:00Z"), money(940.0), 0.05));
        assert!(!stop.observe(at("2022-08-05T13:00:00Z"), money(1200.0), 0.05), "trips once");
        assert_eq!(stop.tripped(), Some(at("2022-08-05T12:00:00Z")));
        assert!(!stop.observe(at("2022-08-07T13:00:00Z"), money(1200.0), 0.05));
        assert!(stop.tripped().is_some(), "a new day does not release it");
        stop.release();
        assert!(stop.tripped().is_none());
        assert!(!stop.observe(at("2022-08-07T14:00:00Z"), money(1150.0), 0.05));
        assert!(stop.observe(at("2022-08-07T15:00:00Z"), money(1130.0), 0.05));
    }

    #[test]
    fn a_day_starts_where_the_last_one_ended() {
        let mut stop = HardStop::default();
        stop.observe(at("2022-08-05T10:00:00Z"), money(1000.0), 0.05);
        stop.observe(at("2022-08-05T23:00:00Z"), money(960.0), 0.05);
        assert!(!stop.observe(at("2022-08-06T01:00:00Z"), money(930.0), 0.05));
        assert!((stop.loss() - 0.03125).abs() < 1e-9);
        assert_eq!(daily_loss(Money::ZERO, money(-1.0)), 1.0);
    }
}
