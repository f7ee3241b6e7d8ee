//! The product's own feed: JSON lines, one flat fact a line.
//!
//! Reading a line is the largest part of the cost of a tick, so the common record (one price of one
//! selection) has a hand-written scanner that gives up on anything unusual; whatever it gives up on
//! goes through `serde_json`. Both give the same event for the same line, which a property test
//! holds them to.
//!
//! | `type` | keys (`?` = may be left out) |
//! |---|---|
//! | `odds` | `fixture book sel price market? line? role?` |
//! | `quote` | `fixture book prices market? line? role?`: one price a selection, `null` for none |
//! | `pull` | `fixture book market? line?`: takes the book's prices in that market off |
//! | `void` | `fixture book quoted_at market? line?`: prices of exactly that time were an error |
//! | `fixture` | `league home away kick_off fixture? date? status?` |
//! | `result` | `fixture score status? statistics?` |
//! | `signal` | `fixture name values market? line?` |
//! | `fill` | `suggestion odds stake` |
//! | `control` | `command operator reason?` |
//! | `model_live` | `digest pricer window_end artifact?` (hexadecimal) |
//! | `mark` | `mark?` (`clock`, `window_close`) |
//!
//! Every line has `type` and `ts` (UTC milliseconds or RFC 3339) and may have `seq` (the order
//! among facts of one time), `received` (a time) and `region`. `market` is `1x2` unless said
//! otherwise, also in a `pull`. Unknown keys are ignored, unknown types refused.

mod export;
mod record;
mod scan;

use schema::{
    BookId, BookRole, Event, Fact, FixtureId, Market, NameId, Names, Odds, Quote, QuoteState,
    RegionId, SELECTIONS_MAX, SourceId, Time,
};

use crate::Error;
pub use export::to_line;
pub(crate) use record::{Record, Stamp};
use scan::{Kind, Plain};

/// Names remembered in front of the table of names: a power of two, 512 KiB in all.
const CACHE_SLOTS: usize = 8192;
/// Longest name that fits a slot, in bytes; longer ones take the way through the table.
const CACHE_NAME_BYTES_MAX: usize = 47;

/// One remembered name. 64 bytes aligned: one cache line answers "have I seen this name?" where
/// the table of names needs three (bucket, pointer, text).
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Slot {
    id: u64,
    bytes: [u8; CACHE_NAME_BYTES_MAX],
    length: u8,
}

/// Reads lines of the feed into events and keeps the names it has seen.
///
/// ```
/// use sources::jsonl::Parser;
/// # use tideline_sources as sources;
/// let mut parser = Parser::new("feed");
/// let line = br#"{"ts":1760000000000,"type":"odds","fixture":"EPL-1","book":"bet365","sel":"home","price":2.35}"#;
/// let mut events = Vec::new();
/// parser.parse(line, None, &mut events)?;
/// assert_eq!(sources::jsonl::to_line(&events[0], parser.names()).as_bytes(), line);
/// # Ok::<(), sources::Error>(())
/// ```
#[derive(Clone)]
pub struct Parser {
    names: Names,
    source: SourceId,
    cache: Box<[Slot]>,
}

impl std::fmt::Debug for Parser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parser").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Parser {
    /// A parser for the source of this name in the topology.
    pub fn new(source: &str) -> Self {
        let mut names = Names::default();
        // A name that is refused still has an id; only its text would be missing from the table.
        let id = names.register(source).unwrap_or_else(|_| NameId::of(source));
        let empty = Slot { id: 0, bytes: [0; CACHE_NAME_BYTES_MAX], length: 0 };
        let cache = vec![empty; CACHE_SLOTS].into_boxed_slice();
        Self { names, source: SourceId(id.0), cache }
    }

    /// The names seen so far.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The names seen so far, to take the fresh ones or to register more.
    pub fn names_mut(&mut self) -> &mut Names {
        &mut self.names
    }

    /// Reads one line (without its line end) and appends its event to `out`. `received_at` is when
    /// it arrived; `None` takes the line's own `received`, or else the event time, as in a replay.
    ///
    /// # Errors
    /// Why the line is refused; nothing is appended then.
    #[inline]
    pub fn parse(
        &mut self,
        line: &[u8],
        received_at: Option<Time>,
        out: &mut Vec<Event>,
    ) -> Result<(), Error> {
        // A value that is refused is refused again below, where the reason can quote it.
        if let Some(plain) = scan::scan(line)
            && let Ok(event) = self.plain_event(&plain, received_at)
        {
            out.push(event);
            return Ok(());
        }
        self.parse_general(line, received_at, out)
    }

    /// The way through `serde_json`: any line, at ten times the cost.
    fn parse_general(
        &mut self,
        line: &[u8],
        received_at: Option<Time>,
        out: &mut Vec<Event>,
    ) -> Result<(), Error> {
        // `serde` would also take a list, by position of the keys.
        if line.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
            return Err(Error::Json("it does not begin with an object".to_owned()));
        }
        let record: Record =
            serde_json::from_slice(line).map_err(|cause| Error::Json(cause.to_string()))?;
        out.push(self.record_event(&record, received_at)?);
        Ok(())
    }

    /// The event of a record, wherever it was read from.
    pub(crate) fn record_event(
        &mut self,
        record: &Record,
        received_at: Option<Time>,
    ) -> Result<Event, Error> {
        let stamp = record.ts.as_ref().ok_or_else(|| record.missing("ts"))?;
        let event_time = stamp.time()?;
        let received = record.received.as_ref().map(Stamp::time).transpose()?;
        let sequence = record.seq.unwrap_or(0);
        let region = match &record.region {
            None => RegionId::default(),
            Some(region) => RegionId(self.names.register(region)?.0),
        };
        let fact = record.fact(&mut self.names)?;
        Ok(Event {
            event_time,
            received_time: received_at.or(received).unwrap_or(event_time),
            sequence,
            source: self.source,
            region,
            fact,
        })
    }

    #[inline]
    fn plain_event(
        &mut self,
        plain: &Plain<'_>,
        received_at: Option<Time>,
    ) -> Result<Event, Error> {
        let event_time = Time::checked(plain.ts)?;
        let mut prices = [Odds::NONE; SELECTIONS_MAX];
        let state = match plain.kind {
            Kind::Odds { selection, price } => {
                prices[selection as usize] = Odds::from_scaled(price)?;
                QuoteState::Offered
            }
            Kind::Pull => QuoteState::Pulled,
        };
        let quote = Quote {
            fixture: FixtureId(self.intern(plain.fixture)?),
            market: Market::ONE_X_TWO,
            book: BookId(self.intern(plain.book)?),
            role: BookRole::Bookmaker,
            prices,
            state,
        };
        Ok(Event {
            event_time,
            received_time: received_at.unwrap_or(event_time),
            sequence: plain.seq,
            source: self.source,
            region: RegionId::default(),
            fact: Fact::Quote(quote),
        })
    }

    /// The id of a name, registering it when it is new.
    #[inline]
    fn intern(&mut self, name: &[u8]) -> Result<u64, Error> {
        let index = slot_index(name);
        let slot = &self.cache[index];
        let length = usize::from(slot.length);
        if length == name.len() && length != 0 && slot.bytes[..length] == *name {
            return Ok(slot.id);
        }
        self.intern_new(name, index)
    }

    #[cold]
    fn intern_new(&mut self, name: &[u8], index: usize) -> Result<u64, Error> {
        let text = std::str::from_utf8(name)
            .map_err(|_| Error::Json("a name is not UTF-8 text".to_owned()))?;
        let id = self.names.register(text)?.0;
        if name.len() <= CACHE_NAME_BYTES_MAX {
            let slot = &mut self.cache[index];
            slot.id = id;
            slot.length = name.len() as u8;
            slot.bytes[..name.len()].copy_from_slice(name);
        }
        Ok(id)
    }
}

/// Where a name is remembered: its ends and its length, mixed. Only speed depends on it.
#[inline]
fn slot_index(name: &[u8]) -> usize {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |b| u64::from_le_bytes(*b));
    let (head, tail) = if name.len() >= 8 {
        (word(name.first_chunk()), word(name.last_chunk()))
    } else {
        let fold = name.iter().fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte));
        (fold, 0)
    };
    let mixed = (head ^ tail.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 51) as usize & (CACHE_SLOTS - 1)
}

#[cfg(test)]
mod tests;
