//! What leaves the engine: suggestions, ledger rows, forecasts, and the outbox that carries them
//! to the sinks tick by tick.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{EventId, FixtureId, Market, Money, Odds, Probability, SELECTIONS_MAX, Time};

/// What happened to a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// New: bet this.
    Issued,
    /// Same bet, other stake or price.
    Revised,
    /// Do not bet this any more.
    Withdrawn,
    /// The fixture started, or the prices under it went stale: what was bet stands.
    Expired,
    /// The result is in.
    Settled,
    /// A settled bet was restated because a fact changed.
    Corrected,
}

impl Action {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Revised => "revised",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Settled => "settled",
            Self::Corrected => "corrected",
        }
    }
}

/// One lens's reading of a bet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensReading {
    /// Which lens.
    pub lens: String,
    /// Its score in 0..=1.
    pub score: f64,
    /// One sentence why.
    pub reason: String,
}

/// A quote that a suggestion rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuggestionQuote {
    /// The book.
    pub book: String,
    /// Its price of the selection.
    pub odds: Odds,
    /// When it was quoted.
    pub at: Time,
}

/// One message about one suggested bet. Serialized as one JSON object; the digest of a replay is
/// the sha256 of all of them, one a line.
///
/// Odds are written in ten-thousandths (`odds: 23500` is 2.35) so that no reader has to round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Version of this layout: 1.
    pub schema: u16,
    /// Id of this message: a pure function of what it says.
    pub event_id: EventId,
    /// Id of the bet: a pure function of fixture, market, selection, book and first issue time.
    pub suggestion_id: EventId,
    /// 1 for the first message about this bet, then one more each.
    pub revision: u32,
    /// What happened.
    pub action: Action,
    /// The message this one replaces.
    pub retracts: Option<EventId>,
    /// Tick that caused it.
    pub tick: u64,
    /// Event time of that tick.
    pub event_time: Time,
    /// When it was emitted: the received time of the tick, so that a replay writes the same.
    pub emit_time: Time,
    /// Fixture, `League|YYYY-MM-DD|Home|Away`.
    pub fixture: String,
    /// Competition.
    pub league: String,
    /// Home side.
    pub home: String,
    /// Away side.
    pub away: String,
    /// Kick-off.
    pub kick_off: Time,
    /// Market, with its line (`asian_handicap -0.75`).
    pub market: String,
    /// Selection.
    pub selection: String,
    /// Where to bet.
    pub book: String,
    /// The price to take.
    pub odds: Odds,
    /// The lowest price at which the bet is still worth it.
    pub odds_min: Odds,
    /// Fair probability.
    pub fair_probability: f64,
    /// Expected profit per unit staked, net of commission.
    pub edge: f64,
    /// Combined score of the lenses in 0..=1.
    pub confidence: f64,
    /// What to stake; zero when withdrawn.
    pub stake: Money,
    /// The bankroll it was sized on.
    pub bankroll: Money,
    /// Which limit set the stake (`kelly`, `cap per bet`, ...).
    pub stake_limit: String,
    /// Why: one sentence.
    pub reason: String,
    /// The five readings.
    pub lenses: Vec<LensReading>,
    /// The quotes it rests on.
    pub quotes: Vec<SuggestionQuote>,
    /// Not good any more after this time.
    pub expires_at: Time,
    /// Model that priced it: digest or `market`.
    pub model: String,
    /// Once settled: what became of it.
    pub outcome: Option<String>,
    /// Once settled: profit.
    pub pnl: Option<Money>,
    /// Once the line has closed: closing line value, `odds x closing fair probability - 1`.
    pub clv: Option<f64>,
}

/// State of a ledger row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerStatus {
    /// Bet, not settled.
    Open,
    /// Settled by a result that can still be corrected.
    Provisional,
    /// Settled, and the time for corrections is over.
    Final,
    /// The stake was returned: void event or void price.
    Void,
}

impl LedgerStatus {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Provisional => "provisional",
            Self::Final => "final",
            Self::Void => "void",
        }
    }
}

/// One bet in the ledger, restated as facts change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Id of the bet.
    pub suggestion_id: EventId,
    /// Day of kick-off in UTC, `YYYY-MM-DD`.
    pub date: String,
    /// Fixture.
    pub game_id: String,
    /// Competition.
    pub league: String,
    /// Market, with its line.
    pub market: String,
    /// Selection.
    pub selection: String,
    /// Book.
    pub book: String,
    /// Odds taken.
    pub odds: Odds,
    /// Stake.
    pub stake: Money,
    /// Fair probability when it was placed.
    pub fair_probability: f64,
    /// Profit; zero while open.
    pub pnl: Money,
    /// Closing line value, once known.
    pub clv: Option<f64>,
    /// What became of it, once settled.
    pub outcome: Option<String>,
    /// State.
    pub status: LedgerStatus,
    /// 1, then one more each time the row is restated.
    pub revision: u32,
    /// When it was placed.
    pub placed_at: Time,
    /// When it was settled.
    pub settled_at: Option<Time>,
}

/// A forecast whose outcome is known: material for calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Fixture.
    pub fixture: String,
    /// Competition.
    pub league: String,
    /// Kick-off.
    pub kick_off: Time,
    /// Fair 1X2 probabilities at the lead before kick-off.
    pub fair: [f64; 3],
    /// Closing consensus, where there was one.
    pub closing: Option<[f64; 3]>,
    /// 0 home, 1 draw, 2 away.
    pub outcome: u8,
}

/// The fair price of a market at the lead before kick-off: the last moment before its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FairPrice {
    /// Fixture.
    pub fixture: FixtureId,
    /// Kick-off.
    pub kick_off: Time,
    /// Market.
    pub market: Market,
    /// Fair probabilities by selection.
    pub fair: [Probability; SELECTIONS_MAX],
}

/// What the engine is allowed to do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Everything.
    #[default]
    Run,
    /// Shrink and withdraw, nothing new.
    Reduce,
    /// No stakes at all, until an operator resumes.
    Halt,
}

impl RunState {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Reduce => "reduce",
            Self::Halt => "halt",
        }
    }
}

/// Everything one tick sends to the sinks.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// Number of the tick.
    pub tick: u64,
    /// Its event time.
    pub time: Time,
    /// Suggestions, in order.
    pub suggestions: Vec<Arc<Suggestion>>,
    /// Ledger rows that are new or restated.
    pub ledger: Vec<LedgerRow>,
    /// Fair prices at the lead before kick-off.
    pub prices: Vec<FairPrice>,
    /// Forecasts whose outcome became known, or was corrected.
    pub forecasts: Vec<Forecast>,
    /// Bankroll after the tick.
    pub bankroll: Money,
    /// Money staked on bets that are not settled.
    pub exposure: Money,
    /// What the engine may do.
    pub state: RunState,
    /// Why, when it is not everything.
    pub state_reason: String,
    /// Sources that are stale at this time, by name.
    pub stale_sources: Vec<String>,
    /// Records rejected so far.
    pub rejected: u64,
    /// Events accepted so far.
    pub events: u64,
    /// Model in use: digest or `market`.
    pub model: String,
}
