//! A market row and a question about it, to start a test from.

use schema::{
    BookId, BookQuote, BookRole, FixtureId, LeagueId, Market, MarketRow, Odds, OfferedPrice,
    Probability, Selection, Span, Time,
};
use tideline_lenses::{Account, Ask, BetRecord, LeagueStanding};

pub fn now() -> Time {
    "2022-08-05T15:00:00Z".parse().unwrap()
}

pub fn odds(decimal: f64) -> Odds {
    Odds::new(decimal).unwrap()
}

/// A book whose fair prices are those given and whose own prices have five percent margin, except
/// for one selection.
pub fn book(name: &str, fair: [f64; 3], offer: Option<(usize, f64)>) -> BookQuote {
    let mut prices = fair.map(|p| odds(1.0 / (p * 1.05)));
    if let Some((selection, price)) = offer {
        prices[selection] = odds(price);
    }
    let role = if name == "Avg" { BookRole::Reference } else { BookRole::Bookmaker };
    let fair = fair.map(Probability::clamped);
    BookQuote { book: BookId::of(name), role, at: now(), prices, fair }
}

pub fn row(mut books: Vec<BookQuote>, movement: f64) -> MarketRow {
    books.sort_by_key(|quote| quote.book);
    let n = books.len() as f64;
    let mean = |i: usize| books.iter().map(|quote| quote.fair[i].as_f64()).sum::<f64>() / n;
    let consensus: [f64; 3] = std::array::from_fn(mean);
    let moved = [consensus[0] - movement, consensus[1] + movement, consensus[2]];
    MarketRow {
        fixture: FixtureId::of("E0|2022-08-06|A|B"),
        market: Market::ONE_X_TWO,
        updated_at: now(),
        consensus_books: books.len() as u16,
        books,
        consensus: consensus.map(Probability::clamped),
        consensus_open: moved.map(Probability::clamped),
        best: [OfferedPrice::default(); 3],
    }
}

/// Six books that think the same, of which B1 offers `price` on the home side.
pub fn six_books(price: f64, movement: f64) -> MarketRow {
    let fair = [0.40, 0.30, 0.30];
    let mut books = vec![book("B1", fair, Some((0, price)))];
    books.extend(["B2", "B3", "B4", "B5", "PS"].map(|name| book(name, fair, None)));
    row(books, movement)
}

/// An honest question about the home side at B1, in a league that is known.
pub fn ask(fair: f64) -> Ask<'static> {
    Ask {
        now: now(),
        kick_off: now().plus(Span::hours(24)),
        league: LeagueId::of("E0"),
        book: BookId::of("B1"),
        selection: Selection(0),
        commission_bps: 0,
        fair,
        deviation: 0.003,
        sharpest: Some(BookId::of("PS")),
        exclude: &[],
        standing: LeagueStanding {
            fixtures: 380,
            calibration_error: 0.03,
            calibration_floor: 0.03,
        },
        record: BetRecord::default(),
        account: Account::default(),
        signals: &[],
    }
}
