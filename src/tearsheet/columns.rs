//! Every forecast of every fixture with a result, side by side: one column a forecaster.

use std::collections::BTreeMap;

use schema::{BookId, BookRole, LeagueId};

use super::chance::week_of;
use super::history::{Goals, Played, season_of};
use super::record::{Fixture, Record, Triple};
use super::{dixon_coles, elo};

/// What kind of forecaster a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Knows nothing of the sides: uniform, base rate.
    Naive,
    /// From earlier results alone.
    Results,
    /// A book's price at the lead before kick-off.
    Book,
    /// A reference (average, maximum) at the lead before kick-off: nobody can bet with it.
    Reference,
    /// The mean of the books at the lead before kick-off.
    Consensus,
    /// A price at the close.
    Close,
    /// Tideline's own.
    Tideline,
}

/// One forecaster.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name for people.
    pub name: String,
    /// What kind it is.
    pub kind: Kind,
    /// Its forecasts by fixture, where it has one.
    pub p: Vec<Option<Triple>>,
}

/// All columns over the fixtures that kicked off from the first day on and have a result.
#[derive(Debug)]
pub struct Columns {
    /// The forecasters, the least informed first.
    pub all: Vec<Column>,
    /// What happened: 0 home, 1 draw, 2 away.
    pub outcomes: Vec<u8>,
    /// Week of each fixture.
    pub weeks: Vec<i64>,
    /// League of each fixture.
    pub leagues: Vec<LeagueId>,
    /// Season of each fixture, by the year in which it begins.
    pub seasons: Vec<i64>,
    /// Day of each fixture since 1970.
    pub days: Vec<i64>,
    /// Which model priced each fixture.
    pub models: Vec<Option<usize>>,
    /// Book the close is measured by before any other, and whose price before it is a benchmark.
    pub reference: Option<String>,
}

/// Name of Tideline's column.
pub const TIDELINE: &str = "Tideline";
/// Name of the column of books' means.
pub const CONSENSUS: &str = "Consensus";
/// Name of the column all ratios are to.
pub const CLOSE: &str = "Close";

impl Columns {
    /// The columns of a record.
    pub fn of(record: &Record) -> Self {
        let fixtures = record.fixtures();
        let (lead, from) = (record.settings().as_of_lead, record.settings().from);
        let mut leagues: BTreeMap<LeagueId, usize> =
            fixtures.iter().map(|fixture| (fixture.league, 0)).collect();
        leagues.values_mut().enumerate().for_each(|(i, number)| *number = i);
        let played: Vec<Played> =
            fixtures.iter().map(|f| Played::of(f, leagues[&f.league], lead, from)).collect();
        let rates = elo::base_rates(&played, leagues.len());
        let elo = elo::forecasts(&played, leagues.len());
        let goals = dixon_coles::forecasts(&played, leagues.len());
        let scored: Vec<(usize, Goals)> = (0..played.len())
            .filter(|i| played[*i].is_scored)
            .filter_map(|i| Some((i, played[i].result?)))
            .collect();
        let column = |name: &str, kind, of: &dyn Fn(usize) -> Option<Triple>| Column {
            name: name.to_owned(),
            kind,
            p: scored.iter().map(|(i, _)| of(*i)).collect(),
        };
        let mut all = vec![
            column("Uniform", Kind::Naive, &|_| Some([1.0 / 3.0; 3])),
            column("League base rate", Kind::Naive, &|i| rates[i]),
            column("Elo", Kind::Results, &|i| elo[i]),
            column("Dixon-Coles", Kind::Results, &|i| goals[i]),
        ];
        all.extend(prices(record, &fixtures, &column));
        let ours = column(TIDELINE, Kind::Tideline, &|i| fixtures[i].fair.map(|(p, _)| p));
        let closes = all.iter().position(|column| column.kind == Kind::Close);
        all.insert(closes.unwrap_or(all.len()), ours);
        let preferred = record
            .references()
            .iter()
            .find(|book| scored.iter().any(|(i, _)| find(&fixtures[*i].books, **book).is_some()));
        Self {
            all,
            outcomes: scored.iter().map(|(_, goals)| goals.outcome()).collect(),
            weeks: scored.iter().map(|(i, _)| week_of(played[*i].day)).collect(),
            leagues: scored.iter().map(|(i, _)| fixtures[*i].league).collect(),
            seasons: scored.iter().map(|(i, _)| season_of(played[*i].day)).collect(),
            days: scored.iter().map(|(i, _)| played[*i].day).collect(),
            models: scored.iter().map(|(i, _)| fixtures[*i].fair.map(|(_, m)| m)).collect(),
            reference: preferred.map(|book| record.name(*book).to_owned()),
        }
    }

    /// Number of fixtures.
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// A column by name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.all.iter().find(|column| column.name == name)
    }

    /// The reference book's price before the close.
    pub fn reference(&self) -> Option<&Column> {
        let name = self.reference.as_deref()?;
        self.all.iter().find(|column| {
            column.name == name && matches!(column.kind, Kind::Book | Kind::Reference)
        })
    }
}

/// Makes a column of a forecast by fixture.
type Maker<'a> = dyn Fn(&str, Kind, &dyn Fn(usize) -> Option<Triple>) -> Column + 'a;

fn find(prices: &[(BookId, Triple)], book: BookId) -> Option<Triple> {
    prices.iter().find(|(of, _)| *of == book).map(|(_, p)| *p)
}

/// Columns of books, their mean, and the closes; the close that counts is that of the first
/// reference that closed, else the mean of the books that did.
fn prices(record: &Record, fixtures: &[&Fixture], column: &Maker<'_>) -> Vec<Column> {
    let mut books: Vec<(BookId, &str, BookRole)> = record.books().collect();
    books.sort_by_key(|(_, name, role)| (*role != BookRole::Reference, *name));
    let is_there = |column: &Column| column.p.iter().any(Option::is_some);
    let kind = |role| if role == BookRole::Reference { Kind::Reference } else { Kind::Book };
    let mut out = Vec::new();
    for (book, name, role) in &books {
        out.push(column(name, kind(*role), &|i| find(&fixtures[i].books, *book)));
    }
    out.push(column(CONSENSUS, Kind::Consensus, &|i| fixtures[i].consensus));
    for (book, name, _) in &books {
        let name = format!("{name} at the close");
        out.push(column(&name, Kind::Close, &|i| find(&fixtures[i].closes, *book)));
    }
    out.push(column("Consensus at the close", Kind::Close, &|i| fixtures[i].closing_consensus));
    let references = record.references();
    out.push(column(CLOSE, Kind::Close, &|i| {
        let first = references.iter().find_map(|book| find(&fixtures[i].closes, *book));
        first.or(fixtures[i].closing_consensus)
    }));
    out.retain(is_there);
    out
}
