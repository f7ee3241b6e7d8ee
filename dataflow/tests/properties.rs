//! The heart of the tests: whatever the order, batching, duplication and retraction of facts, the
//! collections equal their oracles after every tick.

mod universe;

use proptest::prelude::*;
use schema::Event;
use tideline_dataflow::{Config, Views, oracle};
use universe::{accumulate, assert_same, config, facts, run, ticks};

fn facts_until(all: &[schema::Tick], last: usize) -> Vec<Event> {
    all[..=last].iter().flat_map(|tick| tick.events.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// After each tick, accumulated deltas are what the facts so far imply, whatever was taken
    /// back on the way.
    #[test]
    fn every_tick_equals_the_oracle(
        facts in facts(),
        sizes in proptest::collection::vec(1..6_usize, 1..5),
    ) {
        let ticks = ticks(&facts, &sizes);
        let (deltas, refused) = run(config(), &ticks, 1);
        prop_assert_eq!(refused, vec![]);
        let mut views = Views::default();
        for (i, delta) in deltas.iter().enumerate() {
            views.apply(delta).unwrap();
            let expected = oracle::views(&config(), &facts_until(&ticks, i), ticks[i].time);
            assert_same(&views, &expected, &format!("tick {}", delta.tick));
        }
    }

    /// The final views know the set of facts only: not their order, nor how often they came.
    #[test]
    fn order_and_duplicates_do_not_show(
        (facts, shuffled) in facts().prop_flat_map(|facts| {
            let doubled: Vec<Event> = facts.iter().chain(&facts).cloned().collect();
            (Just(facts), Just(doubled).prop_shuffle())
        }),
        sizes in proptest::collection::vec(1..9_usize, 1..4),
    ) {
        let (straight, _) = run(config(), &ticks(&facts, &[3]), 7);
        let (mixed, _) = run(config(), &ticks(&shuffled, &sizes), 5);
        assert_same(&accumulate(&mixed), &accumulate(&straight), "shuffled and doubled");
    }

    /// Deltas know ticks only: not how many were stepped at once.
    #[test]
    fn batching_does_not_show(facts in facts(), batch in 2..100_usize) {
        let ticks = ticks(&facts, &[2]);
        prop_assert_eq!(run(config(), &ticks, 1), run(config(), &ticks, batch));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    /// Nor how many workers there were.
    #[test]
    fn workers_do_not_show(facts in facts(), workers in 2..4_usize, batch in 1..20_usize) {
        let ticks = ticks(&facts, &[2]);
        let many = Config { workers, ..config() };
        prop_assert_eq!(run(config(), &ticks, 1), run(many, &ticks, batch));
    }
}
