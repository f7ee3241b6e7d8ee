use std::collections::{BTreeMap, BTreeSet};

use schema::{BookRole, Devig, Fact, MarketKind, Odds, QuoteState};

use super::*;
use crate::jsonl::Parser;

fn default_season() -> (Names, Vec<Event>) {
    Season::new(Config::default()).events("sim").unwrap()
}

#[test]
fn the_default_season_fits_the_bundled_sample() {
    let (names, events) = default_season();
    assert!((60_000..=100_000).contains(&events.len()), "{}", events.len());
    let mut text = Vec::new();
    let lines = Season::new(Config::default()).write(&mut text).unwrap();
    assert_eq!(lines, events.len() as u64);
    let packed = zstd::encode_all(text.as_slice(), 12).unwrap();
    assert!(packed.len() < 2_000_000, "{}", packed.len());
    assert!(events.is_sorted_by_key(|event| (event.event_time, event.sequence)));
    assert!(names.contains(BookId::of("Meridian")));
}

#[test]
fn it_reads_back_as_it_was_made_up() {
    let season = Season::new(Config { weeks: 3, ..Config::default() });
    let (_, events) = season.events("sim").unwrap();
    let mut text = Vec::new();
    season.write(&mut text).unwrap();
    let (mut parser, mut back) = (Parser::new("sim"), Vec::new());
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        parser.parse(line, None, &mut back).unwrap();
    }
    assert!(back == events);
}

#[test]
fn every_kind_of_trouble_is_in_it() {
    let (_, events) = default_season();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut results: BTreeMap<FixtureId, usize> = BTreeMap::new();
    for event in &events {
        let what = match &event.fact {
            Fact::Quote(quote) => match quote.state {
                QuoteState::Offered => "offered",
                QuoteState::Pulled => "pulled",
                QuoteState::Voided(_) => "voided",
            },
            Fact::Fixture(fact) if fact.status == FixtureStatus::Postponed => "postponed",
            Fact::Fixture(_) => "scheduled",
            Fact::Result(fact) => {
                *results.entry(fact.fixture).or_default() += 1;
                if fact.status == schema::ResultStatus::Abandoned { "abandoned" } else { "result" }
            }
            other => panic!("{other:?}"),
        };
        *seen.entry(what).or_default() += 1;
    }
    for what in ["offered", "pulled", "voided", "postponed", "scheduled", "abandoned", "result"] {
        assert!(seen.get(what).is_some_and(|count| *count > 0), "{what}: {seen:?}");
    }
    assert_eq!(results.len(), 2 * 6 * 22);
    assert!(results.values().any(|count| *count == 2), "no correction");
}

#[test]
fn a_void_names_a_price_that_was_quoted() {
    let (_, events) = default_season();
    let mut quoted = BTreeSet::new();
    for event in &events {
        if let Fact::Quote(quote) = &event.fact {
            let key = |time| (quote.fixture, quote.market, quote.book, time);
            match quote.state {
                QuoteState::Offered => {
                    quoted.insert(key(event.event_time));
                }
                QuoteState::Voided(at) => assert!(quoted.contains(&key(at))),
                QuoteState::Pulled => {}
            }
        }
    }
}

#[test]
fn nobody_plays_twice_in_a_round_and_everybody_meets_everybody() {
    let season = Season::new(Config::default());
    let mut met = BTreeSet::new();
    for week in 0..22 {
        let round = season.round(week);
        let playing: BTreeSet<usize> =
            round.iter().flat_map(|(home, away)| [*home, *away]).collect();
        assert_eq!(playing.len(), 12);
        met.extend(round);
    }
    assert_eq!(met.len(), 12 * 11, "a double round has every pair both ways");
}

/// Log loss of a book's closing 1X2 prices, and what one unit at the best soft price would have
/// made where the sharp book's fair price called it 2 % too long.
#[test]
fn the_sharp_book_knows_more_and_soft_prices_can_be_beaten() {
    let config = Config { leagues: 6, teams: 16, weeks: 30, activity: 0.2, ..Config::default() };
    let (_, events) = Season::new(config).events("sim").unwrap();
    let [sharp, soft] = ["Meridian", "Fairwager"].map(BookId::of);
    let mut standing: BTreeMap<(FixtureId, BookId), [Odds; 3]> = BTreeMap::new();
    let (mut loss, mut matches) = ([0.0, 0.0], 0.0);
    let mut taken: BTreeMap<(FixtureId, usize), (Odds, f64)> = BTreeMap::new();
    let (mut value, mut bets) = (0.0, 0.0);
    for event in &events {
        match &event.fact {
            Fact::Quote(quote) if quote.market.kind == MarketKind::OneXTwo => {
                if quote.state == QuoteState::Offered {
                    standing.insert((quote.fixture, quote.book), quote.prices);
                }
                if quote.book == soft && quote.role == BookRole::Bookmaker {
                    let known = standing.get(&(quote.fixture, sharp));
                    let Some(fair) = known.and_then(|odds| Devig::Power.fair(odds)) else {
                        continue;
                    };
                    for (index, fair) in fair.iter().enumerate().take(3) {
                        let edge = quote.prices[index].decimal() * fair.as_f64() - 1.0;
                        if (0.02..0.3).contains(&edge) {
                            taken
                                .entry((quote.fixture, index))
                                .or_insert((quote.prices[index], edge));
                        }
                    }
                }
            }
            Fact::Result(result) if result.status == schema::ResultStatus::Final => {
                let won = match result.score.home.cmp(&result.score.away) {
                    std::cmp::Ordering::Greater => 0,
                    std::cmp::Ordering::Equal => 1,
                    std::cmp::Ordering::Less => 2,
                };
                let fair = [sharp, soft].map(|book| {
                    standing.get(&(result.fixture, book)).and_then(|odds| Devig::Power.fair(odds))
                });
                let [Some(by_sharp), Some(by_soft)] = fair else { continue };
                matches += 1.0;
                loss[0] -= by_sharp[won].as_f64().ln();
                loss[1] -= by_soft[won].as_f64().ln();
                for (index, closing) in by_sharp.iter().enumerate().take(3) {
                    if let Some((odds, _)) = taken.get(&(result.fixture, index)) {
                        bets += 1.0;
                        value += odds.decimal() * closing.as_f64() - 1.0;
                    }
                }
            }
            _ => {}
        }
    }
    assert!(matches > 1_400.0, "{matches}");
    assert!(loss[0] < loss[1], "sharp {} soft {}", loss[0] / matches, loss[1] / matches);
    assert!(bets > 100.0 && value / bets > 0.005, "{bets} bets, closing value {}", value / bets);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let check = |config: Config| Simulate::new("sim", config).check();
    assert!(check(Config::default()).is_ok());
    for (config, says) in [
        (Config { teams: 11, ..Config::default() }, "even"),
        (Config { leagues: 0, ..Config::default() }, "1 to 32"),
        (Config { books: 3, ..Config::default() }, "4 to 11"),
        (Config { error_rate: 1.5, ..Config::default() }, "0 to 1"),
        (Config { activity: f64::NAN, ..Config::default() }, "0.01 to 100"),
        (Config { start: "soon".into(), ..Config::default() }, "RFC 3339"),
    ] {
        let cause = check(config).unwrap_err().to_string();
        assert!(cause.contains(says), "{cause}");
    }
    assert!(serde_json::from_str::<Config>(r#"{"sed": 7}"#).is_err());
    assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
}
