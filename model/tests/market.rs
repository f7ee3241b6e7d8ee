//! What the market pricer promises, on rows made for the purpose.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

use model::market::{Config, MarketPricer};
use model::{Error, Pricer, PricerConfig};
use proptest::prelude::*;
use schema::{
    BookId, BookQuote, BookRole, FixtureId, LeagueId, Line, Market, MarketKind, MarketRow, Odds,
    OfferedPrice, Probability, Span, Time,
};
use tideline_model as model;

fn start() -> Time {
    "2022-08-05T15:00:00Z".parse().unwrap()
}

fn league() -> LeagueId {
    LeagueId::of("E0")
}

fn book(name: &str, at: Time, fair: &[f64]) -> BookQuote {
    let mut probabilities = [Probability::ZERO; 3];
    for (slot, p) in probabilities.iter_mut().zip(fair) {
        *slot = Probability::clamped(*p);
    }
    let role =
        if matches!(name, "Avg" | "Max") { BookRole::Reference } else { BookRole::Bookmaker };
    let prices = [Odds::NONE; 3];
    BookQuote { book: BookId::of(name), role, at, prices, fair: probabilities }
}

fn row(market: Market, mut books: Vec<BookQuote>) -> MarketRow {
    books.sort_by_key(|quote| quote.book);
    MarketRow {
        fixture: FixtureId::of("E0|2022-08-06|A|B"),
        market,
        updated_at: books.iter().map(|quote| quote.at).max().unwrap_or_default(),
        books,
        consensus: [Probability::ZERO; 3],
        consensus_open: [Probability::ZERO; 3],
        consensus_books: 0,
        best: [OfferedPrice::default(); 3],
    }
}

/// Fixture `i`: the close is where the sharp book already was, the soft book errs in its own way.
fn lesson(i: u32) -> (MarketRow, MarketRow) {
    let at = start();
    let home = 0.35 + 0.2 * f64::from(i * 37 % 100) / 100.0;
    let error = 0.06 * (f64::from(i * 61 % 100) / 100.0 - 0.5);
    let sharp = [home, 0.27, 0.73 - home];
    let soft = [home + error, 0.27, 0.73 - home - error];
    let market = Market::ONE_X_TWO;
    let as_of = row(market, vec![book("Sharp", at, &sharp), book("Soft", at, &soft)]);
    let later = at.plus(Span::hours(20));
    let closing = row(market, vec![book("Sharp", later, &sharp), book("Soft", at, &soft)]);
    (as_of, closing)
}

fn taught(lessons: u32) -> MarketPricer {
    let mut pricer = MarketPricer::new(Config::default()).unwrap();
    for i in 0..lessons {
        let (as_of, closing) = lesson(i);
        pricer.learn(&as_of, &closing, league());
    }
    pricer
}

fn close_and_go_live(pricer: &mut MarketPricer, end: Time) -> Vec<u8> {
    let artifact = pricer.close_window(end).unwrap();
    pricer.go_live(&artifact, "digest").unwrap();
    artifact
}

#[test]
fn it_learns_whom_to_believe_and_says_so() {
    let mut pricer = taught(2_000);
    let (as_of, _) = lesson(13);
    let before = pricer.price(&as_of, league(), start()).unwrap();
    assert_eq!(before.sharpest, None, "nothing is live yet");
    close_and_go_live(&mut pricer, start().plus(Span::days(7)));
    let ids = ["Sharp", "Soft"].map(BookId::of);
    let weights = pricer.weights(MarketKind::OneXTwo, &ids);
    assert!(weights[0] > 0.8 && weights[1] < 0.2, "{weights:?}");
    let after = pricer.price(&as_of, league(), start()).unwrap();
    assert_eq!(after.sharpest, Some(ids[0]));
    assert_eq!(pricer.model(), "digest");
    let target = as_of.book(ids[0]).unwrap().fair[0].as_f64();
    let miss = |fair: &model::Fair| (fair.probabilities[0].as_f64() - target).abs();
    assert!(miss(&after) < 0.5 * miss(&before), "{after:?} {before:?} {target}");
}

#[test]
fn only_what_went_live_prices() {
    let mut pricer = taught(400);
    let (as_of, _) = lesson(13);
    let before = pricer.price(&as_of, league(), start());
    let artifact = pricer.close_window(start().plus(Span::days(7))).unwrap();
    assert_eq!(pricer.price(&as_of, league(), start()), before);
    // Another pricer that is handed the artifact prices the same.
    pricer.go_live(&artifact, "digest").unwrap();
    let mut other = MarketPricer::new(Config::default()).unwrap();
    other.go_live(&artifact, "digest").unwrap();
    let price = |pricer: &MarketPricer| pricer.price(&as_of, league(), start());
    assert_eq!(price(&other), price(&pricer));
    assert_ne!(price(&pricer), before);
    // And learns on to the same artifact.
    for pricer in [&mut pricer, &mut other] {
        let (as_of, closing) = lesson(500);
        pricer.learn(&as_of, &closing, league());
    }
    let end = start().plus(Span::days(14));
    assert_eq!(pricer.close_window(end), other.close_window(end));
}

#[test]
fn a_saved_state_goes_on_as_if_nothing_had_happened() {
    let mut pricer = taught(50);
    close_and_go_live(&mut pricer, start().plus(Span::days(7)));
    let (as_of, closing) = lesson(77);
    pricer.learn(&as_of, &closing, league());
    let mut restored = PricerConfig::default().open().unwrap();
    restored.load(&pricer.save().unwrap()).unwrap();
    assert_eq!(restored.model(), "digest");
    assert_eq!(restored.price(&as_of, league(), start()), pricer.price(&as_of, league(), start()));
    let end = start().plus(Span::days(14));
    assert_eq!(restored.close_window(end), pricer.close_window(end));
}

#[test]
fn a_rollback_keeps_what_was_learned_since() {
    let mut pricer = taught(50);
    let old = close_and_go_live(&mut pricer, start().plus(Span::days(7)));
    for i in 50..100 {
        let (as_of, closing) = lesson(i);
        pricer.learn(&as_of, &closing, league());
    }
    close_and_go_live(&mut pricer, start().plus(Span::days(14)));
    let mut straight = pricer.clone();
    pricer.go_live(&old, "old").unwrap();
    assert_eq!(pricer.model(), "old");
    // The fixture below has no close, so that the models that are live do not matter to it.
    for pricer in [&mut pricer, &mut straight] {
        let (as_of, _) = lesson(3);
        pricer.learn(&as_of, &as_of, league());
        assert!(pricer.close_window(start().plus(Span::days(21))).is_none());
    }
    let (as_of, closing) = lesson(4);
    for pricer in [&mut pricer, &mut straight] {
        pricer.go_live(&old, "old").unwrap();
        pricer.learn(&as_of, &closing, league());
    }
    let end = start().plus(Span::days(28));
    assert_eq!(pricer.close_window(end), straight.close_window(end));
}

#[test]
fn excluded_and_stale_books_are_left_out() {
    let pricer = MarketPricer::new(Config::default()).unwrap();
    let even = [1.0 / 3.0; 3];
    let old = start().minus(Span::days(20));
    let books = vec![
        book("A", start(), &[0.5, 0.3, 0.2]),
        book("B", old, &even),
        book("Max", start(), &even),
    ];
    let fair = pricer.price(&row(Market::ONE_X_TWO, books), league(), start()).unwrap();
    assert_eq!(fair.books, 1);
    assert!((fair.probabilities[0].as_f64() - 0.5).abs() < 1e-9);
    for books in [vec![book("Max", start(), &even)], vec![book("B", old, &even)], vec![]] {
        assert!(pricer.price(&row(Market::ONE_X_TWO, books), league(), start()).is_none());
    }
    let average = vec![book("Avg", start(), &[0.5, 0.3, 0.2])];
    assert!(pricer.price(&row(Market::ONE_X_TWO, average), league(), start()).is_some());
}

#[test]
fn deviation_follows_disagreement_and_shrinks_with_books() {
    let pricer = MarketPricer::new(Config::default()).unwrap();
    let deviation = |home: &[f64]| {
        let books = home.iter().enumerate();
        let books = books.map(|(i, p)| book(&format!("B{i}"), start(), &[*p, 0.27, 0.73 - p]));
        let row = row(Market::ONE_X_TWO, books.collect());
        pricer.price(&row, league(), start()).unwrap().deviation[0]
    };
    assert!(deviation(&[0.40, 0.46]) > 2.0 * deviation(&[0.43, 0.43]));
    assert!(deviation(&[0.43; 8]) < deviation(&[0.43; 2]));
    assert!(deviation(&[0.43]) > 0.002);
}

#[test]
fn a_window_without_lessons_has_no_artifact() {
    let mut pricer = taught(0);
    assert!(pricer.close_window(start()).is_none());
    let (as_of, _) = lesson(1);
    pricer.learn(&as_of, &as_of, league());
    assert!(pricer.close_window(start()).is_none(), "a row that never closed teaches nothing");
}

#[test]
fn nonsense_is_refused_and_the_live_model_stays() {
    let mut pricer = taught(50);
    let artifact = close_and_go_live(&mut pricer, start().plus(Span::days(7)));
    assert!(matches!(pricer.go_live(b"{", "bad"), Err(Error::Artifact { .. })));
    let text = String::from_utf8(artifact).unwrap();
    let newer = text.replacen("\"layout\":1", "\"layout\":2", 1);
    assert!(matches!(pricer.go_live(newer.as_bytes(), "bad"), Err(Error::Layout { found: 2, .. })));
    assert!(pricer.load(b"[]").is_err());
    assert_eq!(pricer.model(), "digest");
    let config = PricerConfig::Market(Config { ridge: -1.0, ..Config::default() });
    let message = config.open().err().unwrap().to_string();
    assert!(message.starts_with("model: ridge is -1; give a number from"), "{message}");
}

#[test]
fn the_example_is_the_default() {
    let defaults = [PricerConfig::default(), PricerConfig::Form(model::form::Config::default())];
    for ((_, _, example), default) in PricerConfig::listings().into_iter().zip(defaults) {
        let read: PricerConfig = serde_saphyr::from_str(example).unwrap();
        assert_eq!(read, default);
    }
}

#[test]
fn settings_survive_json_and_refuse_unknown_keys() {
    let text = serde_json::to_string(&PricerConfig::default()).unwrap();
    assert_eq!(serde_json::from_str::<PricerConfig>(&text).unwrap(), PricerConfig::default());
    let short = serde_json::from_str::<PricerConfig>(r#"{"type": "market"}"#).unwrap();
    assert_eq!(short, PricerConfig::default());
    for bad in [r#"{"type": "market", "rigde": 1.0}"#, r#"{"type": "oracle"}"#] {
        assert!(serde_json::from_str::<PricerConfig>(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn prices_are_distributions(
        books in proptest::collection::vec((0.02_f64..0.9, 0.1_f64..0.9), 1..12), two: bool,
    ) {
        let mut pricer = taught(60);
        close_and_go_live(&mut pricer, start().plus(Span::days(7)));
        let names = ["Sharp", "Soft", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L"];
        let quotes = names.iter().zip(&books).map(|(name, (a, share))| {
            let three = [*a, (1.0 - a) * share, (1.0 - a) * (1.0 - share)];
            if two { book(name, start(), &[*a, 1.0 - a]) } else { book(name, start(), &three) }
        });
        let market = if two {
            Market::with_line(MarketKind::Total, Line::from_quarters(10))
        } else {
            Market::ONE_X_TWO
        };
        let fair = pricer.price(&row(market, quotes.collect()), league(), start()).unwrap();
        let total: u64 = fair.probabilities.iter().map(|p| p.scaled()).sum();
        prop_assert!(total.abs_diff(Probability::SCALE) <= 3);
        prop_assert!(fair.deviation.iter().all(|d| (0.0..0.5).contains(d)));
        if two {
            prop_assert_eq!(fair.probabilities[2], Probability::ZERO);
        }
    }
}
