//! Market rows: latest quote of each book, de-vig, consensus, best price, movement. The hot path.
//!
//! One market's whole state sits together and its books' current quotes lie side by side in the
//! order of the row, so that a changed market costs one copy of them, one pass of integer sums and
//! one allocation of the row: nothing per quote.

use std::sync::Arc;

use schema::{BookId, BookQuote, FixtureId, Market, MarketRow, QuoteState, Time};

use crate::history::{Arrival, Cutoff, Cutoffs, History, has_price, no_prices};
use crate::rows::market_row;
use crate::{Config, RefusedReason};

/// Voided times remembered of one market.
pub(crate) const VOIDS_MAX: usize = 256;

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

/// The rows of a market that were emitted last.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    pub(crate) live: Option<Arc<MarketRow>>,
    pub(crate) as_of: Option<Arc<MarketRow>>,
    pub(crate) closing: Option<Arc<MarketRow>>,
}

/// One market of one fixture.
#[derive(Debug)]
pub(crate) struct MarketState {
    pub(crate) market: Market,
    pub(crate) touched: Touched,
    pub(crate) emitted: Emitted,
    /// Books seen, sorted; the next two run in parallel. Apart from them because a search reads
    /// only this.
    books: Vec<BookId>,
    quotes: Vec<BookQuote>,
    histories: Vec<History>,
    /// Voided times, so that a price that arrives after its void is not taken in.
    voids: Vec<(BookId, Time)>,
}

impl MarketState {
    pub(crate) fn new(market: Market) -> Self {
        Self {
            market,
            touched: Touched::default(),
            emitted: Emitted::default(),
            books: Vec::new(),
            quotes: Vec::new(),
            histories: Vec::new(),
            voids: Vec::new(),
        }
    }

    fn position(&mut self, book: BookId) -> usize {
        match self.books.binary_search(&book) {
            Ok(at) => at,
            Err(at) => {
                self.books.insert(at, book);
                self.quotes.insert(at, no_prices(book));
                self.histories.insert(at, History::default());
                at
            }
        }
    }

    /// Takes a quote in; tells whether any row may have changed.
    pub(crate) fn apply(
        &mut self,
        arrival: Arrival<'_>,
        cutoffs: Cutoffs,
        config: &Config,
    ) -> Result<bool, RefusedReason> {
        let quote = arrival.quote;
        let devig = config.devig;
        match quote.state {
            QuoteState::Voided(time) => return self.void(quote.book, time, config),
            QuoteState::Offered => {
                let offers_nothing = quote.prices.iter().all(|odds| odds.is_none());
                if offers_nothing || self.voids.contains(&(quote.book, arrival.time)) {
                    return Ok(false);
                }
            }
            QuoteState::Pulled => {}
        }
        let at = self.position(quote.book);
        self.histories[at].insert(arrival, devig, cutoffs, &mut self.quotes[at])
    }

    fn void(&mut self, book: BookId, time: Time, config: &Config) -> Result<bool, RefusedReason> {
        if self.voids.contains(&(book, time)) {
            return Ok(false);
        }
        if self.voids.len() == VOIDS_MAX {
            return Err(RefusedReason::TooManyVoids);
        }
        let at = self.position(book);
        let quote = &mut self.quotes[at];
        let changed = self.histories[at].void(time, self.market, config.devig, quote)?;
        self.voids.push((book, time));
        Ok(changed)
    }

    /// The live row: every book's standing prices.
    pub(crate) fn live_row(&self, fixture: FixtureId) -> Option<Arc<MarketRow>> {
        let priced = self.quotes.iter().filter(|quote| has_price(quote)).count();
        if priced == 0 {
            return None;
        }
        let books = if priced == self.quotes.len() {
            self.quotes.clone()
        } else {
            self.quotes.iter().filter(|quote| has_price(quote)).copied().collect()
        };
        Some(Arc::new(market_row(fixture, self.market, books)))
    }

    /// The row as of a moment.
    pub(crate) fn past_row(
        &self,
        fixture: FixtureId,
        cutoff: Cutoff,
        config: &Config,
    ) -> Option<Arc<MarketRow>> {
        let books: Vec<BookQuote> = self
            .histories
            .iter()
            .zip(&self.quotes)
            .filter_map(|(history, quote)| history.as_of(cutoff, self.market, config.devig, quote))
            .collect();
        (!books.is_empty()).then(|| Arc::new(market_row(fixture, self.market, books)))
    }
}
