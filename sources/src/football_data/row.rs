//! One row of a file: what it says, and what is wrong with it. A bad cell costs that cell, a bad
//! row that row, and neither the rest of the file.

use std::borrow::Cow;

use schema::{
    BookId, FixtureFact, FixtureId, FixtureStatus, LeagueId, Line, Market, MatchStatistics, Names,
    Odds, Quote, QuoteState, SELECTIONS_MAX, Score, TeamId, fixture_name,
};

use super::columns::{Columns, LineColumn, QuoteColumns};
use super::stamps::{Stamps, UnitedKingdom, read_date, read_hour};

/// Most goals a side is believed to have scored.
const GOALS_MAX: f64 = 99.0;

/// What a row says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The fixture.
    pub fixture: FixtureFact,
    /// When everything happened.
    pub stamps: Stamps,
    /// The score, once there is one.
    pub score: Option<Score>,
    /// Counts known with the result.
    pub statistics: MatchStatistics,
    /// Quotes: slot, whether closing, and what was offered.
    pub quotes: Vec<(u8, bool, Quote)>,
}

/// What came of a line.
#[derive(Debug)]
pub(super) enum Read {
    /// Nothing in it.
    Blank,
    /// A row.
    Row(Box<Row>),
    /// Not a row, and why.
    Refused(String),
}

/// Cuts a line into cells. Quotes may be around a cell, doubled inside; they never reach over the
/// end of a line, so that one stray quote cannot swallow a file.
pub(super) fn cells(line: &str) -> Vec<Cow<'_, str>> {
    if !line.contains('"') {
        return line.split(',').map(|cell| Cow::Borrowed(cell.trim())).collect();
    }
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(Cow::Owned(std::mem::take(&mut cell).trim().to_owned())),
            other => cell.push(other),
        }
    }
    cells.push(Cow::Owned(cell.trim().to_owned()));
    cells
}

/// Reads rows of one file.
pub(super) struct RowReader<'a> {
    /// The header above them.
    pub columns: &'a Columns,
    /// Ids of the books of its quotes, in order of slot.
    pub books: &'a [BookId],
    /// League of a row that has no division.
    pub league: &'a str,
    /// The clock it is written by.
    pub zone: &'a UnitedKingdom,
}

/// Cells of one row that may be trusted, and the complaints about it.
struct Cells<'a> {
    cells: &'a [Cow<'a, str>],
    usable: usize,
}

impl Cells<'_> {
    fn get(&self, at: usize) -> &str {
        if at < self.usable { self.cells.get(at).map_or("", |cell| cell) } else { "" }
    }
}

impl RowReader<'_> {
    /// Reads one row; complaints about single cells go to `complaints`.
    pub fn read(
        &self,
        cells: &[Cow<'_, str>],
        names: &mut Names,
        complaints: &mut Vec<String>,
    ) -> Read {
        if cells.iter().all(|cell| cell.is_empty()) {
            return Read::Blank;
        }
        match self.read_filled(cells, names, complaints) {
            Ok(row) => Read::Row(Box::new(row)),
            Err(reason) => Read::Refused(reason),
        }
    }

    fn read_filled(
        &self,
        cells: &[Cow<'_, str>],
        names: &mut Names,
        complaints: &mut Vec<String>,
    ) -> Result<Row, String> {
        let columns = self.columns;
        let (given, width) = (cells.len(), columns.width);
        // In a row that ends early the last cell may be half a number.
        let usable = if given < width { given - 1 } else { width };
        let last = columns.goals.map_or(columns.away.max(columns.home), |[home, away]| {
            home.max(away).max(columns.away).max(columns.home)
        });
        if usable <= last {
            return Err(format!(
                "row ends after {given} of {width} cells, before its result: complete it"
            ));
        }
        if given < width {
            complaints.push(format!(
                "row ends after {given} of {width} cells: the last one is left out, the rest stands"
            ));
        }
        let cells = Cells { cells, usable };
        let (fixture, stamps) = self.fixture(&cells, names, complaints)?;
        let score = self.score(&cells, complaints);
        let statistics = self.statistics(&cells, complaints);
        let quotes = self.quotes(&cells, fixture.fixture, complaints);
        Ok(Row { fixture, stamps, score, statistics, quotes })
    }

    fn fixture(
        &self,
        cells: &Cells<'_>,
        names: &mut Names,
        complaints: &mut Vec<String>,
    ) -> Result<(FixtureFact, Stamps), String> {
        let columns = self.columns;
        let text = cells.get(columns.date);
        let date = read_date(text)
            .ok_or_else(|| format!("date {:?} is not readable: write dd/mm/yyyy", short(text)))?;
        let hour_text = columns.time.map_or("", |at| cells.get(at));
        let hour = read_hour(hour_text);
        if hour.is_none() && !hour_text.is_empty() {
            let hour_text = short(hour_text);
            complaints.push(format!("Time {hour_text:?} is not readable: taken as 15:00"));
        }
        let stamps = self.zone.stamps(date, hour).ok_or_else(|| {
            format!("date {:?} is outside the years 1990 to 2200: correct it", short(text))
        })?;
        let (home, away) = (cells.get(columns.home), cells.get(columns.away));
        if home.is_empty() || away.is_empty() {
            return Err("row has no two teams: it is cut or its cells have moved".to_owned());
        }
        let division = columns.division.map_or("", |at| cells.get(at));
        let league = if division.is_empty() { self.league } else { division };
        let mut register = |name: &str| names.register(name).map_err(|cause| cause.to_string());
        let name = fixture_name(league, &date.to_string(), home, away);
        let fixture = FixtureFact {
            fixture: FixtureId(register(&name)?.0),
            league: LeagueId(register(league)?.0),
            home: TeamId(register(home)?.0),
            away: TeamId(register(away)?.0),
            kick_off: stamps.kick_off,
            status: FixtureStatus::Scheduled,
        };
        Ok((fixture, stamps))
    }

    fn score(&self, cells: &Cells<'_>, complaints: &mut Vec<String>) -> Option<Score> {
        let goals = self.columns.goals?;
        let [home, away] = goals.map(|at| cells.get(at));
        if home.is_empty() && away.is_empty() {
            return None;
        }
        let (home, away) = (count(home, GOALS_MAX), count(away, GOALS_MAX));
        if let (Some(home), Some(away)) = (home, away) {
            return Some(Score { home: u16::from(home), away: u16::from(away) });
        }
        let [home, away] = goals.map(|at| short(cells.get(at)));
        complaints.push(format!(
            "score {home:?} to {away:?} is not readable: the match is taken as not finished"
        ));
        None
    }

    fn statistics(&self, cells: &Cells<'_>, complaints: &mut Vec<String>) -> MatchStatistics {
        let mut read = |pair: Option<[usize; 2]>| {
            let [home, away] = pair?;
            let pair = [home, away].map(|at| {
                let text = cells.get(at);
                let read = count(text, f64::from(u8::MAX));
                if read.is_none() && !text.is_empty() {
                    let (name, text) = (&self.columns.names[at], short(text));
                    complaints.push(format!("{name} {text:?} is not a count: left out"));
                }
                read
            });
            Some([pair[0]?, pair[1]?])
        };
        let columns = &self.columns.counts;
        MatchStatistics {
            half_time_goals: read(columns.half_time_goals),
            shots: read(columns.shots),
            shots_on_target: read(columns.shots_on_target),
            corners: read(columns.corners),
            fouls: read(columns.fouls),
            yellow_cards: read(columns.yellow_cards),
            red_cards: read(columns.red_cards),
        }
    }

    fn quotes(
        &self,
        cells: &Cells<'_>,
        fixture: FixtureId,
        complaints: &mut Vec<String>,
    ) -> Vec<(u8, bool, Quote)> {
        let mut quotes = Vec::with_capacity(self.columns.quotes.len());
        for (slot, (columns, book)) in self.columns.quotes.iter().zip(self.books).enumerate() {
            let mut prices = [Odds::NONE; SELECTIONS_MAX];
            for (price, at) in prices.iter_mut().zip(&columns.prices) {
                *price = self.price(cells, *at, complaints);
            }
            if prices.iter().all(|price| price.is_none()) {
                continue;
            }
            match line(columns, cells) {
                Ok(line) => {
                    let market = Market::with_line(columns.kind, line);
                    let (book, role) = (*book, columns.role);
                    let state = QuoteState::Offered;
                    let quote = Quote { fixture, market, book, role, prices, state };
                    quotes.push((slot as u8, columns.closing, quote));
                }
                Err(reason) => {
                    let book = &columns.book;
                    complaints.push(format!("handicap odds of {book} are left out: {reason}"));
                }
            }
        }
        quotes
    }

    fn price(&self, cells: &Cells<'_>, at: usize, complaints: &mut Vec<String>) -> Odds {
        let text = cells.get(at);
        // The publisher writes both an empty cell and a zero for "no price".
        if text.is_empty() || text.parse::<f64>() == Ok(0.0) {
            return Odds::NONE;
        }
        text.parse().unwrap_or_else(|cause: schema::Error| {
            complaints.push(format!("{}: {cause}", self.columns.names[at]));
            Odds::NONE
        })
    }
}

fn line(columns: &QuoteColumns, cells: &Cells<'_>) -> Result<Line, String> {
    let at = match columns.line {
        LineColumn::Fixed(line) => return Ok(line),
        LineColumn::Nowhere => return Err("there is no column with their line".to_owned()),
        LineColumn::At(at) => at,
    };
    let text = cells.get(at);
    if text.is_empty() {
        return Err("their line is empty".to_owned());
    }
    let line = text.parse().ok().and_then(|line| Line::new(line).ok());
    line.ok_or_else(|| schema::Error::Line(short(text)).to_string())
}

/// A whole number from 0 to `max`, also written `2.0`.
fn count(text: &str, max: f64) -> Option<u8> {
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && (0.0..=max).contains(&number)).then_some(number as u8)
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
