//! Attack and defence by what is counted in a match: goals, shots on target, shots, corners.
//!
//! A side's count is expected to be its league's mean times one plus its attack minus the other's
//! defence. Each moves by its share of the news, which falls as it becomes known and is kept alive
//! by a little noise a day: three speeds of noise, since form and class are different things.

use std::collections::BTreeMap;

use schema::{FixtureRow, LeagueId, Span, TeamId, Time};
use serde::{Deserialize, Serialize};

use crate::form::STATISTICS;

/// Variance that a rating gains a day, relative to that of one match's count: class, between, form.
pub(crate) const SPEEDS: [f64; 3] = [1.5e-5, 1.5e-4, 8e-4];
/// Variance of a rating of a team never seen, by statistic.
const PRIOR: [f64; STATISTICS] = [0.12, 0.2, 0.33, 0.12];
/// A league's means before its first match: home, away.
const MEANS: [[f64; 2]; STATISTICS] = [[1.5, 1.1], [4.8, 3.9], [13.0, 10.5], [5.5, 4.5]];
/// Share of one match in a league's means.
const MEAN_STEP: f64 = 1.0 / 1400.0;
/// Ratings of a team never seen, once its league is known.
const NEWCOMER: f64 = 0.0;
/// Matches of a league from which a newcomer comes from below, and of a team from which it is known.
const SETTLED_MATCHES: u32 = 150;
const ARRIVED_MATCHES: u32 = 10;
/// How much of what was learned about those who changed leagues comes from the last one.
const ARRIVAL_STEP: f64 = 0.15;
/// What a summer leaves of a rating, and a break of more than a year.
const SUMMER_KEEPS: f64 = 1.06;
const AWAY_KEEPS: f64 = 0.5;
const SUMMER: Span = Span::days(45);
const AWAY: Span = Span::days(400);
/// Days of noise added at once at most.
const NOISE_DAYS_MAX: f64 = 60.0;
const DAY_MS: f64 = 86_400_000.0;
/// Least expectation, relative to the league's mean.
const RELATIVE_MIN: f64 = 0.15;

/// By statistic and speed.
pub(crate) type Table = [[f64; SPEEDS.len()]; STATISTICS];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Team {
    attack: Table,
    defence: Table,
    variance: Table,
    league: LeagueId,
    matches: u32,
    /// Matches in this league, and the ratings it came with from another.
    matches_here: u32,
    came: Option<(LeagueId, f64)>,
    at: Time,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct League {
    means: [[f64; 2]; STATISTICS],
    matches: u32,
    draws: f64,
}

impl Default for League {
    fn default() -> Self {
        Self { means: MEANS, matches: 0, draws: DRAWS }
    }
}

/// Share of draws before anything is known, and how much of it one match makes.
const DRAWS: f64 = 0.26;
const DRAWS_STEP: f64 = 0.002;

/// Everybody's ratings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statistics {
    teams: BTreeMap<TeamId, Team>,
    leagues: BTreeMap<LeagueId, League>,
    /// How ratings of teams that went from one league to another turned out, less what they were.
    moves: BTreeMap<LeagueId, BTreeMap<LeagueId, f64>>,
}

/// What is expected of a match.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Relative {
    /// Counts of the home and the away side over their league's means.
    pub home: Table,
    pub away: Table,
    /// The league's means of goals.
    pub goals: [f64; 2],
    /// Its share of draws.
    pub draws: f64,
    /// 1 over one plus the matches known of each team.
    pub unknown: [f64; 2],
}

impl Statistics {
    /// What to expect of a match.
    pub fn expect(&self, row: &FixtureRow) -> Relative {
        let league = self.leagues.get(&row.league).cloned().unwrap_or_default();
        let (home, away) = (self.team(row.home, row), self.team(row.away, row));
        let relative = |one: &Team, other: &Team| {
            let cell = |s: usize, v: usize| {
                (1.0 + one.attack[s][v] - other.defence[s][v]).max(RELATIVE_MIN)
            };
            std::array::from_fn(|s| std::array::from_fn(|v| cell(s, v)))
        };
        Relative {
            home: relative(&home, &away),
            away: relative(&away, &home),
            goals: league.means[0],
            draws: league.draws,
            unknown: [&home, &away].map(|team| 1.0 / (1.0 + f64::from(team.matches))),
        }
    }

    /// A team as it would enter this match.
    fn team(&self, id: TeamId, row: &FixtureRow) -> Team {
        let settled =
            self.leagues.get(&row.league).is_some_and(|league| league.matches >= SETTLED_MATCHES);
        let Some(team) = self.teams.get(&id) else {
            let start = if settled { NEWCOMER } else { 0.0 };
            return Team {
                attack: [[start; SPEEDS.len()]; STATISTICS],
                defence: [[start; SPEEDS.len()]; STATISTICS],
                variance: PRIOR.map(|prior| [prior; SPEEDS.len()]),
                league: row.league,
                matches: 0,
                matches_here: 0,
                came: None,
                at: row.kick_off,
            };
        };
        let mut team = team.clone();
        let gone = row.kick_off.since(team.at);
        if gone > SUMMER.ms() {
            let keeps = if gone > AWAY.ms() { AWAY_KEEPS } else { SUMMER_KEEPS };
            team.each(|rating, _| *rating *= keeps);
        }
        if team.league != row.league {
            let shift = self.moves.get(&team.league).and_then(|to| to.get(&row.league));
            let shift = shift.copied().unwrap_or_default();
            team.each(|rating, variance| {
                *rating += shift;
                *variance += 0.5 * PRIOR[0];
            });
            team.came = Some((team.league, team.level() - shift));
            (team.league, team.matches_here) = (row.league, 0);
        }
        let days = (gone as f64 / DAY_MS).clamp(0.0, NOISE_DAYS_MAX);
        for variance in &mut team.variance {
            variance.iter_mut().zip(SPEEDS).for_each(|(it, speed)| *it += speed * days);
        }
        team.at = team.at.max(row.kick_off);
        team
    }

    /// Takes a finished match in: counts of the home and the away side by statistic.
    pub fn played(
        &mut self,
        row: &FixtureRow,
        counts: &[Option<[f64; 2]>; STATISTICS],
        drawn: bool,
    ) {
        let (mut home, mut away) = (self.team(row.home, row), self.team(row.away, row));
        let league = self.leagues.entry(row.league).or_default();
        for (statistic, counts) in counts.iter().enumerate() {
            let Some(counts) = counts else { continue };
            let means = league.means[statistic];
            let ratio = [counts[0] / means[0], counts[1] / means[1]];
            let mut first = [0.0; 2];
            for speed in 0..SPEEDS.len() {
                let (s, v) = (statistic, speed);
                let news = [
                    ratio[0] - (1.0 + home.attack[s][v] - away.defence[s][v]),
                    ratio[1] - (1.0 + away.attack[s][v] - home.defence[s][v]),
                ];
                if speed == 0 {
                    first = news;
                }
                let total = home.variance[s][v] + away.variance[s][v] + 1.0;
                let gain = [home.variance[s][v] / total, away.variance[s][v] / total];
                home.attack[s][v] += gain[0] * news[0];
                away.defence[s][v] -= gain[1] * news[0];
                away.attack[s][v] += gain[1] * news[1];
                home.defence[s][v] -= gain[0] * news[1];
                home.variance[s][v] -= gain[0] * home.variance[s][v];
                away.variance[s][v] -= gain[1] * away.variance[s][v];
            }
            for side in 0..2 {
                league.means[statistic][side] += MEAN_STEP * means[side] * first[side];
            }
        }
        league.draws += DRAWS_STEP * (f64::from(u8::from(drawn)) - league.draws);
        league.matches = league.matches.saturating_add(1);
        for (id, mut team) in [(row.home, home), (row.away, away)] {
            team.matches = team.matches.saturating_add(1);
            team.matches_here = team.matches_here.saturating_add(1);
            if team.matches_here == ARRIVED_MATCHES
                && let Some((from, level)) = team.came.take()
            {
                let shift = self.moves.entry(from).or_default().entry(row.league).or_default();
                *shift += ARRIVAL_STEP * (team.level() - level - *shift);
            }
            self.teams.insert(id, team);
        }
    }
}

impl Team {
    fn each(&mut self, mut change: impl FnMut(&mut f64, &mut f64)) {
        for statistic in 0..STATISTICS {
            for speed in 0..SPEEDS.len() {
                let mut variance = self.variance[statistic][speed];
                change(&mut self.attack[statistic][speed], &mut variance);
                let mut ignored = 0.0;
                change(&mut self.defence[statistic][speed], &mut ignored);
                self.variance[statistic][speed] = variance;
            }
        }
    }

    /// Class: the mean of attack and defence at the slowest speed.
    fn level(&self) -> f64 {
        let all = self.attack.iter().chain(&self.defence).map(|by_speed| by_speed[0]);
        all.sum::<f64>() / (2 * STATISTICS) as f64
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

    #[test]
    fn who_always_has_more_is_expected_to_have_more() {
        let mut statistics = Statistics::default();
        let counts = [[2.0, 1.0], [6.0, 3.0], [16.0, 8.0], [7.0, 3.0]].map(Some);
        for day in 0..40 {
            statistics.played(&row(1, 2, 2 * day), &counts, false);
            let turned = counts.map(|it| it.map(|[home, away]| [away, home]));
            statistics.played(&row(2, 1, 2 * day + 1), &turned, false);
        }
        let expected = statistics.expect(&row(1, 2, 90));
        for statistic in 0..STATISTICS {
            let ratio = expected.home[statistic][0] / expected.away[statistic][0];
            assert!(ratio > 1.6, "{statistic}: {ratio}");
        }
        assert!(expected.draws < 0.23, "{}", expected.draws);
        assert!(expected.unknown[0] < 0.02);
    }

    #[test]
    fn a_match_without_counts_changes_only_what_it_knows() {
        let mut statistics = Statistics::default();
        statistics.played(&row(1, 2, 0), &[Some([3.0, 0.0]), None, None, None], false);
        let expected = statistics.expect(&row(1, 2, 1));
        assert!(expected.home[0][0] > 1.0 && (expected.home[1][0] - 1.0).abs() < 1e-12);
    }
}
