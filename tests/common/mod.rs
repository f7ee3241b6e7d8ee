//! What the tests share: real seasons where they lie, and ways to take facts through the engine.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use dataflow::Views;
use model::Pricer;
use schema::{Delta, Event, Names, Outbox, Suggestion, Time};
use sources::SourceConfig;
use tideline::desk::{Desk, canonical};
use tideline::engine::{Engine, Observer};
use tideline::setup::{Decisions, Facts, rehearse_facts};
use tideline::topology::Topology;

#[allow(clippy::print_stderr, reason = "a skipped test has to be heard")]
/// The recorded football seasons, or nothing (and a loud word) where they are not.
pub fn football() -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/football"));
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: no recorded seasons at {}: this test has shown nothing", path.display());
    None
}

/// Facts of some recorded files (`E0_2223`), merged.
pub fn seasons(files: &[&str]) -> Option<Facts> {
    let from = football()?;
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let name = format!("{file}.csv.gz");
        std::fs::copy(from.join(&name), folder.path().join(&name)).unwrap();
    }
    let config = sources::football_data::Config::folder(folder.path());
    Some(Facts::of(&SourceConfig::FootballData(config)).unwrap())
}

/// A small made-up season.
pub fn simulated(seed: u64) -> Facts {
    let config = sources::simulate::Config {
        seed,
        leagues: 1,
        teams: 10,
        weeks: 12,
        ..sources::simulate::Config::default()
    };
    Facts::of(&SourceConfig::Simulate(config)).unwrap()
}

/// The built-in decisions, as a rehearsal takes them, with the market pricer.
pub fn decisions() -> Decisions {
    let mut decisions = Decisions::of(&Topology::default());
    decisions.pricer = model::PricerConfig::default();
    decisions.stale_after = schema::Span::days(14);
    decisions.rehearse();
    decisions
}

/// The same with the form pricer, which has learned enough after a few weeks.
pub fn decisions_by_form() -> Decisions {
    let form = model::form::Config { markets_min: 60.0, ..model::form::Config::default() };
    Decisions { pricer: model::PricerConfig::Form(form), ..decisions() }
}

/// The same with the graph pricer, small enough to train in a moment at every window.
pub fn decisions_by_hgt() -> Decisions {
    let form = model::form::Config { markets_min: 60.0, ..model::form::Config::default() };
    let hgt = model::hgt::Config {
        form,
        members: 2,
        hidden: 8,
        heads: 2,
        layers: 1,
        steps: 20,
        warm_steps: 5,
        fixtures_min: 130,
        validate_fixtures: 20,
        gate_fixtures: 10,
        ..model::hgt::Config::default()
    };
    Decisions { pricer: model::PricerConfig::Hgt(Box::new(hgt)), ..decisions() }
}

/// A made-up season with enough fixtures for the graph pricer.
pub fn simulated_whole(seed: u64) -> Facts {
    let config = sources::simulate::Config { seed, ..sources::simulate::Config::default() };
    Facts::of(&SourceConfig::Simulate(config)).unwrap()
}

/// Everything that left, and the views as they stand.
#[derive(Default)]
pub struct Seen {
    /// Messages, with the time of their tick.
    pub messages: Vec<(Time, String)>,
    /// The messages themselves.
    pub suggestions: Vec<Arc<Suggestion>>,
    /// Fair prices before the close, with the time of their tick.
    pub prices: Vec<(Time, schema::FairPrice)>,
    /// The views.
    pub views: Views,
}

impl Observer for Seen {
    fn see(&mut self, delta: &Delta, outbox: &Outbox, _: &Names, _: &dyn Pricer, _: &Desk) {
        self.views.apply(delta).unwrap();
        for suggestion in &outbox.suggestions {
            self.messages.push((outbox.time, canonical(suggestion)));
            self.suggestions.push(Arc::clone(suggestion));
        }
        self.prices.extend(outbox.prices.iter().map(|price| (outbox.time, *price)));
    }
}

/// Takes facts through an engine.
pub fn run(
    facts: Facts,
    decisions: &Decisions,
    ticks_per_step: usize,
    workers: usize,
) -> (Engine, Seen) {
    let mut seen = Seen::default();
    let engine = rehearse_facts(facts, decisions, ticks_per_step, workers, &mut seen).unwrap();
    (engine, seen)
}

/// Asserts that two sets of views are equal, naming the first collection that is not.
pub fn assert_same_views(found: &Views, expected: &Views, what: &str) {
    assert_eq!(found.fixtures, expected.fixtures, "fixtures, {what}");
    assert_eq!(found.results, expected.results, "results, {what}");
    assert_eq!(found.markets, expected.markets, "markets, {what}");
    same_rows(&found.as_of, &expected.as_of, &format!("as of, {what}"));
    same_rows(&found.closing, &expected.closing, &format!("closing, {what}"));
    same_rows(&found.forms, &expected.forms, &format!("forms, {what}"));
    same_rows(&found.training, &expected.training, &format!("training, {what}"));
}

fn same_rows<K, V>(found: &BTreeMap<K, V>, expected: &BTreeMap<K, V>, what: &str)
where
    K: Ord + std::fmt::Debug,
    V: PartialEq + std::fmt::Debug,
{
    for (key, row) in expected {
        assert_eq!(found.get(key), Some(row), "{key:?} in {what}");
    }
    assert_eq!(found.len(), expected.len(), "{what}");
}

/// A seeded source of numbers for shuffles and garbage.
pub struct Random(u64);

impl Random {
    /// A source with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number (xorshift64*).
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// The facts, each in its place or up to `reach` places later.
pub fn shuffled(mut events: Vec<Event>, reach: usize, seed: u64) -> Vec<Event> {
    let mut random = Random::new(seed);
    let keys: Vec<usize> = (0..events.len()).map(|i| i + random.below(reach)).collect();
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by_key(|i| (keys[*i], *i));
    let mut taken: Vec<Option<Event>> = events.drain(..).map(Some).collect();
    order.into_iter().map(|i| taken[i].take().unwrap()).collect()
}
