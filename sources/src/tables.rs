//! Events as tables: the flat Arrow schema that other tools write and read
//! ([`schema::event_schema`]). One row a fact; columns that a kind does not have are null. Signals,
//! fills, commands and models have no row: they are JSON lines.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt16Array, UInt64Array,
};
use arrow_schema::{DataType, TimeUnit};
use schema::{
    BookRole, Event, Fact, FixtureStatus, MarketKind, Names, Odds, Quote, QuoteState, ResultStatus,
    Time, event_schema,
};

use crate::Error;
use crate::jsonl::{Record, Stamp};

/// The events that have a row, as one batch in the columns of [`schema::event_schema`]; the others
/// are left out.
///
/// # Errors
/// Never for events of any source; [`Error::Json`] if the columns did not fit their schema.
pub fn to_batch(events: &[Event], names: &Names) -> Result<RecordBatch, Error> {
    let records: Vec<Record> = events.iter().filter_map(|event| record_of(event, names)).collect();
    let text = |take: fn(&Record) -> Option<&String>| -> ArrayRef {
        Arc::new(records.iter().map(take).collect::<StringArray>())
    };
    let time = |take: fn(&Record) -> Option<&Stamp>| -> ArrayRef {
        let times = records.iter().map(|record| match take(record) {
            Some(Stamp::Ms(ms)) => Some(*ms),
            _ => None,
        });
        Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
    };
    let price = |index: usize| -> ArrayRef {
        let price = |record: &Record| *record.prices.as_ref()?.get(index)?;
        Arc::new(records.iter().map(price).collect::<Float64Array>())
    };
    let number = |take: fn(&Record) -> Option<f64>| -> ArrayRef {
        Arc::new(records.iter().map(take).collect::<Float64Array>())
    };
    let goals = |side: fn(&str) -> Option<&str>| -> ArrayRef {
        let goals = |record: &Record| side(record.score.as_deref()?)?.parse().ok();
        Arc::new(records.iter().map(goals).collect::<UInt16Array>())
    };
    let columns: Vec<ArrayRef> = vec![
        text(|r| r.kind.as_ref()),
        time(|r| r.ts.as_ref()),
        Arc::new(records.iter().map(|r| r.seq).collect::<UInt64Array>()),
        text(|r| r.fixture.as_ref()),
        text(|r| r.league.as_ref()),
        text(|r| r.home.as_ref()),
        text(|r| r.away.as_ref()),
        time(|r| r.kick_off.as_ref()),
        text(|r| r.status.as_ref()),
        text(|r| r.book.as_ref()),
        text(|r| r.role.as_ref()),
        text(|r| r.market.as_ref()),
        number(|r| r.line),
        text(|r| r.sel.as_ref()),
        number(|r| r.price),
        price(0),
        price(1),
        price(2),
        time(|r| r.quoted_at.as_ref()),
        goals(|score| score.split('-').next()),
        goals(|score| score.split('-').nth(1)),
    ];
    RecordBatch::try_new(Arc::new(event_schema()), columns)
        .map_err(|cause| Error::Json(cause.to_string()))
}

fn stamp(time: Time) -> Stamp {
    Stamp::Ms(time.ms())
}

fn record_of(event: &Event, names: &Names) -> Option<Record> {
    let mut record = Record {
        ts: Some(stamp(event.event_time)),
        seq: (event.sequence != 0).then_some(event.sequence),
        ..Record::default()
    };
    let name = |id: schema::NameId| Some(names.get(id).to_owned());
    match &event.fact {
        Fact::Quote(quote) => quote_record(&mut record, quote, names),
        Fact::Fixture(fact) => {
            record.kind = Some("fixture".to_owned());
            record.fixture = name(fact.fixture.into());
            record.league = name(fact.league.into());
            record.home = name(fact.home.into());
            record.away = name(fact.away.into());
            record.kick_off = Some(stamp(fact.kick_off));
            let status = match fact.status {
                FixtureStatus::Scheduled => "scheduled",
                FixtureStatus::Postponed => "postponed",
                FixtureStatus::Cancelled => "cancelled",
            };
            record.status = Some(status.to_owned());
        }
        Fact::Result(fact) => {
            record.kind = Some("result".to_owned());
            record.fixture = name(fact.fixture.into());
            record.score = Some(format!("{}-{}", fact.score.home, fact.score.away));
            let status = match fact.status {
                ResultStatus::Final => "final",
                ResultStatus::Void => "void",
                ResultStatus::Abandoned => "abandoned",
            };
            record.status = Some(status.to_owned());
        }
        _ => return None,
    }
    Some(record)
}

fn quote_record(record: &mut Record, quote: &Quote, names: &Names) {
    let kind = match quote.state {
        QuoteState::Offered => "quote",
        QuoteState::Pulled => "pull",
        QuoteState::Voided(_) => "void",
    };
    record.kind = Some(kind.to_owned());
    record.fixture = Some(names.get(quote.fixture).to_owned());
    record.book = Some(names.get(quote.book).to_owned());
    let role = match quote.role {
        BookRole::Bookmaker => "bookmaker",
        BookRole::Exchange => "exchange",
        BookRole::Reference => "reference",
    };
    record.role = Some(role.to_owned());
    record.market = Some(quote.market.kind.name().to_owned());
    record.line = quote.market.kind.has_line().then(|| quote.market.line.decimal());
    match quote.state {
        QuoteState::Offered => {
            let price = |odds: &Odds| odds.is_some().then(|| odds.decimal());
            record.prices = Some(quote.prices.iter().map(price).collect());
        }
        QuoteState::Pulled => {}
        QuoteState::Voided(at) => record.quoted_at = Some(stamp(at)),
    }
}

/// What is wrong with the columns of a table of events; `None` when it can be read.
pub(crate) fn refuse_columns(table: &arrow_schema::Schema) -> Option<String> {
    for field in event_schema().fields() {
        let Ok(found) = table.field_with_name(field.name()) else {
            if field.is_nullable() {
                continue;
            }
            return Some(format!("it has no column {:?}", field.name()));
        };
        let readable = match field.data_type() {
            DataType::Utf8 => is_text(found.data_type()),
            DataType::Timestamp(..) => {
                let kind = found.data_type();
                matches!(kind, DataType::Timestamp(..) | DataType::Int64) || is_text(kind)
            }
            _ => is_number(found.data_type()),
        };
        if !readable {
            let (name, kind) = (found.name(), found.data_type());
            return Some(format!("column {name:?} is {kind}, not {}", field.data_type()));
        }
    }
    None
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

fn is_number(kind: &DataType) -> bool {
    use DataType::{Float32, Float64, Int16, Int32, Int64, Null, UInt16, UInt32, UInt64};
    matches!(kind, Float32 | Float64 | Int16 | Int32 | Int64 | Null | UInt16 | UInt32 | UInt64)
}

/// One row of a batch as a record.
pub(crate) fn row(batch: &RecordBatch, row: usize) -> Record {
    let text = |name: &str| text(batch.column_by_name(name)?, row);
    let time = |name: &str| time(batch.column_by_name(name)?, row);
    let number = |name: &str| number(batch.column_by_name(name)?, row);
    let market = text("market");
    let kind = market.as_deref().map_or(Ok(MarketKind::OneXTwo), str::parse);
    let selections = kind.map_or(3, |kind| kind.selections().len());
    let prices: Vec<Option<f64>> =
        ["price_0", "price_1", "price_2"].into_iter().take(selections).map(number).collect();
    let score = || {
        let (home, away) = (number("home_score")?, number("away_score")?);
        Some(format!("{home}-{away}"))
    };
    Record {
        kind: text("type"),
        ts: time("ts"),
        seq: batch.column_by_name("seq").and_then(|column| whole(column, row)),
        fixture: text("fixture"),
        league: text("league"),
        home: text("home"),
        away: text("away"),
        kick_off: time("kick_off"),
        status: text("status"),
        book: text("book"),
        role: text("role"),
        line: number("line"),
        sel: text("sel"),
        price: number("price"),
        prices: Some(prices),
        quoted_at: time("quoted_at"),
        score: score(),
        market,
        ..Record::default()
    }
}

fn text(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let text = match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row),
        DataType::Utf8View => column.as_string_view().value(row),
        _ => return None,
    };
    Some(text.to_owned())
}

fn time(column: &ArrayRef, row: usize) -> Option<Stamp> {
    if column.is_null(row) {
        return None;
    }
    let ms = match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            column.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1000)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            column.as_primitive::<TimestampMillisecondType>().value(row)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().value(row).div_euclid(1000)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            column.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000_000)
        }
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row),
        _ => return text(column, row).map(Stamp::Text),
    };
    Some(Stamp::Ms(ms))
}

/// A sequence, which can be too great for a float.
fn whole(column: &ArrayRef, row: usize) -> Option<u64> {
    if column.is_valid(row) && *column.data_type() == DataType::UInt64 {
        return Some(column.as_primitive::<UInt64Type>().value(row));
    }
    number(column, row).map(|number| number as u64)
}

fn number(column: &ArrayRef, row: usize) -> Option<f64> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row),
        DataType::Float32 => f64::from(column.as_primitive::<Float32Type>().value(row)),
        DataType::Int16 => f64::from(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => f64::from(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row) as f64,
        DataType::UInt16 => f64::from(column.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => f64::from(column.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row) as f64,
        _ => return None,
    })
}
