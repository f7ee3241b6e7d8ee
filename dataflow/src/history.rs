//! One book's prices in one market over time.
//!
//! The current prices are kept up to date in constant time as long as facts arrive in order; a
//! late, voided or repeated one costs a walk over the kept versions. Old versions are folded
//! together when there are too many, in stretches that never cross a moment some view asks about,
//! so that folding changes no view unless a fact falls into a folded stretch: that one is refused.

use schema::{
    BookId, BookQuote, BookRole, Devig, Market, Odds, Quote, QuoteState, SELECTIONS_MAX, Time,
};

use crate::RefusedReason;
use crate::fixtures::Moments;
use crate::rows::{Fair, has_price};

/// Versions kept of a book's prices in a market whose kick-off is known.
pub(crate) const HISTORY_MAX: usize = 64;
/// Versions kept while the kick-off is not known: nothing but late facts and voids needs them.
pub(crate) const HISTORY_UNDATED_MAX: usize = 8;

/// What a version does to the prices before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Puts its prices over them.
    Offered,
    /// Clears them.
    Pulled,
    /// Several versions folded: puts their last prices over them.
    Folded,
    /// Several versions folded, a pull among them: clears them first.
    FoldedPull,
}

impl Kind {
    #[inline]
    fn of(quote: &Quote) -> Self {
        if quote.state == QuoteState::Pulled { Self::Pulled } else { Self::Offered }
    }
}

/// One fact about the prices, or several folded into one. Ordered as the facts are: by event time,
/// sequence, content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    time: Time,
    sequence: u64,
    role: BookRole,
    prices: [Odds; SELECTIONS_MAX],
    kind: Kind,
}

impl Version {
    const BLANK: Self = Self {
        time: Time::MIN,
        sequence: 0,
        role: BookRole::Bookmaker,
        prices: [Odds::NONE; SELECTIONS_MAX],
        kind: Kind::Offered,
    };

    #[inline]
    fn of(Arrival { time, sequence, quote }: Arrival<'_>) -> Self {
        Self { time, sequence, role: quote.role, prices: quote.prices, kind: Kind::of(quote) }
    }

    fn is_folded(&self) -> bool {
        matches!(self.kind, Kind::Folded | Kind::FoldedPull)
    }

    /// Before everything of another version, when either may be folded.
    fn is_before(&self, other: &Self) -> bool {
        if self.is_folded() || other.is_folded() {
            (self.time, self.sequence) < (other.time, other.sequence)
        } else {
            self < other
        }
    }
}

/// Up to which event time prices count.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cutoff {
    /// Prices at that very time count.
    Through(Time),
    /// They do not.
    Before(Time),
}

impl Cutoff {
    pub(crate) fn includes(self, time: Time) -> bool {
        match self {
            Self::Through(cutoff) => time <= cutoff,
            Self::Before(cutoff) => time < cutoff,
        }
    }
}

/// Which version gave the first complete prices.
#[derive(Clone, Copy, Debug)]
struct Opening {
    time: Time,
    sequence: u64,
    /// Whether its version was folded: then it does not change any more.
    fixed: bool,
}

/// What stands of a book's prices.
pub(crate) struct Current<'a> {
    /// The prices now.
    pub(crate) quote: &'a mut BookQuote,
    /// Fair probabilities of its first complete prices; zero when there were none.
    pub(crate) open: &'a mut Fair,
}

/// The kept versions of a book's prices in a market.
#[derive(Debug)]
pub(crate) struct History {
    versions: Vec<Version>,
    /// Time and sequence of the newest version, here so that a quote that comes in order does not
    /// wait for the versions' memory: it only writes there.
    newest: (Time, u64),
    opening: Option<Opening>,
}

impl Default for History {
    fn default() -> Self {
        Self { versions: Vec::new(), newest: (Time::MIN, 0), opening: None }
    }
}

/// A quote with the key that orders it among its rivals.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) time: Time,
    pub(crate) sequence: u64,
    pub(crate) quote: &'a Quote,
}

/// What taking a quote in did to the current prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Nothing, nor to earlier ones.
    Nothing,
    /// Nothing but their time.
    Same,
    /// They are all up to date.
    Done,
    /// They are, but for `fair`, which [`refresh`] brings up to date: once a tick, however many
    /// quotes came.
    Stale,
}

/// Takes the margin out of the current prices.
#[inline]
pub(crate) fn refresh(devig: Devig, market: Market, quote: &mut BookQuote) {
    quote.fair = fair(devig, market, &quote.prices);
}

/// No prices of a book yet.
pub(crate) fn no_prices(book: BookId) -> BookQuote {
    BookQuote {
        book,
        role: BookRole::Bookmaker,
        at: Time::MIN,
        prices: [Odds::NONE; SELECTIONS_MAX],
        fair: Fair::default(),
    }
}

#[inline]
fn fair(devig: Devig, market: Market, prices: &[Odds; SELECTIONS_MAX]) -> Fair {
    devig.fair(&prices[..market.selections().len()]).unwrap_or_default()
}

/// Puts a version over prices; tells whether they changed.
#[inline]
fn put(version: Version, quote: &mut BookQuote) -> bool {
    let mut changed = false;
    if matches!(version.kind, Kind::Pulled | Kind::FoldedPull) {
        changed = has_price(quote);
        *quote = no_prices(quote.book);
    }
    if version.kind == Kind::Pulled {
        return changed;
    }
    // Which selection has a price is nothing a processor could predict: no branches.
    let mut any = false;
    for (price, new) in quote.prices.iter_mut().zip(version.prices) {
        let after = new.or(*price);
        any |= new.is_some();
        changed |= *price != after;
        *price = after;
    }
    if any {
        quote.at = version.time;
        quote.role = version.role;
    }
    changed
}

impl History {
    /// Whether there are as many versions as are kept.
    #[inline]
    pub(crate) fn is_full(&self, moments: Option<Moments>) -> bool {
        let most = if moments.is_some() { HISTORY_MAX } else { HISTORY_UNDATED_MAX };
        self.versions.len() >= most
    }

    /// Folds if there are as many versions as are kept.
    #[inline]
    pub(crate) fn make_room(&mut self, moments: Option<Moments>) {
        if self.is_full(moments) {
            self.fold(moments);
        }
    }

    /// Takes an offered or pulled quote in and brings `current` up to date.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        arrival: Arrival<'_>,
        devig: Devig,
        moments: Option<Moments>,
        current: Current<'_>,
    ) -> Result<Applied, RefusedReason> {
        self.make_room(moments);
        let quote = arrival.quote;
        let key = (arrival.time, arrival.sequence);
        if key <= self.newest {
            return self.insert_late(Version::of(arrival), quote.market, devig, current);
        }
        self.newest = key;
        // Field by field: a version put together elsewhere would be read back in larger pieces than
        // it was written in, which processors do not like.
        self.versions.push(Version::BLANK);
        if let Some(version) = self.versions.last_mut() {
            version.time = arrival.time;
            version.sequence = arrival.sequence;
            version.role = quote.role;
            version.prices = quote.prices;
            version.kind = Kind::of(quote);
        }
        Ok(self.advance(Version::of(arrival), quote.market, devig, current))
    }

    /// The same for a quote that is not later than all before it.
    #[cold]
    #[inline(never)]
    fn insert_late(
        &mut self,
        version: Version,
        market: Market,
        devig: Devig,
        current: Current<'_>,
    ) -> Result<Applied, RefusedReason> {
        let at = self.versions.partition_point(|known| known.is_before(&version));
        if let Some(next) = self.versions.get(at) {
            if next.is_folded() {
                return Err(RefusedReason::FoldedHistory);
            }
            if *next == version {
                return Ok(Applied::Nothing);
            }
        }
        self.versions.insert(at, version);
        self.rebuild(market, devig, current);
        Ok(Applied::Done)
    }

    /// Takes back every price stamped exactly `time`. Gives whether anything changed.
    pub(crate) fn void(
        &mut self,
        time: Time,
        market: Market,
        devig: Devig,
        current: Current<'_>,
    ) -> Result<bool, RefusedReason> {
        let from = self.versions.partition_point(|known| known.time < time);
        if self.versions.get(from).is_some_and(Version::is_folded) {
            return Err(RefusedReason::FoldedHistory);
        }
        let before = self.versions.len();
        self.versions.retain(|v| v.time != time || v.kind != Kind::Offered);
        if self.versions.len() == before {
            return Ok(false);
        }
        self.newest = self.versions.last().map_or((Time::MIN, 0), |v| (v.time, v.sequence));
        self.rebuild(market, devig, current);
        Ok(true)
    }

    /// The prices as of a moment and the opening ones, given those of now; `None` when the book
    /// offered nothing then.
    pub(crate) fn as_of(
        &self,
        cutoff: Cutoff,
        market: Market,
        devig: Devig,
        (current, open): (&BookQuote, &Fair),
    ) -> Option<(BookQuote, Fair)> {
        let end = self.versions.partition_point(|version| cutoff.includes(version.time));
        if end == self.versions.len() {
            return has_price(current).then_some((*current, *open));
        }
        let mut quote = no_prices(current.book);
        for version in &self.versions[..end] {
            put(*version, &mut quote);
        }
        if !has_price(&quote) {
            return None;
        }
        quote.fair = fair(devig, market, &quote.prices);
        let opened = self.opening.filter(|opening| cutoff.includes(opening.time));
        Some((quote, opened.map_or(Fair::default(), |_| *open)))
    }

    /// Puts the newest version over the current prices, and notes the opening when it completes
    /// them.
    #[inline]
    fn advance(
        &mut self,
        version: Version,
        market: Market,
        devig: Devig,
        Current { quote, open }: Current<'_>,
    ) -> Applied {
        if !put(version, quote) {
            return Applied::Same;
        }
        if self.opening.is_some() {
            return Applied::Stale;
        }
        refresh(devig, market, quote);
        if quote.is_complete() {
            let (time, sequence) = (version.time, version.sequence);
            self.opening = Some(Opening { time, sequence, fixed: false });
            *open = quote.fair;
        }
        Applied::Done
    }

    /// Walks all versions again after one appeared or disappeared among them.
    fn rebuild(&mut self, market: Market, devig: Devig, Current { quote, open }: Current<'_>) {
        self.opening = self.opening.filter(|opening| opening.fixed);
        *quote = no_prices(quote.book);
        if self.opening.is_none() {
            *open = Fair::default();
        }
        for i in 0..self.versions.len() {
            let version = self.versions[i];
            self.advance(version, market, devig, Current { quote, open });
        }
        refresh(devig, market, quote);
    }

    /// Folds the older three quarters of the first stretch between two moments that is long enough:
    /// rarely, and much at once.
    fn fold(&mut self, moments: Option<Moments>) {
        let versions = &self.versions;
        let mut ends = [versions.len(); 3];
        if let Some(moments) = moments {
            for (end, cutoff) in ends.iter_mut().zip(moments.cutoffs()) {
                *end = versions.partition_point(|version| cutoff.includes(version.time));
            }
        }
        let stretches = ends.len();
        let mut start = 0;
        for end in ends {
            if end > start && (end - start) * stretches >= versions.len() {
                let middle = start + (end - start) * 3 / 4;
                return self.fold_range(start, middle.max(start + 1));
            }
            start = start.max(end);
        }
    }

    fn fold_range(&mut self, start: usize, end: usize) {
        let mut quote = no_prices(BookId(0));
        let mut pulled = false;
        for version in &self.versions[start..end] {
            pulled |= matches!(version.kind, Kind::Pulled | Kind::FoldedPull);
            put(*version, &mut quote);
        }
        let last = self.versions[end - 1];
        let kind = if pulled { Kind::FoldedPull } else { Kind::Folded };
        let folded = Version { role: quote.role, prices: quote.prices, kind, ..last };
        self.versions.splice(start..end, [folded]);
        if let Some(opening) = &mut self.opening {
            opening.fixed |= (opening.time, opening.sequence) <= (last.time, last.sequence);
        }
    }
}
