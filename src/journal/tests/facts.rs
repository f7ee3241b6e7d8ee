//! Facts to write: any, one of each kind, and as they come on a busy day.

use proptest::prelude::*;
use schema::{
    BookId, BookRole, Command, Control, Event, Fact, Fill, FixtureFact, FixtureId, FixtureStatus,
    LeagueId, Line, Mark, Market, MarketKind, MatchStatistics, ModelLive, Money, NameId, Odds,
    Quote, QuoteState, RegionId, ResultFact, ResultStatus, SELECTIONS_MAX, Score, Signal, SourceId,
    TeamId, Tick, Time,
};

use super::Batch;

fn any_time() -> impl Strategy<Value = Time> {
    prop_oneof![any::<i64>(), 1_659_726_000_000..1_659_727_000_000_i64].prop_map(Time::from_ms)
}

/// Ids that repeat, ids that share a slot, and any id.
fn any_id() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..4, (0_u64..4).prop_map(|n| n << 40 | 7), any::<u64>()]
}

fn any_market() -> impl Strategy<Value = Market> {
    (prop::sample::select(MarketKind::ALL.to_vec()), prop_oneof![Just(0_i16), any::<i16>()])
        .prop_map(|(kind, line)| Market::with_line(kind, Line::from_quarters(line)))
}

fn any_odds() -> impl Strategy<Value = Odds> {
    let priced = |n| Odds::from_scaled(n).unwrap();
    prop_oneof![
        Just(Odds::NONE),
        (10_001_u32..200_000).prop_map(priced),
        (10_001_u32..=1_000_000_000).prop_map(priced),
    ]
}

fn any_quote() -> impl Strategy<Value = Fact> {
    let role = prop_oneof![
        Just(BookRole::Bookmaker),
        Just(BookRole::Exchange),
        Just(BookRole::Reference),
    ];
    let state = prop_oneof![
        Just(QuoteState::Offered),
        Just(QuoteState::Pulled),
        any_time().prop_map(QuoteState::Voided),
    ];
    let prices = prop::array::uniform3(any_odds());
    (any_id(), any_market(), any_id(), role, prices, state).prop_map(
        |(fixture, market, book, role, prices, state)| {
            let (fixture, book) = (FixtureId(fixture), BookId(book));
            Fact::Quote(Quote { fixture, market, book, role, prices, state })
        },
    )
}

fn any_fixture() -> impl Strategy<Value = Fact> {
    let status = prop_oneof![
        Just(FixtureStatus::Scheduled),
        Just(FixtureStatus::Postponed),
        Just(FixtureStatus::Cancelled),
    ];
    (any_id(), any_id(), any_id(), any_id(), any_time(), status).prop_map(
        |(fixture, league, home, away, kick_off, status)| {
            Fact::Fixture(FixtureFact {
                fixture: FixtureId(fixture),
                league: LeagueId(league),
                home: TeamId(home),
                away: TeamId(away),
                kick_off,
                status,
            })
        },
    )
}

fn any_result() -> impl Strategy<Value = Fact> {
    let status = prop_oneof![
        Just(ResultStatus::Final),
        Just(ResultStatus::Void),
        Just(ResultStatus::Abandoned),
    ];
    let shots = prop::option::of(prop::array::uniform2(any::<u8>()));
    (any_id(), status, any::<(u16, u16)>(), prop::option::of(shots)).prop_map(
        |(fixture, status, (home, away), shots)| {
            let statistics = shots.map(|shots| MatchStatistics { shots, ..Default::default() });
            let (fixture, score) = (FixtureId(fixture), Score { home, away });
            Fact::Result(Box::new(ResultFact { fixture, status, score, statistics }))
        },
    )
}

fn any_signal() -> impl Strategy<Value = Fact> {
    let values = prop::array::uniform3(any::<i64>());
    (any_id(), any_market(), any_id(), values).prop_map(|(fixture, market, name, value_micros)| {
        let (fixture, name) = (FixtureId(fixture), NameId(name));
        Fact::Signal(Signal { fixture, market, name, value_micros })
    })
}

fn any_other() -> impl Strategy<Value = Fact> {
    let command = prop_oneof![Just(Command::Halt), Just(Command::Reduce), Just(Command::Resume)];
    prop_oneof![
        (".{0,40}", any_odds(), any::<i64>()).prop_map(|(suggestion, odds, stake)| {
            Fact::Fill(Box::new(Fill { suggestion, odds, stake: Money::from_scaled(stake) }))
        }),
        (command, ".{0,40}", ".{0,40}").prop_map(|(command, operator, reason)| {
            Fact::Control(Box::new(Control { command, operator, reason }))
        }),
        ("[0-9a-f]{64}", any_time(), prop::collection::vec(any::<u8>(), 0..200)).prop_map(
            |(digest, window_end, artifact)| {
                let pricer = "market".to_owned();
                Fact::ModelLive(Box::new(ModelLive { digest, pricer, window_end, artifact }))
            }
        ),
        prop_oneof![Just(Mark::Clock), Just(Mark::WindowClose)].prop_map(Fact::Mark),
    ]
}

/// Any fact of any kind.
pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let fact = prop_oneof![
        4 => any_quote(), 1 => any_fixture(), 1 => any_result(), 1 => any_signal(), 1 => any_other()
    ];
    let sequence = prop_oneof![0_u64..5, any::<u64>()];
    (any_time(), any_time(), any::<bool>(), sequence, any_id(), any_id(), fact).prop_map(
        |(event_time, received_time, at_once, sequence, source, region, fact)| Event {
            event_time,
            received_time: if at_once { event_time } else { received_time },
            sequence,
            source: SourceId(source),
            region: RegionId(region),
            fact,
        },
    )
}

fn odds(decimal: f64) -> Odds {
    Odds::new(decimal).unwrap()
}

fn one_x_two(fixture: FixtureId, book: BookId, prices: [Odds; SELECTIONS_MAX]) -> Quote {
    let (market, role, state) = (Market::ONE_X_TWO, BookRole::Bookmaker, QuoteState::Offered);
    Quote { fixture, market, book, role, prices, state }
}

/// The facts of one match, one of each kind, in three appends.
pub(super) fn one_of_each() -> Vec<Batch> {
    let kick_off: Time = "2022-08-05T19:00:00Z".parse().unwrap();
    let name = "E0|2022-08-05|Crystal Palace|Arsenal";
    let (fixture, book, source) = (FixtureId::of(name), BookId::of("B365"), SourceId::of("feed"));
    let region = RegionId::default();
    let event = |event_time: Time, sequence, fact| {
        let received_time = Time::from_ms(event_time.ms() + 12);
        Event { event_time, received_time, sequence, source, region, fact }
    };
    let (league, home, away) =
        (LeagueId::of("E0"), TeamId::of("Crystal Palace"), TeamId::of("Arsenal"));
    let status = FixtureStatus::Scheduled;
    let announced = Fact::Fixture(FixtureFact { fixture, league, home, away, kick_off, status });
    let offered = one_x_two(fixture, book, [odds(4.2), odds(3.6), odds(1.85)]);
    let handicap = Market::with_line(MarketKind::AsianHandicap, Line::new(0.75).unwrap());
    let prices = [odds(1.95), odds(1.97), Odds::NONE];
    let split = Quote { market: handicap, role: BookRole::Exchange, prices, ..offered };
    let early = Time::from_ms(kick_off.ms() - 86_400_000);
    let none = [Odds::NONE; SELECTIONS_MAX];
    let pulled = Quote { prices: none, state: QuoteState::Pulled, ..split };
    let voided = Quote { prices: none, state: QuoteState::Voided(early), ..offered };
    let shots = Some([10, 10]);
    let statistics = Some(MatchStatistics { shots, ..Default::default() });
    let (status, score) = (ResultStatus::Final, Score { home: 0, away: 2 });
    let result = ResultFact { fixture, status, score, statistics };
    let value_micros = [-250_000, 0, 250_000];
    let injury = NameId::of("injury");
    let signal = Signal { fixture, market: Market::ONE_X_TWO, name: injury, value_micros };
    let stake = Money::new(12.5).unwrap();
    let fill = Fill { suggestion: "0".repeat(32), odds: odds(1.85), stake };
    let (operator, reason) = ("anna".to_owned(), "feed looks wrong".to_owned());
    let control = Control { command: Command::Halt, operator, reason };
    let (digest, pricer) = ("ab".repeat(32), "market".to_owned());
    let model = ModelLive { digest, pricer, window_end: early, artifact: vec![1, 2, 3] };
    let late = Time::from_ms(kick_off.ms() + 7_200_000);
    let tick = |number, time, events| Tick { number, time, events };
    let first = tick(
        1,
        early,
        vec![
            event(early, 1, announced),
            event(early, 2, Fact::Quote(offered)),
            event(early, 3, Fact::Quote(split)),
            event(early, 4, Fact::Signal(signal)),
        ],
    );
    let second = tick(
        2,
        kick_off,
        vec![
            event(kick_off, 5, Fact::Quote(pulled)),
            event(early, 0, Fact::Quote(voided)),
            event(kick_off, 0, Fact::Mark(Mark::Clock)),
        ],
    );
    let third = tick(
        3,
        late,
        vec![
            event(late, 6, Fact::Result(Box::new(result))),
            event(late, 7, Fact::Fill(Box::new(fill))),
            event(late, 8, Fact::Control(Box::new(control))),
            event(late, 9, Fact::ModelLive(Box::new(model))),
            event(late, 0, Fact::Mark(Mark::WindowClose)),
        ],
    );
    let names = [name, "B365", "feed", "E0", "Crystal Palace", "Arsenal", "injury"];
    let names = names.map(|name| (NameId::of(name), name.into())).to_vec();
    vec![
        (vec![first], early, names),
        (vec![second], kick_off, Vec::new()),
        (vec![third, tick(4, late, Vec::new())], late, Vec::new()),
    ]
}

/// Quotes as a feed sends them: one selection each, few books, popular fixtures first.
pub(super) fn busy_tick(number: u64, quotes: u64) -> Tick {
    let time = Time::from_ms(1_659_726_000_000 + number as i64 * 37);
    let mixed = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let event = |index: u64| {
        let draw = mixed(number * quotes + index);
        // Squaring a uniform draw makes small numbers, the popular fixtures, come more often.
        let uniform = draw % 1_000;
        let fixture = FixtureId(mixed(uniform * uniform / 1_000 + 1));
        let book = BookId(mixed(draw / 1_000 % 20 + 5_000));
        let mut prices = [Odds::NONE; SELECTIONS_MAX];
        let price = Odds::from_scaled(12_000 + (draw / 20_000 % 400) as u32 * 100).unwrap();
        prices[(draw >> 50) as usize % SELECTIONS_MAX] = price;
        Event {
            event_time: time,
            received_time: time,
            sequence: number * quotes + index,
            source: SourceId(mixed(77)),
            region: RegionId::default(),
            fact: Fact::Quote(one_x_two(fixture, book, prices)),
        }
    };
    Tick { number, time, events: (0..quotes).map(event).collect() }
}
