//! Facts: everything that can influence an output, as it enters the journal.
//!
//! A view is a function of the *set* of facts, so every fact carries what is needed to order it
//! against its rivals without looking at when it arrived: event time, then the source's own
//! sequence, then content.

use serde::{Deserialize, Serialize};

use crate::{
    BookId, FixtureId, LeagueId, Market, Money, NameId, Odds, RegionId, SELECTIONS_MAX, Score,
    SourceId, TeamId, Time,
};

/// One fact with its provenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened in the world.
    pub event_time: Time,
    /// When it reached us. In a raw replay it equals the event time.
    pub received_time: Time,
    /// The source's own order among facts of one event time (a record number, say); 0 when it has
    /// none.
    pub sequence: u64,
    /// Which source of the topology it came through.
    pub source: SourceId,
    /// Which region's scout pushed it; the default id for none.
    pub region: RegionId,
    /// What it says.
    pub fact: Fact,
}

/// What an event says. The large and rare kinds are boxed so that the common one stays small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fact {
    /// A fixture exists, moves or is called off.
    Fixture(FixtureFact),
    /// A book's price, its withdrawal, or its declaration as an error.
    Quote(Quote),
    /// A result, or its correction.
    Result(Box<ResultFact>),
    /// A number about a fixture from elsewhere.
    Signal(Signal),
    /// A bet was really placed.
    Fill(Box<Fill>),
    /// An operator's command.
    Control(Box<Control>),
    /// A model went live.
    ModelLive(Box<ModelLive>),
    /// Event time has reached this event's time although nothing else happened.
    Mark(Mark),
}

/// A fixture as announced. The one with the greatest (event time, sequence) holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FixtureFact {
    /// The fixture.
    pub fixture: FixtureId,
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

/// Whether a fixture will be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixtureStatus {
    /// At its kick-off time.
    Scheduled,
    /// Not then; no new time is known. Its markets have no price until one is.
    Postponed,
    /// Never: bets are void.
    Cancelled,
}

/// A book's price for a market of a fixture, whole or in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quote {
    /// The fixture.
    pub fixture: FixtureId,
    /// The market.
    pub market: Market,
    /// Who offers it.
    pub book: BookId,
    /// What kind of offer it is.
    pub role: BookRole,
    /// Prices by selection; [`Odds::NONE`] leaves a selection as it was.
    pub prices: [Odds; SELECTIONS_MAX],
    /// Offered, pulled or void.
    pub state: QuoteState,
}

/// What kind of price a book's is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum BookRole {
    /// A bookmaker one can bet with.
    #[default]
    Bookmaker,
    /// An exchange one can bet on, with commission.
    Exchange,
    /// A statistic over books (average, maximum): it informs, and nobody takes bets at it.
    Reference,
}

/// What happened to a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteState {
    /// It is on offer from the event time on.
    Offered,
    /// The book took all its prices in this market off at the event time.
    Pulled,
    /// The book's prices in this market stamped exactly this time were an error and count as never
    /// quoted.
    Voided(Time),
}

/// A result. The one with the greatest (event time, sequence) holds, so a correction is simply a
/// later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResultFact {
    /// The fixture.
    pub fixture: FixtureId,
    /// Whether it stands.
    pub status: ResultStatus,
    /// The score; ignored unless final.
    pub score: Score,
    /// Match statistics, known only with the result.
    pub statistics: Option<MatchStatistics>,
}

/// Whether a result stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultStatus {
    /// The score is final.
    Final,
    /// Bets are void whatever the score.
    Void,
    /// Broken off: bets are void.
    Abandoned,
}

/// Counts of a match, home then away; `None` where the feed has no such column.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct MatchStatistics {
    /// Goals at half time.
    pub half_time_goals: Option<[u8; 2]>,
    /// Shots.
    pub shots: Option<[u8; 2]>,
    /// Shots on target.
    pub shots_on_target: Option<[u8; 2]>,
    /// Corners.
    pub corners: Option<[u8; 2]>,
    /// Fouls.
    pub fouls: Option<[u8; 2]>,
    /// Yellow cards.
    pub yellow_cards: Option<[u8; 2]>,
    /// Red cards.
    pub red_cards: Option<[u8; 2]>,
}

/// A number about a fixture that is not a price: an injury score, a model of somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signal {
    /// The fixture it is about.
    pub fixture: FixtureId,
    /// The market it is about.
    pub market: Market,
    /// What it is called.
    pub name: NameId,
    /// Which way it points for each selection, in millionths: positive for, negative against.
    pub value_micros: [i64; SELECTIONS_MAX],
}

/// A bet that was really placed on a suggestion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fill {
    /// Id of the suggestion, as published.
    pub suggestion: String,
    /// Odds taken.
    pub odds: Odds,
    /// Stake placed.
    pub stake: Money,
}

/// An operator's command. Journalled like any fact, so that a replay obeys it at the same tick.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Control {
    /// What to do.
    pub command: Command,
    /// Who said so.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// What an operator can command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// No new stakes; outstanding suggestions are withdrawn. Latched until `Resume`.
    Halt,
    /// No new suggestions; outstanding ones may shrink or be withdrawn, never grow.
    Reduce,
    /// Back to normal; also releases the hard stop.
    Resume,
}

/// A model went live.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModelLive {
    /// The sha256 of its artifact, in hexadecimal.
    pub digest: String,
    /// Which pricer it is for (`market`, `hgt`).
    pub pricer: String,
    /// End of the last window it was trained on.
    pub window_end: Time,
    /// The artifact itself where it is small; empty when the registry holds it.
    pub artifact: Vec<u8>,
}

/// Why event time moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The clock said so.
    Clock,
    /// A training window ends here.
    WindowClose,
}
