//! What passes the panel and what does not.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

mod common;

use common::{ask, book, now, odds, row, six_books};
use proptest::prelude::*;
use schema::{BookId, BookRole, Market, NameId, Odds, Selection, Signal, Span};
use tideline_lenses::{
    Account, Ask, BetRecord, Case, Config, Gate, LeagueStanding, Panel, SignalKind, Verdict,
    Weights,
};

fn judge(row: &schema::MarketRow, ask: &Ask<'_>) -> Verdict {
    let panel = Panel::open(&Config::default()).unwrap();
    panel.judge(&Case::of(row, ask).unwrap(), &Weights::EQUAL)
}

fn gate(verdict: &Verdict) -> Option<Gate> {
    verdict.refusal.as_ref().map(|refusal| refusal.gate)
}

#[test]
fn an_honest_edge_of_three_percent_passes() {
    let verdict = judge(&six_books(1.03 / 0.40, 0.0), &ask(0.40));
    assert_eq!(verdict.refusal, None);
    assert!((0.70..0.95).contains(&verdict.confidence), "{}", verdict.confidence);
    let expected = [SignalKind::Pricer, SignalKind::OtherBooks, SignalKind::SharpestBook];
    assert_eq!(verdict.signals, expected);
    assert_eq!(verdict.readings.len(), 5);
    assert!(verdict.reason().starts_with("Confidence 0."), "{}", verdict.reason());
}

#[test]
fn the_same_edge_in_an_unknown_league_does_not() {
    let mut unknown = ask(0.40);
    unknown.standing = LeagueStanding::default();
    assert_eq!(gate(&judge(&six_books(1.03 / 0.40, 0.0), &unknown)), Some(Gate::Confidence));
}

#[test]
fn every_gate_refuses_with_a_sentence() {
    let thin = six_books(2.52, 0.0);
    let falling = six_books(2.60, -0.02);
    let suspect = six_books(2.90, 0.0);
    let alone = row(vec![book("B1", [0.40, 0.30, 0.30], Some((0, 2.60)))], 0.0);
    let mut long = ask(0.08);
    long.selection = Selection(2);
    let outsider = row(vec![book("B1", [0.60, 0.33, 0.07], Some((2, 16.0)))], 0.0);
    for (row, ask, expected) in [
        (&thin, &ask(0.40), Gate::Edge),
        (&falling, &ask(0.40), Gate::FallingPrice),
        (&suspect, &ask(0.40), Gate::SuspectPrice),
        (&alone, &ask(0.40), Gate::Signals),
        (&outsider, &long, Gate::LongOdds),
        (&thin, &ask(f64::NAN), Gate::Edge),
    ] {
        let verdict = judge(row, ask);
        assert_eq!(gate(&verdict), Some(expected));
        assert!(verdict.reason().ends_with('.'), "{}", verdict.reason());
        assert_eq!(verdict.reason(), verdict.refusal.unwrap().reason);
    }
}

#[test]
fn an_external_signal_and_a_movement_count() {
    let row = six_books(2.60, 0.02);
    let signal = |value| Signal {
        fixture: row.fixture,
        market: Market::ONE_X_TWO,
        name: NameId::of("injuries"),
        value_micros: [value, 0, 0],
    };
    let signals = [signal(100), signal(200)];
    let mut with = ask(0.40);
    with.signals = &signals;
    let verdict = judge(&row, &with);
    assert!(verdict.signals.contains(&SignalKind::External));
    assert!(verdict.signals.contains(&SignalKind::Movement));
    let against = [signal(-100)];
    with.signals = &against;
    assert!(!judge(&row, &with).signals.contains(&SignalKind::External));
}

#[test]
fn a_case_leaves_out_what_must_not_speak() {
    let mut books = six_books(2.60, 0.0).books;
    books.push(book("Avg", [0.41, 0.30, 0.29], None));
    let row = row(books, 0.0);
    let exclude = [BookId::of("B5")];
    let mut question = ask(0.40);
    question.exclude = &exclude;
    let case = Case::of(&row, &question).unwrap();
    assert!((case.consensus_others.unwrap() - 0.40).abs() < 1e-9, "references do not speak");
    assert_eq!(case.books, 6);
    assert_eq!(case.median_others, odds(1.0 / (0.40 * 1.05)));
    question.book = BookId::of("Avg");
    assert!(Case::of(&row, &question).is_none(), "nobody bets with an average");
    question.book = BookId::of("nobody");
    assert!(Case::of(&row, &question).is_none());
    question.book = BookId::of("PS");
    assert_eq!(Case::of(&row, &question).unwrap().sharp, None, "a book is not its own witness");
}

#[test]
fn with_only_a_reference_beside_it_the_reference_speaks() {
    let row = row(
        vec![
            book("B1", [0.40, 0.30, 0.30], Some((0, 2.60))),
            book("Avg", [0.42, 0.30, 0.28], None),
        ],
        0.0,
    );
    assert!((Case::of(&row, &ask(0.40)).unwrap().consensus_others.unwrap() - 0.42).abs() < 1e-9);
}

#[test]
fn an_old_price_scores_less() {
    let mut old = six_books(2.60, 0.0);
    let fresh = judge(&old, &ask(0.40)).confidence;
    for quote in &mut old.books {
        if quote.book == BookId::of("B1") {
            quote.at = now().minus(Span::hours(24));
        }
    }
    assert!(judge(&old, &ask(0.40)).confidence < fresh);
}

#[test]
fn a_settled_record_speaks_for_or_against() {
    let row = six_books(2.60, 0.0);
    let with = |clv_mean| {
        let mut question = ask(0.40);
        question.record = BetRecord { clv_bets: 200, bets: 200, clv_mean, ..BetRecord::default() };
        judge(&row, &question).confidence
    };
    assert!(with(0.03) > with(0.0));
    assert!(with(0.0) > with(-0.03));
    assert!(with(-0.03) < 0.70);
}

proptest! {
    #[test]
    fn scores_stay_in_range_whatever_is_asked(
        fair in 0.0_f64..1.0, deviation in 0.0_f64..0.5, price in 1.01_f64..100.0, movement in -0.3_f64..0.3,
        drawdown in -1.0_f64..2.0, exposure in -1.0_f64..2.0, lead_h in -100_i64..1_000, clv in -1.0_f64..1.0,
        bets in 0_u32..10_000, fixtures in 0_u32..10_000, error in 0.0_f64..1.0, commission in 0_u32..10_000,
    ) {
        let row = six_books(price, movement);
        let mut question = ask(fair);
        question.deviation = deviation;
        question.commission_bps = commission;
        question.kick_off = now().plus(Span::hours(lead_h));
        question.account = Account { drawdown, exposure };
        question.standing = LeagueStanding { fixtures, calibration_error: error, calibration_floor: 0.01 };
        question.record = BetRecord { clv_bets: bets, bets, clv_mean: clv, ..BetRecord::default() };
        let verdict = judge(&row, &question);
        prop_assert!((0.0..=1.0).contains(&verdict.confidence));
        for reading in &verdict.readings {
            prop_assert!((0.0..=1.0).contains(&reading.score), "{}: {}", reading.lens, reading.score);
            prop_assert!(reading.reason.ends_with('.'), "{}", reading.reason);
        }
        let before_start = lead_h >= 0;
        prop_assert!(verdict.refusal.is_some() || before_start, "nothing is bet after the start");
    }

    #[test]
    fn more_edge_never_lowers_the_margin_of_safety(fair in 0.05_f64..0.9, more in 0.0_f64..0.05) {
        let row = six_books(2.60, 0.0);
        let score = |fair| judge(&row, &ask(fair)).readings[0].score;
        prop_assert!(score((fair + more).min(1.0)) >= score(fair));
    }

    #[test]
    fn odds_min_is_the_least_that_has_the_edge(fair in 0.01_f64..0.95, least in 0.0_f64..0.1, bps in 0_u32..1_000) {
        let found = tideline_lenses::odds_min(fair, least, bps);
        prop_assume!(found.is_some());
        prop_assert!(tideline_lenses::edge(fair, found.after_commission(bps)) >= least - 2e-4);
        let below = Odds::from_scaled(found.scaled() - 200);
        if let Ok(below) = below {
            prop_assert!(tideline_lenses::edge(fair, below.after_commission(bps)) < least);
        }
    }
}

#[test]
fn roles_are_kept_apart() {
    let case_row = six_books(2.60, 0.0);
    assert_eq!(Case::of(&case_row, &ask(0.40)).unwrap().role, BookRole::Bookmaker);
}
