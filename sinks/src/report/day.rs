//! What happened in one report day: everything its page shows and nothing that a later day changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use schema::{Action, EventId, LedgerRow, LedgerStatus, Money, Outbox, RunState, Suggestion, Time};

use super::accounts::{Bet, Change, Figures};
use super::calendar::ReportDay;
use crate::statistics::{Drawdown, Moments};

/// Most changes of state one page lists; the newest are.
const STATE_CHANGES_MAX: usize = 20;

/// A suggestion as it stood at the end of the day, or stands now.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The last message about it before the result.
    pub suggestion: Arc<Suggestion>,
    /// The result, when it came on the same day.
    pub outcome: Option<String>,
    /// Whether it was issued on an earlier day.
    pub is_carried: bool,
}

impl Standing {
    /// Whether it can still be bet.
    pub(super) fn is_open(&self) -> bool {
        let is_live = matches!(self.suggestion.action, Action::Issued | Action::Revised);
        is_live && self.outcome.is_none()
    }
}

/// A bet whose settlement was restated.
#[derive(Clone, Debug)]
pub(super) struct Correction {
    /// As it was before the day's first correction of it.
    pub before: Bet,
    /// As it is now.
    pub row: LedgerRow,
}

/// A change of what the engine may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StateChange {
    pub at: Time,
    pub state: RunState,
    pub reason: String,
}

/// Messages of the day by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub issued: u64,
    pub revised: u64,
    pub withdrawn: u64,
    pub expired: u64,
}

/// One line of the run's history: what the charts and the index need of a day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub date: jiff::civil::Date,
    pub opening: Money,
    pub bankroll: Money,
    pub drawdown: Drawdown,
    pub issued: u64,
    pub settled: u64,
    /// Of the day's settled bets.
    pub clv_today: Moments,
    /// Of all bets up to the end of the day.
    pub clv: Moments,
}

/// A report day in the making, or closed.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub span: ReportDay,
    /// Ticks of the day; none on a day of silence.
    pub ticks: u64,
    pub tick: u64,
    pub time: Time,
    pub opening: Money,
    pub bankroll: Money,
    pub exposure: Money,
    pub state: RunState,
    pub state_reason: String,
    pub state_changes: Vec<StateChange>,
    pub stale_sources: Vec<String>,
    pub events: u64,
    pub events_before: u64,
    pub rejected: u64,
    pub rejected_before: u64,
    pub model: Arc<str>,
    pub counts: Counts,
    pub suggestions: BTreeMap<EventId, Standing>,
    pub settled: BTreeMap<EventId, LedgerRow>,
    pub corrected: BTreeMap<EventId, Correction>,
    /// The run's figures at its end; none while it is the current day.
    pub closing: Option<Figures>,
    /// Whether its page on disk is up to date.
    pub is_written: bool,
}

impl Day {
    /// The run's first day, from its first outbox.
    pub(super) fn first(span: ReportDay, outbox: &Outbox) -> Self {
        Self {
            span,
            ticks: 0,
            tick: outbox.tick,
            time: span.start,
            opening: outbox.bankroll,
            bankroll: outbox.bankroll,
            exposure: Money::ZERO,
            state: RunState::Run,
            state_reason: String::new(),
            state_changes: Vec::new(),
            stale_sources: Vec::new(),
            events: 0,
            events_before: 0,
            rejected: 0,
            rejected_before: 0,
            model: "".into(),
            counts: Counts::default(),
            suggestions: BTreeMap::new(),
            settled: BTreeMap::new(),
            corrected: BTreeMap::new(),
            closing: None,
            is_written: false,
        }
    }

    /// The day after this one: what stands is carried over, the rest starts anew.
    pub(super) fn following(&self, span: ReportDay) -> Self {
        let open = self.suggestions.iter().filter(|(_, standing)| standing.is_open());
        let carried =
            open.map(|(id, standing)| (*id, Standing { is_carried: true, ..standing.clone() }));
        Self {
            span,
            ticks: 0,
            tick: self.tick,
            time: self.time,
            opening: self.bankroll,
            bankroll: self.bankroll,
            exposure: self.exposure,
            state: self.state,
            state_reason: self.state_reason.clone(),
            state_changes: Vec::new(),
            stale_sources: self.stale_sources.clone(),
            events: self.events,
            events_before: self.events,
            rejected: self.rejected,
            rejected_before: self.rejected,
            model: Arc::clone(&self.model),
            counts: Counts::default(),
            suggestions: carried.collect(),
            settled: BTreeMap::new(),
            corrected: BTreeMap::new(),
            closing: None,
            is_written: false,
        }
    }

    /// Takes what an outbox says about the engine and its suggestions.
    pub(super) fn apply(&mut self, outbox: &Outbox) {
        self.is_written = false;
        self.ticks += 1;
        (self.tick, self.time) = (outbox.tick, outbox.time);
        (self.bankroll, self.exposure) = (outbox.bankroll, outbox.exposure);
        (self.events, self.rejected) = (outbox.events, outbox.rejected);
        if *self.model != *outbox.model {
            self.model = outbox.model.as_str().into();
        }
        if self.stale_sources != outbox.stale_sources {
            self.stale_sources.clone_from(&outbox.stale_sources);
        }
        if self.state != outbox.state || self.state_reason != outbox.state_reason {
            if self.state_changes.len() == STATE_CHANGES_MAX {
                self.state_changes.remove(0);
            }
            self.state = outbox.state;
            self.state_reason.clone_from(&outbox.state_reason);
            self.state_changes.push(StateChange {
                at: outbox.time,
                state: outbox.state,
                reason: outbox.state_reason.clone(),
            });
        }
        outbox.suggestions.iter().for_each(|suggestion| self.apply_suggestion(suggestion));
    }

    fn apply_suggestion(&mut self, suggestion: &Arc<Suggestion>) {
        let known = self.suggestions.get(&suggestion.suggestion_id).map(|known| &known.suggestion);
        let is_repeated = |known: &Arc<Suggestion>| {
            known.event_id == suggestion.event_id || known.revision > suggestion.revision
        };
        if known.is_some_and(is_repeated) {
            return;
        }
        let count = match suggestion.action {
            Action::Issued => &mut self.counts.issued,
            Action::Revised => &mut self.counts.revised,
            Action::Withdrawn => &mut self.counts.withdrawn,
            Action::Expired => &mut self.counts.expired,
            Action::Settled | Action::Corrected => {
                if let Some(standing) = self.suggestions.get_mut(&suggestion.suggestion_id) {
                    standing.outcome.clone_from(&suggestion.outcome);
                }
                return;
            }
        };
        *count += 1;
        let known = self.suggestions.get(&suggestion.suggestion_id);
        // What expires or is withdrawn today without having stood today was issued before the run
        // began: its message says all there is to know.
        let is_carried =
            known.map_or(suggestion.action != Action::Issued, |known| known.is_carried);
        let standing = Standing { suggestion: Arc::clone(suggestion), outcome: None, is_carried };
        self.suggestions.insert(suggestion.suggestion_id, standing);
    }

    /// Takes a ledger row and what the accounts made of it.
    pub(super) fn apply_row(&mut self, row: &LedgerRow, change: Change) {
        let id = row.suggestion_id;
        match change {
            Change::None => {
                if let Some(known) = self.settled.get_mut(&id).filter(|k| k.revision < row.revision)
                {
                    known.clone_from(row);
                }
            }
            Change::Settled => {
                self.settled.insert(id, row.clone());
            }
            Change::Corrected(before) => {
                if let Some(known) = self.settled.get_mut(&id) {
                    known.clone_from(row);
                }
                let known = self.corrected.remove(&id).map(|correction| correction.before);
                let correction = Correction { before: known.unwrap_or(before), row: row.clone() };
                self.corrected.insert(id, correction);
            }
        }
        if let Some(standing) = self.suggestions.get_mut(&id).filter(|_| row.outcome.is_some()) {
            standing.outcome.clone_from(&row.outcome);
        }
    }

    /// Closing line value of the day's settled bets.
    pub(super) fn clv_today(&self) -> Moments {
        let mut moments = Moments::default();
        let stood = self.settled.values().filter(|row| row.status != LedgerStatus::Void);
        let values = stood.filter_map(|row| row.clv).filter(|clv| clv.is_finite());
        values.for_each(|clv| moments.add(clv));
        moments
    }

    /// Its line in the run's history, with the run's figures at this moment.
    pub(super) fn summary(&self, figures: &Figures) -> Summary {
        Summary {
            date: self.span.date,
            opening: self.opening,
            bankroll: self.bankroll,
            drawdown: figures.drawdown,
            issued: self.counts.issued,
            settled: self.settled.len() as u64,
            clv_today: self.clv_today(),
            clv: figures.clv,
        }
    }
}
