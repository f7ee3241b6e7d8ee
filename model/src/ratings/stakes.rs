//! What a match is about for each side: how open its fights at the ends of the table still are.
//!
//! Late in a season lines move with what a side has left to play for, more than before and more
//! than results alone explain. A fight is open while the points between a side and the place it is
//! about could still be made up, by what the rest of the season usually brings.

use std::collections::BTreeMap;

use schema::{FixtureRow, LeagueId, Span, TeamId, Time};
use serde::{Deserialize, Serialize};

/// Fights: staying up, Europe or a play-off, promotion, the title.
pub(crate) const FIGHTS: usize = 4;
/// Standard deviation of a side's points over one match, about what was expected.
const POINTS_DEVIATION: f64 = 1.5;
/// Matches before the end from which a season is late.
const LATE_MATCHES: f64 = 12.0;
/// A break after which a new season has begun when most of one was played, and when less was.
const SEASON_BREAK: Span = Span::days(35);
const LONG_BREAK: Span = Span::days(120);
/// Matches that are most of a season.
const SEASON_MATCHES_MIN: u32 = 28;
/// Smallest league whose table is read.
const TEAMS_MIN: usize = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Standing {
    points: u32,
    matches: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Season {
    standings: BTreeMap<TeamId, Standing>,
    at: Option<Time>,
    /// Teams of the last season: how many there will be while not all have played.
    teams_before: usize,
}

/// Tables of all leagues.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stakes {
    leagues: BTreeMap<LeagueId, Season>,
}

/// What is left to play for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Open {
    /// How open each fight is for the home and the away side, 0 to 1, nothing before it is late.
    pub fights: [[f64; FIGHTS]; 2],
    /// How late it is, 0 to 1.
    pub late: f64,
}

impl Season {
    fn is_over(&self, now: Time) -> bool {
        let most = self.standings.values().map(|it| it.matches).max().unwrap_or(0);
        let pause = self.at.map_or(0, |at| now.since(at));
        pause > LONG_BREAK.ms() || (pause > SEASON_BREAK.ms() && most >= SEASON_MATCHES_MIN)
    }
}

impl Stakes {
    /// Takes a result in.
    pub fn played(&mut self, row: &FixtureRow, goals: [u16; 2]) {
        let season = self.leagues.entry(row.league).or_default();
        if season.is_over(row.kick_off) {
            *season = Season { teams_before: season.standings.len(), ..Season::default() };
        }
        season.at = season.at.max(Some(row.kick_off));
        for (side, team) in [row.home, row.away].into_iter().enumerate() {
            let standing = season.standings.entry(team).or_default();
            standing.matches += 1;
            standing.points += match goals[side].cmp(&goals[1 - side]) {
                std::cmp::Ordering::Greater => 3,
                std::cmp::Ordering::Equal => 1,
                std::cmp::Ordering::Less => 0,
            };
        }
    }

    /// What a match is about.
    pub fn open(&self, row: &FixtureRow) -> Open {
        let Some(season) = self.leagues.get(&row.league) else { return Open::default() };
        let teams = season.standings.len().max(season.teams_before);
        if teams < TEAMS_MIN || season.is_over(row.kick_off) {
            return Open::default();
        }
        let mut points: Vec<f64> =
            season.standings.values().map(|it| f64::from(it.points)).collect();
        points.resize(teams, 0.0);
        points.sort_by(|a, b| b.total_cmp(a));
        let between = |place: usize| 0.5 * (points[place - 1] + points[place]);
        let lines = [between(teams - 3), between(4), between(2), points[0]];
        let total = 2.0 * (teams as f64 - 1.0);
        let mut open = Open::default();
        for (side, team) in [row.home, row.away].into_iter().enumerate() {
            let standing = season.standings.get(&team).copied().unwrap_or_default();
            let left = (total - f64::from(standing.matches)).max(0.5);
            let late = (1.0 - left / LATE_MATCHES).clamp(0.0, 1.0);
            open.late = open.late.max(late);
            for (fight, line) in lines.into_iter().enumerate() {
                let apart = (f64::from(standing.points) - line) / (POINTS_DEVIATION * left.sqrt());
                open.fights[side][fight] = late * (-0.5 * apart * apart).exp();
            }
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use schema::FixtureStatus;

    use super::*;

    fn row(home: u64, away: u64, day: i64) -> FixtureRow {
        FixtureRow {
            league: LeagueId(1),
            home: TeamId(home),
            away: TeamId(away),
            kick_off: Time::from_ms(day * 86_400_000),
            status: FixtureStatus::Scheduled,
        }
    }

    /// A season of ten teams, the better number winning, up to a day.
    fn season(stakes: &mut Stakes, first_day: i64, rounds: i64) {
        for round in 0..rounds {
            for pair in 0..5_u64 {
                let away = 10 - pair;
                stakes.played(&row(pair + 1, away, first_day + round * 7), [1, 0]);
            }
        }
    }

    #[test]
    fn fights_open_late_and_only_for_those_who_are_in_them() {
        let mut stakes = Stakes::default();
        season(&mut stakes, 0, 4);
        assert_eq!(stakes.open(&row(1, 10, 30)), Open::default(), "it is early");
        season(&mut stakes, 28, 12);
        let open = stakes.open(&row(1, 10, 120));
        assert!(open.late > 0.7, "{open:?}");
        assert!(open.fights[0][3] > 0.5, "the first is in the fight for the title: {open:?}");
        assert!(open.fights[1][3] < 0.01, "the last is not: {open:?}");
    }

    #[test]
    fn a_summer_ends_a_season_and_a_long_pause_in_the_middle_does_not() {
        let mut stakes = Stakes::default();
        season(&mut stakes, 0, 16);
        assert!(stakes.open(&row(1, 10, 112 + 100)).late > 0.0, "stopped for three months");
        assert_eq!(stakes.open(&row(1, 10, 112 + 130)), Open::default());
    }
}
