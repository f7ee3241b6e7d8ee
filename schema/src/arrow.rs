//! Arrow schemas of every record that leaves or enters as a table.
//!
//! Odds are `UInt32` in ten-thousandths, money `Int64` in ten-thousandths, probabilities `Float64`,
//! times `Timestamp(Millisecond, UTC)`: the same units as everywhere else.

use arrow_schema::{DataType, Field, Schema, TimeUnit};

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn time(name: &str, nullable: bool) -> Field {
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Field::new(name, utc, nullable)
}

fn number(name: &str, kind: DataType, nullable: bool) -> Field {
    Field::new(name, kind, nullable)
}

/// Events as a flat table: one row a fact, columns that a kind does not have are null. `type` is
/// `odds`, `quote`, `pull`, `void`, `fixture` or `result`, as in the JSON lines feed.
pub fn event_schema() -> Schema {
    let odds = |name: &str| number(name, DataType::Float64, true);
    Schema::new(vec![
        text("type", false),
        time("ts", false),
        number("seq", DataType::UInt64, true),
        text("fixture", true),
        text("league", true),
        text("home", true),
        text("away", true),
        time("kick_off", true),
        text("status", true),
        text("book", true),
        text("role", true),
        text("market", true),
        number("line", DataType::Float64, true),
        text("sel", true),
        odds("price"),
        odds("price_0"),
        odds("price_1"),
        odds("price_2"),
        time("quoted_at", true),
        number("home_score", DataType::UInt16, true),
        number("away_score", DataType::UInt16, true),
    ])
}

/// Market rows, one row a book and selection.
pub fn market_row_schema() -> Schema {
    Schema::new(vec![
        text("fixture", false),
        text("market", false),
        text("selection", false),
        text("book", false),
        time("at", false),
        number("odds", DataType::UInt32, false),
        number("fair_probability", DataType::Float64, true),
        number("consensus", DataType::Float64, true),
        number("consensus_open", DataType::Float64, true),
    ])
}

/// Suggestions, one row a message; the readings of the lenses as JSON text.
pub fn suggestion_schema() -> Schema {
    Schema::new(vec![
        text("event_id", false),
        text("suggestion_id", false),
        number("revision", DataType::UInt32, false),
        text("action", false),
        text("retracts", true),
        number("tick", DataType::UInt64, false),
        time("event_time", false),
        time("emit_time", false),
        text("fixture", false),
        text("league", false),
        time("kick_off", false),
        text("market", false),
        text("selection", false),
        text("book", false),
        number("odds", DataType::UInt32, false),
        number("odds_min", DataType::UInt32, false),
        number("fair_probability", DataType::Float64, false),
        number("edge", DataType::Float64, false),
        number("confidence", DataType::Float64, false),
        number("stake", DataType::Int64, false),
        number("bankroll", DataType::Int64, false),
        text("stake_limit", false),
        text("reason", false),
        text("lenses", false),
        time("expires_at", false),
        text("model", false),
        text("outcome", true),
        number("pnl", DataType::Int64, true),
        number("clv", DataType::Float64, true),
    ])
}

/// The ledger, one row a bet.
pub fn ledger_schema() -> Schema {
    Schema::new(vec![
        text("date", false),
        text("game_id", false),
        text("market", false),
        text("selection", false),
        text("book", false),
        number("odds", DataType::Float64, false),
        number("stake", DataType::Float64, false),
        number("pnl", DataType::Float64, false),
        number("clv", DataType::Float64, true),
        text("status", false),
        number("revision", DataType::UInt32, false),
    ])
}
