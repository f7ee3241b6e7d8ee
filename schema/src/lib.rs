//! What every Tideline crate speaks: facts, fixed-point quantities, markets and their settlement,
//! the rows the dataflow maintains, and the suggestions that leave.
//!
//! This crate sits at the bottom: all others depend on it and on nothing of each other, so a type
//! belongs here exactly when two rooms have to agree on it.

mod arrow;
mod delta;
mod devig;
mod error;
mod event;
mod id;
pub mod linear;
mod market;
mod money;
mod name;
mod odds;
mod probability;
mod settle;
mod suggestion;
mod time;

pub use arrow::{event_schema, ledger_schema, market_row_schema, suggestion_schema};
pub use delta::{
    BookQuote, Change, Delta, FixtureRow, FormRow, MarketKey, MarketRow, OfferedPrice, ResultRow,
    Tick, TrainingRow,
};
pub use devig::{Devig, overround};
pub use error::{Error, Result};
pub use event::{
    BookRole, Command, Control, Event, Fact, Fill, FixtureFact, FixtureStatus, Mark,
    MatchStatistics, ModelLive, Quote, QuoteState, ResultFact, ResultStatus, Signal,
};
pub use id::{BookId, EventId, FixtureId, LeagueId, NameId, RegionId, SourceId, TeamId};
pub use market::{Line, Market, MarketKind, SELECTIONS_MAX, Selection, Side};
pub use money::Money;
pub use name::{Names, fixture_name};
pub use odds::Odds;
pub use probability::Probability;
pub use settle::{Outcome, Score, settle};
pub use suggestion::{
    Action, FairPrice, Forecast, LedgerRow, LedgerStatus, LensReading, Outbox, RunState,
    Suggestion, SuggestionQuote,
};
pub use time::{Clock, ManualClock, Span, SystemClock, Time};
