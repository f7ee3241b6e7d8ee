//! Market rows: latest quote of each book, de-vig, consensus, best price, movement. The hot path.
//!
//! What costs here is waiting for memory, so what one quote needs lies together: a fixture's hot
//! fields in one cache line, a market's in the next, and its books side by side in the order of the
//! row. A changed market costs one copy of its books and one pass of integer sums, once a tick.

use std::sync::Arc;

use schema::{BookId, BookQuote, FixtureId, Market, MarketRow, QuoteState, Time};

use crate::fixtures::Moments;
use crate::history::{Applied, Arrival, Current, Cutoff, History, no_prices, refresh};
use crate::rows::{Fair, Overview, PLACES_MAX, has_price, market_row};
use crate::{Config, RefusedReason};

/// Voided times remembered of one market.
pub(crate) const VOIDS_MAX: usize = 256;
/// Up to this many books a search counts those before: fewer looks would cost branches that nobody
/// can predict.
const COUNTED_BOOKS_MAX: usize = 24;

/// Last bit of the set of stale books.
const LAST_BIT: usize = 63;

/// Which of a market's rows may have changed in this tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) live: bool,
    pub(crate) past: bool,
}

impl Touched {
    pub(crate) const ALL: Self = Self { live: true, past: true };

    pub(crate) fn any(self) -> bool {
        self.live || self.past
    }
}

/// One market of one fixture.
#[derive(Debug)]
pub(crate) struct MarketState {
    pub(crate) market: Market,
    pub(crate) touched: Touched,
    /// Places of books whose fair probabilities are behind their prices, one bit each; the last bit
    /// stands for all from there on.
    stale: u64,
    /// Books seen, sorted. What is known of each is in the next two, in parallel: apart, because a
    /// search needs only this, a row needs all quotes, and neither needs any history.
    books: Vec<BookId>,
    /// Current prices.
    quotes: Vec<BookQuote>,
    /// How they came about.
    histories: Vec<History>,
    /// Opening fair probabilities; zero before there were any.
    opens: Vec<Fair>,
    /// Their mean, by the places it was taken over: it moves once a book, prices all the time.
    opened: (u64, Fair),
    /// Books without any price at present.
    unpriced: usize,
    /// The live row emitted last.
    live: Option<Arc<MarketRow>>,
    live_updated_at: Time,
    rare: Option<Box<Rare>>,
}

/// What few quotes need.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// The as-of row emitted last.
    pub(crate) as_of: Option<Arc<MarketRow>>,
    /// The closing line emitted last.
    pub(crate) closing: Option<Arc<MarketRow>>,
    /// Voided times, so that a price that arrives after its void is not taken in.
    voids: Vec<(BookId, Time)>,
}

impl MarketState {
    pub(crate) fn new(market: Market) -> Self {
        Self {
            market,
            touched: Touched::default(),
            stale: 0,
            books: Vec::new(),
            quotes: Vec::new(),
            histories: Vec::new(),
            opens: Vec::new(),
            opened: (0, Fair::default()),
            unpriced: 0,
            live: None,
            live_updated_at: Time::MIN,
            rare: None,
        }
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Its rows, for the last time.
    pub(crate) fn into_rows(self) -> [Option<Arc<MarketRow>>; 3] {
        let rare = self.rare.map(|rare| *rare).unwrap_or_default();
        [self.live, rare.as_of, rare.closing]
    }

    fn is_voided(&self, book: BookId, time: Time) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.voids.contains(&(book, time)))
    }

    /// Where a book is, or where it would be.
    #[inline]
    pub(crate) fn find(&self, id: BookId) -> usize {
        if self.books.len() <= COUNTED_BOOKS_MAX {
            self.books.iter().map(|book| usize::from(*book < id)).sum()
        } else {
            self.books.partition_point(|book| *book < id)
        }
    }

    /// Whether the book there has the most versions that are kept.
    #[inline]
    pub(crate) fn is_full(&self, at: usize, moments: Option<Moments>) -> bool {
        self.histories.get(at).is_some_and(|history| history.is_full(moments))
    }

    /// Folds that book's history if it is full.
    #[cold]
    pub(crate) fn make_room(&mut self, at: usize, moments: Option<Moments>) {
        if let Some(history) = self.histories.get_mut(at) {
            history.make_room(moments);
        }
    }

    /// The book's place, made if it is new; `near` is where it was last found.
    #[inline]
    fn book(&mut self, id: BookId, near: usize, config: &Config) -> usize {
        if self.books.get(near) == Some(&id) {
            return near;
        }
        let at = self.find(id);
        if self.books.get(at) != Some(&id) {
            // Places change, so the set of stale ones has to be empty.
            self.refresh(config);
            self.books.insert(at, id);
            self.quotes.insert(at, no_prices(id));
            self.histories.insert(at, History::default());
            self.opens.insert(at, Fair::default());
            self.opened = (0, Fair::default());
            self.unpriced += 1;
        }
        at
    }

    /// Takes a quote in; tells whether any row may have changed.
    #[inline]
    pub(crate) fn apply(
        &mut self,
        arrival: Arrival<'_>,
        near: usize,
        moments: Option<Moments>,
        config: &Config,
    ) -> Result<bool, RefusedReason> {
        let quote = arrival.quote;
        match quote.state {
            QuoteState::Voided(time) => return self.void(quote.book, near, time, config),
            QuoteState::Offered => {
                let offers_nothing = quote.prices.iter().all(|odds| odds.is_none());
                if offers_nothing || self.is_voided(quote.book, arrival.time) {
                    return Ok(false);
                }
            }
            QuoteState::Pulled => {}
        }
        let at = self.book(quote.book, near, config);
        let (history, quote) = (&mut self.histories[at], &mut self.quotes[at]);
        self.unpriced -= usize::from(!has_price(quote));
        let current = Current { quote, open: &mut self.opens[at] };
        let applied = history.insert(arrival, config.devig, moments, current);
        let quote = &self.quotes[at];
        self.unpriced += usize::from(!has_price(quote));
        match applied? {
            Applied::Stale => self.stale |= 1 << at.min(LAST_BIT),
            Applied::Done => self.opened = (0, Fair::default()),
            Applied::Same => {}
            Applied::Nothing => return Ok(false),
        }
        Ok(true)
    }

    fn void(
        &mut self,
        book: BookId,
        near: usize,
        time: Time,
        config: &Config,
    ) -> Result<bool, RefusedReason> {
        if self.is_voided(book, time) {
            return Ok(false);
        }
        if self.rare().voids.len() == VOIDS_MAX {
            return Err(RefusedReason::TooManyVoids);
        }
        let at = self.book(book, near, config);
        let (history, quote) = (&mut self.histories[at], &mut self.quotes[at]);
        self.unpriced -= usize::from(!has_price(quote));
        let current = Current { quote, open: &mut self.opens[at] };
        let changed = history.void(time, self.market, config.devig, current);
        let quote = &self.quotes[at];
        self.opened = (0, Fair::default());
        self.unpriced += usize::from(!has_price(quote));
        let changed = changed?;
        self.rare().voids.push((book, time));
        Ok(changed)
    }

    /// Brings fair probabilities up to date, before any row is made.
    pub(crate) fn refresh(&mut self, config: &Config) {
        let mut stale = std::mem::take(&mut self.stale);
        while stale != 0 {
            let at = stale.trailing_zeros() as usize;
            let end = if at == LAST_BIT { self.quotes.len() } else { at + 1 };
            for quote in &mut self.quotes[at..end] {
                refresh(config.devig, self.market, quote);
            }
            stale &= stale - 1;
        }
    }

    /// A copy of all current quotes.
    #[inline]
    pub(crate) fn quotes(&self) -> Vec<BookQuote> {
        self.quotes.clone()
    }

    /// The live row of current quotes: those of every book that offers something.
    pub(crate) fn live_row(
        &mut self,
        fixture: FixtureId,
        quotes: Vec<BookQuote>,
    ) -> Option<Arc<MarketRow>> {
        debug_assert_eq!(self.unpriced, quotes.iter().filter(|quote| !has_price(quote)).count());
        if quotes.len() == self.unpriced {
            return None;
        }
        let overview = Overview::of(&quotes);
        let places = overview.counted_places();
        if places != self.opened.0 || quotes.len() > PLACES_MAX {
            self.opened = (places, overview.consensus_open(&quotes, &self.opens));
        }
        let mut row = overview.into_row(fixture, self.market, quotes, self.opened.1);
        if self.unpriced > 0 {
            row.books.retain(has_price);
        }
        Some(Arc::new(row))
    }

    /// Replaces the live row emitted last, telling of each what happened to it.
    #[inline]
    pub(crate) fn replace_live(
        &mut self,
        row: Option<Arc<MarketRow>>,
        mut emit: impl FnMut(Arc<MarketRow>, isize),
    ) {
        let updated_at = row.as_ref().map_or(Time::MIN, |row| row.updated_at);
        // A newer row is another row; the old one's memory need not be waited for to see that.
        if updated_at == self.live_updated_at && row == self.live {
            return;
        }
        self.live_updated_at = updated_at;
        if let Some(old) = self.live.take() {
            emit(old, -1);
        }
        if let Some(new) = &row {
            emit(Arc::clone(new), 1);
        }
        self.live = row;
    }

    /// The row as of a moment.
    pub(crate) fn past_row(
        &self,
        fixture: FixtureId,
        cutoff: Cutoff,
        config: &Config,
    ) -> Option<Arc<MarketRow>> {
        let current = self.quotes.iter().zip(&self.opens);
        let standing = self.histories.iter().zip(current).filter_map(|(history, current)| {
            history.as_of(cutoff, self.market, config.devig, current)
        });
        let (books, opens): (Vec<BookQuote>, Vec<Fair>) = standing.unzip();
        (!books.is_empty()).then(|| Arc::new(market_row(fixture, self.market, books, &opens)))
    }
}
