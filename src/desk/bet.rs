//! One suggested bet from its first message to its last restatement.

use std::sync::Arc;

use lenses::SettledBet;
use schema::{
    Action, BookId, BookRole, EventId, LeagueId, LedgerRow, LedgerStatus, Market, Money, Odds,
    Outcome, Selection, Side, Suggestion, Time,
};

use super::account::Placement;

/// Where a bet is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Suggested, not bet: it can still be revised or withdrawn.
    Proposed,
    /// Bet. What happens to the suggestion no longer changes the stake.
    Filled,
    /// Taken back, or expired, before it was bet.
    Closed,
}

/// What a bet came to, and why it can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The outcome.
    pub outcome: Outcome,
    /// The profit.
    pub pnl: Money,
    /// When.
    pub at: Time,
}

/// One suggested bet.
#[derive(Clone, Debug)]
pub struct Bet {
    /// Id of the bet.
    pub id: EventId,
    /// Its market.
    pub market: Market,
    /// Its selection.
    pub selection: Selection,
    /// Its competition.
    pub league: LeagueId,
    /// Day it was to start when it was suggested (days since 1970): what the daily cap counts.
    pub day: i64,
    /// Where.
    pub book: BookId,
    /// What kind of offer.
    pub role: BookRole,
    /// Event time of the quote it took: a void of that quote voids the bet.
    pub quoted_at: Time,
    /// The price.
    pub odds: Odds,
    /// Commission on winnings, in basis points.
    pub commission_bps: u32,
    /// Fair probabilities of its market when it was last looked at.
    pub fair: [f64; schema::SELECTIONS_MAX],
    /// The stake.
    pub stake: Money,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it was first suggested.
    pub issued_at: Time,
    /// When it was placed, once it was.
    pub placed_at: Option<Time>,
    /// The last message about it.
    pub message: Arc<Suggestion>,
    /// The price under it was an error.
    pub price_void: bool,
    /// What it came to.
    pub settlement: Option<Settlement>,
    /// How the track record counts it, once settled.
    pub counted: Option<SettledBet>,
    /// Closing line value.
    pub clv: Option<f64>,
    /// Whether the time for corrections is over.
    pub is_final: bool,
    /// Revision of its ledger row.
    pub ledger_revision: u32,
}

impl Bet {
    /// What it puts at stake, and where.
    pub fn placement(&self, fixture: schema::FixtureId) -> Placement {
        Placement {
            fixture,
            league: self.league,
            day: self.day,
            role: self.role,
            stake: self.stake,
        }
    }

    /// Odds after commission.
    pub fn net_odds(&self) -> Odds {
        self.odds.after_commission(self.commission_bps)
    }

    /// What an outcome pays.
    pub fn pnl(&self, outcome: Outcome) -> Money {
        outcome.pnl(self.stake, self.odds, Side::Back, self.commission_bps)
    }

    /// Profit per unit staked, once settled.
    pub fn unit_pnl(&self) -> f64 {
        let settled = self.settlement.filter(|_| self.stake.is_positive());
        settled.map_or(0.0, |s| s.pnl.as_f64() / self.stake.as_f64())
    }

    /// Whether anyone should still act on it.
    pub const fn is_outstanding(&self) -> bool {
        matches!(self.phase, Phase::Proposed)
    }

    /// Whether the last message already told the reader not to take the bet any more.
    pub fn is_withdrawn(&self) -> bool {
        matches!(self.message.action, Action::Withdrawn | Action::Expired)
    }

    /// Its row in the ledger.
    pub fn ledger_row(&self) -> LedgerRow {
        let status = match self.settlement {
            None => LedgerStatus::Open,
            Some(Settlement { outcome: Outcome::Void, .. }) => LedgerStatus::Void,
            Some(_) if self.is_final => LedgerStatus::Final,
            Some(_) => LedgerStatus::Provisional,
        };
        let message = &self.message;
        LedgerRow {
            suggestion_id: self.id,
            date: message.kick_off.date(),
            game_id: message.fixture.clone(),
            league: message.league.clone(),
            market: message.market.clone(),
            selection: message.selection.clone(),
            book: message.book.clone(),
            odds: self.odds,
            stake: self.stake,
            fair_probability: message.fair_probability,
            pnl: self.settlement.map_or(Money::ZERO, |s| s.pnl),
            clv: self.clv,
            outcome: self.settlement.map(|s| s.outcome.name().to_owned()),
            status,
            revision: self.ledger_revision,
            placed_at: self.placed_at.unwrap_or(self.issued_at),
            settled_at: self.settlement.map(|s| s.at),
        }
    }
}
