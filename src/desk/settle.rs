//! From facts to money: placing, expiring, settling and restating bets.
//!
//! There is one path to a settled bet, [`Desk::restate`]: it works out what the bet comes to under
//! the facts as they stand, and books the difference to what was booked before. The first
//! settlement and the tenth correction are the same function.

use lenses::{BetKind, SettledBet};
use schema::{
    Action, Delta, EventId, Fill, FixtureId, FixtureStatus, Money, Outcome, ResultStatus, Time,
};

use super::bet::{Bet, Phase, Settlement};
use super::message::Next;
use super::slate::{Entry, closing_line_value};
use super::{Desk, Due};

/// Change of closing line value that is worth a restated row.
const CLV_STEP: f64 = 1e-12;

/// Why a bet that was really placed could not be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FillRefused {
    /// Its suggestion id cannot be one.
    #[error("`suggestion` has to be the suggestion's id as it was published (hexadecimal)")]
    Id,
    /// No such suggestion.
    #[error("no suggestion has this id, or its fixture is final and forgotten: check the id")]
    Unknown,
    /// The bet is over.
    #[error("its bet is settled: correct the result instead, if that is what was wrong")]
    Settled,
    /// More than there is.
    #[error(
        "a stake of {stake} is more than the {available} that are free: raise `bankroll`, or \
         correct the stake"
    )]
    NotCovered {
        /// What was placed.
        stake: Money,
        /// What was free for it.
        available: Money,
    },
}

impl Desk {
    /// Runs `change` on one bet, wherever it is.
    pub(super) fn with_bet(
        &mut self,
        fixture: FixtureId,
        id: EventId,
        change: impl FnOnce(&mut Self, &mut Bet),
    ) {
        let Some(entry) = self.slate.get_mut(fixture) else { return };
        let Some(index) = entry.bets.iter().position(|bet| bet.id == id) else { return };
        let mut bet = entry.bets[index].clone();
        change(self, &mut bet);
        if let Some(entry) = self.slate.get_mut(fixture) {
            entry.bets[index] = bet;
        }
    }

    /// A suggestion has stood long enough: the paper account takes it.
    pub(super) fn fill_paper(&mut self, fixture: FixtureId, id: EventId, at: Time) {
        self.with_bet(fixture, id, |desk, bet| {
            if bet.phase == Phase::Proposed {
                desk.place(bet, at);
            }
        });
    }

    /// A bet was really placed: its odds and stake replace the suggested ones.
    pub(super) fn fill_real(&mut self, fill: &Fill) -> Result<(), FillRefused> {
        let id = u128::from_str_radix(&fill.suggestion, 16).map(EventId);
        let id = id.map_err(|_| FillRefused::Id)?;
        let of = |entry: &Entry| entry.bets.iter().find(|bet| bet.id == id).cloned();
        let mut held = self.slate.iter().filter_map(|(at, entry)| Some((at, of(entry)?)));
        let (fixture, bet) = held.next().ok_or(FillRefused::Unknown)?;
        drop(held);
        if bet.settlement.is_some() {
            return Err(FillRefused::Settled);
        }
        let own = if bet.phase == Phase::Closed { Money::ZERO } else { bet.stake };
        let available = self.account.available() + own;
        if fill.stake > available {
            return Err(FillRefused::NotCovered { stake: fill.stake, available });
        }
        let now = self.now;
        self.with_bet(fixture, id, |desk, bet| {
            if bet.phase != Phase::Closed {
                desk.account.release(bet.placement(fixture));
            }
            bet.odds = fill.odds;
            bet.stake = fill.stake;
            desk.account.place(bet.placement(fixture));
            desk.place(bet, now);
        });
        Ok(())
    }

    /// The stake was set aside when it was suggested, so placing it only makes it a bet.
    fn place(&mut self, bet: &mut Bet, at: Time) {
        bet.phase = Phase::Filled;
        bet.placed_at = Some(at);
        self.enter(bet);
    }

    /// Lets a proposal go: what was set aside for it is free again.
    fn close(&mut self, fixture: FixtureId, bet: &mut Bet) {
        if bet.phase == Phase::Proposed {
            bet.phase = Phase::Closed;
            self.account.release(bet.placement(fixture));
        }
    }

    /// The price under a proposal is too old to stand.
    pub(super) fn expire_bet(&mut self, fixture: FixtureId, id: EventId, at: Time) {
        self.with_bet(fixture, id, |desk, bet| {
            if bet.message.expires_at <= at && bet.phase == Phase::Proposed {
                desk.close(fixture, bet);
                let reason = Some("the price under it is stale".to_owned());
                desk.send(bet, Next { action: Action::Expired, reason });
            }
        });
    }

    /// A fixture starts: nothing more is suggested on it, what was bet stands.
    pub(super) fn kick_off(&mut self, fixture: FixtureId, at: Time) {
        let Some(entry) = self.slate.get(fixture) else { return };
        if entry.row.is_some_and(|row| row.kick_off != at) {
            return;
        }
        let running: Vec<_> =
            entry.bets.iter().filter(|bet| !bet.is_withdrawn()).map(|bet| bet.id).collect();
        for id in running {
            self.with_bet(fixture, id, |desk, bet| {
                desk.close(fixture, bet);
                if bet.settlement.is_none() {
                    desk.send(bet, Next { action: Action::Expired, reason: None });
                }
            });
        }
    }

    /// The time for corrections is over: the ledger rows are final and the fixture is forgotten.
    pub(super) fn make_final(&mut self, fixture: FixtureId) {
        let Some(entry) = self.slate.get(fixture) else { return };
        let open = |bet: &Bet| bet.phase == Phase::Filled && bet.settlement.is_none();
        let unsettled = entry.bets.iter().any(open);
        if unsettled {
            let again = self.now.plus(self.settings.final_after);
            self.due.insert((again, Due::Final(fixture)));
            return;
        }
        let settled: Vec<_> =
            entry.bets.iter().filter(|bet| bet.settlement.is_some()).map(|bet| bet.id).collect();
        for id in settled {
            self.with_bet(fixture, id, |desk, bet| {
                bet.is_final = true;
                desk.enter(bet);
            });
        }
        self.slate.remove(fixture);
    }

    /// The price a bet was made at was an error: the bet never stood.
    pub(super) fn void_bet(&mut self, fixture: FixtureId, id: EventId) {
        self.with_bet(fixture, id, |desk, bet| {
            bet.price_void = true;
            match bet.phase {
                Phase::Filled => desk.restate(fixture, bet),
                Phase::Proposed => {
                    desk.withdraw(fixture, bet, "the price was an error and is void");
                }
                Phase::Closed => {}
            }
        });
    }

    /// Takes every proposal back.
    pub(super) fn withdraw_all(&mut self, why: &str) {
        let holders: Vec<_> = self
            .slate
            .iter()
            .flat_map(|(fixture, entry)| entry.bets.iter().map(move |bet| (fixture, bet)))
            .filter(|(_, bet)| bet.is_outstanding())
            .map(|(fixture, bet)| (fixture, bet.id))
            .collect();
        for (fixture, id) in holders {
            self.with_bet(fixture, id, |desk, bet| desk.withdraw(fixture, bet, why));
        }
    }

    /// Takes a suggestion back. A bet already placed stands; only the advice to take it goes.
    pub(super) fn withdraw(&mut self, fixture: FixtureId, bet: &mut Bet, why: &str) {
        self.close(fixture, bet);
        self.send(bet, Next { action: Action::Withdrawn, reason: Some(why.to_owned()) });
    }

    /// Settles and restates every bet whose facts changed in this tick.
    pub(super) fn settle(&mut self, delta: &Delta) {
        let results = delta.results.iter().map(|change| change.key);
        let closing = delta.closing.iter().map(|change| change.key.fixture);
        let fixtures = delta.fixtures.iter().map(|change| change.key);
        let touched: std::collections::BTreeSet<_> =
            results.chain(closing).chain(fixtures).collect();
        for fixture in touched {
            let Some(entry) = self.slate.get(fixture) else { continue };
            let filled: Vec<_> = entry
                .bets
                .iter()
                .filter(|bet| bet.phase == Phase::Filled)
                .map(|bet| bet.id)
                .collect();
            for id in filled {
                self.with_bet(fixture, id, |desk, bet| desk.restate(fixture, bet));
            }
        }
    }

    /// Brings a placed bet in line with the facts as they stand, and says so if that changed it.
    fn restate(&mut self, fixture: FixtureId, bet: &mut Bet) {
        let Some(entry) = self.slate.get(fixture) else { return };
        let outcome = outcome_of(entry, bet);
        let clv = self.clv_of(entry, bet);
        let before = bet.settlement;
        let outcome_changed = outcome != before.map(|s| s.outcome);
        let clv_changed = match (clv, bet.clv) {
            (Some(new), Some(old)) => (new - old).abs() > CLV_STEP,
            (new, old) => new.is_some() != old.is_some(),
        };
        if !outcome_changed && !clv_changed {
            return;
        }
        bet.clv = clv;
        if outcome_changed {
            self.rebook(fixture, bet, outcome);
        }
        self.record_bet(bet);
        let action = match (before, bet.settlement) {
            (None, Some(_)) => Some(Action::Settled),
            (Some(_), _) => Some(Action::Corrected),
            (None, None) => None,
        };
        if let Some(action) = action {
            self.send(bet, Next { action, reason: None });
        }
        self.enter(bet);
    }

    /// Books the difference between what a bet came to before and what it comes to now.
    fn rebook(&mut self, fixture: FixtureId, bet: &mut Bet, outcome: Option<Outcome>) {
        let placement = bet.placement(fixture);
        match bet.settlement.take() {
            Some(before) => {
                self.account.book(-before.pnl);
                if outcome.is_none() {
                    self.account.place_again(placement);
                }
            }
            None => self.account.release(placement),
        }
        if let Some(outcome) = outcome {
            let pnl = bet.pnl(outcome);
            self.account.book(pnl);
            bet.settlement = Some(Settlement { outcome, pnl, at: self.now });
        }
    }

    /// Brings the track record in line with what a bet came to. Void bets are not counted.
    fn record_bet(&mut self, bet: &mut Bet) {
        let counts = bet.settlement.is_some_and(|s| s.outcome != Outcome::Void);
        let kind = BetKind::of(bet.market.kind, bet.odds, bet.role);
        let now =
            counts.then(|| SettledBet::new(kind, bet.clv, bet.unit_pnl(), &bet.message.lenses));
        match (std::mem::replace(&mut bet.counted, now), now) {
            (Some(before), Some(after)) => self.record.restated(&before, &after),
            (Some(before), None) => self.record.unsettled(&before),
            (None, Some(after)) => self.record.settled(&after),
            (None, None) => return,
        }
        self.weights = self.record.weights(&self.settings.lenses.learning);
    }

    fn clv_of(&self, entry: &Entry, bet: &Bet) -> Option<f64> {
        let references = &self.settings.closing_reference;
        let within = self.settings.closing_within;
        let closing = entry.closing_fair(bet.market, references, within)?[bet.selection.index()];
        (!bet.price_void).then(|| closing_line_value(bet.net_odds(), closing))
    }
}

/// What a bet comes to under the facts as they stand; none while it is open.
fn outcome_of(entry: &Entry, bet: &Bet) -> Option<Outcome> {
    if bet.price_void || entry.row.is_some_and(|row| row.status == FixtureStatus::Cancelled) {
        return Some(Outcome::Void);
    }
    let result = entry.result?;
    Some(match result.status {
        ResultStatus::Final => schema::settle(bet.market, bet.selection, result.score),
        ResultStatus::Void | ResultStatus::Abandoned => Outcome::Void,
    })
}
