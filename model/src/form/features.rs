//! What the pricer looks at: numbers about one fixture that may say where its line will go.
//!
//! The 1X2 line has two coordinates, and each has features that turn around with it: home against
//! away takes differences of the two teams, the draw takes their sums.

use schema::{FixtureRow, Time};
use serde::{Deserialize, Serialize};

use super::teams::{League, MEMORIES, RATING_STEPS, STATISTICS, SURPRISES, Team, Teams};
use crate::consensus::{Logs, Members, probabilities};
use crate::goals::Goals;
use crate::ratings::stakes::FIGHTS;
use crate::ratings::statistics::SPEEDS;
use crate::ratings::{LINES, Rated, rates};

const PAIRS: usize = MEMORIES.len() * SURPRISES;
const RELATIVE: usize = SPEEDS.len() * STATISTICS;
/// Columns for home against away.
pub(crate) const SIDE_COLUMNS: usize =
    16 + RATING_STEPS.len() + MEMORIES.len() + PAIRS + LINES + RELATIVE + FIGHTS;
/// Columns for the draw against both.
pub(crate) const DRAW_COLUMNS: usize = 20 + MEMORIES.len() + PAIRS + RELATIVE + FIGHTS;
/// A rating further from the line than this counts as this far.
const RATED_MAX: f64 = 1.0;
/// Log-odds of the usual share of draws.
const DRAWS_USUAL: f64 = 0.26;
/// Rest beyond this is all the same, in days.
const REST_DAYS_MAX: f64 = 14.0;
/// A share of goals of both sides that counts as none above the mean.
const TOTAL_MEAN: f64 = 2.6;
/// Days before kick-off beyond which it is all the same.
const LEAD_DAYS_MAX: f64 = 5.0;
/// Matches without a point that a season's mean starts with.
const POINTS_PRIOR: f64 = 3.0;
/// Matches of a season after which it is late, and over how many more it becomes so.
const LATE: [f64; 2] = [24.0, 10.0];
const DAY_MS: f64 = 86_400_000.0;

/// Features of one fixture at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Features {
    pub side: Vec<f64>,
    pub draw: Vec<f64>,
}

/// The two coordinates of a 1X2 line: home against away, and the draw against both.
pub(crate) fn coordinates(logs: &Logs) -> [f64; 2] {
    [logs[0] - logs[2], logs[1] - 0.5 * (logs[0] + logs[2])]
}

/// Moves a line by its coordinates.
pub(crate) fn moved(logs: &Logs, by: [f64; 2]) -> Logs {
    let draw = by[1] / 3.0;
    [logs[0] + 0.5 * by[0] - draw, logs[1] + 2.0 * draw, logs[2] - 0.5 * by[0] - draw]
}

/// What the fixture's prices say, beside the line itself.
pub(crate) struct Prices<'a> {
    /// The books that made it.
    pub members: &'a Members,
    /// When the newest of its prices was made.
    pub quoted_at: Time,
    /// Goals behind totals and handicaps, where there are any.
    pub goals: Option<Goals>,
}

/// How a forecast's loss (cross-entropy, per fixture) depends on a small move of a line: what one
/// step of Newton's method needs.
pub(crate) struct Line {
    p: [f64; 3],
}

impl Line {
    /// What each coordinate moves, as in [`moved`].
    const BASIS: [Logs; 2] = [[0.5, 0.0, -0.5], [-1.0 / 3.0, 2.0 / 3.0, -1.0 / 3.0]];

    pub fn of(base: &Logs) -> Self {
        Self { p: probabilities(base, 3) }
    }

    /// The slope down which the loss falls when `truth` is the distribution of outcomes.
    pub fn slope(&self, truth: &[f64; 3]) -> [f64; 2] {
        Self::BASIS.map(|basis| (0..3).map(|i| basis[i] * (truth[i] - self.p[i])).sum())
    }

    /// The curvature: covariance of the two directions under the line's own probabilities.
    pub fn curvature(&self) -> [[f64; 2]; 2] {
        let mean = |f: &dyn Fn(usize) -> f64| (0..3).map(|i| self.p[i] * f(i)).sum::<f64>();
        let [side, draw] = Self::BASIS;
        let covariance =
            |a: Logs, b: Logs| mean(&|i| a[i] * b[i]) - mean(&|i| a[i]) * mean(&|i| b[i]);
        let across = covariance(side, draw);
        [[covariance(side, side), across], [across, covariance(draw, draw)]]
    }
}

impl Features {
    /// Both groups of columns, each with its first one.
    pub fn groups(&self) -> [(&[f64], usize); 2] {
        [(&self.side, 0), (&self.draw, SIDE_COLUMNS)]
    }

    /// Features of a fixture at a line, with what its prices say where they may be known. What is not
    /// known is zero.
    pub fn of(
        teams: &Teams,
        rated: &Rated,
        row: &FixtureRow,
        base: &Logs,
        prices: Option<&Prices<'_>>,
        now: Time,
    ) -> Self {
        let (new_team, new_league) = (Team::default(), League::default());
        let team = |id| teams.by_id.get(&id).unwrap_or(&new_team);
        let (home, away) = (team(row.home), team(row.away));
        let league = teams.leagues.get(&row.league).unwrap_or(&new_league);
        let line = coordinates(base);
        let mut features =
            Self { side: Vec::with_capacity(SIDE_COLUMNS), draw: Vec::with_capacity(DRAW_COLUMNS) };
        features.add_line(line, [home, away], league, now);
        features.add_prices(line, league, row, prices);
        for at in 0..RATING_STEPS.len() {
            let rated = league.home_edge[at].value() + home.ratings[at] - away.ratings[at];
            let known = known(home).min(known(away));
            features.side.push((rated - line[0]).clamp(-RATED_MAX, RATED_MAX) * known);
        }
        for at in 0..MEMORIES.len() {
            features.side.push(home.moved[at].value() - away.moved[at].value());
            features.draw.push(home.draw_moved[at].value() + away.draw_moved[at].value());
            for statistic in 0..SURPRISES {
                let ahead = |team: &Team| team.ahead[at][statistic].value();
                let both = |team: &Team| team.both[at][statistic].value();
                features.side.push(ahead(home) - ahead(away));
                features.draw.push(both(home) + both(away));
            }
        }
        features.add_ratings(line, rated);
        debug_assert_eq!(features.side.len(), SIDE_COLUMNS);
        debug_assert_eq!(features.draw.len(), DRAW_COLUMNS);
        features
    }

    /// The line itself, the calendar and the table.
    fn add_line(
        &mut self,
        [line, draw]: [f64; 2],
        [home, away]: [&Team; 2],
        league: &League,
        now: Time,
    ) {
        let late = late(home).min(late(away));
        let points = |team: &Team| team.season_points / (team.season_matches + POINTS_PRIOR);
        let rest = |team: &Team| {
            let days = team.last.map_or(REST_DAYS_MAX, |last| now.since(last) as f64 / DAY_MS);
            days.clamp(0.0, REST_DAYS_MAX) / REST_DAYS_MAX
        };
        self.side.extend([
            1.0,
            line,
            line * line.abs(),
            line * draw,
            known(home) - known(away),
            rest(home) - rest(away),
            league.moved.value(),
            line * late,
            points(home) - points(away),
            (points(home) - points(away)) * late,
        ]);
        self.draw.extend([
            1.0,
            draw,
            line.abs(),
            line * line,
            2.0 - known(home) - known(away),
            rest(home) + rest(away),
            league.draw_moved.value(),
            late,
            late * line.abs(),
        ]);
    }

    /// What the books say beside the line.
    fn add_prices(
        &mut self,
        [line, draw]: [f64; 2],
        league: &League,
        row: &FixtureRow,
        prices: Option<&Prices<'_>>,
    ) {
        let Some(prices) = prices else {
            self.side.extend([0.0; 5]);
            self.draw.extend([0.0; 5]);
            return;
        };
        let spread = spread(prices.members);
        let implied = prices.goals.map(|goals| {
            let p = goals.price(schema::Market::ONE_X_TWO).map(|p| p.as_f64().max(1e-9).ln());
            (coordinates(&p), goals.total() - TOTAL_MEAN)
        });
        let (implied, total) = implied.unwrap_or(([line, draw], 0.0));
        let lead = (row.kick_off.since(prices.quoted_at) as f64 / DAY_MS).clamp(0.0, LEAD_DAYS_MAX);
        self.side.extend([
            (implied[0] - line).clamp(-0.5, 0.5),
            line * spread[0],
            spread[2],
            line * lead,
            league.moved.value() * lead,
        ]);
        self.draw.extend([(implied[1] - draw).clamp(-0.5, 0.5), total, spread[1], spread[3], lead]);
    }

    /// What the ratings expect, against the line.
    fn add_ratings(&mut self, [line, draw]: [f64; 2], rated: &Rated) {
        let clip = |x: f64| x.clamp(-RATED_MAX, RATED_MAX);
        let by_rates = coordinates(&rates::outcome(rated.rates).map(f64::ln));
        let known = 1.0 - rated.relative.unknown[0].max(rated.relative.unknown[1]);
        self.side.extend(rated.lines.iter().map(|it| clip(it.values[0] - line) * known));
        self.side.push(clip(by_rates[0] - line) * known);
        let first = &rated.lines[0];
        let draws = rated.relative.draws;
        self.draw.extend([
            clip(rated.draw.values[0] - draw),
            rated.total.values[0],
            first.sum,
            first.variance,
            (draws / (1.0 - draws)).ln() - (DRAWS_USUAL / (1.0 - DRAWS_USUAL)).ln(),
            clip(by_rates[1] - draw) * known,
        ]);
        let relative = &rated.relative;
        for (home, away) in relative.home.iter().flatten().zip(relative.away.iter().flatten()) {
            self.side.push(home - away);
            self.draw.push(home + away - 2.0);
        }
        let [home, away] = &rated.open.fights;
        for (home, away) in home.iter().zip(away) {
            self.side.push(home - away);
            self.draw.push(home + away);
        }
    }
}

/// Numbers of [`team_numbers`].
pub(crate) const TEAM_NUMBERS: usize =
    2 * PAIRS + 2 * MEMORIES.len() + RATING_STEPS.len() + 5 + FIGHTS + RELATIVE;

/// A team by itself, as of a decision: what [`Features`] has only as differences and sums.
pub(crate) fn team_numbers(
    teams: &Teams,
    rated: &Rated,
    row: &FixtureRow,
    side: usize,
) -> Vec<f64> {
    let new_team = Team::default();
    let id = if side == 0 { row.home } else { row.away };
    let team = teams.by_id.get(&id).unwrap_or(&new_team);
    let mut all = Vec::with_capacity(TEAM_NUMBERS);
    for at in 0..MEMORIES.len() {
        all.extend(team.ahead[at].iter().chain(&team.both[at]).map(super::teams::Mean::value));
        all.extend([team.moved[at].value(), team.draw_moved[at].value()]);
    }
    all.extend(team.ratings);
    all.extend([
        known(team),
        team.season_matches,
        team.season_points / (team.season_matches + POINTS_PRIOR),
        rated.rest[side],
        rated.relative.unknown[side],
    ]);
    all.extend(rated.open.fights[side]);
    let relative = if side == 0 { &rated.relative.home } else { &rated.relative.away };
    all.extend(relative.iter().flatten());
    debug_assert_eq!(all.len(), TEAM_NUMBERS);
    all
}

/// How well a team is known, 0 to 1.
fn known(team: &Team) -> f64 {
    team.matches / (team.matches + 10.0)
}

/// How late in the season it is for a team: 0 for most of it, then rising to 1.
fn late(team: &Team) -> f64 {
    ((team.season_matches - LATE[0]) / LATE[1]).clamp(0.0, 1.0)
}

/// How far the books lie apart on each coordinate, and which way they lean.
fn spread(members: &Members) -> [f64; 4] {
    let n = members.books.len().max(1) as f64;
    let [mut squares, mut cubes] = [[0.0; 2]; 2];
    for member in &members.books {
        let difference = coordinates(&member.difference);
        for (at, x) in difference.into_iter().enumerate() {
            squares[at] += x * x / n;
            cubes[at] += x * x * x / n;
        }
    }
    [squares[0].sqrt(), squares[1].sqrt(), cubes[0].cbrt(), cubes[1].cbrt()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The loss at a small move is its value, slope and curvature at the line.
        #[test]
        fn a_line_knows_how_the_loss_depends_on_a_move(
            a in -1.0_f64..1.0, b in -1.0_f64..1.0, truth in prop::array::uniform3(0.01_f64..1.0),
        ) {
            let base = moved(&[0.0; 3], [a, b]);
            let sum: f64 = truth.iter().sum();
            let truth = truth.map(|x| x / sum);
            let loss = |by: [f64; 2]| -> f64 {
                let p = probabilities(&moved(&base, by), 3);
                -(0..3).map(|i| truth[i] * p[i].ln()).sum::<f64>()
            };
            let (line, step) = (Line::of(&base), 1e-3);
            let (slope, curvature) = (line.slope(&truth), line.curvature());
            for (at, by) in [[step, 0.0], [0.0, step]].into_iter().enumerate() {
                let back = by.map(|x| -x);
                let down = (loss(back) - loss(by)) / (2.0 * step);
                prop_assert!((down - slope[at]).abs() < 1e-5, "{down} {slope:?}");
                let curved = (loss(by) + loss(back) - 2.0 * loss([0.0; 2])) / (step * step);
                prop_assert!((curved - curvature[at][at]).abs() < 1e-4, "{curved} {curvature:?}");
            }
            let both = loss([step, step]) - loss([step, 0.0]) - loss([0.0, step]) + loss([0.0; 2]);
            prop_assert!((both / (step * step) - curvature[0][1]).abs() < 1e-3);
        }

        #[test]
        fn coordinates_move_a_line_by_as_much(a in -1.0_f64..1.0, b in -1.0_f64..1.0) {
            let base = [0.3, -0.1, -0.2];
            let (before, after) = (coordinates(&base), coordinates(&moved(&base, [a, b])));
            prop_assert!((after[0] - before[0] - a).abs() < 1e-12);
            prop_assert!((after[1] - before[1] - b).abs() < 1e-12);
        }
    }
}
