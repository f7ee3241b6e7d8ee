//! The paper account: bankroll, what is at stake, and where that is.
//!
//! Every amount is an integer, and every movement is booked with its inverse at hand, so that a
//! restated bet leaves the account as if it had been right from the start.

use std::collections::BTreeMap;

use schema::{BookRole, FixtureId, LeagueId, Money, Time};

/// Money at stake on one unsettled bet, and where.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// Its fixture.
    pub fixture: FixtureId,
    /// Its competition.
    pub league: LeagueId,
    /// Day it starts (days since 1970).
    pub day: i64,
    /// What kind of venue it is at.
    pub role: BookRole,
    /// The stake.
    pub stake: Money,
}

/// Bankroll and exposures.
#[derive(Clone, Debug)]
pub struct Account {
    bankroll: Money,
    peak: Money,
    day: i64,
    open: Money,
    by_fixture: BTreeMap<FixtureId, Money>,
    by_league: BTreeMap<LeagueId, Money>,
    by_day: BTreeMap<i64, Money>,
    by_role: BTreeMap<BookRole, Money>,
}

impl Account {
    /// An account that starts with this bankroll.
    ///
    /// # Panics
    /// When the bankroll is not positive: the topology refuses such a one.
    pub fn new(bankroll: Money) -> Self {
        assert!(bankroll.is_positive(), "an account starts with money");
        Self {
            bankroll,
            peak: bankroll,
            day: i64::MIN,
            open: Money::ZERO,
            by_fixture: BTreeMap::new(),
            by_league: BTreeMap::new(),
            by_day: BTreeMap::new(),
            by_role: BTreeMap::new(),
        }
    }

    /// Stakes a bet.
    ///
    /// # Panics
    /// When the stake is more than is available: the desk sizes below it.
    pub fn place(&mut self, placement: Placement) {
        assert!(placement.stake <= self.available(), "a stake is covered by the bankroll");
        self.place_again(placement);
    }

    /// Puts a settled bet back on the table because its result was taken back. Its stake was covered
    /// when it was placed, so it is not asked for again.
    pub fn place_again(&mut self, placement: Placement) {
        self.open += placement.stake;
        *self.by_fixture.entry(placement.fixture).or_default() += placement.stake;
        *self.by_league.entry(placement.league).or_default() += placement.stake;
        *self.by_day.entry(placement.day).or_default() += placement.stake;
        *self.by_role.entry(placement.role).or_default() += placement.stake;
    }

    /// Takes a bet off the table: settled, void, or the opposite of a placement.
    ///
    /// # Panics
    /// When the bet was not placed.
    pub fn release(&mut self, placement: Placement) {
        self.open -= placement.stake;
        release(&mut self.by_fixture, placement.fixture, placement.stake);
        release(&mut self.by_league, placement.league, placement.stake);
        release(&mut self.by_day, placement.day, placement.stake);
        release(&mut self.by_role, placement.role, placement.stake);
        assert!(self.open >= Money::ZERO, "no more is released than was placed");
    }

    /// Books a profit or loss, or a difference to one booked before.
    pub fn book(&mut self, amount: Money) {
        self.bankroll += amount;
    }

    /// Turns the page when a new UTC day has begun. The peak is taken at the day's end, so that a
    /// result corrected within the day leaves no trace in the drawdown.
    pub fn turn_day(&mut self, time: Time) {
        if time.day() > self.day {
            self.day = time.day();
            self.peak = self.peak.max(self.bankroll);
        }
    }

    /// The bankroll.
    pub const fn bankroll(&self) -> Money {
        self.bankroll
    }

    /// Money on unsettled bets.
    pub const fn open(&self) -> Money {
        self.open
    }

    /// Bankroll that is not at stake; never below zero.
    pub fn available(&self) -> Money {
        (self.bankroll - self.open).max(Money::ZERO)
    }

    /// Money on unsettled bets of a fixture.
    pub fn on_fixture(&self, fixture: FixtureId) -> Money {
        self.by_fixture.get(&fixture).copied().unwrap_or_default()
    }

    /// Money on unsettled bets of a competition.
    pub fn on_league(&self, league: LeagueId) -> Money {
        self.by_league.get(&league).copied().unwrap_or_default()
    }

    /// Money on unsettled bets that start on a day.
    pub fn on_day(&self, day: i64) -> Money {
        self.by_day.get(&day).copied().unwrap_or_default()
    }

    /// Money on unsettled bets at one kind of venue.
    pub fn on_role(&self, role: BookRole) -> Money {
        self.by_role.get(&role).copied().unwrap_or_default()
    }

    /// Fraction below the highest bankroll at the end of any day before; 0 above it.
    pub fn drawdown(&self) -> f64 {
        if self.peak.is_positive() {
            (1.0 - self.bankroll.as_f64() / self.peak.as_f64()).max(0.0)
        } else {
            0.0
        }
    }

    /// An amount as a fraction of the bankroll; everything when the bankroll is gone.
    pub fn fraction(&self, amount: Money) -> f64 {
        if self.bankroll.is_positive() { amount.as_f64() / self.bankroll.as_f64() } else { 1.0 }
    }
}

fn release<K: Ord>(exposures: &mut BTreeMap<K, Money>, key: K, stake: Money) {
    let std::collections::btree_map::Entry::Occupied(mut entry) = exposures.entry(key) else {
        unreachable!("a released stake was placed");
    };
    *entry.get_mut() -= stake;
    if *entry.get() == Money::ZERO {
        entry.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placement(fixture: u64, stake: i64) -> Placement {
        let stake = Money::from_scaled(stake * 100);
        Placement {
            fixture: FixtureId(fixture),
            league: LeagueId(fixture % 2),
            day: 3,
            role: BookRole::Bookmaker,
            stake,
        }
    }

    proptest! {
        /// Whatever is placed, booked and taken back leaves the account as it was.
        #[test]
        fn everything_can_be_taken_back(
            bets in prop::collection::vec((0_u64..4, 1_i64..5_000, -9_000_i64..9_000), 1..40),
        ) {
            let mut account = Account::new(Money::from_scaled(100_000_000));
            for (fixture, stake, pnl) in &bets {
                account.place(placement(*fixture, *stake));
                account.book(Money::from_scaled(*pnl));
            }
            for (fixture, stake, pnl) in bets.iter().rev() {
                account.release(placement(*fixture, *stake));
                account.book(-Money::from_scaled(*pnl));
            }
            prop_assert_eq!(account.bankroll(), Money::from_scaled(100_000_000));
            prop_assert_eq!(account.open(), Money::ZERO);
            prop_assert!(account.by_fixture.is_empty() && account.by_league.is_empty());
            prop_assert!(account.by_day.is_empty() && account.by_role.is_empty());
        }
    }
}
