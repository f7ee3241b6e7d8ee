//! `simulate`: a made-up season as a feed, from a seed.
//!
//! It lets a newcomer see everything work without anybody's data, and it holds what recorded feeds
//! seldom show in one place: steam moves, pulled prices, prices typed wrong and declared void,
//! corrected results, postponed and abandoned matches. Teams have hidden strengths that drift;
//! results are drawn from the same goal rates that sharp prices approach, so a sharp consensus has
//! a real edge over books that lag behind it.

mod fixture;
mod random;
mod world;

use std::io::Write;

use schema::{
    BookId, Event, FixtureFact, FixtureId, FixtureStatus, LeagueId, Names, SourceId, Span, TeamId,
    Time, fixture_name,
};
use serde::{Deserialize, Serialize};

use crate::{CHUNK_EVENTS_MAX, Chunk, Door, Error, Progress, Running, Source, jsonl};
use fixture::Match;
use random::Random;
use world::{Rates, Strength};

/// What it is.
pub const SUMMARY: &str =
    "a made-up season from a seed: no data, no network, every kind of trouble";

/// Its settings, every key with its default.
pub const EXAMPLE: &str = "\
type: simulate
seed: 7
leagues: 2
teams: 12             # of each league; an even number
weeks: 22             # one round a week; 22 is everybody at home to everybody of 12
books: 9              # one sharp, one exchange, one average, the rest soft
start: 2024-08-03     # the day of the first round
activity: 1.0         # how often prices change, against the usual
steam_rate: 0.15      # matches with a steam move
error_rate: 0.002     # soft prices that are typed wrong, put right and declared void
pull_rate: 0.01       # soft prices that are pulled for a while
correction_rate: 0.02 # results that are reported wrong at first
postponed_rate: 0.02  # matches put off by nine days
abandoned_rate: 0.004 # matches broken off
stale_after: 14d      # prices stop counting this long after the newest fact
";

/// Most leagues, teams a league, weeks and books, so that a typing error cannot fill a disk.
const LEAGUES_MAX: u16 = 32;
/// See [`LEAGUES_MAX`].
const TEAMS_MAX: u16 = 64;
/// See [`LEAGUES_MAX`].
const WEEKS_MAX: u16 = 520;
/// See [`LEAGUES_MAX`]; there are names for so many.
const BOOKS: std::ops::RangeInclusive<u16> = 4..=11;
/// Matches of a round start at these hours of the first and second day, UTC.
const HOURS: [i64; 6] = [12, 15, 15, 17, 38, 40];

/// Settings of a simulated season.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Everything follows from it.
    pub seed: u64,
    /// Number of leagues, 2 by default.
    pub leagues: u16,
    /// Teams of each league, an even number, 12 by default.
    pub teams: u16,
    /// Weeks, one round each, 22 by default.
    pub weeks: u16,
    /// Books, 9 by default: one sharp, one exchange, one average, the rest soft.
    pub books: u16,
    /// Day of the first round, 2024-08-03 by default.
    pub start: String,
    /// How often prices change, 1 by default.
    pub activity: f64,
    /// Share of matches with a steam move.
    pub steam_rate: f64,
    /// Share of soft prices typed wrong.
    pub error_rate: f64,
    /// Share of soft prices pulled.
    pub pull_rate: f64,
    /// Share of results reported wrong at first.
    pub correction_rate: f64,
    /// Share of matches put off.
    pub postponed_rate: f64,
    /// Share of matches broken off.
    pub abandoned_rate: f64,
    /// How long after its newest fact its prices stop counting, 14 days by default.
    pub stale_after: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 7,
            leagues: 2,
            teams: 12,
            weeks: 22,
            books: 9,
            start: "2024-08-03".to_owned(),
            activity: 1.0,
            steam_rate: 0.15,
            error_rate: 0.002,
            pull_rate: 0.01,
            correction_rate: 0.02,
            postponed_rate: 0.02,
            abandoned_rate: 0.004,
            stale_after: Span::days(14),
        }
    }
}

impl Config {
    /// The day of the first round, when all settings make sense.
    fn checked(&self) -> Result<Time, Error> {
        let refuse = |key, reason: String| Error::Setting { key, reason };
        let within = |key, value: u16, max: u16| {
            if (1..=max).contains(&value) {
                Ok(())
            } else {
                Err(refuse(key, format!("give a number from 1 to {max}")))
            }
        };
        within("leagues", self.leagues, LEAGUES_MAX)?;
        within("teams", self.teams, TEAMS_MAX)?;
        within("weeks", self.weeks, WEEKS_MAX)?;
        if !self.teams.is_multiple_of(2) {
            return Err(refuse("teams", "give an even number".to_owned()));
        }
        if !BOOKS.contains(&self.books) {
            let (least, most) = (BOOKS.start(), BOOKS.end());
            return Err(refuse("books", format!("give a number from {least} to {most}")));
        }
        if !(0.01..=100.0).contains(&self.activity) {
            return Err(refuse("activity", "give a number from 0.01 to 100".to_owned()));
        }
        let rates = [
            ("steam_rate", self.steam_rate),
            ("error_rate", self.error_rate),
            ("pull_rate", self.pull_rate),
            ("correction_rate", self.correction_rate),
            ("postponed_rate", self.postponed_rate),
            ("abandoned_rate", self.abandoned_rate),
        ];
        for (key, rate) in rates {
            if !(0.0..=1.0).contains(&rate) {
                return Err(refuse(key, "give a share from 0 to 1".to_owned()));
            }
        }
        Ok(self.start.parse()?)
    }
}

/// A season made up from a seed.
///
/// ```
/// use sources::simulate::{Config, Season};
/// # use tideline_sources as sources;
/// let season = Season::new(Config { weeks: 1, leagues: 1, ..Config::default() });
/// let (mut once, mut again) = (Vec::new(), Vec::new());
/// let lines = season.write(&mut once)?;
/// season.write(&mut again)?;
/// assert!(lines > 100 && once == again);
/// # Ok::<(), sources::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Season {
    config: Config,
}

impl Season {
    /// A season with these settings.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Its facts in order of event time, numbered from 1, and the names in them.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings that make no sense.
    pub fn events(&self, source: &str) -> Result<(Names, Vec<Event>), Error> {
        let start = self.config.checked()?;
        let mut names = Names::default();
        let source = SourceId(names.register(source)?.0);
        let books = world::books(usize::from(self.config.books));
        let book_ids = books
            .iter()
            .map(|book| Ok(BookId(names.register(&book.name)?.0)))
            .collect::<Result<Vec<_>, Error>>()?;
        let mut events = Vec::new();
        for league in 0..usize::from(self.config.leagues) {
            let mut strengths = self.strengths(league);
            for week in 0..usize::from(self.config.weeks) {
                let keys = [self.config.seed, league as u64, week as u64, 1];
                let mut random = Random::of(&keys);
                for (number, (home, away)) in self.round(week).into_iter().enumerate() {
                    let kick_off = kick_off(start, week, number);
                    let fixture = fixture_fact(&mut names, league, home, away, kick_off)?;
                    let told = Match {
                        config: &self.config,
                        books: &books,
                        book_ids: &book_ids,
                        source,
                        fixture,
                        truth: Rates::of(strengths[home], strengths[away]),
                    };
                    told.tell(&mut random, &mut events);
                }
                for strength in &mut strengths {
                    strength.drift(&mut random);
                }
            }
        }
        // Stable: facts of one time stay in the order they were told in.
        events.sort_by_key(|event| event.event_time);
        for (event, number) in events.iter_mut().zip(1..) {
            event.sequence = number;
        }
        Ok((names, events))
    }

    /// Writes it as JSON lines, in order of event time; gives the number of lines.
    ///
    /// # Errors
    /// [`Error::Setting`], or [`Error::Read`] when writing fails.
    pub fn write(&self, to: &mut impl Write) -> Result<u64, Error> {
        let (names, events) = self.events("simulate")?;
        for event in &events {
            let line = jsonl::to_line(event, &names);
            writeln!(to, "{line}").map_err(|cause| Error::Write { cause })?;
        }
        to.flush().map_err(|cause| Error::Write { cause })?;
        Ok(events.len() as u64)
    }

    fn strengths(&self, league: usize) -> Vec<Strength> {
        let mut random = Random::of(&[self.config.seed, league as u64]);
        (0..self.config.teams).map(|_| Strength::draw(&mut random)).collect()
    }

    /// Pairs of one week by the circle method: the first team stays, the others go round, and the
    /// second half of a double round has home and away the other way.
    fn round(&self, week: usize) -> Vec<(usize, usize)> {
        let teams = usize::from(self.config.teams);
        let rounds = teams - 1;
        let seat = |place: usize| match place {
            0 => 0,
            _ => 1 + (place - 1 + week) % rounds,
        };
        let swapped = |number: usize| (week / rounds + week % rounds + number).is_multiple_of(2);
        (0..teams / 2)
            .map(|number| {
                let (a, b) = (seat(number), seat(teams - 1 - number));
                if swapped(number) { (a, b) } else { (b, a) }
            })
            .collect()
    }
}

fn kick_off(start: Time, week: usize, number: usize) -> Time {
    start.plus(Span::days(7 * week as i64)).plus(Span::hours(HOURS[number % HOURS.len()]))
}

fn fixture_fact(
    names: &mut Names,
    league: usize,
    home: usize,
    away: usize,
    kick_off: Time,
) -> Result<FixtureFact, Error> {
    let league_name = format!("SIM{}", league + 1);
    let [home, away] = [home, away].map(|team| world::team_name(league, team));
    let name = fixture_name(&league_name, &kick_off.date(), &home, &away);
    Ok(FixtureFact {
        fixture: FixtureId(names.register(&name)?.0),
        league: LeagueId(names.register(&league_name)?.0),
        home: TeamId(names.register(&home)?.0),
        away: TeamId(names.register(&away)?.0),
        kick_off,
        status: FixtureStatus::Scheduled,
    })
}

/// A simulated source, ready to run.
#[derive(Clone, Debug)]
pub struct Simulate {
    name: String,
    season: Season,
}

impl Simulate {
    /// A season under its name in the topology.
    pub fn new(name: &str, config: Config) -> Self {
        Self { name: name.to_owned(), season: Season::new(config) }
    }
}

impl Source for Simulate {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Error> {
        self.season.config.checked().map(|_| ())
    }

    fn run(self: Box<Self>, door: Door) -> Running {
        Box::pin(async move {
            let Self { name, season } = *self;
            let source = name.clone();
            let (mut names, events) =
                crate::blocking(&name, move || season.events(&source)).await?;
            let (mut done, total) = (0, events.len() as u64);
            for part in events.chunks(CHUNK_EVENTS_MAX) {
                done += part.len() as u64;
                // There are no bytes behind it: events stand in for them.
                let progress = Some(Progress { done_bytes: done, total_bytes: total });
                let names = names.take_fresh();
                let chunk = Chunk { names, events: part.to_vec(), rejects: Vec::new(), progress };
                if door.send(chunk).await.is_err() {
                    break;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
