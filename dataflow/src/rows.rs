//! The arithmetic of rows: pure functions of what is in them.
//!
//! Operators and oracles share exactly this and nothing else, so that a test compares how a row's
//! inputs were found, not how numbers are added. Sums are integers: their order cannot matter.

use schema::{
    BookId, BookQuote, BookRole, FixtureId, FormRow, Market, MarketRow, Odds, OfferedPrice,
    Probability, ResultRow, SELECTIONS_MAX, Span, Time,
};
use serde::{Deserialize, Serialize};

/// De-vigged probabilities by selection; all zero where there are none.
pub(crate) type Fair = [Probability; SELECTIONS_MAX];

/// Books that a set of places tells apart.
pub(crate) const PLACES_MAX: usize = 64;
const MICROS: i64 = 1_000_000;
/// Terms of the exponential series.
const TERMS: u32 = 13;
/// Matches of goal difference zero that every team is credited with, so that a rating after one
/// match is not that match.
const RATING_PRIOR_MATCHES: i64 = 4;

/// A market row from its books, which are sorted by id and have at least one price each. `opens` are the opening fair probabilities of each.
pub(crate) fn market_row(
    fixture: FixtureId,
    market: Market,
    books: Vec<BookQuote>,
    opens: &[Fair],
) -> MarketRow {
    let overview = Overview::of(&books);
    let open = overview.consensus_open(&books, opens);
    overview.into_row(fixture, market, books, open)
}

/// What a row says about its books together.
pub(crate) struct Overview {
    updated_at: Time,
    best: [u64; SELECTIONS_MAX],
    /// The books that the consensus counts.
    counted: Sums,
    counts_references: bool,
}

impl Overview {
    /// One pass of integers over the books, unpriced ones among them or not.
    #[inline]
    pub(crate) fn of(books: &[BookQuote]) -> Self {
        debug_assert!(books.is_sorted_by_key(|quote| quote.book));
        let mut own = Sums::default();
        let mut references = Sums::default();
        let mut best = [0; SELECTIONS_MAX];
        let mut updated_at = Time::MIN;
        for (place, quote) in books.iter().enumerate() {
            updated_at = updated_at.max(quote.at);
            if quote.role == BookRole::Reference {
                references.add(quote, place);
                continue;
            }
            own.add(quote, place);
            for (best, odds) in best.iter_mut().zip(&quote.prices) {
                *best = u64::max(*best, rank(*odds, place));
            }
        }
        let counts_references = own.books == 0;
        let counted = if counts_references { references } else { own };
        Self { updated_at, best, counted, counts_references }
    }

    /// Which books the consensus counts, one bit each: the same set for the same books, as long as
    /// there are at most [`PLACES_MAX`] of them.
    #[inline]
    pub(crate) fn counted_places(&self) -> u64 {
        self.counted.places
    }

    /// The mean of the counted books' opening probabilities.
    #[cold]
    pub(crate) fn consensus_open(&self, books: &[BookQuote], opens: &[Fair]) -> Fair {
        let is_counted = |quote: &BookQuote| {
            let is_reference = quote.role == BookRole::Reference;
            quote.is_complete() && is_reference == self.counts_references
        };
        let mut sums = [0; SELECTIONS_MAX];
        for (_, open) in books.iter().zip(opens).filter(|(quote, _)| is_counted(quote)) {
            for (sum, open) in sums.iter_mut().zip(open) {
                *sum += open.scaled();
            }
        }
        self.counted.mean(&sums)
    }

    /// The row.
    #[inline]
    pub(crate) fn into_row(
        self,
        fixture: FixtureId,
        market: Market,
        books: Vec<BookQuote>,
        consensus_open: Fair,
    ) -> MarketRow {
        MarketRow {
            fixture,
            market,
            updated_at: self.updated_at,
            consensus: self.counted.mean(&self.counted.fair),
            consensus_open,
            consensus_books: self.counted.books,
            best: self.best.map(|rank| offered(rank, &books)),
            books,
        }
    }
}

/// Whether a book offers anything.
#[inline]
pub(crate) fn has_price(quote: &BookQuote) -> bool {
    quote.prices.iter().any(|odds| odds.is_some())
}

/// A price as a number to take the maximum of: higher odds first, then the smaller book id. A
/// maximum needs no branch, and which book is best is nothing a processor could predict.
#[inline]
fn rank(odds: Odds, place: usize) -> u64 {
    u64::from(odds.scaled()) << 32 | u64::from(u32::MAX - place as u32)
}

/// The price with this rank.
fn offered(rank: u64, books: &[BookQuote]) -> OfferedPrice {
    let nobody = OfferedPrice { odds: Odds::NONE, book: BookId(0) };
    Odds::from_scaled((rank >> 32) as u32).map_or(nobody, |odds| {
        let place = (u32::MAX - rank as u32) as usize;
        OfferedPrice { odds, book: books[place].book }
    })
}

/// Sums of fair probabilities over complete books.
#[derive(Default)]
struct Sums {
    books: u16,
    places: u64,
    fair: [u64; SELECTIONS_MAX],
}

impl Sums {
    #[inline]
    fn add(&mut self, quote: &BookQuote, place: usize) {
        // All fair probabilities of an incomplete book are zero, so none of this needs a branch.
        let complete = quote.is_complete();
        self.books += u16::from(complete);
        self.places |= u64::from(complete) << (place % PLACES_MAX);
        for (sum, fair) in self.fair.iter_mut().zip(&quote.fair) {
            *sum += fair.scaled();
        }
    }

    #[inline]
    fn mean(&self, sums: &[u64; SELECTIONS_MAX]) -> Fair {
        let n = f64::from(self.books.max(1)) * Probability::SCALE as f64;
        sums.map(|sum| Probability::clamped(sum as f64 / n))
    }
}

/// A finished match from one team's side, and the span of event time in which it was known so: a
/// form at kick-off `k` counts it exactly when `known_from < k <= known_until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MatchRow {
    /// When it started.
    pub kick_off: Time,
    /// The fixture.
    pub fixture: FixtureId,
    /// Event time of the result.
    pub known_from: Time,
    /// Event time of the correction that replaced it; [`Time::MAX`] while it stands.
    pub known_until: Time,
    /// Goals of the team.
    pub goals_for: u16,
    /// Goals of its opponent.
    pub goals_against: u16,
    /// Shots on target of the team; 0 where the feed has none.
    pub shots_on_target_for: u8,
    /// Shots on target of its opponent.
    pub shots_on_target_against: u8,
}

impl MatchRow {
    /// A match seen from the home (0) or the away side (1).
    pub(crate) fn of(
        fixture: FixtureId,
        kick_off: Time,
        result: &ResultRow,
        known_until: Time,
        side: usize,
    ) -> Self {
        let goals = [result.score.home, result.score.away];
        let shots = result.statistics.and_then(|s| s.shots_on_target).unwrap_or_default();
        Self {
            kick_off,
            fixture,
            known_from: result.at,
            known_until,
            goals_for: goals[side],
            goals_against: goals[1 - side],
            shots_on_target_for: shots[side],
            shots_on_target_against: shots[1 - side],
        }
    }

    /// Whether a form at this kick-off counts it.
    pub(crate) fn counts_at(&self, kick_off: Time, window: Span) -> bool {
        self.kick_off < kick_off
            && kick_off.since(self.kick_off) <= window.ms()
            && self.known_from < kick_off
            && kick_off <= self.known_until
    }

    fn points(&self) -> i64 {
        match self.goals_for.cmp(&self.goals_against) {
            std::cmp::Ordering::Greater => 3,
            std::cmp::Ordering::Equal => 1,
            std::cmp::Ordering::Less => 0,
        }
    }
}

/// `2^(-age / half_life)` in millionths, rounded to the nearest.
///
/// A series rather than the platform's `exp2`, whose last bit may differ between machines where
/// additions and multiplications do not: a replay elsewhere must give the same rows.
fn weight_micros(age_ms: i64, half_life: Span) -> i64 {
    let (whole, rest) = (age_ms / half_life.ms(), age_ms % half_life.ms());
    if whole >= i64::from(f64::MANTISSA_DIGITS) {
        return 0;
    }
    let x = -std::f64::consts::LN_2 * (rest as f64 / half_life.ms() as f64);
    // e^x for -0.7 < x <= 0; the first term left out is below 10^-12.
    let series = (1..=TERMS).rev().fold(1.0, |sum, n| 1.0 + x / f64::from(n) * sum);
    (series / (1_u64 << whole) as f64 * MICROS as f64 + 0.5) as i64
}

/// The form at a kick-off from exactly the matches that count.
///
/// Weights are `2^(-age / half_life)` in millionths. Rating: decayed goal difference over weight
/// plus four, in millionths.
pub(crate) fn form_row<'a>(
    kick_off: Time,
    half_life: Span,
    matches: impl Iterator<Item = &'a MatchRow>,
) -> FormRow {
    let mut form = FormRow::default();
    let mut last = None;
    for played in matches {
        let weight = weight_micros(kick_off.since(played.kick_off), half_life);
        form.matches += 1;
        last = last.max(Some(played.kick_off));
        form.weight_micros += weight;
        form.points_micros += weight * played.points();
        form.goals_for_micros += weight * i64::from(played.goals_for);
        form.goals_against_micros += weight * i64::from(played.goals_against);
        form.shots_on_target_for_micros += weight * i64::from(played.shots_on_target_for);
        form.shots_on_target_against_micros += weight * i64::from(played.shots_on_target_against);
    }
    form.rest_ms = last.map_or(0, |last| kick_off.since(last));
    let ahead = i128::from(form.goals_for_micros - form.goals_against_micros);
    let weight = i128::from(form.weight_micros + RATING_PRIOR_MATCHES * MICROS);
    form.rating_micros = (ahead * i128::from(MICROS) / weight) as i64;
    form
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schema::Score;

    use super::*;

    fn quote(book: u64, role: BookRole, odds: [f64; 3]) -> BookQuote {
        let prices = odds.map(|x| Odds::new(x).unwrap());
        let fair = schema::Devig::Proportional.fair(&prices).unwrap();
        let (book, at) = (BookId(book), Time::from_ms(book as i64));
        BookQuote { book, role, at, prices, fair }
    }

    #[test]
    fn references_inform_only_where_there_is_nothing_else_and_are_never_best() {
        let reference = quote(9, BookRole::Reference, [9.0, 9.5, 1.3]);
        let books = vec![
            quote(1, BookRole::Bookmaker, [2.0, 3.5, 4.0]),
            quote(2, BookRole::Exchange, [2.0, 3.6, 3.9]),
            reference,
        ];
        let opens = [0.3, 0.5, 0.9].map(|p| [Probability::clamped(p); 3]);
        let row = market_row(FixtureId(1), Market::ONE_X_TWO, books.clone(), &opens);
        assert_eq!(row.consensus_books, 2);
        let mean = f64::midpoint(books[0].fair[0].as_f64(), books[1].fair[0].as_f64());
        assert!((row.consensus[0].as_f64() - mean).abs() < 1e-12);
        assert!((row.consensus_open[0].as_f64() - 0.4).abs() < 1e-12);
        let best: Vec<(String, u64)> =
            row.best.iter().map(|best| (best.odds.to_string(), best.book.0)).collect();
        let expected = [("2.00", 1), ("3.60", 2), ("4.00", 1)];
        assert_eq!(best, expected.map(|(odds, book)| (odds.to_owned(), book)));
        assert_eq!(row.updated_at, Time::from_ms(9));
        let alone = market_row(FixtureId(1), Market::ONE_X_TWO, vec![reference], &opens[2..]);
        assert_eq!((alone.consensus, alone.best[0].odds), (reference.fair, Odds::NONE));
        assert_eq!(alone.consensus_open, opens[2]);
    }

    #[test]
    fn a_known_form() {
        let result = |home, away| ResultRow {
            status: schema::ResultStatus::Final,
            score: Score { home, away },
            statistics: None,
            at: Time::from_ms(0),
        };
        let day = |n: i64| Time::from_ms(n * 86_400_000);
        let won = MatchRow::of(FixtureId(1), day(0), &result(3, 1), Time::MAX, 0);
        let lost = MatchRow::of(FixtureId(2), day(60), &result(2, 0), Time::MAX, 1);
        let form = form_row(day(60 + 60), Span::days(60), [won, lost].iter());
        assert_eq!(form.matches, 2);
        assert_eq!(form.rest_ms, 60 * 86_400_000);
        assert_eq!(form.weight_micros, 750_000);
        assert_eq!(form.points_micros, 3 * 250_000);
        assert_eq!((form.goals_for_micros, form.goals_against_micros), (750_000, 1_250_000));
        assert_eq!(form.rating_micros, -500_000 * 1_000_000 / 4_750_000);
    }

    proptest! {
        #[test]
        fn weights_are_the_exponential(age_ms in 0..40_000_000_000_i64, half in 1..10_000_000_000_i64) {
            let exact = (-(age_ms as f64) / half as f64).exp2() * 1e6;
            let weight = weight_micros(age_ms, Span::from_ms(half));
            prop_assert!((weight as f64 - exact).abs() < 0.500_001, "{weight} {exact}");
        }
    }
}
