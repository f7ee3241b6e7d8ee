//! What appears when, what is frozen when, and what is refused: the rules of time, one by one.

#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod universe;

use std::sync::Arc;

use schema::{
    Delta, Event, Fact, FixtureId, FixtureStatus, Mark, Market, MarketKey, QuoteState,
    ResultStatus, Span, Tick,
};
use tideline_dataflow::{Config, Dataflow, Error, RefusedReason, Views, oracle};
use universe::{accumulate, assert_same, at, config, event, fixture_fact, quote_fact, result_fact};

const KEY: MarketKey = MarketKey { fixture: FixtureId(1), market: Market::ONE_X_TWO };
const DAY: i64 = 24 * 60;

fn offer(book: u64, home: f64) -> Fact {
    quote_fact(1, Market::ONE_X_TWO, book, [home, 3.4, 4.0], QuoteState::Offered)
}

fn mark(minute: i64) -> Event {
    event(minute, 0, Fact::Mark(Mark::Clock))
}

/// One tick a list of events, its time the greatest so far.
struct Run {
    dataflow: Dataflow,
    config: Config,
    ticks: Vec<Tick>,
    views: Views,
}

impl Run {
    fn new(config: Config) -> Self {
        let dataflow = Dataflow::start(config).unwrap();
        Self { dataflow, config, ticks: Vec::new(), views: Views::default() }
    }

    fn tick(&mut self, events: Vec<Event>) -> Delta {
        let newest = events.iter().map(|event| event.event_time).max().unwrap();
        let time = self.ticks.last().map_or(newest, |last| last.time.max(newest));
        let tick = Tick { number: self.ticks.len() as u64 + 1, time, events };
        self.ticks.push(tick.clone());
        let delta = self.dataflow.step([tick]).unwrap().remove(0);
        self.views.apply(&delta).unwrap();
        delta
    }

    fn assert_oracle(&self) {
        let facts: Vec<Event> = self.ticks.iter().flat_map(|tick| tick.events.clone()).collect();
        let now = self.ticks.last().unwrap().time;
        assert_same(&self.views, &oracle::views(&self.config, &facts, now), "so far");
    }

    fn reasons(&mut self) -> Vec<RefusedReason> {
        self.dataflow.take_refused().into_iter().map(|refused| refused.reason).collect()
    }
}

#[test]
fn as_of_and_closing_appear_at_their_moments_by_a_mark_alone() {
    let mut run = Run::new(config());
    run.tick(vec![event(0, 0, fixture_fact(1, 10, FixtureStatus::Scheduled))]);
    run.tick(vec![event(1, 0, offer(1, 2.0))]);
    let before = run.tick(vec![mark(7)]);
    assert!(before.as_of.is_empty() && before.closing.is_empty());
    let decision = run.tick(vec![mark(8)]);
    assert_eq!(decision.as_of.len(), 1, "two minutes before kick-off");
    run.tick(vec![event(9, 0, offer(1, 2.2))]);
    let kick_off = run.tick(vec![mark(10)]);
    let closing = kick_off.closing[0].after.as_ref().unwrap();
    assert_eq!(closing.books[0].prices[0].to_string(), "2.20");
    assert_eq!(run.views.as_of[&KEY].books[0].prices[0].to_string(), "2.00");
    // In play: live only.
    let in_play = run.tick(vec![event(10, 1, offer(1, 5.0))]);
    assert!(in_play.closing.is_empty() && in_play.as_of.is_empty() && in_play.markets.len() == 1);
    run.assert_oracle();
}

#[test]
fn a_time_leap_over_every_moment_still_emits_every_row() {
    let config = config();
    let mut run = Run::new(config);
    run.tick(vec![
        event(0, 0, fixture_fact(1, 10, FixtureStatus::Scheduled)),
        event(1, 0, offer(1, 2.0)),
    ]);
    let leap = run.tick(vec![mark(100 * DAY)]);
    assert_eq!((leap.as_of.len(), leap.closing.len()), (1, 1));
    assert!(leap.markets[0].after.is_none(), "too old to be live");
    assert!(run.tick(vec![mark(100 * DAY + 1)]).markets.is_empty());
    run.assert_oracle();
}

#[test]
fn a_late_quote_a_void_and_a_postponement_restate_the_closing_line() {
    let mut run = Run::new(config());
    run.tick(vec![event(0, 0, fixture_fact(1, 10, FixtureStatus::Scheduled))]);
    run.tick(vec![event(1, 0, offer(1, 2.0)), event(5, 0, offer(2, 9.0))]);
    run.tick(vec![mark(11)]);
    let late = run.tick(vec![event(9, 0, offer(1, 2.4))]);
    assert_eq!(late.closing.len(), 1);
    assert!(late.as_of.is_empty(), "it came after the decision");
    let void = quote_fact(1, Market::ONE_X_TWO, 2, [0.0; 3], QuoteState::Voided(at(5)));
    let voided = run.tick(vec![event(12, 0, void)]);
    assert_eq!(voided.closing[0].after.as_ref().unwrap().books.len(), 1);
    let moved = run.tick(vec![event(13, 0, fixture_fact(1, 30, FixtureStatus::Scheduled))]);
    assert!(moved.closing[0].after.is_none() && moved.as_of[0].after.is_none());
    run.assert_oracle();
    let off = run.tick(vec![event(14, 0, fixture_fact(1, 30, FixtureStatus::Postponed))]);
    assert!(off.markets[0].after.is_none(), "no price until there is a new time");
    run.tick(vec![event(15, 0, fixture_fact(1, 20, FixtureStatus::Scheduled))]);
    run.tick(vec![mark(20)]);
    assert!(run.views.closing.contains_key(&KEY));
    run.assert_oracle();
}

#[test]
fn a_result_closes_the_market_and_a_correction_restates_the_training_row() {
    let mut run = Run::new(config());
    run.tick(vec![
        event(0, 0, fixture_fact(1, 10, FixtureStatus::Scheduled)),
        event(1, 0, offer(1, 2.0)),
    ]);
    let ended = run.tick(vec![event(12, 0, result_fact(1, 2, 1, ResultStatus::Final))]);
    assert!(ended.markets[0].after.is_none());
    assert_eq!(ended.training.len(), 1);
    let corrected = run.tick(vec![event(13, 0, result_fact(1, 2, 2, ResultStatus::Final))]);
    let row = corrected.training[0].after.as_ref().unwrap();
    assert_eq!((row.result.score.home, row.result.score.away), (2, 2));
    assert!(row.as_of.is_some() && row.closing.is_some());
    let void = run.tick(vec![event(14, 0, result_fact(1, 2, 2, ResultStatus::Void))]);
    assert!(void.training[0].after.is_none());
    run.assert_oracle();
}

/// A correction made after a kick-off must not reach the form before that kick-off.
#[test]
fn a_form_knows_results_as_they_were_known_at_kick_off() {
    let mut run = Run::new(config());
    run.tick(vec![event(0, 0, fixture_fact(1, 1, FixtureStatus::Scheduled))]);
    run.tick(vec![event(0, 1, fixture_fact(2, 8, FixtureStatus::Scheduled))]);
    run.tick(vec![event(0, 2, fixture_fact(3, 14, FixtureStatus::Scheduled))]);
    run.tick(vec![event(4, 0, result_fact(1, 3, 0, ResultStatus::Final))]);
    // Fixture 1 is team 1 at home to team 2, fixture 2 team 2 at home to team 3.
    let before = run.views.forms[&FixtureId(2)][0];
    assert_eq!((before.matches, before.goals_for_micros), (1, 0));
    run.tick(vec![event(9, 0, result_fact(1, 0, 5, ResultStatus::Final))]);
    assert_eq!(run.views.forms[&FixtureId(2)][0], before, "known at minute 8: lost 3-0");
    run.tick(vec![event(9, 1, result_fact(2, 1, 1, ResultStatus::Final))]);
    assert_eq!(run.views.training[&FixtureId(2)].forms[0], before);
    run.assert_oracle();
}

#[test]
fn a_retired_fixture_is_frozen_and_refuses_all_but_results() {
    let config = Config { form_window: Span::days(10), ..config() };
    let mut run = Run::new(config);
    run.tick(vec![
        event(0, 0, fixture_fact(1, 10, FixtureStatus::Scheduled)),
        event(1, 0, offer(1, 2.0)),
    ]);
    run.tick(vec![event(12, 0, result_fact(1, 2, 1, ResultStatus::Final))]);
    let frozen = run.views.clone();
    let retired = run.tick(vec![mark(2 * DAY)]);
    assert_eq!(Views::default().apply(&retired), Ok(()), "nothing is taken back");
    assert_eq!(run.views, frozen);
    run.tick(vec![
        event(5, 0, offer(1, 2.5)),
        event(6, 0, fixture_fact(1, 90, FixtureStatus::Scheduled)),
    ]);
    assert_eq!(run.reasons(), [RefusedReason::Retired, RefusedReason::Retired]);
    assert_eq!(run.dataflow.late(), 2);
    assert_eq!(run.views, frozen);
    let corrected = run.tick(vec![event(2 * DAY, 9, result_fact(1, 0, 0, ResultStatus::Final))]);
    assert_eq!(corrected.results.len(), 1, "the ledger can still be restated");
    assert_eq!(run.views.training, frozen.training, "the training row is frozen");
    run.tick(vec![mark(20 * DAY)]);
    run.tick(vec![event(20 * DAY, 9, result_fact(1, 1, 0, ResultStatus::Final))]);
    assert_eq!(run.reasons(), [RefusedReason::Retired], "forgotten, yet not mistaken for new");
}

#[test]
fn prices_of_fixtures_nobody_announced_are_live_and_do_not_stay_for_ever() {
    let mut run = Run::new(config());
    run.tick(vec![event(0, 0, offer(1, 2.0))]);
    assert!(run.views.markets.contains_key(&KEY));
    run.tick(vec![event(DAY, 0, offer(1, 2.1))]);
    run.tick(vec![mark(2 * DAY)]);
    assert!(run.views.markets.contains_key(&KEY), "a day after its newest fact");
    run.tick(vec![mark(2 * DAY + 1)]);
    assert!(run.views.markets.is_empty());
    run.tick(vec![event(2 * DAY + 1, 0, offer(1, 2.2))]);
    assert!(run.views.markets.contains_key(&KEY), "it came back");
    assert_eq!(run.reasons(), []);
}

/// More versions than are kept: rows stay exact, and only a fact that would fall into the folded
/// stretch is refused.
#[test]
fn folded_history_changes_no_row() {
    let mut run = Run::new(config());
    run.tick(vec![event(0, 0, fixture_fact(1, 300, FixtureStatus::Scheduled))]);
    for minute in 1..400 {
        let book = 1 + u64::from(minute % 5 == 0);
        let fact = if minute % 37 == 0 {
            quote_fact(1, Market::ONE_X_TWO, book, [0.0; 3], QuoteState::Pulled)
        } else if minute % 3 == 0 {
            quote_fact(1, Market::ONE_X_TWO, book, [0.0, 3.3, 0.0], QuoteState::Offered)
        } else {
            offer(book, 2.0 + f64::from(minute as i32 % 17) / 20.0)
        };
        run.tick(vec![event(minute, 0, fact)]);
        run.assert_oracle();
    }
    assert_eq!(run.reasons(), []);
    let before = run.views.clone();
    run.tick(vec![event(2, 1, offer(1, 7.0))]);
    assert_eq!(run.reasons(), [RefusedReason::FoldedHistory]);
    assert_eq!(run.views, before);
    run.tick(vec![event(399, 1, offer(1, 2.6)), event(398, 7, offer(2, 2.7))]);
    assert_eq!(run.reasons(), []);
}

#[test]
fn ticks_out_of_order_are_an_error_and_apply_nothing() {
    let mut dataflow = Dataflow::start(config()).unwrap();
    let tick = |number, minute| Tick { number, time: at(minute), events: vec![] };
    dataflow.step([tick(1, 5)]).unwrap();
    for wrong in [tick(1, 6), tick(2, 4)] {
        let error = dataflow.step([Arc::new(wrong)]).unwrap_err();
        assert!(matches!(error, Error::TickOrder { .. }), "{error}");
    }
    assert_eq!(dataflow.step([tick(2, 5), tick(3, 5)]).unwrap().len(), 2);
    assert!(dataflow.step([] as [Tick; 0]).unwrap().is_empty());
}

#[test]
fn a_config_that_cannot_work_is_refused_with_its_key() {
    let wrong = [
        (Config { workers: 0, ..config() }, "workers"),
        (Config { form_half_life: Span::from_ms(0), ..config() }, "form_half_life"),
        (Config { as_of_lead: Span::from_ms(-1), ..config() }, "as_of_lead"),
    ];
    for (config, key) in wrong {
        let error = Dataflow::start(config).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
}

/// Deltas of a run that was stepped in one go are those of single steps, also across retirement.
#[test]
fn a_leap_in_one_step_is_the_same_as_in_many() {
    let mut ticks = Vec::new();
    for day in 0..60 {
        let minute = day * DAY;
        let id = 1 + day as u64 % 3 + 10 * (day as u64 / 3);
        let events = vec![
            event(minute, 0, fixture_fact(id, minute + 10, FixtureStatus::Scheduled)),
            event(
                minute,
                1,
                quote_fact(id, Market::ONE_X_TWO, 1, [2.0, 3.4, 4.1], QuoteState::Offered),
            ),
            event(minute + 20, 0, result_fact(id, 2, 1, ResultStatus::Final)),
        ];
        for event in events {
            let (number, time) = (ticks.len() as u64 + 1, event.event_time);
            ticks.push(Tick { number, time, events: vec![event] });
        }
    }
    let config = Config { form_window: Span::days(15), form_half_life: Span::days(3), ..config() };
    let (single, refused) = universe::run(config, &ticks, 1);
    assert_eq!(refused, []);
    assert_eq!(universe::run(config, &ticks, 1000).0, single);
    assert_eq!(universe::run(Config { workers: 2, ..config }, &ticks, 50).0, single);
    let views = accumulate(&single);
    let facts: Vec<Event> = ticks.iter().flat_map(|tick| tick.events.clone()).collect();
    assert_same(&views, &oracle::views(&config, &facts, ticks.last().unwrap().time), "at the end");
    assert_eq!(views.training.len(), 60);
}
