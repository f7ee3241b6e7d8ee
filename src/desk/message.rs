//! From a bet to the message about it. Ids are pure functions of what the message says, so a
//! retry or a replay writes the same bytes.

use std::sync::Arc;

use schema::{Action, EventId, Market, Money, Selection, Suggestion};

use super::Desk;
use super::bet::Bet;

/// Layout version of suggestions.
pub const SCHEMA: u16 = 1;

/// The id of a bet: what is bet, where, and when it was first suggested.
pub fn bet_id(
    fixture: &str,
    market: Market,
    selection: Selection,
    book: &str,
    issued_ms: i64,
) -> EventId {
    let key = format!("{fixture}|{market}|{}|{book}|{issued_ms}", selection.name(market));
    EventId::of(key.as_bytes())
}

/// What changes from one message about a bet to the next.
pub struct Next {
    /// What happened.
    pub action: Action,
    /// Why, when it is not the reason of the message before.
    pub reason: Option<String>,
}

impl Desk {
    /// Sends the next message about a bet.
    pub(super) fn send(&mut self, bet: &mut Bet, next: Next) {
        let mut message = Suggestion::clone(&bet.message);
        message.retracts = (message.revision > 0).then_some(message.event_id);
        message.revision += 1;
        message.action = next.action;
        message.tick = self.tick;
        message.event_time = self.now;
        message.emit_time = self.emit_time;
        message.odds = bet.odds;
        let stands = !matches!(next.action, Action::Withdrawn) && bet.phase != super::Phase::Closed;
        message.stake =
            if stands || next.action == Action::Expired { bet.stake } else { Money::ZERO };
        if let Some(reason) = next.reason {
            message.reason = reason;
        }
        message.outcome = bet.settlement.map(|s| s.outcome.name().to_owned());
        message.pnl = bet.settlement.map(|s| s.pnl);
        message.clv = bet.clv;
        message.event_id = EventId::default();
        message.event_id = EventId::of(canonical(&message).as_bytes());
        self.count(next.action);
        let message = Arc::new(message);
        bet.message = Arc::clone(&message);
        self.outbox.suggestions.push(message);
    }

    /// Puts a bet's row into the ledger, as a new revision.
    pub(super) fn enter(&mut self, bet: &mut Bet) {
        bet.ledger_revision += 1;
        self.outbox.ledger.push(bet.ledger_row());
    }

    fn count(&mut self, action: Action) {
        let count = match action {
            Action::Issued => &mut self.tally.issued,
            Action::Revised => &mut self.tally.revised,
            Action::Withdrawn => &mut self.tally.withdrawn,
            Action::Expired => &mut self.tally.expired,
            Action::Settled => &mut self.tally.settled,
            Action::Corrected => &mut self.tally.corrected,
        };
        *count += 1;
    }
}

/// The one text form of a message: what is hashed, published and digested.
pub fn canonical(message: &Suggestion) -> String {
    serde_json::to_string(message).unwrap_or_else(|error| {
        unreachable!("a suggestion is plain data and always serialises: {error}")
    })
}
