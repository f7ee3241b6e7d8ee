//! Bytes back to ticks, one tick at a time, so that a reader's memory is bounded by the largest
//! tick and not by the record. The mirror image of `encode`, line by line.

use std::sync::Arc;

use schema::{
    BookId, BookRole, Event, Fact, FixtureId, Line, Market, MarketKind, NameId, Odds, Quote,
    QuoteState, RegionId, SELECTIONS_MAX, SourceId, Tick, Time,
};

use super::encode::{
    Context, FLAG_AT_TICK, FLAG_NEXT_SEQUENCE, FLAG_OTHER, FLAG_PRICE, FLAG_RECEIVED_AT_ONCE,
    FLAG_SAME_ORIGIN, MARKET_HAS_LINE,
};
use super::wire::{Fault, Input};

/// Most elements that memory is set aside for before they are seen: a count may be anybody's.
const CAPACITY_MAX: usize = 4_096;

/// What the head of a record says.
pub(super) struct Head {
    pub(super) first_tick: u64,
    pub(super) received: Time,
    pub(super) names: Vec<(NameId, Arc<str>)>,
}

/// Reads the head of a record and starts it.
pub(super) fn take_head(input: &mut Input<'_>, context: &mut Context) -> Result<Head, Fault> {
    let first_tick = input.varint()?;
    let received = Time::from_ms(input.delta()?);
    let count = input.varint()?;
    let mut names = Vec::with_capacity((count as usize).min(CAPACITY_MAX));
    for _ in 0..count {
        let length = input.varint()?;
        let bytes = input.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        let name = std::str::from_utf8(bytes).map_err(|_| "a name is not UTF-8")?;
        names.push((NameId::of(name), Arc::from(name)));
    }
    context.begin(received);
    Ok(Head { first_tick, received, names })
}

/// Reads one tick.
pub(super) fn take_tick(
    input: &mut Input<'_>,
    context: &mut Context,
    number: u64,
) -> Result<Tick, Fault> {
    let time = Time::from_ms(context.tick_time.ms().wrapping_add(input.delta()?));
    context.tick_time = time;
    let count = input.varint()?;
    let mut events = Vec::with_capacity((count as usize).min(CAPACITY_MAX));
    for _ in 0..count {
        events.push(take_event(input, context)?);
    }
    Ok(Tick { number, time, events })
}

#[inline]
fn take_event(input: &mut Input<'_>, context: &mut Context) -> Result<Event, Fault> {
    let flags = input.byte()?;
    let mut event_time = context.tick_time;
    if flags & FLAG_AT_TICK == 0 {
        event_time = Time::from_ms(event_time.ms().wrapping_add(input.delta()?));
    }
    let mut received_time = event_time;
    if flags & FLAG_RECEIVED_AT_ONCE == 0 {
        received_time = Time::from_ms(event_time.ms().wrapping_add(input.delta()?));
    }
    if flags & FLAG_SAME_ORIGIN == 0 {
        context.source = SourceId(input.id(&mut context.books)?);
        context.region = RegionId(input.id(&mut context.books)?);
    }
    let step = if flags & FLAG_NEXT_SEQUENCE == 0 { input.delta()? as u64 } else { 1 };
    context.sequence = context.sequence.wrapping_add(step);
    let fact = if flags & FLAG_OTHER == 0 {
        Fact::Quote(take_quote(input, context, flags, event_time)?)
    } else if flags >= FLAG_PRICE {
        return Err("flags that no fact has");
    } else {
        let (fact, rest) = postcard::take_from_bytes(input.0)
            .map_err(|_| "a fact of a kind that this version does not know")?;
        input.0 = rest;
        fact
    };
    let Context { source, region, sequence, .. } = *context;
    Ok(Event { event_time, received_time, sequence, source, region, fact })
}

#[inline]
fn take_quote(
    input: &mut Input<'_>,
    context: &mut Context,
    flags: u8,
    event_time: Time,
) -> Result<Quote, Fault> {
    let code = input.byte()?;
    let kind = market_kind(code)?;
    let mut line = Line::ZERO;
    if code & MARKET_HAS_LINE != 0 {
        let quarters = i16::try_from(input.delta()?).map_err(|_| "a line out of range")?;
        line = Line::from_quarters(quarters);
    }
    let role = match code >> 3 & 3 {
        0 => BookRole::Bookmaker,
        1 => BookRole::Exchange,
        2 => BookRole::Reference,
        _ => return Err("a book role that is not known"),
    };
    let fixture = FixtureId(input.id(&mut context.fixtures)?);
    let book = BookId(input.id(&mut context.books)?);
    let mut prices = [Odds::NONE; SELECTIONS_MAX];
    for (index, price) in prices.iter_mut().enumerate() {
        if flags & (FLAG_PRICE << index) != 0 {
            *price = take_odds(input)?;
        }
    }
    let state = match code >> 5 & 3 {
        0 => QuoteState::Offered,
        1 => QuoteState::Pulled,
        2 => {
            let at = event_time.ms().wrapping_add(input.delta()?);
            QuoteState::Voided(Time::from_ms(at))
        }
        _ => return Err("a quote state that is not known"),
    };
    Ok(Quote { fixture, market: Market { kind, line }, book, role, prices, state })
}

#[inline]
fn market_kind(code: u8) -> Result<MarketKind, Fault> {
    match code & 7 {
        0 => Ok(MarketKind::OneXTwo),
        1 => Ok(MarketKind::Moneyline),
        2 => Ok(MarketKind::Total),
        3 => Ok(MarketKind::AsianHandicap),
        4 => Ok(MarketKind::Binary),
        _ => Err("a market that is not known"),
    }
}

#[inline]
fn take_odds(input: &mut Input<'_>) -> Result<Odds, Fault> {
    const REFUSED: Fault = "odds out of range";
    let above = u32::try_from(input.varint()?).map_err(|_| REFUSED)?;
    let scaled = above.checked_add(Odds::SCALE).ok_or(REFUSED)?;
    Odds::from_scaled(scaled).map_err(|_| REFUSED)
}
