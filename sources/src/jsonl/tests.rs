use proptest::prelude::*;
use schema::{
    Command, Control, Fill, FixtureFact, FixtureStatus, LeagueId, Line, Mark, MarketKind,
    MatchStatistics, ModelLive, Money, ResultFact, ResultStatus, Score, Signal, TeamId,
};

use super::*;

fn parse(line: &str) -> Result<(Event, Parser), Error> {
    let mut parser = Parser::new("feed");
    let mut events = Vec::new();
    parser.parse(line.as_bytes(), None, &mut events)?;
    assert_eq!(events.len(), 1);
    Ok((events.remove(0), parser))
}

fn refused(line: &str) -> String {
    parse(line).err().map_or_else(|| panic!("accepted: {line}"), |cause| cause.to_string())
}

#[test]
fn every_type_of_line_reads() {
    let lines = [
        r#"{"seq":1,"ts":1760000000000,"type":"odds","fixture":"EPL-00001","book":"bet365","sel":"home","price":2.35}"#,
        r#"{"type":"odds","ts":"2025-10-09T08:53:20Z","fixture":"F","book":"B","market":"asian_handicap","line":-0.5,"sel":"away","price":1.9,"role":"exchange"}"#,
        r#"{"type":"quote","ts":1760000000000,"fixture":"F","book":"B","market":"1x2","prices":[2.1,3.4,null]}"#,
        r#"{"type":"pull","ts":1760000000000,"fixture":"F","book":"B"}"#,
        r#"{"type":"void","ts":1760000000000,"fixture":"F","book":"B","quoted_at":1759999999000,"market":"total","line":2.5}"#,
        r#"{"type":"fixture","ts":1760000000000,"league":"E0","home":"Crystal Palace","away":"Arsenal","kick_off":"2025-10-11T14:00:00Z"}"#,
        r#"{"type":"fixture","ts":1760000000000,"league":"E0","home":"A","away":"B","kick_off":1760191200000,"date":"2025-10-12","status":"postponed"}"#,
        r#"{"type":"result","ts":1760000000000,"fixture":"F","score":"2-1","statistics":{"shots":[10,3]}}"#,
        r#"{"type":"result","ts":1760000000000,"fixture":"F","status":"void"}"#,
        r#"{"type":"signal","ts":1760000000000,"fixture":"F","name":"injuries","values":[0.5,null,-0.25]}"#,
        r#"{"type":"fill","ts":1760000000000,"suggestion":"00ff","odds":2.5,"stake":12.34}"#,
        r#"{"type":"control","ts":1760000000000,"command":"halt","operator":"ann","reason":"storm"}"#,
        r#"{"type":"model_live","ts":1760000000000,"digest":"ab","pricer":"market","window_end":1759999999000,"artifact":"00ff10"}"#,
        r#"{"type":"mark","ts":1760000000000,"mark":"window_close"}"#,
        r#" { "type" : "mark", "ts" : 1760000000000, "received" : 1760000000500, "region" : "eu", "colour" : {"deep": [1]} } "#,
    ];
    let shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let (event, parser) = parse(line).unwrap();
            format!("{event:?}\n  {}", to_line(&event, parser.names()))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn bad_lines_say_what_is_wrong() {
    let odds = |price: &str| {
        format!(
            r#"{{"ts":1760000000000,"type":"odds","fixture":"F","book":"B","sel":"home","price":{price}}}"#
        )
    };
    let lines = [
        odds("0.5"),
        odds("-2.35"),
        odds("NaN"),
        odds("1.0"),
        odds("1e9"),
        odds("\"2.35\""),
        odds("2.35").replace("1760000000000", "0"),
        odds("2.35").replace("1760000000000", "\"1970-01-01\""),
        odds("2.35").replace("home", "nobody"),
        odds("2.35").replace("\"F\"", "\"\""),
        odds("2.35")[..60].to_owned(),
        odds("2.35") + "}",
        r#"{"type":"odds"}"#.to_owned(),
        r#"{"ts":1760000000000}"#.to_owned(),
        r#"{"ts":1760000000000,"type":"oods"}"#.to_owned(),
        r#"{"ts":1760000000000,"type":"odds","fixture":"F","book":"B","market":"total","sel":"over","price":2}"#.to_owned(),
        r#"{"ts":1760000000000,"type":"quote","fixture":"F","book":"B","prices":[2,3]}"#.to_owned(),
        r#"{"ts":1760000000000,"type":"quote","fixture":"F","book":"B","prices":[null,null,null]}"#.to_owned(),
        r#"{"ts":1760000000000,"type":"quote","fixture":"F","book":"B","role":"friend","prices":[2,3,4]}"#.to_owned(),
        r#"{"ts":1760000000000,"type":"result","fixture":"F","score":"two-one"}"#.to_owned(),
        r#"{"ts":1760000000000,"type":"result","fixture":"F"}"#.to_owned(),
        r#"{"ts":1760000000000,"type":"control","command":"stop","operator":"ann"}"#.to_owned(),
        r#"{"ts":1760000000000,"ts":1760000000001,"type":"mark"}"#.to_owned(),
        String::new(),
        r#"["mark",1760000000000]"#.to_owned(),
    ];
    let reasons: Vec<String> =
        lines.iter().map(|line| format!("{line}\n  {}", refused(line))).collect();
    insta::assert_snapshot!(reasons.join("\n"));
}

#[test]
fn a_live_line_is_received_when_it_arrives() {
    let arrived = Time::from_ms(1_760_000_009_000);
    let mut parser = Parser::new("feed");
    let mut events = Vec::new();
    for line in [
        r#"{"ts":1760000000000,"type":"pull","fixture":"F","book":"B"}"#,
        r#"{"ts":1760000000000,"type":"pull","fixture":"F","book":"B","received":1}"#,
    ] {
        // What arrives live is stamped by the receiver, whatever the line claims.
        let read = parser.parse(line.as_bytes(), Some(arrived), &mut events);
        if line.contains("received") {
            assert!(read.is_err(), "1970 is not a time");
        } else {
            read.unwrap();
            assert_eq!(events.pop().unwrap().received_time, arrived);
        }
    }
}

#[test]
fn names_are_handed_over_once() {
    let (_, mut parser) =
        parse(r#"{"ts":1760000000000,"type":"pull","fixture":"F","book":"B"}"#).unwrap();
    let fresh: Vec<String> =
        parser.names_mut().take_fresh().iter().map(|(_, name)| name.to_string()).collect();
    assert_eq!(fresh, ["feed", "F", "B"]);
    assert_eq!(parser.names().get(NameId::of("B")), "B");
}

#[test]
fn more_names_than_slots_keep_their_ids() {
    let mut parser = Parser::new("feed");
    for round in 0..2 {
        for number in 0..3 * CACHE_SLOTS {
            let name = format!("{number}{}", "x".repeat(number % 60));
            assert_eq!(parser.intern(name.as_bytes()).unwrap(), NameId::of(&name).0, "{round}");
        }
    }
}

/// Text that a feed may well carry, escapes and all.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z0-9|. -]{1,60}",
        1 => "[ -~äøß\u{4e16}\u{1f600}]{1,20}",
    ]
}

fn time() -> impl Strategy<Value = Time> {
    (631_152_000_000..7_258_118_400_000_i64).prop_map(Time::from_ms)
}

fn market() -> impl Strategy<Value = Market> {
    (0..MarketKind::ALL.len(), -4_000..=4_000_i16).prop_map(|(kind, quarters)| {
        let kind = MarketKind::ALL[kind];
        let line = if kind.has_line() { Line::from_quarters(quarters) } else { Line::ZERO };
        Market::with_line(kind, line)
    })
}

fn odds() -> impl Strategy<Value = Odds> {
    prop_oneof![10_001..60_000_u32, 10_001..=1_000_000_000_u32]
        .prop_map(|scaled| Odds::from_scaled(scaled).unwrap())
}

fn quote_fact() -> impl Strategy<Value = (Vec<String>, Fact)> {
    let state = prop_oneof![
        4 => Just(QuoteState::Offered),
        1 => Just(QuoteState::Pulled),
        1 => time().prop_map(QuoteState::Voided),
    ];
    let prices = proptest::collection::vec(proptest::option::of(odds()), 3);
    (name(), name(), market(), 0..3_u8, state, prices, odds()).prop_map(
        |(fixture, book, market, role, state, given, first)| {
            let mut prices = [Odds::NONE; SELECTIONS_MAX];
            if state == QuoteState::Offered {
                for (price, given) in prices.iter_mut().zip(given).take(market.selections().len()) {
                    *price = given.unwrap_or(Odds::NONE);
                }
                prices[0] = if prices.iter().all(|p| p.is_none()) { first } else { prices[0] };
            }
            let role =
                [BookRole::Bookmaker, BookRole::Exchange, BookRole::Reference][role as usize];
            let quote = Quote {
                fixture: FixtureId::of(&fixture),
                market,
                book: BookId::of(&book),
                role,
                prices,
                state,
            };
            (vec![fixture, book], Fact::Quote(quote))
        },
    )
}

fn match_fact() -> impl Strategy<Value = (Vec<String>, Fact)> {
    let pair = || proptest::option::of(proptest::array::uniform2(any::<u8>()));
    let fixture = (name(), name(), name(), name(), time(), 0..3_usize).prop_map(
        |(fixture, league, home, away, kick_off, status)| {
            let fact = FixtureFact {
                fixture: FixtureId::of(&fixture),
                league: LeagueId::of(&league),
                home: TeamId::of(&home),
                away: TeamId::of(&away),
                kick_off,
                status: [
                    FixtureStatus::Scheduled,
                    FixtureStatus::Postponed,
                    FixtureStatus::Cancelled,
                ][status],
            };
            (vec![fixture, league, home, away], Fact::Fixture(fact))
        },
    );
    let counts = proptest::option::of((pair(), pair(), pair(), pair()));
    let result = (name(), any::<[u16; 2]>(), 0..3_usize, counts).prop_map(
        |(fixture, [home, away], status, counts)| {
            let statistics = counts.map(|(half_time_goals, shots, fouls, red_cards)| {
                MatchStatistics { half_time_goals, shots, fouls, red_cards, ..Default::default() }
            });
            let fact = ResultFact {
                fixture: FixtureId::of(&fixture),
                status: [ResultStatus::Final, ResultStatus::Void, ResultStatus::Abandoned][status],
                score: Score { home, away },
                statistics,
            };
            (vec![fixture], Fact::Result(Box::new(fact)))
        },
    );
    prop_oneof![fixture, result]
}

fn rare_fact() -> impl Strategy<Value = (Vec<String>, Fact)> {
    let value = || -1_000_000_000_000..1_000_000_000_000_i64;
    let signal = (name(), name(), market(), proptest::array::uniform3(value())).prop_map(
        |(fixture, name, market, mut value_micros)| {
            value_micros[market.selections().len()..].fill(0);
            let (about, id) = (FixtureId::of(&fixture), NameId::of(&name));
            let fact = Signal { fixture: about, market, name: id, value_micros };
            (vec![fixture, name], Fact::Signal(fact))
        },
    );
    let fill = (name(), odds(), -1_000_000_000..1_000_000_000_i64).prop_map(
        |(suggestion, odds, stake)| {
            let fact = Fill { suggestion, odds, stake: Money::from_scaled(stake) };
            (vec![], Fact::Fill(Box::new(fact)))
        },
    );
    let control = (name(), "[ -~]{0,20}", 0..3_usize).prop_map(|(operator, reason, command)| {
        let command = [Command::Halt, Command::Reduce, Command::Resume][command];
        (vec![], Fact::Control(Box::new(Control { command, operator, reason })))
    });
    let model = (name(), name(), time(), proptest::collection::vec(any::<u8>(), 0..50)).prop_map(
        |(digest, pricer, window_end, artifact)| {
            let fact = ModelLive { digest, pricer, window_end, artifact };
            (vec![], Fact::ModelLive(Box::new(fact)))
        },
    );
    let mark = prop_oneof![Just(Mark::Clock), Just(Mark::WindowClose)]
        .prop_map(|mark| (vec![], Fact::Mark(mark)));
    prop_oneof![signal, fill, control, model, mark]
}

fn event() -> impl Strategy<Value = (Names, Event)> {
    let fact = prop_oneof![3 => quote_fact(), 2 => match_fact(), 2 => rare_fact()];
    (time(), proptest::option::of(time()), any::<u64>(), proptest::option::of(name()), fact)
        .prop_map(|(event_time, received, sequence, region, (mut used, fact))| {
            used.extend(region.clone());
            let mut names = Names::default();
            for name in &used {
                names.register(name).unwrap();
            }
            let event = Event {
                event_time,
                received_time: received.unwrap_or(event_time),
                sequence,
                source: SourceId::of("feed"),
                region: region.map_or(RegionId::default(), |region| RegionId::of(&region)),
                fact,
            };
            (names, event)
        })
}

/// Lines near those of the common form, many of them broken.
fn nearly_plain() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        3 => (10_000..100_000_u32).prop_map(|n| Odds::from_scaled(n + 1).unwrap().to_string()),
        1 => "[0-9]{0,7}(\\.[0-9]{0,6})?",
        1 => "-?[0-9]{1,3}(e[0-9])?",
        1 => Just("null".to_owned()),
    ];
    let parts = (
        proptest::option::of("[0-9]{1,20}"),
        prop_oneof![4 => "17[0-9]{11}", 1 => "[0-9]{1,20}"],
        prop_oneof![4 => Just("odds"), 2 => Just("pull"), 1 => Just("result")],
        prop_oneof![4 => "[a-zA-Z0-9-]{0,50}", 1 => "[ -~]{0,12}"],
        "[a-z_é]{0,12}",
        prop_oneof![Just("home"), Just("draw"), Just("away"), Just("over")],
        value,
    );
    let damage = proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (parts, damage).prop_map(|((seq, ts, kind, fixture, book, sel, price), damage)| {
        let seq = seq.map_or(String::new(), |seq| format!("\"seq\":{seq},"));
        let mut line = format!(
            "{{{seq}\"ts\":{ts},\"type\":\"{kind}\",\"fixture\":\"{fixture}\",\"book\":\"{book}\""
        );
        if kind == "odds" {
            line += ",\"sel\":\"";
            line += sel;
            line += "\",\"price\":";
            line += &price;
        }
        let mut line = (line + "}").into_bytes();
        if let Some((at, byte)) = damage {
            let at = at.index(line.len());
            line[at] = byte;
        }
        line
    })
}

proptest! {
    #[test]
    fn an_event_comes_back_from_its_line((names, event) in event()) {
        let line = to_line(&event, &names);
        let mut parser = Parser::new("feed");
        let mut back = Vec::new();
        parser.parse(line.as_bytes(), None, &mut back).map_err(|cause| {
            TestCaseError::fail(format!("{line}: {cause}"))
        })?;
        prop_assert_eq!(&back[0], &event, "{}", line);
        prop_assert_eq!(to_line(&back[0], parser.names()), line);
    }

    #[test]
    fn scanner_and_general_way_agree(line in nearly_plain()) {
        let (mut fast, mut slow) = (Parser::new("feed"), Parser::new("feed"));
        let (mut by_fast, mut by_slow) = (Vec::new(), Vec::new());
        let fast_read = fast.parse(&line, None, &mut by_fast);
        let slow_read = slow.parse_general(&line, None, &mut by_slow);
        prop_assert_eq!(fast_read.is_ok(), slow_read.is_ok(), "{:?} {:?}", fast_read, slow_read);
        prop_assert_eq!(by_fast, by_slow);
        if fast_read.is_ok() {
            prop_assert_eq!(fast.names().sorted(), slow.names().sorted());
        }
    }

    #[test]
    fn nothing_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut events = Vec::new();
        let read = Parser::new("feed").parse(&line, None, &mut events);
        prop_assert_eq!(read.is_ok(), events.len() == 1);
    }
}
