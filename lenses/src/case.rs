//! The case: everything a lens may look at, gathered once, as plain data.
//!
//! Lenses get no handle to anything else, which is what makes them pure and a suggestion's
//! explanation complete.

use schema::{
    BookId, BookQuote, BookRole, LeagueId, Market, MarketRow, Odds, Selection, Signal, Time,
};

use crate::{BetRecord, LeagueStanding};

/// State of the account as the lenses see it, in shares of the bankroll.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Account {
    /// Fall from the highest bankroll so far, in 0..=1.
    pub drawdown: f64,
    /// Share of the bankroll staked on bets that are not settled.
    pub exposure: f64,
}

/// What the desk asks about: one selection at one book, and what it knows about it beside the row.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Event time now.
    pub now: Time,
    /// When the fixture starts.
    pub kick_off: Time,
    /// Its competition.
    pub league: LeagueId,
    /// Where one would bet.
    pub book: BookId,
    /// On what.
    pub selection: Selection,
    /// Commission on winnings there, in basis points.
    pub commission_bps: u32,
    /// The pricer's fair probability of the selection.
    pub fair: f64,
    /// Standard deviation of that probability.
    pub deviation: f64,
    /// The sharpest book in the row by the pricer's learned weights, if any.
    pub sharpest: Option<BookId>,
    /// Books whose prices mean nothing taken together (a maximum over books).
    pub exclude: &'a [BookId],
    /// How well this league and market are known.
    pub standing: LeagueStanding,
    /// The record of this kind of bet.
    pub record: BetRecord,
    /// The account.
    pub account: Account,
    /// External signals about this market.
    pub signals: &'a [Signal],
}

/// Everything a lens may look at.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// Event time now.
    pub now: Time,
    /// When the fixture starts.
    pub kick_off: Time,
    /// The market.
    pub market: Market,
    /// The selection.
    pub selection: Selection,
    /// The competition.
    pub league: LeagueId,
    /// Where one would bet.
    pub book: BookId,
    /// What kind of venue that is.
    pub role: BookRole,
    /// The price on offer.
    pub odds: Odds,
    /// Commission on winnings, in basis points.
    pub commission_bps: u32,
    /// The price after commission.
    pub net_odds: Odds,
    /// The pricer's fair probability.
    pub fair: f64,
    /// Standard deviation of that probability.
    pub deviation: f64,
    /// Every book's prices.
    pub row: &'a MarketRow,
    /// Complete books other than references, this one included.
    pub books: u16,
    /// Change of the selection's consensus probability since the books opened.
    pub movement: f64,
    /// Mean fair probability of the other books; `None` when there is no other.
    pub consensus_others: Option<f64>,
    /// Median price of the other books; [`Odds::NONE`] when there is no other.
    pub median_others: Odds,
    /// The sharpest book's fair probability; `None` when it is this book or has no price.
    pub sharp: Option<f64>,
    /// Whether this book is itself the sharpest.
    pub is_sharpest: bool,
    /// Age of the quote, in milliseconds.
    pub age_ms: i64,
    /// How far the quote is behind the newest of the market, in milliseconds.
    pub lag_ms: i64,
    /// How well this league and market are known.
    pub standing: LeagueStanding,
    /// The record of this kind of bet.
    pub record: BetRecord,
    /// The account.
    pub account: Account,
    /// Sum of the external signals for the selection, in millionths: positive speaks for it.
    pub signal_micros: i64,
}

impl<'a> Case<'a> {
    /// Gathers the case; `None` when the book has no price of the selection or is a reference,
    /// with which nobody can bet.
    pub fn of(row: &'a MarketRow, ask: &Ask<'_>) -> Option<Self> {
        let quote = row.book(ask.book)?;
        let selection = ask.selection.index();
        let odds = quote.prices.get(selection).copied().filter(|odds| odds.is_some())?;
        if quote.role == BookRole::Reference {
            return None;
        }
        let others = Others::of(row, ask, selection);
        let sharp = ask.sharpest.filter(|book| *book != ask.book).and_then(|book| row.book(book));
        Some(Self {
            now: ask.now,
            kick_off: ask.kick_off,
            market: row.market,
            selection: ask.selection,
            league: ask.league,
            book: ask.book,
            role: quote.role,
            odds,
            commission_bps: ask.commission_bps,
            net_odds: odds.after_commission(ask.commission_bps),
            fair: ask.fair,
            deviation: ask.deviation,
            row,
            books: complete_books(row),
            movement: row.movement(selection),
            consensus_others: others.consensus,
            median_others: others.median,
            is_sharpest: ask.sharpest == Some(ask.book),
            sharp: sharp.filter(|q| q.is_complete()).map(|q| q.fair[selection].as_f64()),
            age_ms: ask.now.since(quote.at),
            lag_ms: row.updated_at.since(quote.at),
            standing: ask.standing,
            record: ask.record,
            account: ask.account,
            signal_micros: signal_micros(row, ask, selection),
        })
    }

    /// Expected profit per unit staked, net of commission.
    pub fn edge(&self) -> f64 {
        edge(self.fair, self.net_odds)
    }

    /// Time to the start, in milliseconds; negative once it has started.
    pub fn lead_ms(&self) -> i64 {
        self.kick_off.since(self.now)
    }
}

/// Expected profit per unit staked at these odds: `p x odds - 1`. Cheap enough to ask before
/// gathering a whole case.
///
/// ```
/// use schema::Odds;
/// let edge = tideline_lenses::edge(0.5, Odds::new(2.1)?);
/// assert!((edge - 0.05).abs() < 1e-12);
/// # Ok::<(), schema::Error>(())
/// ```
#[inline]
pub fn edge(fair: f64, net_odds: Odds) -> f64 {
    fair * net_odds.decimal() - 1.0
}

/// The lowest price at which a bet still has the edge, commission allowed for, rounded up to the
/// hundredth; [`Odds::NONE`] when no accepted price has it.
///
/// ```
/// use tideline_lenses::{edge, odds_min};
/// let least = odds_min(0.4, 0.02, 200);
/// assert_eq!(least.to_string(), "2.59");
/// assert!(edge(0.4, least.after_commission(200)) >= 0.02);
/// ```
pub fn odds_min(fair: f64, edge_min: f64, commission_bps: u32) -> Odds {
    let net = (1.0 + edge_min) / fair;
    let kept = 1.0 - f64::from(commission_bps.min(10_000)) / 10_000.0;
    let gross = 1.0 + (net - 1.0) / kept;
    Odds::new((gross * 100.0 - 1e-9).ceil() / 100.0).unwrap_or(Odds::NONE)
}

/// What the other books say about a selection.
struct Others {
    consensus: Option<f64>,
    median: Odds,
}

impl Others {
    /// Books one can bet with; references only where there is no such book.
    fn of(row: &MarketRow, ask: &Ask<'_>, selection: usize) -> Self {
        let found = Self::among(row, ask, selection, |role| role != BookRole::Reference);
        if found.median.is_some() {
            return found;
        }
        Self::among(row, ask, selection, |role| role == BookRole::Reference)
    }

    fn among(
        row: &MarketRow,
        ask: &Ask<'_>,
        selection: usize,
        wanted: impl Fn(BookRole) -> bool,
    ) -> Self {
        let others = || {
            row.books.iter().filter(|quote| {
                wanted(quote.role) && quote.book != ask.book && !ask.exclude.contains(&quote.book)
            })
        };
        let fair: Vec<f64> = others()
            .filter(|quote| quote.is_complete())
            .map(|quote| quote.fair[selection].as_f64())
            .collect();
        let mut prices: Vec<u32> = others()
            .map(|quote| quote.prices[selection])
            .filter(|odds| odds.is_some())
            .map(Odds::scaled)
            .collect();
        prices.sort_unstable();
        let consensus = (!fair.is_empty()).then(|| fair.iter().sum::<f64>() / fair.len() as f64);
        Self { consensus, median: median(&prices) }
    }
}

/// Median of sorted prices, rounded down: the suspect gate closes earlier, not later.
fn median(sorted: &[u32]) -> Odds {
    let n = sorted.len();
    if n == 0 {
        return Odds::NONE;
    }
    let middle = u64::from(sorted[(n - 1) / 2]) + u64::from(sorted[n / 2]);
    Odds::from_scaled((middle / 2) as u32).unwrap_or(Odds::NONE)
}

fn complete_books(row: &MarketRow) -> u16 {
    let counts = |quote: &&BookQuote| quote.role != BookRole::Reference && quote.is_complete();
    row.books.iter().filter(counts).count().min(usize::from(u16::MAX)) as u16
}

fn signal_micros(row: &MarketRow, ask: &Ask<'_>, selection: usize) -> i64 {
    ask.signals
        .iter()
        .filter(|signal| signal.fixture == row.fixture && signal.market == row.market)
        .fold(0_i64, |sum, signal| sum.saturating_add(signal.value_micros[selection]))
}
