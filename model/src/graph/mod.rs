//! The heterogeneous graph: who plays, in which competition, at whose prices, and what came before.
//!
//! It is kept current from the dataflow's deltas and never rebuilt: every change costs the nodes it
//! is about. It holds rows and adjacency only. Whatever a model wants as features or as edges sorted
//! by target it reads from here when a window closes, so that there is one place that knows what is
//! known, and a correction needs no special path.
//!
//! | relation | from | to | what it says |
//! |---|---|---|---|
//! | `plays_home`, `plays_away` | team | fixture | which side |
//! | `in_league` | fixture | league | which competition |
//! | `quotes` | quote | fixture | a book's price of one selection |
//! | `prices` | book | quote | whose price |
//! | `previous_meeting` | fixture | fixture | the last one of the same two teams, either way round |
//! | `last_matches` | fixture | team | the latest finished ones of a team |

mod export;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schema::{
    Change, Delta, FixtureId, FixtureRow, LeagueId, Market, MarketKey, MarketRow, ResultRow,
    ResultStatus, TeamId, Time,
};

pub use export::{Table, edges_schema, nodes_schema};

/// A fixture and all that is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// The fixture as it stands; `None` while it has prices and was never announced.
    pub row: Option<FixtureRow>,
    /// Its markets.
    pub markets: BTreeMap<Market, Quotes>,
    /// Its standing result.
    pub result: Option<ResultRow>,
}

impl Node {
    /// Its result, when it was played to the end.
    pub fn played(&self) -> Option<&ResultRow> {
        self.result.as_ref().filter(|result| result.status == ResultStatus::Final)
    }

    fn is_empty(&self) -> bool {
        self.row.is_none() && self.result.is_none() && self.markets.is_empty()
    }
}

/// The quotes of one market of a fixture, each book's as a row of the dataflow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quotes {
    /// As they stand; `None` once the fixture is over.
    pub live: Option<Arc<MarketRow>>,
    /// As of the lead before kick-off.
    pub as_of: Option<Arc<MarketRow>>,
    /// At kick-off.
    pub closing: Option<Arc<MarketRow>>,
}

impl Quotes {
    /// What a decision would go by: the row as of the lead before kick-off, or before that the live
    /// one.
    pub fn standing(&self) -> Option<&Arc<MarketRow>> {
        self.as_of.as_ref().or(self.live.as_ref())
    }

    fn is_empty(&self) -> bool {
        self.live.is_none() && self.as_of.is_none() && self.closing.is_none()
    }
}

/// Fixtures in order of kick-off.
type Calendar = BTreeSet<(Time, FixtureId)>;

/// The graph.
///
/// ```
/// use model::graph::Graph;
/// use schema::Delta;
/// # use tideline_model as model;
/// let mut graph = Graph::default();
/// graph.apply(&Delta::default());
/// assert_eq!(graph.fixtures().count(), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    nodes: BTreeMap<FixtureId, Node>,
    by_team: BTreeMap<TeamId, Calendar>,
    by_league: BTreeMap<LeagueId, Calendar>,
}

impl Graph {
    /// Takes in what one tick changed.
    pub fn apply(&mut self, delta: &Delta) {
        for change in &delta.fixtures {
            self.move_fixture(change);
        }
        for Change { key, after, .. } in &delta.results {
            self.nodes.entry(*key).or_default().result = *after;
            self.tidy(*key);
        }
        self.put(&delta.markets, |quotes| &mut quotes.live);
        self.put(&delta.as_of, |quotes| &mut quotes.as_of);
        self.put(&delta.closing, |quotes| &mut quotes.closing);
    }

    /// Replaces rows of one kind.
    fn put(
        &mut self,
        changes: &[Change<MarketKey, Arc<MarketRow>>],
        field: impl Fn(&mut Quotes) -> &mut Option<Arc<MarketRow>>,
    ) {
        for Change { key, after, .. } in changes {
            let node = self.nodes.entry(key.fixture).or_default();
            let quotes = node.markets.entry(key.market).or_default();
            field(quotes).clone_from(after);
            if quotes.is_empty() {
                node.markets.remove(&key.market);
                self.tidy(key.fixture);
            }
        }
    }

    /// Takes a fixture's edges from where it was announced before to where it is now.
    fn move_fixture(&mut self, change: &Change<FixtureId, FixtureRow>) {
        let id = change.key;
        if let Some(row) = &change.before {
            let entry = (row.kick_off, id);
            for team in [row.home, row.away] {
                leave(&mut self.by_team, &team, entry);
            }
            leave(&mut self.by_league, &row.league, entry);
        }
        if let Some(row) = &change.after {
            let entry = (row.kick_off, id);
            for team in [row.home, row.away] {
                self.by_team.entry(team).or_default().insert(entry);
            }
            self.by_league.entry(row.league).or_default().insert(entry);
        }
        self.nodes.entry(id).or_default().row = change.after;
        self.tidy(id);
    }

    fn tidy(&mut self, id: FixtureId) {
        if self.nodes.get(&id).is_some_and(Node::is_empty) {
            self.nodes.remove(&id);
        }
    }

    /// Forgets every fixture that kicked off before a time.
    pub fn forget_before(&mut self, time: Time) {
        let old: Vec<Change<FixtureId, FixtureRow>> = self
            .nodes
            .iter()
            .filter_map(|(id, node)| Some((*id, node.row?)))
            .filter(|(_, row)| row.kick_off < time)
            .map(|(key, row)| Change { key, before: Some(row), after: None })
            .collect();
        for change in old {
            self.move_fixture(&change);
            self.nodes.remove(&change.key);
        }
    }

    /// Every fixture, by id.
    pub fn fixtures(&self) -> impl Iterator<Item = (FixtureId, &Node)> {
        self.nodes.iter().map(|(id, node)| (*id, node))
    }

    /// One fixture.
    pub fn fixture(&self, id: FixtureId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// Every team, by id.
    pub fn teams(&self) -> impl Iterator<Item = TeamId> {
        self.by_team.keys().copied()
    }

    /// Every league, by id.
    pub fn leagues(&self) -> impl Iterator<Item = LeagueId> {
        self.by_league.keys().copied()
    }

    /// The matches of a team that kicked off before a time and were played to the end, the latest
    /// first.
    pub fn last_matches(
        &self,
        team: TeamId,
        before: Time,
    ) -> impl Iterator<Item = (FixtureId, &Node)> {
        let earlier = self.by_team.get(&team).map(|all| all.range(..(before, FixtureId(0))));
        earlier
            .into_iter()
            .flat_map(Iterator::rev)
            .filter_map(|(_, id)| Some((*id, self.nodes.get(id)?)))
            .filter(|(_, node)| node.played().is_some())
    }

    /// The matches of a league that kicked off in a span of time and were played to the end, the
    /// latest first.
    pub fn league_matches(
        &self,
        league: LeagueId,
        from: Time,
        before: Time,
    ) -> impl Iterator<Item = (FixtureId, &Node)> {
        let span = (from, FixtureId(0))..(before.max(from), FixtureId(0));
        let all = self.by_league.get(&league).map(|all| all.range(span));
        all.into_iter()
            .flat_map(Iterator::rev)
            .filter_map(|(_, id)| Some((*id, self.nodes.get(id)?)))
            .filter(|(_, node)| node.played().is_some())
    }

    /// The last match of the same two teams before this one, either way round.
    pub fn previous_meeting(&self, row: &FixtureRow) -> Option<(FixtureId, &Node)> {
        self.last_matches(row.home, row.kick_off).find(|(_, node)| {
            node.row.is_some_and(|past| past.home == row.away || past.away == row.away)
        })
    }
}

fn leave<K: Ord>(calendars: &mut BTreeMap<K, Calendar>, key: &K, entry: (Time, FixtureId)) {
    if let Some(calendar) = calendars.get_mut(key) {
        calendar.remove(&entry);
        if calendar.is_empty() {
            calendars.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use schema::{FixtureStatus, Score};

    use super::*;

    fn row(home: u64, away: u64, day: i64) -> FixtureRow {
        FixtureRow {
            league: LeagueId(9),
            home: TeamId(home),
            away: TeamId(away),
            kick_off: Time::from_ms(day * 86_400_000),
            status: FixtureStatus::Scheduled,
        }
    }

    fn announced(id: u64, before: Option<FixtureRow>, after: FixtureRow) -> Delta {
        let change = Change { key: FixtureId(id), before, after: Some(after) };
        Delta { fixtures: vec![change], ..Delta::default() }
    }

    fn finished(id: u64, home: u16, away: u16) -> Delta {
        let result = ResultRow {
            status: ResultStatus::Final,
            score: Score { home, away },
            statistics: None,
            at: Time::from_ms(0),
        };
        let change = Change { key: FixtureId(id), before: None, after: Some(result) };
        Delta { results: vec![change], ..Delta::default() }
    }

    #[test]
    fn a_team_knows_its_last_matches_and_the_previous_meeting() {
        let mut graph = Graph::default();
        for (id, home, away, day) in [(1, 1, 2, 1), (2, 2, 1, 8), (3, 1, 3, 15), (4, 1, 2, 22)] {
            graph.apply(&announced(id, None, row(home, away, day)));
        }
        for id in [1, 2, 3] {
            graph.apply(&finished(id, 1, 0));
        }
        let last = |team, day: i64| -> Vec<u64> {
            let before = Time::from_ms(day * 86_400_000);
            graph.last_matches(TeamId(team), before).map(|(id, _)| id.0).collect()
        };
        assert_eq!(last(1, 22), [3, 2, 1]);
        assert_eq!(last(1, 15), [2, 1], "a match at that very time is not before it");
        assert_eq!(last(1, 99), [3, 2, 1], "what is not finished is no match yet");
        assert_eq!(last(3, 22), [3]);
        let meeting = graph.previous_meeting(&row(1, 2, 22)).map(|(id, _)| id);
        assert_eq!(meeting, Some(FixtureId(2)));
        assert_eq!(graph.leagues().collect::<Vec<_>>(), [LeagueId(9)]);
    }

    #[test]
    fn a_fixture_that_moves_takes_its_edges_along_and_one_forgotten_leaves_nothing() {
        let mut moved = Graph::default();
        moved.apply(&announced(1, None, row(1, 2, 1)));
        moved.apply(&announced(1, Some(row(1, 2, 1)), row(1, 3, 5)));
        let mut direct = Graph::default();
        direct.apply(&announced(1, None, row(1, 3, 5)));
        assert_eq!(moved, direct);
        moved.forget_before(Time::from_ms(6 * 86_400_000));
        assert_eq!(moved, Graph::default());
    }
}
