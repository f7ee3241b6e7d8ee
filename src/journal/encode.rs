//! Ticks to bytes. A record holds a run of ticks; quotes, which are nearly everything, have their
//! own compact form, all other facts go through postcard.
//!
//! ```text
//! record  = first tick, received, names, name*, tick*      (ticks to the end of the record)
//! name    = length, UTF-8                        (its id is its hash)
//! tick    = time - previous tick's time, events, event*
//! event   = flags, [event time - tick's time], [received - event time], [source, region],
//!           [sequence - previous sequence], quote or postcard
//! quote   = kind | role << 3 | state << 5 | line << 7, [line], fixture, book, [price]*,
//!           [voided time - event time]
//! ```
//!
//! Numbers are variable-length, differences zigzag; what stands in brackets is there only when the
//! flags say so. The first tick's time is relative to `received`.

use std::sync::Arc;

use schema::{
    BookRole, Event, Fact, MarketKind, NameId, Odds, Quote, QuoteState, RegionId, SourceId, Tick,
    Time,
};

use super::wire::{IdTable, Piece, VARINT_BYTES_MAX, put_varint, zigzag};

/// The fact is not a quote: postcard follows.
pub(super) const FLAG_OTHER: u8 = 1;
/// The event time is the tick's.
pub(super) const FLAG_AT_TICK: u8 = 1 << 1;
/// It was received at the event time.
pub(super) const FLAG_RECEIVED_AT_ONCE: u8 = 1 << 2;
/// Source and region are those of the event before.
pub(super) const FLAG_SAME_ORIGIN: u8 = 1 << 3;
/// The sequence is one more than that of the event before.
pub(super) const FLAG_NEXT_SEQUENCE: u8 = 1 << 4;
/// The first selection has a price; the next two bits are for the second and the third.
pub(super) const FLAG_PRICE: u8 = 1 << 5;
/// The market has a line.
pub(super) const MARKET_HAS_LINE: u8 = 1 << 7;

/// Slots for fixtures: a record rarely touches more.
pub(super) const FIXTURE_SLOTS: usize = 512;
/// Slots for books, sources and regions.
pub(super) const BOOK_SLOTS: usize = 256;
/// No quote is longer: flags, four numbers, origin, market, two ids, three prices, one number.
const QUOTE_BYTES_MAX: usize = 2 + 8 * VARINT_BYTES_MAX + 4 * 9 + 3;

/// What an event is written relative to; the decoder keeps the same.
pub(super) struct Context {
    pub(super) fixtures: IdTable<FIXTURE_SLOTS>,
    pub(super) books: IdTable<BOOK_SLOTS>,
    pub(super) source: SourceId,
    pub(super) region: RegionId,
    pub(super) sequence: u64,
    pub(super) tick_time: Time,
}

impl Context {
    pub(super) fn new() -> Self {
        Self {
            fixtures: IdTable::new(),
            books: IdTable::new(),
            source: SourceId::default(),
            region: RegionId::default(),
            sequence: 0,
            tick_time: Time::default(),
        }
    }

    /// Starts a record.
    pub(super) fn begin(&mut self, received: Time) {
        self.fixtures.clear();
        self.books.clear();
        self.source = SourceId::default();
        self.region = RegionId::default();
        self.sequence = 0;
        self.tick_time = received;
    }
}

/// Names as the journal takes them.
pub(super) type NewNames<'a> = &'a [(NameId, Arc<str>)];

/// Appends the head of a record and starts it.
pub(super) fn put_head(
    out: &mut Vec<u8>,
    context: &mut Context,
    first_tick: u64,
    received: Time,
    names: NewNames<'_>,
) {
    context.begin(received);
    put_varint(out, first_tick);
    put_varint(out, zigzag(received.ms()));
    put_varint(out, names.len() as u64);
    for (id, name) in names {
        debug_assert_eq!(*id, NameId::of(name), "an id is the hash of its name");
        put_varint(out, name.len() as u64);
        out.extend_from_slice(name.as_bytes());
    }
}

/// Appends one tick.
///
/// # Errors
/// What postcard says of a fact it cannot encode.
pub(super) fn put_tick(
    out: &mut Vec<u8>,
    context: &mut Context,
    tick: &Tick,
) -> postcard::Result<()> {
    put_varint(out, zigzag(tick.time.ms().wrapping_sub(context.tick_time.ms())));
    context.tick_time = tick.time;
    put_varint(out, tick.events.len() as u64);
    for event in &tick.events {
        match &event.fact {
            Fact::Quote(quote) if put_quote(out, context, event, quote) => {}
            fact => put_other(out, context, event, fact)?,
        }
    }
    Ok(())
}

/// Appends a quote in the compact form; `false`, and nothing appended, when it has a value that
/// the compact form does not know.
#[inline]
fn put_quote(out: &mut Vec<u8>, context: &mut Context, event: &Event, quote: &Quote) -> bool {
    let Some(market) = market_code(quote) else { return false };
    let mut flags = 0;
    for (index, price) in quote.prices.iter().enumerate() {
        if price.is_some() {
            flags |= FLAG_PRICE << index;
            if price.scaled() <= Odds::SCALE || *price > Odds::MAX {
                return false;
            }
        }
    }
    let mut piece = Piece::<QUOTE_BYTES_MAX>::new();
    put_envelope(&mut piece, context, event, flags);
    piece.byte(market);
    if market & MARKET_HAS_LINE != 0 {
        piece.varint(zigzag(i64::from(quote.market.line.quarters())));
    }
    piece.id(&mut context.fixtures, quote.fixture.0);
    piece.id(&mut context.books, quote.book.0);
    for price in quote.prices {
        if price.is_some() {
            piece.varint(u64::from(price.scaled() - Odds::SCALE));
        }
    }
    if let QuoteState::Voided(at) = quote.state {
        piece.varint(zigzag(at.ms().wrapping_sub(event.event_time.ms())));
    }
    out.extend_from_slice(piece.bytes());
    true
}

/// Market kind, role, state and whether there is a line, in one byte. The codes are the format's
/// own, so that reordering an enum does not change it.
#[inline]
fn market_code(quote: &Quote) -> Option<u8> {
    let kind = match quote.market.kind {
        MarketKind::OneXTwo => 0,
        MarketKind::Moneyline => 1,
        MarketKind::Total => 2,
        MarketKind::AsianHandicap => 3,
        MarketKind::Binary => 4,
        _ => return None,
    };
    let role = match quote.role {
        BookRole::Bookmaker => 0,
        BookRole::Exchange => 1 << 3,
        BookRole::Reference => 2 << 3,
    };
    let state = match quote.state {
        QuoteState::Offered => 0,
        QuoteState::Pulled => 1 << 5,
        QuoteState::Voided(_) => 2 << 5,
    };
    let line = if quote.market.line.quarters() == 0 { 0 } else { MARKET_HAS_LINE };
    Some(kind | role | state | line)
}

/// Appends any fact through postcard.
fn put_other(
    out: &mut Vec<u8>,
    context: &mut Context,
    event: &Event,
    fact: &Fact,
) -> postcard::Result<()> {
    let mut piece = Piece::<QUOTE_BYTES_MAX>::new();
    put_envelope(&mut piece, context, event, FLAG_OTHER);
    out.extend_from_slice(piece.bytes());
    *out = postcard::to_extend(fact, std::mem::take(out))?;
    Ok(())
}

/// Appends what every event has.
#[inline]
fn put_envelope<const N: usize>(
    piece: &mut Piece<N>,
    context: &mut Context,
    event: &Event,
    mut flags: u8,
) {
    let at_tick = event.event_time == context.tick_time;
    let at_once = event.received_time == event.event_time;
    let same_origin = event.source == context.source && event.region == context.region;
    let next = event.sequence == context.sequence.wrapping_add(1);
    flags |= if at_tick { FLAG_AT_TICK } else { 0 };
    flags |= if at_once { FLAG_RECEIVED_AT_ONCE } else { 0 };
    flags |= if same_origin { FLAG_SAME_ORIGIN } else { 0 };
    flags |= if next { FLAG_NEXT_SEQUENCE } else { 0 };
    piece.byte(flags);
    if !at_tick {
        piece.varint(zigzag(event.event_time.ms().wrapping_sub(context.tick_time.ms())));
    }
    if !at_once {
        piece.varint(zigzag(event.received_time.ms().wrapping_sub(event.event_time.ms())));
    }
    if !same_origin {
        piece.id(&mut context.books, event.source.0);
        piece.id(&mut context.books, event.region.0);
        context.source = event.source;
        context.region = event.region;
    }
    if !next {
        piece.varint(zigzag(event.sequence.wrapping_sub(context.sequence) as i64));
    }
    context.sequence = event.sequence;
}
