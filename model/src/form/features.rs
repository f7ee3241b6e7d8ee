//! What the pricer looks at: numbers about one fixture that may say where its line will go.
//!
//! The 1X2 line has two coordinates, and each has features that turn around with it: home against
//! away takes differences of the two teams, the draw takes their sums.

use schema::{FixtureRow, Time};
use serde::{Deserialize, Serialize};

use super::teams::{League, MEMORIES, STATISTICS, Team, Teams};
use crate::consensus::{Logs, Members};
use crate::goals::Goals;

const PAIRS: usize = MEMORIES.len() * STATISTICS;
/// Columns for home against away.
pub(crate) const SIDE_COLUMNS: usize = 11 + MEMORIES.len() + PAIRS;
/// Columns for the draw against both.
pub(crate) const DRAW_COLUMNS: usize = 11 + MEMORIES.len() + PAIRS;
/// Rest beyond this is all the same, in days.
const REST_DAYS_MAX: f64 = 14.0;
/// A share of goals of both sides that counts as none above the mean.
const TOTAL_MEAN: f64 = 2.6;
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
    /// The market pricer's line.
    pub base: Logs,
    /// The books that made it.
    pub members: &'a Members,
    /// Goals behind totals and handicaps, where there are any.
    pub goals: Option<Goals>,
}

impl Features {
    pub fn of(teams: &Teams, row: &FixtureRow, prices: &Prices<'_>, now: Time) -> Self {
        let (new_team, new_league) = (Team::default(), League::default());
        let team = |id| teams.by_id.get(&id).unwrap_or(&new_team);
        let (home, away) = (team(row.home), team(row.away));
        let league = teams.leagues.get(&row.league).unwrap_or(&new_league);
        let [line, draw] = coordinates(&prices.base);
        let spread = spread(prices.members);
        let implied = prices.goals.map(|goals| {
            let p = goals.price(schema::Market::ONE_X_TWO).map(|p| p.as_f64().max(1e-9).ln());
            (coordinates(&p), goals.total() - TOTAL_MEAN)
        });
        let (implied, total) = implied.unwrap_or(([line, draw], 0.0));
        let rated = league.home_edge.value() + home.rating - away.rating;
        let known = |team: &Team| team.matches / (team.matches + 10.0);
        let both_known = known(home).min(known(away));
        let rest = |team: &Team| {
            let days = team.last.map_or(REST_DAYS_MAX, |last| now.since(last) as f64 / DAY_MS);
            days.clamp(0.0, REST_DAYS_MAX) / REST_DAYS_MAX
        };
        let mut features = Self {
            side: vec![
                1.0,
                line,
                line * line.abs(),
                line * draw,
                (implied[0] - line).clamp(-0.5, 0.5),
                (rated - line).clamp(-1.0, 1.0) * both_known,
                known(home) - known(away),
                rest(home) - rest(away),
                league.moved.value(),
                line * spread[0],
                spread[2],
            ],
            draw: vec![
                1.0,
                draw,
                line.abs(),
                line * line,
                (implied[1] - draw).clamp(-0.5, 0.5),
                total,
                2.0 - known(home) - known(away),
                rest(home) + rest(away),
                league.draw_moved.value(),
                spread[1],
                spread[3],
            ],
        };
        for at in 0..MEMORIES.len() {
            features.side.push(home.moved[at].value() - away.moved[at].value());
            features.draw.push(home.draw_moved[at].value() + away.draw_moved[at].value());
            for statistic in 0..STATISTICS {
                let value = |of: fn(&Team) -> &[[super::teams::Mean; STATISTICS]; 3], team| {
                    of(team)[at][statistic].value()
                };
                features.side.push(value(|t| &t.ahead, home) - value(|t| &t.ahead, away));
                features.draw.push(value(|t| &t.both, home) + value(|t| &t.both, away));
            }
        }
        debug_assert_eq!(features.side.len(), SIDE_COLUMNS);
        debug_assert_eq!(features.draw.len(), DRAW_COLUMNS);
        features
    }
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
