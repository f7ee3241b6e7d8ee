//! `football_data`: the CSV files of football-data.co.uk as they are, from a folder or over HTTP.
//!
//! The files say what was known about a match, not when. The times follow from how the publisher
//! works (see `stamps`), so that a replay sees each fact when it could have been seen:
//!
//! | fact | event time |
//! |---|---|
//! | fixture | a minute before its first quotes |
//! | pre-match quotes | Friday or Tuesday 15:00 UK, the last before kick-off |
//! | closing quotes | a minute before kick-off |
//! | result with statistics | two hours after kick-off |

mod columns;
#[cfg(feature = "http")]
mod poll;
mod row;
mod season;
mod stamps;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schema::{Clock, Event, Span, Time};
use serde::{Deserialize, Serialize};

use crate::{
    CHUNK_EVENTS_MAX, CHUNK_REJECTS_MAX, Chunk, Closed, Door, Error, Progress, Running, Source,
    input,
};
use season::{Due, FILES_MAX, Season};

/// What it is.
pub const SUMMARY: &str =
    "football-data.co.uk CSV files with odds, closing odds and results, from a folder or over HTTP";

/// Its settings. Either `path`, or `url` with `seasons` and `divisions`.
pub const EXAMPLE: &str = "\
type: football_data
path: data/football # a CSV file, or a folder with CSV files anywhere below it (also .gz, .zst)
stale_after: 14d    # prices stop counting this long after the newest fact
# or, in a build with the feature `http`, polled from a server:
# url: https://www.football-data.co.uk/mmz4281/
# seasons: [\"2223\", \"2324\"]
# divisions: [E0, SP1]
# poll: 6h
";

/// Settings of a football-data source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A CSV file, or a folder with CSV files anywhere below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Base URL in place of a path: files are at `<url>/<season>/<division>.csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Seasons to poll, as in the URLs: `2223` is 2022/23.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seasons: Vec<String>,
    /// Divisions to poll.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub divisions: Vec<String>,
    /// How long between two polls: 6 hours by default.
    #[serde(default = "poll")]
    pub poll: Span,
    /// How long after its newest fact its prices stop counting: 14 days by default, so that a
    /// break for international matches does not.
    #[serde(default = "stale_after")]
    pub stale_after: Span,
}

fn poll() -> Span {
    Span::hours(6)
}

fn stale_after() -> Span {
    Span::days(14)
}

impl Config {
    /// A file or folder with everything else at its default.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            url: None,
            seasons: Vec::new(),
            divisions: Vec::new(),
            poll: poll(),
            stale_after: stale_after(),
        }
    }
}

/// Whether a file is CSV by its name.
pub(crate) fn is_csv(path: &Path) -> bool {
    input::has_extension(path, &["csv"])
}

/// The CSV files under a path, sorted.
pub(crate) fn files_under(path: &Path) -> Result<Vec<PathBuf>, Error> {
    input::files_under(path, is_csv)
}

/// A football-data source, ready to run.
pub struct FootballData {
    name: String,
    config: Config,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for FootballData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FootballData").field("config", &self.config).finish_non_exhaustive()
    }
}

impl FootballData {
    /// A source under its name in the topology. The clock stamps what is polled.
    ///
    /// # Errors
    /// [`Error::Setting`] unless there is exactly one of `path` and `url`, and what `url` needs.
    pub fn new(name: &str, config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let refuse = |key, reason: &str| Err(Error::Setting { key, reason: reason.to_owned() });
        match (&config.path, &config.url) {
            (Some(_), None) => {}
            (None, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => {}
            (None, Some(_)) => return refuse("url", "it must begin with http:// or https://"),
            _ => return refuse("path", "give either a path or a url"),
        }
        if config.url.is_some() {
            if config.seasons.is_empty() || config.divisions.is_empty() {
                return refuse("seasons", "a url needs `seasons` and `divisions`");
            }
            if config.seasons.len() * config.divisions.len() > FILES_MAX {
                return refuse("seasons", "too many files: name fewer seasons or divisions");
            }
            if config.poll < Span::minutes(1) {
                return refuse(
                    "poll",
                    "the server is asked at most once a minute: write 1m or more",
                );
            }
        }
        Ok(Self { name: name.to_owned(), config, clock })
    }
}

impl Source for FootballData {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Error> {
        match &self.config.path {
            Some(path) => wanted_files(path).map(|_| ()),
            None if cfg!(feature = "http") => Ok(()),
            None => Err(no_http()),
        }
    }

    fn run(self: Box<Self>, door: Door) -> Running {
        Box::pin(async move {
            let Self { name, config, clock } = *self;
            let Some(path) = config.path else {
                #[cfg(feature = "http")]
                return poll::run(name, config, clock, door).await;
                #[cfg(not(feature = "http"))]
                {
                    drop(clock);
                    return Err(no_http());
                }
            };
            let source = name.clone();
            crate::blocking(&name, move || read_folder(&source, &path, &door)).await
        })
    }
}

fn no_http() -> Error {
    Error::Feature { what: "polling a url".to_owned(), feature: "http" }
}

fn wanted_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let files = files_under(path)?;
    if files.is_empty() {
        return Err(Error::NoFeed {
            path: path.into(),
            wanted: "files that end in .csv or .csv.gz",
        });
    }
    if files.len() > FILES_MAX {
        let reason = format!("more than {FILES_MAX} files; give a smaller folder");
        return Err(Error::Setting { key: "path", reason });
    }
    Ok(files)
}

fn read_folder(source: &str, path: &Path, door: &Door) -> Result<(), Error> {
    let files = wanted_files(path)?;
    let (single, mut total_bytes) = (files.len() == 1, 0);
    let mut season = Season::new(source)?;
    for (number, file) in files.iter().enumerate() {
        if door.is_closed() {
            return Ok(());
        }
        total_bytes += std::fs::metadata(file).map_or(0, |about| about.len());
        let place = file.display().to_string();
        match input::open_text(file) {
            Ok(text) => season.read(number as u16, &place, text, input::Input::broken),
            Err(cause) if single => return Err(cause),
            Err(cause) => season.reject(&place, 0, cause.to_string(), b""),
        }
    }
    let schedule = season.schedule();
    // A closed door is how a source is told to stop.
    let _stopped = hand_over(&mut season, &schedule, None, total_bytes, door);
    Ok(())
}

/// Hands over rejects, then everything that is due.
fn hand_over(
    season: &mut Season,
    schedule: &[Due],
    received_time: Option<Time>,
    total_bytes: u64,
    door: &Door,
) -> Result<(), Closed> {
    let rejects = std::mem::take(&mut season.rejects);
    for part in rejects.chunks(CHUNK_REJECTS_MAX) {
        door.send_blocking(Chunk { rejects: part.to_vec(), ..Chunk::default() })?;
    }
    let mut names = season.names.take_fresh();
    let mut send = |events: Vec<Event>, done: usize| {
        let share = done as f64 / schedule.len().max(1) as f64;
        let done_bytes = (share * total_bytes as f64) as u64;
        let progress = Some(Progress { done_bytes, total_bytes });
        let names = std::mem::take(&mut names);
        door.send_blocking(Chunk { names, events, rejects: Vec::new(), progress })
    };
    let mut events: Vec<Event> = Vec::with_capacity(CHUNK_EVENTS_MAX);
    for (done, due) in schedule.iter().enumerate() {
        season.facts(due, received_time, &mut events);
        while events.len() >= CHUNK_EVENTS_MAX {
            let rest = events.split_off(CHUNK_EVENTS_MAX);
            send(std::mem::replace(&mut events, rest), done)?;
        }
    }
    send(events, schedule.len())
}

#[cfg(test)]
mod tests;
