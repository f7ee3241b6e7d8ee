//! The track record: views, and corrections that leave no trace.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

use proptest::prelude::*;
use schema::{BookRole, LeagueId, LensReading, MarketKind, Odds};
use tideline_lenses::{BetKind, Learning, LensConfig, OddsBand, SettledBet, TrackRecord, Weights};

fn readings(scores: [f64; 5]) -> Vec<LensReading> {
    let reading = |(name, score): (&str, f64)| LensReading {
        lens: name.to_owned(),
        score,
        reason: String::new(),
    };
    LensConfig::names().into_iter().zip(scores).map(reading).collect()
}

fn kind(odds: f64) -> BetKind {
    BetKind::of(MarketKind::OneXTwo, Odds::new(odds).unwrap(), BookRole::Bookmaker)
}

#[test]
fn bands_follow_the_odds() {
    let band = |odds: f64| OddsBand::of(Odds::new(odds).unwrap()).0;
    assert_eq!(
        [1.2, 1.5, 1.99, 2.0, 4.9, 5.0, 9.99, 10.0, 500.0].map(band),
        [0, 1, 1, 2, 3, 4, 4, 5, 5]
    );
}

#[test]
fn the_views_are_plain_statistics() {
    let mut record = TrackRecord::default();
    for (clv, pnl) in [(Some(0.02), 1.5), (Some(0.04), -1.0), (None, -1.0)] {
        record.settled(&SettledBet::new(kind(2.5), clv, pnl, &[]));
    }
    let view = record.bets(kind(2.2));
    assert_eq!((view.bets, view.clv_bets), (3, 2));
    assert!((view.clv_mean - 0.03).abs() < 1e-9);
    assert!((view.clv_sd - 0.000_2_f64.sqrt()).abs() < 1e-9);
    assert!((view.pnl_mean + 0.5 / 3.0).abs() < 1e-6);
    assert_eq!(record.bets(kind(9.0)).bets, 0);
    assert_eq!(record.bets_settled(), 3);
}

#[test]
fn calibration_counts_against_chance() {
    let league = LeagueId::of("E0");
    let mut record = TrackRecord::default();
    for i in 0..1_000_usize {
        // Half, three tenths, two tenths, and so it happens.
        let outcome = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2][i % 10];
        record.forecast(league, MarketKind::OneXTwo, &[0.55, 0.25, 0.20], outcome);
    }
    let standing = record.league(league, MarketKind::OneXTwo);
    assert_eq!(standing.fixtures, 1_000);
    // Off by five points on two of three selections: the two lower ones share a bin, 0.45 against 0.5.
    assert!((standing.calibration_error - 100.0 / 3_000.0).abs() < 1e-9, "{standing:?}");
    assert!(standing.calibration_floor > 0.005 && standing.calibration_floor < 0.02);
    assert_eq!(record.league(league, MarketKind::Total).fixtures, 0);
}

#[test]
fn weights_are_equal_until_two_hundred_bets_met_their_close() {
    let mut record = TrackRecord::default();
    let learning = Learning::default();
    for i in 0..400_i32 {
        let good = i % 3 == 0;
        let scores = [if good { 0.9 } else { 0.4 }, 0.7, 0.75, 0.8, 0.9];
        assert_eq!(record.weights(&learning) == Weights::EQUAL, i < 200, "{i}");
        let clv = if good { 0.03 } else { -0.01 };
        record.settled(&SettledBet::new(kind(2.5), Some(clv), 0.0, &readings(scores)));
    }
    let weights = record.weights(&learning).0;
    assert!(weights[0] > 0.6, "{weights:?}");
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn it_survives_a_checkpoint() {
    let mut record = TrackRecord::default();
    record.settled(&SettledBet::new(kind(2.5), Some(0.013), -1.0, &readings([0.5; 5])));
    record.forecast(LeagueId::of("E0"), MarketKind::Total, &[0.5, 0.5], 1);
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<TrackRecord>(&text).unwrap(), record);
}

fn bet() -> impl Strategy<Value = SettledBet> {
    let fields = (
        1.01_f64..50.0,
        proptest::option::of(-0.9_f64..3.0),
        -1.0_f64..40.0,
        proptest::array::uniform5(0.0_f64..=1.0),
    );
    fields.prop_map(|(odds, clv, pnl, scores)| {
        SettledBet::new(kind(odds), clv, pnl, &readings(scores))
    })
}

proptest! {
    /// A record that saw wrong results and their corrections, in any order, equals one that had
    /// always known the truth.
    #[test]
    fn corrections_leave_no_trace(
        wrong in proptest::collection::vec(bet(), 1..30), right in proptest::collection::vec(bet(), 30),
        fair in 0.01_f64..0.98, outcome in 0_usize..3,
    ) {
        let (mut corrected, mut truth) = (TrackRecord::default(), TrackRecord::default());
        let league = LeagueId::of("E0");
        for bet in &wrong { corrected.settled(bet); }
        corrected.forecast(league, MarketKind::OneXTwo, &[fair, 0.01, 0.99 - fair], outcome);
        for (before, after) in wrong.iter().zip(&right).rev() { corrected.restated(before, after); }
        corrected.unforecast(league, MarketKind::OneXTwo, &[fair, 0.01, 0.99 - fair], outcome);
        for bet in right.iter().take(wrong.len()) { truth.settled(bet); }
        prop_assert_eq!(&corrected, &truth);
        for bet in right.iter().take(wrong.len()) { truth.unsettled(bet); }
        prop_assert_eq!(truth, TrackRecord::default());
    }
}
