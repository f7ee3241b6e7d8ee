//! The keyed operator's state: every fixture of one worker, its timers, and what a tick does.
//!
//! Facts are applied first and rows are computed once at the end of the tick, so that the order of
//! facts within a tick cannot show and a market that changed ten times costs one row. Time comes
//! with the tick: timers fire before its facts are applied.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use schema::{
    BookQuote, Event, Fact, FixtureId, MarketKey, MarketRow, Quote, QuoteState, Tick, Time,
};

use crate::fixture_state::FixtureState;
use crate::history::Arrival;
use crate::markets::Touched;
use crate::output::{Output, Update};
use crate::{Config, RefusedReason};

/// Ids of fixtures remembered after their state is gone, so that a very late fact is refused
/// rather than taken for a new fixture. The oldest are let go.
pub(crate) const FORGOTTEN_MAX: usize = 1 << 20;

/// The fixtures of one worker.
pub(crate) struct Door {
    config: Config,
    worker: u64,
    workers: u64,
    slots: Vec<FixtureState>,
    free: Vec<usize>,
    slot_of: FxHashMap<FixtureId, usize>,
    timers: BinaryHeap<Reverse<(Time, FixtureId)>>,
    forgotten: FxHashSet<FixtureId>,
    forgotten_order: VecDeque<FixtureId>,
    touched_fixtures: Vec<usize>,
    touched_markets: Vec<(MarketKey, usize, usize)>,
    places: Vec<Option<Place>>,
    /// Quotes and rows of the tick at hand, kept for their room.
    copies: Vec<Option<Vec<BookQuote>>>,
    rows: Vec<Option<Arc<MarketRow>>>,
}

/// Where a quote belongs: fixture, market, and probably book. And whether that book's history is
/// full, which is asked for here so that its memory is under way: the search itself branches on
/// nothing that it has to wait for.
#[derive(Clone, Copy)]
struct Place {
    slot: usize,
    market: usize,
    book: usize,
    full: bool,
}

/// One step of the search for every quote that has a place so far.
#[inline]
fn each(
    events: &[Event],
    places: &mut [Option<Place>],
    mut step: impl FnMut(&Quote, Place) -> Option<Place>,
) {
    for (event, place) in events.iter().zip(places) {
        if let (Fact::Quote(quote), Some(found)) = (&event.fact, *place) {
            *place = step(quote, found);
        }
    }
}

impl Door {
    pub(crate) fn new(config: Config, worker: usize, workers: usize) -> Self {
        Self {
            config,
            worker: worker as u64,
            workers: workers as u64,
            slots: Vec::new(),
            free: Vec::new(),
            slot_of: FxHashMap::default(),
            timers: BinaryHeap::new(),
            forgotten: FxHashSet::default(),
            forgotten_order: VecDeque::new(),
            touched_fixtures: Vec::new(),
            touched_markets: Vec::new(),
            places: Vec::new(),
            copies: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Applies a tick and emits every row of this worker's fixtures that it changes.
    pub(crate) fn tick(&mut self, tick: &Tick, out: &mut Vec<Update>) {
        self.fire(tick, out);
        let mut places = std::mem::take(&mut self.places);
        self.find_places(&tick.events, &mut places);
        for (at, (event, place)) in tick.events.iter().zip(places.drain(..)).enumerate() {
            if let Err(reason) = self.apply(event, place) {
                out.push((Output::Refused(at, reason), tick.number, 1));
            }
        }
        self.places = places;
        self.settle(tick, out);
    }

    /// Where every quote belongs; `None` for other facts and for a quote that will be refused.
    ///
    /// Applying waits for memory at every turn. The searches of different quotes do not depend on
    /// each other, so they are done first, and each step of them for all quotes before the next:
    /// what one step finds says where the next one looks, and this way they wait together.
    fn find_places(&mut self, events: &[Event], places: &mut Vec<Option<Place>>) {
        places.extend(events.iter().map(|event| {
            let Fact::Quote(quote) = &event.fact else { return None };
            if !self.is_mine(quote.fixture) {
                return None;
            }
            let slot = self.slot(quote.fixture, event.event_time).ok()?;
            Some(Place { slot, market: 0, book: 0, full: false })
        }));
        each(events, places, |quote, place| {
            let state = &mut self.slots[place.slot];
            let market = (!state.hot.retired).then(|| state.market(quote.market));
            market.map(|market| Place { market, ..place })
        });
        each(events, places, |quote, place| {
            let market = &self.slots[place.slot].hot.markets[place.market];
            Some(Place { book: market.find(quote.book), ..place })
        });
        each(events, places, |_, place| {
            let hot = &self.slots[place.slot].hot;
            let full = hot.markets[place.market].is_full(place.book, hot.moments);
            Some(Place { full, ..place })
        });
    }

    fn is_mine(&self, fixture: FixtureId) -> bool {
        self.workers == 1 || fixture.0 % self.workers == self.worker
    }

    #[inline]
    fn apply(&mut self, event: &Event, place: Option<Place>) -> Result<(), RefusedReason> {
        match &event.fact {
            Fact::Quote(quote) if self.is_mine(quote.fixture) => {
                self.quote(event, quote, place.ok_or(RefusedReason::Retired)?)
            }
            Fact::Fixture(fact) if self.is_mine(fact.fixture) => {
                let slot = self.slot(fact.fixture, event.event_time)?;
                let state = &mut self.slots[slot];
                if state.hot.retired {
                    return Err(RefusedReason::Retired);
                }
                if state.announced.insert(event.event_time, event.sequence, *fact) {
                    self.touch_fixture(slot);
                }
                Ok(())
            }
            Fact::Result(fact) if self.is_mine(fact.fixture) => {
                let slot = self.slot(fact.fixture, event.event_time)?;
                let state = &mut self.slots[slot];
                if state.results.insert(event.event_time, event.sequence, **fact)? {
                    self.touch_fixture(slot);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn quote(&mut self, event: &Event, quote: &Quote, place: Place) -> Result<(), RefusedReason> {
        let Place { slot, market: at, book, full } = place;
        let state = &mut self.slots[slot];
        let arrival = Arrival { time: event.event_time, sequence: event.sequence, quote };
        let (moments, open) = (state.hot.moments, state.hot.open);
        let market = &mut state.hot.markets[at];
        if full {
            market.make_room(book, moments);
        }
        if !market.apply(arrival, book, moments, &self.config)? {
            return Ok(());
        }
        let stamped = match quote.state {
            QuoteState::Voided(time) => time,
            _ => event.event_time,
        };
        let past = moments.is_some_and(|moments| moments.can_show(stamped));
        if !market.touched.any() && (open || past) {
            let key = MarketKey { fixture: quote.fixture, market: quote.market };
            self.touched_markets.push((key, slot, at));
        }
        market.touched.live |= open;
        market.touched.past |= past;
        Ok(())
    }

    /// The fixture's place, made if it is new.
    #[inline]
    fn slot(&mut self, id: FixtureId, fact_time: Time) -> Result<usize, RefusedReason> {
        if let Some(&slot) = self.slot_of.get(&id) {
            let state = &mut self.slots[slot];
            state.hot.newest_fact = state.hot.newest_fact.max(fact_time);
            return Ok(slot);
        }
        if self.forgotten.contains(&id) {
            return Err(RefusedReason::Retired);
        }
        let mut state = FixtureState::new(id);
        state.hot.newest_fact = fact_time;
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot] = state;
            slot
        } else {
            self.slots.push(state);
            self.slots.len() - 1
        };
        self.slot_of.insert(id, slot);
        let due = self.slots[slot].next_due(fact_time, &self.config);
        self.schedule(slot, due);
        Ok(slot)
    }

    /// Marks a fixture and all its markets for a look at the end of the tick.
    fn touch_fixture(&mut self, slot: usize) {
        let state = &mut self.slots[slot];
        state.refresh(&self.config);
        if !state.hot.touched {
            state.hot.touched = true;
            self.touched_fixtures.push(slot);
        }
        for (at, market) in state.hot.markets.iter_mut().enumerate() {
            if !market.touched.any() {
                let key = MarketKey { fixture: state.id, market: market.market };
                self.touched_markets.push((key, slot, at));
            }
            market.touched = Touched::ALL;
        }
    }

    fn schedule(&mut self, slot: usize, due: Time) {
        let state = &mut self.slots[slot];
        if state.due != due {
            state.due = due;
            self.timers.push(Reverse((due, state.id)));
        }
    }

    /// Fires every timer whose moment the tick has reached.
    fn fire(&mut self, tick: &Tick, out: &mut Vec<Update>) {
        while let Some(&Reverse((time, id))) = self.timers.peek() {
            if time > tick.time {
                return;
            }
            self.timers.pop();
            let Some(&slot) = self.slot_of.get(&id) else { continue };
            if self.slots[slot].due != time {
                continue;
            }
            self.slots[slot].due = Time::MIN;
            self.look(slot, tick, out);
        }
    }

    /// What has become due for a fixture: rows, retirement, oblivion, or nothing yet because
    /// newer facts came.
    fn look(&mut self, slot: usize, tick: &Tick, out: &mut Vec<Update>) {
        let config = self.config;
        let state = &mut self.slots[slot];
        if state.hot.retired {
            state.forget(tick.number, out);
            return self.remove(slot, true);
        }
        if state.has_rows_due(tick.time) {
            return self.touch_fixture(slot);
        }
        if state.retire_at(&config) <= tick.time {
            state.retire(tick.number, out);
            if state.announced.row().is_none() {
                let finished = !state.results.is_empty();
                return self.remove(slot, finished);
            }
        }
        let due = self.slots[slot].next_due(tick.time, &config);
        self.schedule(slot, due);
    }

    fn remove(&mut self, slot: usize, remember: bool) {
        let id = self.slots[slot].id;
        self.slot_of.remove(&id);
        self.slots[slot] = FixtureState::new(id);
        self.free.push(slot);
        if remember && self.forgotten.insert(id) {
            self.forgotten_order.push_back(id);
            if self.forgotten_order.len() > FORGOTTEN_MAX
                && let Some(oldest) = self.forgotten_order.pop_front()
            {
                self.forgotten.remove(&oldest);
            }
        }
    }

    /// Computes and emits the rows of all that was touched.
    fn settle(&mut self, tick: &Tick, out: &mut Vec<Update>) {
        let config = self.config;
        // Sorted here, where they are small, so that the rows need not be.
        self.touched_markets.sort_unstable();
        for &(_, slot, at) in &self.touched_markets {
            self.slots[slot].refresh_market(at, &config);
        }
        // First copy what all rows need, then make them, then share them: what is done for one does
        // not depend on what was done for another, so their waits for memory overlap, until it comes
        // to sharing, which is atomic and waits for everything before it.
        let mut copies = std::mem::take(&mut self.copies);
        let mut rows = std::mem::take(&mut self.rows);
        let touched = self.touched_markets.iter();
        copies
            .extend(touched.map(|&(_, slot, at)| self.slots[slot].live_quotes(at, tick, &config)));
        let touched = self.touched_markets.iter();
        rows.extend(
            touched
                .zip(copies.drain(..))
                .map(|(&(_, slot, at), quotes)| self.slots[slot].live_row(at, quotes?)),
        );
        for ((_, slot, at), row) in self.touched_markets.drain(..).zip(rows.drain(..)) {
            self.slots[slot].settle_market(at, row, tick, &config, out);
        }
        (self.copies, self.rows) = (copies, rows);
        for slot in std::mem::take(&mut self.touched_fixtures) {
            let state = &mut self.slots[slot];
            state.settle(tick.time, tick.number, out);
            state.hot.touched = false;
            let due = state.next_due(tick.time, &config);
            self.schedule(slot, due);
        }
    }
}
