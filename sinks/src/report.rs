//! `report`: the Daily Edge Report, one self-contained HTML page a day and an index.
//!
//! Each tick only moves accumulators; pages are rendered apart from that, so that a replay of
//! eighteen seasons does not pay for six thousand pages nobody opens. The rule:
//!
//! - A report day runs from `at` o'clock to `at` o'clock in `tz`; its page is named for the date on
//!   which it begins. A day closes with the first tick beyond its end, and days of silence between
//!   two ticks get pages too.
//! - With `render: live`, pages that changed are written at most once per `refresh` of the machine's
//!   clock, today's included; with `render: finish`, never before the end of the run. At the end
//!   every page that changed is written in either case.
//! - What a page says depends on the facts up to the end of its day alone, so both ways end with
//!   the same bytes. A correction appears on the page of the day it was made; the page that first
//!   reported the bet stays as it was.
//! - The pages of the newest `keep_days` days are kept; older ones are deleted. Only files that
//!   this sink wrote are ever deleted.

mod accounts;
mod bets;
mod calendar;
mod charts;
mod day;
mod index;
mod page;
mod sections;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::Date;
use schema::{Clock, Outbox, Span, SystemClock};
use serde::{Deserialize, Serialize};

use accounts::Accounts;
use calendar::Calendar;
use day::{Day, Summary};
use page::Page;
pub use page::STYLE;

use crate::files::{self, Durability};
use crate::{Error, Result, Sink};

/// Settings in full.
pub const EXAMPLE: &str = "\
type: report
path: ./reports    # a folder
tz: UTC            # or a zone's name, as in Europe/London
at: \"07:00\"        # when a report day begins and the one before is complete
keep_days: 60
render: live       # or finish: only at the end of the run
refresh: 30s       # live: least time between two writings
";

/// Most days whose pages may be kept: ten years.
const KEEP_DAYS_LIMIT: u16 = 3_660;

/// When pages are written before the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Render {
    /// As they change, at most once per `refresh`.
    #[default]
    Live,
    /// Never: only at the end.
    Finish,
}

/// Settings of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of the pages. Default `./reports`.
    pub path: PathBuf,
    /// The time zone of days and times. Default `UTC`.
    pub tz: String,
    /// When a report day begins, hours and minutes in `tz`. Default `07:00`.
    pub at: String,
    /// Days whose pages are kept, 1 to 3,660. Default 60.
    pub keep_days: u16,
    /// When pages are written before the end of the run. Default `live`.
    pub render: Render,
    /// With `render: live`: least time between two writings, by the machine's clock. Default 30 s.
    pub refresh: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::from("./reports"),
            tz: "UTC".to_owned(),
            at: "07:00".to_owned(),
            keep_days: 60,
            render: Render::Live,
            refresh: Span::from_ms(30_000),
        }
    }
}

impl Config {
    /// Opens the report. Nothing is written before something was published.
    ///
    /// # Errors
    /// [`Error::Setting`] for an unknown zone, an unreadable time or a number outside its range.
    pub fn open(&self, name: &str) -> Result<Report> {
        self.open_with_clock(name, Arc::new(SystemClock::new()))
    }

    /// As [`Config::open`], with another clock to pace the writing.
    ///
    /// # Errors
    /// As [`Config::open`].
    pub fn open_with_clock(&self, name: &str, clock: Arc<dyn Clock>) -> Result<Report> {
        if !(1..=KEEP_DAYS_LIMIT).contains(&self.keep_days) {
            return Err(Error::Setting {
                sink: name.to_owned(),
                setting: "keep_days",
                found: self.keep_days.to_string(),
                advice: format!("give a number from 1 to {KEEP_DAYS_LIMIT}"),
            });
        }
        Ok(Report {
            name: name.to_owned(),
            folder: self.path.clone(),
            calendar: Calendar::new(name, &self.tz, &self.at)?,
            keep_days: usize::from(self.keep_days),
            render: self.render,
            refresh_ns: u64::try_from(self.refresh.ms()).unwrap_or(0).saturating_mul(1_000_000),
            written_at_ns: clock.elapsed_ns(),
            clock,
            accounts: Accounts::default(),
            history: Vec::new(),
            days: VecDeque::new(),
        })
    }
}

/// The report at work.
pub struct Report {
    name: String,
    folder: PathBuf,
    calendar: Calendar,
    keep_days: usize,
    render: Render,
    refresh_ns: u64,
    clock: Arc<dyn Clock>,
    written_at_ns: u64,
    accounts: Accounts,
    /// Every day of the run, the current one last: a few numbers each.
    history: Vec<Summary>,
    /// The newest days in full with their place in the history, the current one last.
    days: VecDeque<(usize, Day)>,
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days = self.history.len();
        f.debug_struct("Report")
            .field("name", &self.name)
            .field("days", &days)
            .finish_non_exhaustive()
    }
}

impl Report {
    /// Closes days until the outbox belongs to the current one.
    fn roll(&mut self, outbox: &Outbox) {
        let Some((_, current)) = self.days.back() else {
            let day = Day::first(self.calendar.day(outbox.time), outbox);
            self.begin(day);
            return;
        };
        if outbox.time < current.span.end {
            return;
        }
        let mut span = self.calendar.next(current.span);
        self.close();
        let target = self.calendar.day(outbox.time).date;
        // Of a long silence only the days that can be kept get a page.
        let oldest = target.saturating_sub((self.keep_days as i64 - 1).days());
        if span.date < oldest {
            span = self.calendar.day_of(oldest);
        }
        while let Some((_, last)) = self.days.back() {
            let day = last.following(span);
            self.begin(day);
            if span.date >= target {
                return;
            }
            self.close();
            span = self.calendar.next(span);
        }
    }

    fn begin(&mut self, day: Day) {
        self.history.push(day.summary(&self.accounts.figures));
        self.days.push_back((self.history.len() - 1, day));
        if self.days.len() > self.keep_days {
            self.days.pop_front();
            if let Some((_, oldest)) = self.days.front_mut() {
                // Its link to the day before leads nowhere now.
                oldest.is_written = false;
            }
        }
        debug_assert!(self.days.len() <= self.keep_days, "memory is bounded by keep_days");
    }

    /// Brings the current day's line in the history up to date.
    fn summarise(&mut self) {
        if let (Some((_, day)), Some(line)) = (self.days.back(), self.history.last_mut()) {
            *line = day.summary(&self.accounts.figures);
        }
    }

    fn close(&mut self) {
        self.summarise();
        if let Some((_, day)) = self.days.back_mut() {
            day.closing = Some(self.accounts.figures.clone());
            day.is_written = false;
        }
    }

    /// Writes every page that changed, the index, and deletes the pages that are too old.
    fn write_due(&mut self) -> Result<()> {
        self.summarise();
        let date_of = |index: usize| self.days.get(index).map(|(_, day)| day.span.date);
        let mut written = Vec::new();
        for (index, (place, day)) in self.days.iter().enumerate() {
            if day.is_written {
                continue;
            }
            let page = Page {
                calendar: &self.calendar,
                day,
                figures: day.closing.as_ref().unwrap_or(&self.accounts.figures),
                history: &self.history[..=*place],
                previous: index.checked_sub(1).and_then(date_of),
                next: date_of(index + 1),
            };
            let path = self.page_path(day.span.date);
            files::replace(&path, page.render().as_bytes(), Durability::Relaxed)?;
            written.push(index);
        }
        if written.is_empty() {
            return Ok(());
        }
        for index in written {
            self.days[index].1.is_written = true;
        }
        self.write_index()
    }

    fn write_index(&self) -> Result<()> {
        let mut found = index::find_pages(&self.folder)?;
        if let Some(newest) = self.history.last() {
            let oldest = newest.date.saturating_sub((self.keep_days as i64 - 1).days());
            let kept = found.split_off(&oldest);
            for date in found.keys() {
                let path = self.page_path(*date);
                std::fs::remove_file(&path).map_err(Error::file("delete", &path))?;
            }
            found = kept;
        }
        let kept: Vec<Summary> = self.days.iter().map(|(place, _)| self.history[*place]).collect();
        let text = index::render(&self.history, &self.accounts.figures, &kept, &found);
        let path = self.folder.join("index.html");
        files::replace(&path, text.as_bytes(), Durability::Relaxed)
    }

    fn page_path(&self, date: Date) -> PathBuf {
        self.folder.join(format!("{date}.html"))
    }
}

impl Sink for Report {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<()> {
        files::check_folder(&self.folder)
    }

    fn publish(&mut self, outbox: &Outbox) -> Result<()> {
        if self.days.back().is_some_and(|(_, day)| outbox.tick < day.tick) {
            // An outbox from before: this run has it already.
            return Ok(());
        }
        self.roll(outbox);
        self.accounts.apply(outbox);
        if let Some((_, day)) = self.days.back_mut() {
            day.apply(outbox);
            for row in &outbox.ledger {
                day.apply_row(row, self.accounts.apply_row(row));
            }
        }
        if self.render == Render::Finish {
            return Ok(());
        }
        let now = self.clock.elapsed_ns();
        if now.saturating_sub(self.written_at_ns) < self.refresh_ns {
            return Ok(());
        }
        self.written_at_ns = now;
        self.write_due()
    }

    fn finish(&mut self) -> Result<()> {
        self.write_due()
    }
}

#[cfg(test)]
mod tests;
