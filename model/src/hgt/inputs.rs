//! What the graph transformer sees of a fixture: numbers of its nodes, and who its neighbours are.
//!
//! Everything is taken down when the decision could know it and never again, so that training sees
//! exactly what pricing saw. A match that is over becomes a node of its own, one for each side, that
//! later fixtures of both teams refer to; it never refers forward.

use std::collections::BTreeMap;

use schema::{BookId, FixtureId, FixtureRow, LeagueId, MarketRow, TeamId, Time};
use serde::{Deserialize, Serialize};

use crate::form::{Finished, STATISTICS, Seen, TEAM_NUMBERS};

/// Matches of a team that a fixture refers to: the latest, and those before.
pub(crate) const RECENT: usize = 3;
pub(crate) const MATCHES: usize = 8;
/// Numbers of a node of a match, seen from one side.
pub(crate) const MATCH_WIDTH: usize = 3 * (STATISTICS + 1) + 9;
/// Numbers of a book's quote.
pub(crate) const QUOTE_WIDTH: usize = 7;
/// Numbers of a team as of a decision.
pub(crate) const TEAM_WIDTH: usize = TEAM_NUMBERS;
/// Numbers of the line itself among those of a fixture.
pub(crate) const LINE_NUMBERS: usize = 3;
/// Books of a fixture at most; further ones, by id, are left out.
const QUOTES_MAX: usize = 32;
/// Matches kept: far more than any fixture refers to.
const MATCHES_MAX: usize = 40_000;
const DAY_MS: f64 = 86_400_000.0;

/// One side of a finished match.
pub(crate) type MatchKey = (FixtureId, u8);

/// What is seen of a fixture at a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    pub league: LeagueId,
    /// Of the fixture itself.
    pub fixture: Vec<f32>,
    /// Of the home and the away team.
    pub sides: [Vec<f32>; 2],
    /// The latest matches of either, the latest first.
    pub last: [Vec<MatchKey>; 2],
    /// Each book's price.
    pub quotes: Vec<(BookId, Vec<f32>)>,
}

/// Finished matches, by side, and which are a team's latest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Matches {
    nodes: BTreeMap<FixtureId, [Vec<f32>; 2]>,
    by_team: BTreeMap<TeamId, Vec<(Time, MatchKey)>>,
    order: std::collections::VecDeque<FixtureId>,
}

impl Matches {
    /// Takes a finished match in.
    pub fn add(&mut self, finished: &Finished) {
        let sides = [0, 1].map(|side| numbers_of_match(finished, side));
        if self.nodes.insert(finished.fixture, sides).is_none() {
            self.order.push_back(finished.fixture);
        }
        for (side, team) in [finished.row.home, finished.row.away].into_iter().enumerate() {
            let all = self.by_team.entry(team).or_default();
            let entry = (finished.row.kick_off, (finished.fixture, side as u8));
            let at = all.partition_point(|it| *it < entry);
            all.insert(at, entry);
            if all.len() > MATCHES {
                all.remove(0);
            }
        }
        while self.order.len() > MATCHES_MAX {
            if let Some(old) = self.order.pop_front() {
                self.nodes.remove(&old);
            }
        }
    }

    /// A side of a match, while it is kept.
    pub fn get(&self, key: MatchKey) -> Option<&[f32]> {
        self.nodes.get(&key.0).map(|sides| sides[usize::from(key.1.min(1))].as_slice())
    }

    /// A team's latest matches before a time, the latest first.
    fn latest(&self, team: TeamId, before: Time) -> Vec<MatchKey> {
        let all = self.by_team.get(&team).map_or(&[][..], Vec::as_slice);
        all.iter().rev().filter(|it| it.0 < before).map(|it| it.1).take(MATCHES).collect()
    }
}

/// A match as one side saw it.
fn numbers_of_match(finished: &Finished, side: usize) -> Vec<f32> {
    let sign = if side == 0 { 1.0 } else { -1.0 };
    let mut all = Vec::with_capacity(MATCH_WIDTH);
    for surprise in &finished.surprises {
        let [own, other] = surprise.map_or([0.0; 2], |it| [it[side], it[1 - side]]);
        all.extend([own, other, f64::from(u8::from(surprise.is_some()))]);
    }
    let known = |it: Option<[f64; 2]>| it.unwrap_or_default();
    let (close, moved) = (known(finished.closed), known(finished.moved));
    let [home, away] = finished.score.map(f64::from);
    all.extend([
        sign,
        sign * close[0],
        close[1],
        sign * moved[0],
        moved[1],
        f64::from(u8::from(finished.closed.is_some())),
        sign * (home - away),
        home + away,
        sign * finished.rated_ahead,
    ]);
    debug_assert_eq!(all.len(), MATCH_WIDTH);
    all.into_iter().map(|x| x as f32).collect()
}

impl Inputs {
    /// Takes down what a decision sees.
    pub fn of(
        row: &FixtureRow,
        seen: &Seen,
        line: [f64; 2],
        market: Option<&MarketRow>,
        matches: &Matches,
    ) -> Self {
        let numbers = |all: &mut dyn Iterator<Item = f64>| all.map(|x| x as f32).collect();
        let lines = line.into_iter().chain([line[0].abs()]);
        let groups = seen.features.groups();
        let mut fixture = groups[0].0.iter().chain(groups[1].0).copied().chain(lines);
        Self {
            league: row.league,
            fixture: numbers(&mut fixture),
            sides: [0, 1].map(|side| numbers(&mut seen.teams[side].iter().copied())),
            last: [row.home, row.away].map(|team| matches.latest(team, row.kick_off)),
            quotes: market.map_or_else(Vec::new, |market| quotes(row, seen, market)),
        }
    }
}

/// Each complete book's price beside the line.
fn quotes(row: &FixtureRow, seen: &Seen, market: &MarketRow) -> Vec<(BookId, Vec<f32>)> {
    let days = |ms: i64| (ms as f64 / DAY_MS).clamp(0.0, 7.0);
    seen.books
        .iter()
        .take(QUOTES_MAX)
        .map(|(book, at, by)| {
            let numbers = [
                by[0],
                by[1],
                by[0].abs(),
                by[0] * by[1],
                days(market.updated_at.since(*at)),
                days(row.kick_off.since(*at)),
                1.0,
            ];
            (*book, numbers.map(|x| x as f32).to_vec())
        })
        .collect()
}
