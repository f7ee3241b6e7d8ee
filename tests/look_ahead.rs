//! Nothing that was not known at a time can have touched what left up to it: every fact later than
//! T is replaced by garbage, and nothing emitted up to T may change.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{
    Random, decisions, decisions_by_form, decisions_by_hgt, run, seasons, simulated,
    simulated_whole,
};
use schema::{Event, Fact, Odds, ResultStatus, Score, Time};
use tideline::setup::{Decisions, Facts};

/// The same facts, with everything after `cut` replaced by nonsense of the same kind and time.
fn garbage_after(facts: &Facts, cut: Time, seed: u64) -> Facts {
    let mut random = Random::new(seed);
    let mut events = facts.events.clone();
    for event in events.iter_mut().filter(|event| event.event_time > cut) {
        spoil(event, &mut random);
    }
    Facts { names: facts.names.clone(), events }
}

fn spoil(event: &mut Event, random: &mut Random) {
    match &mut event.fact {
        Fact::Quote(quote) => {
            for price in quote.prices.iter_mut().filter(|price| price.is_some()) {
                *price = Odds::from_scaled(10_100 + random.below(200_000) as u32).unwrap();
            }
        }
        Fact::Result(result) => {
            result.score = Score { home: random.below(9) as u16, away: random.below(9) as u16 };
            if random.below(4) == 0 {
                result.status = ResultStatus::Abandoned;
            }
            result.statistics = None;
        }
        Fact::Fixture(fixture) => {
            fixture.kick_off = fixture.kick_off.plus(schema::Span::hours(random.below(48) as i64));
        }
        _ => {}
    }
}

fn nothing_before_changes(facts: &Facts, decisions: &Decisions, cuts: usize) {
    let (_, truth) = run(facts.clone(), decisions, 64, 1);
    let (mut compared, mut spoiled) = (0, 0);
    for cut in 1..=cuts {
        let at = facts.events[facts.events.len() * cut / (cuts + 1)].event_time;
        let changed = garbage_after(facts, at, cut as u64);
        spoiled += changed.events.iter().zip(&facts.events).filter(|(a, b)| a != b).count();
        let (_, seen) = run(changed, decisions, 64, 1);
        let messages = |all: &[(Time, String)]| -> Vec<String> {
            all.iter().filter(|(time, _)| *time <= at).map(|(_, m)| m.clone()).collect()
        };
        let prices = |all: &[(Time, schema::FairPrice)]| -> Vec<schema::FairPrice> {
            all.iter().filter(|(time, _)| *time <= at).map(|(_, p)| *p).collect()
        };
        assert_eq!(messages(&seen.messages), messages(&truth.messages), "messages up to {at}");
        assert_eq!(prices(&seen.prices), prices(&truth.prices), "prices up to {at}");
        assert_ne!(seen.messages, truth.messages, "garbage after {at} must change something later");
        compared += messages(&truth.messages).len() + prices(&truth.prices).len();
    }
    assert!(
        compared > 100 && spoiled > 100,
        "there was something to compare: {compared} {spoiled}"
    );
}

#[test]
fn in_a_made_up_season() {
    nothing_before_changes(&simulated(5), &decisions(), 4);
}

#[test]
fn in_real_seasons() {
    let Some(facts) = seasons(&["E0_2122", "E0_2223", "D1_2223", "I1_2223"]) else { return };
    nothing_before_changes(&facts, &decisions(), 6);
}

#[test]
fn in_a_made_up_season_priced_by_form() {
    nothing_before_changes(&simulated(5), &decisions_by_form(), 4);
}

#[test]
fn in_real_seasons_priced_by_form() {
    let Some(facts) = seasons(&["E0_2122", "E0_2223", "D1_2223", "I1_2223"]) else { return };
    nothing_before_changes(&facts, &decisions_by_form(), 6);
}

/// Models were trained and went live, so that there is something that could have looked ahead.
fn priced_by_the_graph(facts: &Facts, cuts: usize) {
    let decisions = decisions_by_hgt();
    let (engine, _) = run(facts.clone(), &decisions, 64, 1);
    assert!(engine.pricer().metrics()["promotions"] >= 2.0, "{:?}", engine.pricer().metrics());
    nothing_before_changes(facts, &decisions, cuts);
}

#[test]
fn in_a_made_up_season_priced_by_the_graph() {
    priced_by_the_graph(&simulated_whole(5), 3);
}

#[test]
fn in_real_seasons_priced_by_the_graph() {
    let Some(facts) = seasons(&["E0_2122", "E0_2223", "D1_2223", "I1_2223"]) else { return };
    priced_by_the_graph(&facts, 3);
}
