//! What past matches say about teams and leagues, as decayed sums.
//!
//! A statistic says something only against what the prices of that match led one to expect: a side
//! that is favoured has more shots anyway. So each is turned into a surprise: the count minus its
//! regression on the expected goals behind the closing prices, over the root of the expectation.

use std::collections::BTreeMap;

use schema::{FixtureRow, LeagueId, MatchStatistics, ResultRow, Span, TeamId, Time};
use serde::{Deserialize, Serialize};

use super::normal::{Normal, dot};
use crate::goals::Goals;

/// Statistics: goals, shots on target, shots, corners.
pub(crate) const STATISTICS: usize = 4;
/// What can surprise: the statistics, and red cards.
pub(crate) const SURPRISES: usize = STATISTICS + 1;
/// Matches after which a match counts half, one memory each.
pub(crate) const MEMORIES: [f64; 4] = [1.5, 5.0, 15.0, 40.0];
/// Matches of no surprise that every mean starts with.
const PRIOR_MATCHES: f64 = 2.0;
/// Matches of a league after which one counts half in its habits.
const LEAGUE_MEMORY: f64 = 150.0;
/// Least expectation that a surprise is measured against.
const EXPECTED_MIN: f64 = 0.3;
/// Surprises beyond this count as this.
const SURPRISE_MAX: f64 = 4.0;
/// Relative ones.
const RELATIVE_MAX: f64 = 3.0;
/// What a summer leaves of surprises and habits.
const SUMMER_KEEPS: f64 = 0.6;
/// Share of a match's news that goes into a rating, one rating each: slow, middling, fast.
pub(crate) const RATING_STEPS: [f64; 3] = [0.03, 0.08, 0.2];
/// A break longer than this is a summer.
const SUMMER: Span = Span::days(50);
/// Memory of the regressions.
const EXPECTATION_HALF_LIFE: Span = Span::days(730);
/// Ridge of the regressions, in matches.
const EXPECTATION_RIDGE: f64 = 1.0;
/// Columns of the regressions: constant, own and the opponent's expected goals, at home.
const EXPECTATION_COLUMNS: usize = 4;

/// A decayed mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, x: f64, memory: f64) {
        let factor = (-1.0 / memory).exp2();
        self.sum = self.sum * factor + x;
        self.weight = self.weight * factor + 1.0;
    }

    fn fade(&mut self, factor: f64) {
        self.sum *= factor;
        self.weight *= factor;
    }

    pub fn value(&self) -> f64 {
        self.sum / (self.weight + PRIOR_MATCHES)
    }
}

/// One team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Team {
    /// Its surprises less its opponents', and both together, by memory and statistic.
    pub ahead: [[Mean; SURPRISES]; MEMORIES.len()],
    pub both: [[Mean; SURPRISES]; MEMORIES.len()],
    /// How its line moved towards it, and the draw's, by memory.
    pub moved: [Mean; MEMORIES.len()],
    pub draw_moved: [Mean; MEMORIES.len()],
    /// Strength by its closing lines, in log-odds, by step.
    pub ratings: [f64; RATING_STEPS.len()],
    /// Matches of this season and the points from them.
    pub season_matches: f64,
    pub season_points: f64,
    /// Matches seen.
    pub matches: f64,
    /// Kick-off of the last one.
    pub last: Option<Time>,
}

impl Team {
    /// A summer passes.
    fn fade(&mut self) {
        let surprises = self.ahead.iter_mut().chain(&mut self.both).flatten();
        let habits = self.moved.iter_mut().chain(&mut self.draw_moved);
        surprises.chain(habits).for_each(|mean| mean.fade(SUMMER_KEEPS));
    }
}

/// One league.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct League {
    /// How lines move towards the home side, and the draw's.
    pub moved: Mean,
    pub draw_moved: Mean,
    /// Closing line of an even match, by step.
    pub home_edge: [Mean; RATING_STEPS.len()],
    /// What the regressions leave over, by statistic.
    left: [Mean; SURPRISES],
}

/// All teams and leagues, and what statistics to expect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Teams {
    pub by_id: BTreeMap<TeamId, Team>,
    pub leagues: BTreeMap<LeagueId, League>,
    expectations: Vec<Normal>,
}

impl Default for Teams {
    fn default() -> Self {
        Self {
            by_id: BTreeMap::default(),
            leagues: BTreeMap::default(),
            expectations: vec![Normal::new(EXPECTATION_COLUMNS); SURPRISES],
        }
    }
}

/// Counts of both sides in all that can surprise.
pub(crate) fn counts(result: &ResultRow) -> [Option<[f64; 2]>; SURPRISES] {
    let of = |pair: Option<[u8; 2]>| pair.map(|pair| pair.map(f64::from));
    let goals = Some([f64::from(result.score.home), f64::from(result.score.away)]);
    let statistics = result.statistics.as_ref();
    let get = |take: fn(&MatchStatistics) -> Option<[u8; 2]>| of(statistics.and_then(take));
    [goals, get(|s| s.shots_on_target), get(|s| s.shots), get(|s| s.corners), get(|s| s.red_cards)]
}

impl Teams {
    /// Takes a finished match in, given the goals its prices led one to expect. Gives how far each
    /// count lay from its expectation, relative to it (red cards: as they are).
    pub fn played(
        &mut self,
        row: &FixtureRow,
        result: &ResultRow,
        goals: &Goals,
    ) -> [Option<[f64; 2]>; SURPRISES] {
        let mut relative = [None; SURPRISES];
        for (statistic, pair) in counts(result).into_iter().enumerate() {
            let Some(pair) = pair else { continue };
            let expected = self.expected(row, statistic, pair, goals);
            let surprise = [0, 1].map(|side| {
                let spread = expected[side].max(EXPECTED_MIN).sqrt();
                ((pair[side] - expected[side]) / spread).clamp(-SURPRISE_MAX, SURPRISE_MAX)
            });
            relative[statistic] = Some([0, 1].map(|side| {
                let over =
                    if statistic < STATISTICS { expected[side].max(EXPECTED_MIN) } else { 1.0 };
                ((pair[side] - expected[side]) / over).clamp(-RELATIVE_MAX, RELATIVE_MAX)
            }));
            for (side, team) in [row.home, row.away].into_iter().enumerate() {
                let team = self.by_id.entry(team).or_default();
                let (own, other) = (surprise[side], surprise[1 - side]);
                for (at, memory) in MEMORIES.into_iter().enumerate() {
                    team.ahead[at][statistic].add(own - other, memory);
                    team.both[at][statistic].add(own + other, memory);
                }
            }
        }
        self.points(row, result);
        relative
    }

    /// Points and the calendar.
    fn points(&mut self, row: &FixtureRow, result: &ResultRow) {
        let goals = [result.score.home, result.score.away];
        for (side, team) in [row.home, row.away].into_iter().enumerate() {
            let team = self.by_id.entry(team).or_default();
            team.matches += 1.0;
            if team.last.is_none_or(|last| row.kick_off.since(last) > SUMMER.ms()) {
                (team.season_matches, team.season_points) = (0.0, 0.0);
                team.fade();
            }
            team.season_matches += 1.0;
            team.season_points += match goals[side].cmp(&goals[1 - side]) {
                std::cmp::Ordering::Greater => 3.0,
                std::cmp::Ordering::Equal => 1.0,
                std::cmp::Ordering::Less => 0.0,
            };
            team.last = team.last.max(Some(row.kick_off));
        }
    }

    /// What to expect of both sides in a statistic; the regression learns from them afterwards.
    fn expected(
        &mut self,
        row: &FixtureRow,
        statistic: usize,
        pair: [f64; 2],
        goals: &Goals,
    ) -> [f64; 2] {
        let left =
            self.leagues.get(&row.league).map_or(0.0, |league| league.left[statistic].value());
        let normal = &mut self.expectations[statistic];
        let coefficients = normal.solve(EXPECTATION_RIDGE);
        let columns = |side: usize| {
            [1.0, goals.rates[side], goals.rates[1 - side], if side == 0 { 1.0 } else { 0.0 }]
        };
        let expected = [0, 1].map(|side| {
            // Goals need no regression: the prices are about them.
            if statistic == 0 {
                goals.rates[side]
            } else {
                dot(&columns(side), &coefficients) + left
            }
        });
        for side in [0, 1] {
            normal.add(&columns(side), pair[side], row.kick_off, EXPECTATION_HALF_LIFE);
        }
        let league = self.leagues.entry(row.league).or_default();
        if statistic != 0 {
            let over = 0.5 * (pair[0] + pair[1] - expected[0] - expected[1]) + left;
            league.left[statistic].add(over, LEAGUE_MEMORY);
        }
        expected
    }

    /// Takes a close in: how far the line moved (home against away, draw against both) and where it
    /// came to.
    pub fn closed(&mut self, row: &FixtureRow, moved: [f64; 2], close: f64) {
        let league = self.leagues.entry(row.league).or_default();
        league.moved.add(moved[0], LEAGUE_MEMORY);
        league.draw_moved.add(moved[1], LEAGUE_MEMORY);
        let ratings =
            |id| self.by_id.get(&id).map_or([0.0; RATING_STEPS.len()], |team| team.ratings);
        let (home, away) = (ratings(row.home), ratings(row.away));
        let mut news = [0.0; RATING_STEPS.len()];
        for (at, news) in news.iter_mut().enumerate() {
            let edge = &mut league.home_edge[at];
            *news = close - edge.value() - (home[at] - away[at]);
            edge.add(close - (home[at] - away[at]), LEAGUE_MEMORY);
        }
        for (team, sign) in [(row.home, 1.0), (row.away, -1.0)] {
            let team = self.by_id.entry(team).or_default();
            for (at, step) in RATING_STEPS.into_iter().enumerate() {
                team.ratings[at] += sign * step * news[at];
            }
            for (at, memory) in MEMORIES.into_iter().enumerate() {
                team.moved[at].add(sign * moved[0], memory);
                team.draw_moved[at].add(moved[1], memory);
            }
        }
    }
}
