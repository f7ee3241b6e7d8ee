//! The graph that is kept current from deltas equals the one built at once from the final views,
//! however the facts came; and its tables say what it holds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::io::Cursor;

use arrow_array::cast::AsArray;
use arrow_ipc::reader::FileReader;
use common::{decisions, seasons, shuffled, simulated};
use dataflow::Views;
use model::Pricer;
use model::graph::{Graph, Table};
use schema::{Change, Delta, Names, Outbox};
use tideline::desk::Desk;
use tideline::engine::{Engine, Observer};
use tideline::setup::{Facts, rehearse_facts};

#[derive(Default)]
struct Keeper {
    graph: Graph,
    views: Views,
}

impl Observer for Keeper {
    fn see(&mut self, delta: &Delta, _: &Outbox, _: &Names, _: &dyn Pricer, _: &Desk) {
        self.graph.apply(delta);
        self.views.apply(delta).unwrap();
    }
}

/// The oracle: everything that stands, in one delta.
fn from_scratch(views: &Views) -> Graph {
    fn all<K: Copy, V: Clone>(rows: &BTreeMap<K, V>) -> Vec<Change<K, V>> {
        rows.iter()
            .map(|(key, row)| Change { key: *key, before: None, after: Some(row.clone()) })
            .collect()
    }
    let mut graph = Graph::default();
    graph.apply(&Delta {
        fixtures: all(&views.fixtures),
        markets: all(&views.markets),
        as_of: all(&views.as_of),
        closing: all(&views.closing),
        results: all(&views.results),
        ..Delta::default()
    });
    graph
}

fn kept(facts: Facts, ticks_per_step: usize, workers: usize) -> (Keeper, Engine) {
    let mut keeper = Keeper::default();
    let mut decisions = decisions();
    decisions.retain_after_kick_off = schema::Span::days(400);
    let engine = rehearse_facts(facts, &decisions, ticks_per_step, workers, &mut keeper).unwrap();
    (keeper, engine)
}

fn equals_the_oracle(facts: &Facts) {
    let (in_order, _) = kept(facts.clone(), 64, 1);
    assert!(in_order.graph.fixtures().count() > 10, "the feed has something in it");
    assert_eq!(in_order.graph, from_scratch(&in_order.views));
    for seed in 1..3 {
        let events = shuffled(facts.events.clone(), 300, seed);
        let (late, _) = kept(Facts { names: facts.names.clone(), events }, 7, 2);
        assert_eq!(late.graph, from_scratch(&late.views), "shuffled with seed {seed}");
    }
}

#[test]
fn a_made_up_season_with_corrections_and_moved_fixtures() {
    equals_the_oracle(&simulated(3));
}

#[test]
fn real_seasons() {
    let Some(facts) = seasons(&["E0_2122", "SC0_2122"]) else { return };
    equals_the_oracle(&facts);
}

#[test]
fn its_tables_hold_what_it_holds() {
    let (keeper, engine) = kept(simulated(4), 64, 1);
    let write = |table| {
        let mut bytes = Vec::new();
        let rows = keeper.graph.write(table, engine.names(), &mut bytes).unwrap();
        (rows, FileReader::try_new(Cursor::new(bytes), None).unwrap())
    };
    let (rows, nodes) = write(Table::Nodes);
    let mut by_type: BTreeMap<String, u64> = BTreeMap::new();
    let mut names = std::collections::BTreeSet::new();
    for batch in nodes {
        let batch = batch.unwrap();
        for (kind, name) in
            batch["type"].as_string::<i32>().iter().zip(batch["name"].as_string::<i32>())
        {
            *by_type.entry(kind.unwrap().to_owned()).or_default() += 1;
            names.insert((kind.unwrap().to_owned(), name.unwrap().to_owned()));
        }
    }
    assert_eq!(by_type.values().sum::<u64>(), rows);
    assert_eq!(names.len() as u64, rows, "a node is in it once");
    assert_eq!(by_type["fixture"], keeper.graph.fixtures().count() as u64);
    assert_eq!((by_type["team"], by_type["league"]), (10, 1));
    let (rows, edges) = write(Table::Edges);
    let mut seen = 0;
    for batch in edges {
        let batch = batch.unwrap();
        let column = |name: &str| batch[name].as_string::<i32>().clone();
        let ends = [("source_type", "source"), ("target_type", "target")];
        for (kind, name) in ends.map(|(kind, name)| (column(kind), column(name))) {
            for end in kind.iter().zip(&name) {
                let end = (end.0.unwrap().to_owned(), end.1.unwrap().to_owned());
                assert!(names.contains(&end), "an edge ends in a node: {end:?}");
            }
        }
        seen += batch.num_rows() as u64;
    }
    assert_eq!(seen, rows);
    assert!(rows > by_type["quote"] * 2);
}
