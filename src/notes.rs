//! What the desk needs to know of a tick beside its delta: the facts that are not relational.

use schema::{
    BookId, Control, Event, Fact, FixtureId, Mark, Market, ModelLive, QuoteState, Signal, Tick,
    Time,
};

/// A price declared an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoidedPrice {
    /// The fixture.
    pub fixture: FixtureId,
    /// The market.
    pub market: Market,
    /// Whose price.
    pub book: BookId,
    /// Event time of the quote that was an error.
    pub quoted_at: Time,
}

/// Facts of one tick for the desk.
#[derive(Debug, Default)]
pub struct Notes {
    /// When its messages are emitted: the latest receipt in it, and never before its event time,
    /// so that a replay writes what the live run wrote.
    pub emit_time: Time,
    /// Number of facts.
    pub facts: usize,
    /// Operators' commands.
    pub controls: Vec<Control>,
    /// Bets really placed: the facts themselves, since the desk may have to refuse one.
    pub fills: Vec<Event>,
    /// Models that went live.
    pub models: Vec<ModelLive>,
    /// Signals.
    pub signals: Vec<Signal>,
    /// Prices declared errors.
    pub voids: Vec<VoidedPrice>,
    /// End of the training window that closes with this tick.
    pub window_end: Option<Time>,
}

impl Notes {
    /// Notes of a tick.
    pub fn of(tick: &Tick) -> Self {
        let mut notes = Self { emit_time: tick.time, facts: tick.events.len(), ..Self::default() };
        for event in &tick.events {
            notes.emit_time = notes.emit_time.max(event.received_time);
            match &event.fact {
                Fact::Control(control) => notes.controls.push((**control).clone()),
                Fact::Fill(_) => notes.fills.push(event.clone()),
                Fact::ModelLive(model) => notes.models.push((**model).clone()),
                Fact::Signal(signal) => notes.signals.push(*signal),
                Fact::Mark(Mark::WindowClose) => notes.window_end = Some(event.event_time),
                Fact::Quote(quote) => {
                    if let QuoteState::Voided(quoted_at) = quote.state {
                        notes.voids.push(VoidedPrice {
                            fixture: quote.fixture,
                            market: quote.market,
                            book: quote.book,
                            quoted_at,
                        });
                    }
                }
                _ => {}
            }
        }
        notes
    }
}
