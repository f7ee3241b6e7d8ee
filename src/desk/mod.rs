//! The desk: compares what should be bet with what is outstanding, and says what changed.
//!
//! It holds what is not relational: the suggestions outstanding, the paper account, the track
//! record, the run state. Everything it does follows from the deltas and notes it is given, in
//! order, so the same ticks always make the same messages.

mod account;
mod bet;
mod forecasts;
mod judge;
mod look;
mod message;
mod settle;
mod slate;

use std::collections::BTreeSet;
use std::sync::Arc;

use lenses::{HardStop, Panel, TrackRecord, Weights};
use model::Pricer;
use schema::{
    Command, Control, Delta, Event, EventId, Fact, FixtureId, Money, Names, Outbox, RunState, Span,
    Time,
};

use crate::feeds::Feeds;
use crate::notes::{Notes, VoidedPrice};

pub use account::{Account, Placement};
pub use bet::{Bet, Phase, Settlement};
pub use message::canonical;
pub use settle::FillRefused;
use slate::Slate;
pub use slate::{Candidate, FairSelection, FixtureView};

/// What the desk is told by the topology.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bankroll at the start.
    pub bankroll: Money,
    /// A paper bet is placed when its suggestion has stood this long.
    pub fill_after: Span,
    /// A settled bet is final this long after kick-off.
    pub final_after: Span,
    /// A quote older than this prices nothing.
    pub stale_after: Span,
    /// A price this far behind the newest one in its market is not bet at.
    pub lag_max: Span,
    /// A quote made this long before kick-off or later counts as a closing one.
    pub closing_within: Span,
    /// Commission on winnings by book name, in basis points.
    pub commission_bps: std::collections::BTreeMap<schema::BookId, u32>,
    /// Books whose closing price is the reference for closing line value, best first; the closing
    /// consensus when none of them closed.
    pub closing_reference: Vec<schema::BookId>,
    /// Books whose prices mean nothing taken together (a maximum over books).
    pub exclude: Vec<schema::BookId>,
    /// No bets before this time: the seasons before it only teach.
    pub bets_from: Time,
    /// In a rehearsal nobody is there to release the hard stop: release it after this long.
    pub resume_after: Option<Span>,
    /// The lenses, gates and limits.
    pub lenses: lenses::Config,
}

/// Something that has to happen at a time whether or not a fact arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A suggestion has stood long enough to be bet.
    Fill(FixtureId, EventId),
    /// A suggestion is not good any more.
    Expire(FixtureId, EventId),
    /// A fixture starts.
    KickOff(FixtureId),
    /// The time for corrections of a fixture's bets is over.
    Final(FixtureId),
    /// The hard stop is released in a rehearsal.
    Resume,
}

/// What the desk has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Bets suggested.
    pub issued: u64,
    /// Suggestions changed.
    pub revised: u64,
    /// Suggestions taken back.
    pub withdrawn: u64,
    /// Suggestions that ended at kick-off or went stale.
    pub expired: u64,
    /// Bets settled.
    pub settled: u64,
    /// Bets restated after settlement.
    pub corrected: u64,
}

/// The desk.
pub struct Desk {
    settings: Settings,
    panel: Panel,
    weights: Weights,
    record: TrackRecord,
    hard_stop: HardStop,
    account: Account,
    slate: Slate,
    due: BTreeSet<(Time, Due)>,
    state: RunState,
    state_reason: String,
    feeds: Feeds,
    tally: Tally,
    hard_stops: u64,
    now: Time,
    emit_time: Time,
    tick: u64,
    outbox: Outbox,
    refused: Vec<(Event, FillRefused)>,
}

impl Desk {
    /// A desk that has seen nothing.
    ///
    /// # Errors
    /// Settings of the lenses that are out of range.
    pub fn new(settings: Settings, feeds: Feeds) -> crate::Result<Self> {
        let panel = Panel::open(&settings.lenses)?;
        Ok(Self {
            account: Account::new(settings.bankroll),
            panel,
            weights: Weights::EQUAL,
            record: TrackRecord::default(),
            hard_stop: HardStop::default(),
            slate: Slate::default(),
            due: BTreeSet::new(),
            state: RunState::Run,
            state_reason: String::new(),
            feeds,
            tally: Tally::default(),
            hard_stops: 0,
            now: Time::MIN,
            emit_time: Time::MIN,
            tick: 0,
            outbox: Outbox::default(),
            refused: Vec::new(),
            settings,
        })
    }

    /// Where facts note the freshness of their source.
    pub fn feeds(&mut self) -> &mut Feeds {
        &mut self.feeds
    }

    /// Applies one tick's delta and notes; gives what leaves because of it.
    pub fn apply(
        &mut self,
        delta: &Delta,
        notes: &Notes,
        names: &Names,
        pricer: &dyn Pricer,
    ) -> Outbox {
        self.tick = delta.tick;
        self.now = delta.time;
        self.emit_time = notes.emit_time;
        self.turn_time();
        self.obey(&notes.controls);
        self.void_prices(&notes.voids);
        let mut touched = self.slate.take(delta, &notes.signals);
        self.schedule(delta);
        self.take_fills(&notes.fills);
        self.take_forecasts(delta, names, pricer);
        self.settle(delta);
        self.watch_losses();
        if self.feeds.turn(self.now) {
            touched = self.slate.upcoming();
        }
        self.judge(&touched, names, pricer);
        self.seal(pricer)
    }

    /// Everything that was due up to now, in order of time.
    fn turn_time(&mut self) {
        while let Some(&(at, due)) = self.due.first()
            && at <= self.now
        {
            self.due.pop_first();
            match due {
                Due::Fill(fixture, bet) => self.fill_paper(fixture, bet, at),
                Due::Expire(fixture, bet) => self.expire_bet(fixture, bet, at),
                Due::KickOff(fixture) => self.kick_off(fixture, at),
                Due::Final(fixture) => self.make_final(fixture),
                Due::Resume => self.resume(),
            }
        }
        self.account.turn_day(self.now);
    }

    /// Puts kick-offs of new and moved fixtures on the calendar.
    fn schedule(&mut self, delta: &Delta) {
        for change in &delta.fixtures {
            let fixture = change.key;
            if let Some(before) = &change.before {
                self.due.remove(&(before.kick_off, Due::KickOff(fixture)));
                self.due.remove(&(
                    before.kick_off.plus(self.settings.final_after),
                    Due::Final(fixture),
                ));
            }
            if let Some(after) = &change.after {
                self.due.insert((after.kick_off, Due::KickOff(fixture)));
                self.due
                    .insert((after.kick_off.plus(self.settings.final_after), Due::Final(fixture)));
            }
        }
    }

    fn obey(&mut self, controls: &[Control]) {
        for control in controls {
            let why = format!(
                "{} by {}: {}",
                command_name(control.command),
                control.operator,
                control.reason
            );
            match control.command {
                Command::Halt => self.halt(why),
                Command::Reduce => {
                    self.state = RunState::Reduce;
                    self.state_reason = why;
                }
                Command::Resume => self.resume(),
            }
        }
    }

    /// No stakes any more: every proposal is taken back. Latched until an operator resumes.
    fn halt(&mut self, why: String) {
        self.state = RunState::Halt;
        self.withdraw_all(&why);
        self.state_reason = why;
    }

    fn resume(&mut self) {
        self.state = RunState::Run;
        self.hard_stop.release();
        self.state_reason.clear();
    }

    /// Trips the hard stop when today's loss is over its limit.
    fn watch_losses(&mut self) {
        let limit = self.settings.lenses.hard_stop;
        if !self.hard_stop.observe(self.now, self.account.bankroll(), limit) {
            return;
        }
        self.hard_stops += 1;
        let loss = self.hard_stop.loss();
        self.halt(format!(
            "hard stop: lost {:.1} % of the day's bankroll, limit {:.1} %; `tideline resume` releases it",
            loss * 100.0,
            limit * 100.0
        ));
        if let Some(rest) = self.settings.resume_after {
            self.due.insert((self.now.plus(rest), Due::Resume));
        }
    }

    /// Bets that were really placed replace what the paper account assumed.
    fn take_fills(&mut self, fills: &[Event]) {
        for event in fills {
            let Fact::Fill(fill) = &event.fact else { continue };
            if let Err(reason) = self.fill_real(fill) {
                self.refused.push((event.clone(), reason));
            }
        }
    }

    /// Facts that could not be taken since this was last asked, each with the reason.
    pub fn take_refused(&mut self) -> Vec<(Event, FillRefused)> {
        std::mem::take(&mut self.refused)
    }

    fn void_prices(&mut self, voids: &[VoidedPrice]) {
        for void in voids {
            let Some(entry) = self.slate.get_mut(void.fixture) else { continue };
            let hit = |bet: &Bet| {
                bet.market == void.market
                    && bet.book == void.book
                    && bet.quoted_at == void.quoted_at
            };
            let ids: Vec<_> = entry.bets.iter().filter(|bet| hit(bet)).map(|bet| bet.id).collect();
            for id in ids {
                self.void_bet(void.fixture, id);
            }
        }
    }

    /// Completes the outbox of this tick.
    fn seal(&mut self, pricer: &dyn Pricer) -> Outbox {
        let mut outbox = std::mem::take(&mut self.outbox);
        outbox.tick = self.tick;
        outbox.time = self.now;
        outbox.bankroll = self.account.bankroll();
        outbox.exposure = self.account.open();
        outbox.state = self.state;
        outbox.state_reason.clone_from(&self.state_reason);
        outbox.stale_sources = self.feeds.stale_names();
        pricer.model().clone_into(&mut outbox.model);
        outbox
    }

    /// What has been done so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// How often the hard stop tripped.
    pub const fn hard_stops(&self) -> u64 {
        self.hard_stops
    }

    /// The account.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The run state and why it is not `run`.
    pub fn state(&self) -> (RunState, &str) {
        (self.state, &self.state_reason)
    }

    /// The last message of every suggestion someone should still act on, by fixture.
    pub fn outstanding(&self) -> Vec<Arc<schema::Suggestion>> {
        let bets = self.slate.iter().flat_map(|(_, entry)| entry.bets.iter());
        bets.filter(|bet| bet.is_outstanding()).map(|bet| Arc::clone(&bet.message)).collect()
    }
}

const fn command_name(command: Command) -> &'static str {
    match command {
        Command::Halt => "halted",
        Command::Reduce => "reduced",
        Command::Resume => "resumed",
    }
}
