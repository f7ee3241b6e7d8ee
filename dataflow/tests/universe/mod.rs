//! A small world of facts for property tests: few fixtures, teams, books and times, so that facts
//! collide, repeat, contradict and take each other back all the time.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test helper: a failure is a failed test")]

use std::sync::Arc;

use proptest::prelude::*;
use schema::{
    BookId, BookRole, Delta, Event, Fact, FixtureFact, FixtureId, FixtureStatus, LeagueId, Line,
    Mark, Market, MarketKind, MatchStatistics, Odds, Quote, QuoteState, RegionId, ResultFact,
    ResultStatus, Score, SourceId, Span, TeamId, Tick, Time,
};
use tideline_dataflow::{Config, Dataflow, Refused, Views};

pub const START_MS: i64 = 1_700_000_000_000;
const MINUTE_MS: i64 = 60_000;

pub fn at(minute: i64) -> Time {
    Time::from_ms(START_MS + minute * MINUTE_MS)
}

/// Small spans, so that twenty minutes of facts cross every moment there is.
pub fn config() -> Config {
    Config {
        as_of_lead: Span::minutes(2),
        form_half_life: Span::minutes(10),
        form_window: Span::minutes(15),
        retain_after_kick_off: Span::days(1),
        ..Config::default()
    }
}

pub fn event(minute: i64, sequence: u64, fact: Fact) -> Event {
    Event {
        event_time: at(minute),
        received_time: at(minute),
        sequence,
        source: SourceId::default(),
        region: RegionId::default(),
        fact,
    }
}

pub fn fixture_fact(id: u64, kick_off: i64, status: FixtureStatus) -> Fact {
    // Fixture n is team n at home to team n + 1 of four, so that every team plays twice.
    Fact::Fixture(FixtureFact {
        fixture: FixtureId(id),
        league: LeagueId(1),
        home: TeamId(id % 4),
        away: TeamId((id + 1) % 4),
        kick_off: at(kick_off),
        status,
    })
}

pub fn quote_fact(id: u64, market: Market, book: u64, prices: [f64; 3], state: QuoteState) -> Fact {
    let odds = |x: f64| if x == 0.0 { Odds::NONE } else { Odds::new(x).unwrap() };
    Fact::Quote(Quote {
        fixture: FixtureId(id),
        market,
        book: BookId(book),
        role: if book == 3 { BookRole::Reference } else { BookRole::Bookmaker },
        prices: prices.map(odds),
        state,
    })
}

pub fn result_fact(id: u64, home: u16, away: u16, status: ResultStatus) -> Fact {
    let shots = (home + away > 2).then_some([home as u8 + 2, away as u8 + 1]);
    let statistics =
        shots.map(|s| MatchStatistics { shots_on_target: Some(s), ..MatchStatistics::default() });
    Fact::Result(Box::new(ResultFact {
        fixture: FixtureId(id),
        status,
        score: Score { home, away },
        statistics,
    }))
}

fn markets() -> [Market; 2] {
    [Market::ONE_X_TWO, Market::with_line(MarketKind::Total, Line::from_quarters(10))]
}

fn price() -> impl Strategy<Value = f64> {
    prop_oneof![2 => Just(0.0), 1 => Just(1.8), 1 => Just(2.4), 1 => Just(3.1), 1 => Just(4.5)]
}

fn quote_state() -> impl Strategy<Value = QuoteState> {
    prop_oneof![
        8 => Just(QuoteState::Offered),
        1 => Just(QuoteState::Pulled),
        2 => (0..20_i64).prop_map(|minute| QuoteState::Voided(at(minute))),
    ]
}

fn fixture_status() -> impl Strategy<Value = FixtureStatus> {
    prop_oneof![
        6 => Just(FixtureStatus::Scheduled),
        1 => Just(FixtureStatus::Postponed),
        1 => Just(FixtureStatus::Cancelled),
    ]
}

fn result_status() -> impl Strategy<Value = ResultStatus> {
    prop_oneof![
        5 => Just(ResultStatus::Final),
        1 => Just(ResultStatus::Void),
        1 => Just(ResultStatus::Abandoned),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    let quote = (1..4_u64, 0..2_usize, 1..4_u64, [price(), price(), price()], quote_state());
    prop_oneof![
        10 => quote.prop_map(|(id, market, book, mut prices, state)| {
            if market == 1 {
                prices[2] = 0.0;
            }
            quote_fact(id, markets()[market], book, prices, state)
        }),
        4 => (1..4_u64, 4..24_i64, fixture_status())
            .prop_map(|(id, kick_off, status)| fixture_fact(id, kick_off, status)),
        2 => (1..4_u64, 0..4_u16, 0..4_u16, result_status())
            .prop_map(|(id, home, away, status)| result_fact(id, home, away, status)),
        1 => Just(Fact::Mark(Mark::Clock)),
    ]
}

/// Up to sixty facts in twenty minutes. Sequences collide, so that content has to decide.
pub fn facts() -> impl Strategy<Value = Vec<Event>> {
    let one = (0..20_i64, 0..3_u64, fact());
    proptest::collection::vec(one, 1..60)
        .prop_map(|all| all.into_iter().map(|(m, s, fact)| event(m, s, fact)).collect())
}

/// Ticks of the given sizes, repeated: time is the greatest event time so far. A last tick lets
/// every moment pass.
pub fn ticks(events: &[Event], sizes: &[usize]) -> Vec<Tick> {
    let mut ticks = Vec::new();
    let mut rest = events;
    let mut time = Time::MIN;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*size).clamp(1, rest.len()));
        rest = later;
        time = now.iter().map(|event| event.event_time).fold(time, Time::max);
        ticks.push(Tick { number: ticks.len() as u64 + 1, time, events: now.to_vec() });
    }
    let last = vec![event(30, 0, Fact::Mark(Mark::Clock))];
    ticks.push(Tick { number: ticks.len() as u64 + 1, time: time.max(at(30)), events: last });
    ticks
}

/// Runs ticks, `batch` at a step.
pub fn run(config: Config, ticks: &[Tick], batch: usize) -> (Vec<Delta>, Vec<Refused>) {
    let mut dataflow = Dataflow::start(config).unwrap();
    let mut deltas = Vec::new();
    for step in ticks.chunks(batch) {
        deltas.extend(dataflow.step(step.iter().cloned().map(Arc::new)).unwrap());
    }
    (deltas, dataflow.take_refused())
}

/// What a reader of the deltas holds at the end.
pub fn accumulate(deltas: &[Delta]) -> Views {
    let mut views = Views::default();
    for delta in deltas {
        views.apply(delta).unwrap();
    }
    views
}

/// Compares collection by collection, so that a failure names the one that differs.
pub fn assert_same(views: &Views, expected: &Views, context: &str) {
    assert_eq!(views.fixtures, expected.fixtures, "fixtures, {context}");
    assert_eq!(views.results, expected.results, "results, {context}");
    assert_eq!(views.markets, expected.markets, "markets, {context}");
    assert_eq!(views.as_of, expected.as_of, "as of, {context}");
    assert_eq!(views.closing, expected.closing, "closing, {context}");
    assert_eq!(views.forms, expected.forms, "forms, {context}");
    assert_eq!(views.training, expected.training, "training, {context}");
}
