//! Ticks into the dataflow and deltas out of it, and the rows of the maintained collections.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    BookId, BookRole, Event, FixtureId, FixtureStatus, LeagueId, Market, MatchStatistics, Odds,
    Probability, ResultStatus, SELECTIONS_MAX, Score, TeamId, Time,
};

/// A logical time: the facts that are applied together and seen together.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// The greatest event time seen up to and including this tick: never goes back.
    pub time: Time,
    /// Its facts.
    pub events: Vec<Event>,
}

/// Which market of which fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MarketKey {
    /// The fixture.
    pub fixture: FixtureId,
    /// The market.
    pub market: Market,
}

/// A row that appeared (`before` is none), changed, or disappeared (`after` is none).
#[derive(Clone, Debug, PartialEq)]
pub struct Change<K, V> {
    /// Key of the row.
    pub key: K,
    /// The row before the tick.
    pub before: Option<V>,
    /// The row after the tick.
    pub after: Option<V>,
}

/// What one tick changed, consolidated and sorted by key: equal for any batching and any number
/// of workers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Number of the tick.
    pub tick: u64,
    /// Its time.
    pub time: Time,
    /// Fixtures.
    pub fixtures: Vec<Change<FixtureId, FixtureRow>>,
    /// Live market rows: those of fixtures without a standing result.
    pub markets: Vec<Change<MarketKey, Arc<MarketRow>>>,
    /// Market rows as of the lead before kick-off (`as_of_lead`): what a decision could know.
    pub as_of: Vec<Change<MarketKey, Arc<MarketRow>>>,
    /// Closing lines: market rows as of kick-off.
    pub closing: Vec<Change<MarketKey, Arc<MarketRow>>>,
    /// Standing results.
    pub results: Vec<Change<FixtureId, ResultRow>>,
    /// Form of both teams before a fixture, home then away.
    pub forms: Vec<Change<FixtureId, [FormRow; 2]>>,
    /// Training rows of fixtures whose result stands.
    pub training: Vec<Change<FixtureId, TrainingRow>>,
}

/// A fixture as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FixtureRow {
    /// Its competition.
    pub league: LeagueId,
    /// The home side.
    pub home: TeamId,
    /// The away side.
    pub away: TeamId,
    /// When it starts.
    pub kick_off: Time,
    /// Whether it will.
    pub status: FixtureStatus,
}

/// One book's standing prices in a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BookQuote {
    /// The book.
    pub book: BookId,
    /// What kind of offer.
    pub role: BookRole,
    /// Event time of the newest of its prices.
    pub at: Time,
    /// Prices by selection; [`Odds::NONE`] where it offers none.
    pub prices: [Odds; SELECTIONS_MAX],
    /// De-vigged probabilities; all zero unless every selection has a price and the sum is sane.
    pub fair: [Probability; SELECTIONS_MAX],
}

impl BookQuote {
    /// Whether it has a complete, sane set of prices.
    pub fn is_complete(&self) -> bool {
        self.fair[0].scaled() != 0
    }
}

/// The best price of a selection and who offers it; ties go to the smaller book id.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct OfferedPrice {
    /// The price; [`Odds::NONE`] when nobody offers one.
    pub odds: Odds,
    /// Who offers it.
    pub book: BookId,
}

/// A market as it stands: every book's prices and what follows from them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MarketRow {
    /// The fixture.
    pub fixture: FixtureId,
    /// The market.
    pub market: Market,
    /// Event time of the newest price in it.
    pub updated_at: Time,
    /// Books with at least one price, by book id.
    pub books: Vec<BookQuote>,
    /// Mean of the complete books' fair probabilities (references left out unless there is nothing
    /// else); zero when no book is complete.
    pub consensus: [Probability; SELECTIONS_MAX],
    /// Mean of the fair probabilities of the same books' first complete prices in this market:
    /// movement is the difference.
    pub consensus_open: [Probability; SELECTIONS_MAX],
    /// Number of complete books in the consensus.
    pub consensus_books: u16,
    /// Best price of each selection among books one can bet with.
    pub best: [OfferedPrice; SELECTIONS_MAX],
}

impl MarketRow {
    /// Its key.
    pub fn key(&self) -> MarketKey {
        MarketKey { fixture: self.fixture, market: self.market }
    }

    /// One book's prices.
    pub fn book(&self, book: BookId) -> Option<&BookQuote> {
        self.books.binary_search_by_key(&book, |quote| quote.book).ok().map(|i| &self.books[i])
    }

    /// Movement of a selection's consensus since its books opened, in probability.
    pub fn movement(&self, selection: usize) -> f64 {
        self.consensus[selection].as_f64() - self.consensus_open[selection].as_f64()
    }
}

/// A standing result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResultRow {
    /// Whether it stands.
    pub status: ResultStatus,
    /// The score.
    pub score: Score,
    /// Match statistics.
    pub statistics: Option<MatchStatistics>,
    /// Event time of the fact that stands: a correction has a later one.
    pub at: Time,
}

/// A team's form before a fixture: sums over its earlier matches with standing results, each
/// decayed by half per `form_half_life`, in millionths (integers, so that they do not drift).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct FormRow {
    /// Matches counted (not decayed).
    pub matches: u16,
    /// Milliseconds since the last one; 0 when there was none.
    pub rest_ms: i64,
    /// Sum of weights.
    pub weight_micros: i64,
    /// Decayed points (3, 1, 0).
    pub points_micros: i64,
    /// Decayed goals for.
    pub goals_for_micros: i64,
    /// Decayed goals against.
    pub goals_against_micros: i64,
    /// Decayed shots on target for (0 where the feed has none).
    pub shots_on_target_for_micros: i64,
    /// Decayed shots on target against.
    pub shots_on_target_against_micros: i64,
    /// Rating: decayed goal difference per match, shrunk by four matches of zero.
    pub rating_micros: i64,
}

/// What the trainer may see of a finished fixture: everything as it was known before kick-off, and
/// the two things to learn, the closing line and the result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrainingRow {
    /// The fixture.
    pub fixture: FixtureRow,
    /// The 1X2 market as of the lead before kick-off.
    pub as_of: Option<Arc<MarketRow>>,
    /// The 1X2 closing line.
    pub closing: Option<Arc<MarketRow>>,
    /// Form before the match, home then away.
    pub forms: [FormRow; 2],
    /// The result.
    pub result: ResultRow,
}
