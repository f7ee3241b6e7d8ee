//! Sizing against closed forms, brute force and its own promises.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

use proptest::prelude::*;
use schema::{BookRole, Line, Market, MarketKind, Odds, Outcome, Score, Selection, Side, settle};
use tideline_lenses::{
    BETS_MAX, Bet, Caps, Held, Limit, MarketPrice, Room, Stake, exclusive_kelly, size,
};

const EVEN: [f64; 3] = [0.45, 0.27, 0.28];

fn line(kind: MarketKind, line: f64) -> Market {
    Market::with_line(kind, Line::new(line).unwrap())
}

fn bet(market: Market, selection: u8, net_odds: f64, fair: [f64; 3]) -> Bet {
    let role = BookRole::Bookmaker;
    Bet {
        market,
        selection: Selection(selection),
        role,
        net_odds: Odds::new(net_odds).unwrap(),
        fair,
    }
}

fn wide() -> Room {
    Room { bet: 1.0, fixture: 1.0, league: 1.0, day: 1.0, bookmaker: 1.0, exchange: 1.0 }
}

fn kelly(bets: &[Bet], prices: &[MarketPrice]) -> Vec<f64> {
    size(bets, &[], prices, &wide(), 1.0).iter().map(|stake| stake.kelly).collect()
}

#[test]
fn a_single_bet_on_a_line_that_can_be_hit_counts_the_push() {
    // A level handicap at p = 0.5 of those decided; pushes return the stake and so raise the stake
    // per unit bankroll not at all: Kelly is that of the decided part.
    let level = line(MarketKind::AsianHandicap, 0.0);
    let stake = kelly(&[bet(level, 0, 2.1, [0.5, 0.5, 0.0])], &[])[0];
    assert!((stake - 0.05 / 1.1).abs() < 1e-6, "{stake}");
}

#[test]
fn a_quarter_line_is_safer_than_a_half_line() {
    let fair = [0.5, 0.5, 0.0];
    let half = kelly(&[bet(line(MarketKind::AsianHandicap, -0.5), 0, 2.1, fair)], &[])[0];
    let quarter = kelly(&[bet(line(MarketKind::AsianHandicap, -0.25), 0, 2.1, fair)], &[])[0];
    assert!(quarter > half && quarter < 2.0 * half, "{quarter} {half}");
}

#[test]
fn bets_that_win_together_share_one_stake() {
    let home = bet(Market::ONE_X_TWO, 0, 2.3, EVEN);
    let handicap = bet(line(MarketKind::AsianHandicap, -0.5), 0, 2.3, [0.45, 0.55, 0.0]);
    let prices = [MarketPrice { market: Market::ONE_X_TWO, fair: EVEN }];
    let alone = kelly(&[home], &prices)[0];
    let both: f64 = kelly(&[home, handicap], &prices).iter().sum();
    assert!((both - alone).abs() < 1e-5, "{both} {alone}");
}

#[test]
fn bets_that_insure_each_other_get_more() {
    let over = bet(line(MarketKind::Total, 2.5), 0, 2.2, [0.48, 0.52, 0.0]);
    let draw = bet(Market::ONE_X_TWO, 1, 3.9, EVEN);
    let prices = [
        MarketPrice { market: Market::ONE_X_TWO, fair: EVEN },
        MarketPrice { market: over.market, fair: over.fair },
    ];
    let joint = kelly(&[draw, over], &prices);
    // Draws have fewer goals than other matches, so the two are hedges.
    assert!(joint[0] >= kelly(&[draw], &prices)[0] - 1e-9, "{joint:?}");
    assert!(joint[1] >= kelly(&[over], &prices)[0] - 1e-9, "{joint:?}");
}

#[test]
fn what_is_held_counts() {
    let home = bet(Market::ONE_X_TWO, 0, 2.4, EVEN);
    let all = size(&[home], &[], &[], &wide(), 0.25)[0];
    let held = [Held { bet: home, stake: all.fraction }];
    let more = size(&[home], &held, &[], &wide(), 0.25)[0];
    assert!(more.fraction < 1e-6, "the whole stake is held already: {more:?}");
    let part = [Held { bet: home, stake: all.fraction / 2.0 }];
    let rest = size(&[home], &part, &[], &wide(), 0.25)[0];
    assert!((rest.fraction - all.fraction / 2.0).abs() < 1e-6, "{rest:?}");
}

#[test]
fn no_edge_no_stake() {
    let stakes = size(&[bet(Market::ONE_X_TWO, 0, 2.2, EVEN)], &[], &[], &wide(), 0.25);
    assert_eq!(stakes[0], Stake { fraction: 0.0, kelly: 0.0, limit: Limit::Kelly });
    assert!(size(&[], &[], &[], &wide(), 0.25).is_empty());
    let stakes = size(&[bet(Market::ONE_X_TWO, 0, 3.0, EVEN)], &[], &[], &wide(), 0.0);
    assert_eq!(stakes[0].fraction, 0.0);
}

#[test]
fn an_arbitrage_stakes_less_than_everything() {
    let bets: Vec<Bet> = (0..3).map(|i| bet(Market::ONE_X_TWO, i, 3.3, [1.0 / 3.0; 3])).collect();
    let total: f64 = kelly(&bets, &[]).iter().sum();
    assert!(total > 0.9 && total < 1.0, "{total}");
}

#[test]
fn every_cap_can_set_the_stake() {
    let bets = [
        bet(Market::ONE_X_TWO, 0, 3.0, EVEN),
        bet(line(MarketKind::Total, 2.5), 0, 2.6, [0.5, 0.5, 0.0]),
    ];
    let full = wide();
    for (room, limit, most) in [
        (full, Limit::Kelly, 1.0),
        (Room { bet: 0.02, ..full }, Limit::Bet, 0.04),
        (Room { fixture: 0.03, ..full }, Limit::Fixture, 0.03),
        (Room { league: 0.03, ..full }, Limit::League, 0.03),
        (Room { day: 0.03, ..full }, Limit::Day, 0.03),
        (Room { bookmaker: 0.03, ..full }, Limit::Venue, 0.03),
        (Room { exchange: 0.0, ..full }, Limit::Kelly, 1.0),
        (Room { day: -0.01, ..full }, Limit::Day, 0.0),
    ] {
        let stakes = size(&bets, &[], &[], &room, 0.5);
        assert!(stakes.iter().all(|stake| stake.limit == limit), "{limit:?} {stakes:?}");
        let total: f64 = stakes.iter().map(|stake| stake.fraction).sum();
        assert!(total <= most + 1e-12, "{limit:?} {total}");
    }
}

#[test]
fn too_many_bets_get_nothing() {
    let bets = vec![bet(Market::ONE_X_TWO, 0, 3.0, EVEN); BETS_MAX + 2];
    let stakes = size(&bets, &[], &[], &wide(), 0.25);
    assert_eq!(stakes[BETS_MAX + 1], Stake { fraction: 0.0, kelly: 0.0, limit: Limit::Count });
}

#[test]
fn prices_that_goals_cannot_explain_are_sized_apart() {
    let moneyline = bet(Market::of(MarketKind::Moneyline), 0, 2.1, [0.5, 0.5, 0.0]);
    let total = bet(line(MarketKind::Total, 221.5), 0, 2.1, [0.5, 0.5, 0.0]);
    let stakes = kelly(&[moneyline, total], &[]);
    let alone = 0.05 / 1.1;
    assert!(stakes.iter().all(|stake| (stake - alone / 2.0).abs() < 1e-6), "{stakes:?}");
}

/// Expected log growth by an independent score model, for brute force.
fn growth(bets: &[Bet], stakes: &[f64], weights: &[(Score, f64)]) -> f64 {
    let wealth = |score: Score| {
        let won = bets.iter().zip(stakes).map(|(bet, stake)| {
            let unit = schema::Money::new(1.0).unwrap();
            stake
                * settle(bet.market, bet.selection, score)
                    .pnl(unit, bet.net_odds, Side::Back, 0)
                    .as_f64()
        });
        1.0 + won.sum::<f64>()
    };
    weights.iter().map(|(score, weight)| weight * wealth(*score).ln()).sum()
}

/// With prices that a Poisson model has exactly, no other stakes grow faster by that model.
#[test]
fn no_other_stakes_grow_faster() {
    let rates = [1.6, 1.1];
    let pmf = |rate: f64, k: u16| {
        (-rate).exp() * rate.powi(i32::from(k)) / (1..=k).map(f64::from).product::<f64>()
    };
    let weights: Vec<(Score, f64)> = (0..13)
        .flat_map(|home| (0..13).map(move |away| Score { home, away }))
        .map(|score| (score, pmf(rates[0], score.home) * pmf(rates[1], score.away)))
        .collect();
    let chance = |market: Market, selection: u8| {
        let of = |wanted: Outcome| {
            let hits =
                weights.iter().filter(|(s, _)| settle(market, Selection(selection), *s) == wanted);
            hits.map(|(_, w)| w).sum::<f64>()
        };
        let (win, loss) = (of(Outcome::Win), of(Outcome::Loss));
        win / (win + loss)
    };
    let x12 = Market::ONE_X_TWO;
    let fair = [chance(x12, 0), chance(x12, 1), chance(x12, 2)];
    let total = line(MarketKind::Total, 2.5);
    let handicap = line(MarketKind::AsianHandicap, -1.0);
    let two = |market| [chance(market, 0), chance(market, 1), 0.0];
    let bets = [
        bet(x12, 0, 1.06 / fair[0], fair),
        bet(total, 0, 1.05 / two(total)[0], two(total)),
        bet(handicap, 0, 1.04 / two(handicap)[0], two(handicap)),
    ];
    let stakes = kelly(&bets, &[]);
    let best = growth(&bets, &stakes, &weights);
    for i in 0..3 {
        for step in [-0.01, -0.001, 0.001, 0.01] {
            let mut other = stakes.clone();
            other[i] = (other[i] + step).max(0.0);
            assert!(growth(&bets, &other, &weights) <= best + 1e-9, "{stakes:?} {i} {step}");
        }
    }
    assert!(best > 0.0);
}

proptest! {
    #[test]
    fn joint_kelly_equals_the_closed_form(
        a in 0.05_f64..0.9, share in 0.1_f64..0.9, edges in proptest::array::uniform3(-0.2_f64..0.3),
    ) {
        let fair = [a, (1.0 - a) * share, (1.0 - a) * (1.0 - share)];
        let odds: [f64; 3] = std::array::from_fn(|i| ((1.0 + edges[i]) / fair[i]).max(1.01));
        let odds = odds.map(|o| Odds::new(o).unwrap().decimal());
        // A set that lets one win whatever happens has no finite answer.
        prop_assume!(odds.iter().map(|o| 1.0 / o).sum::<f64>() > 1.001);
        let bets: Vec<Bet> = (0..3).map(|i| bet(Market::ONE_X_TWO, i, odds[usize::from(i)], fair)).collect();
        for (found, closed) in kelly(&bets, &[]).iter().zip(exclusive_kelly(&fair, &odds)) {
            prop_assert!((found - closed).abs() < 1e-5, "{found} {closed} {odds:?} {fair:?}");
        }
    }

    #[test]
    fn caps_hold_whatever_is_asked(
        a in 0.05_f64..0.9, share in 0.1_f64..0.9, over in 0.1_f64..0.9, level in 0.1_f64..0.9,
        odds in proptest::array::uniform5(1.01_f64..20.0), quarters in -8_i16..9, held in 0.0_f64..0.3,
        fraction in 0.0_f64..=1.0, rooms in proptest::array::uniform6(-0.02_f64..0.3), fitting: bool,
    ) {
        let fair = [a, (1.0 - a) * share, (1.0 - a) * (1.0 - share)];
        let handicap = Market::with_line(MarketKind::AsianHandicap, Line::from_quarters(quarters));
        let total = line(MarketKind::Total, if fitting { 2.5 } else { 200.5 });
        let mut bets = vec![
            bet(Market::ONE_X_TWO, 0, odds[0], fair),
            bet(Market::ONE_X_TWO, 2, odds[1], fair),
            bet(total, 1, odds[2], [over, 1.0 - over, 0.0]),
            bet(handicap, 0, odds[3], [level, 1.0 - level, 0.0]),
        ];
        bets[2].role = BookRole::Exchange;
        let held = [Held { bet: bet(Market::ONE_X_TWO, 1, odds[4], fair), stake: held }];
        let [bet_room, fixture, league, day, bookmaker, exchange] = rooms;
        let room = Room { bet: bet_room, fixture, league, day, bookmaker, exchange };
        let stakes = size(&bets, &held, &[], &room, fraction);
        prop_assert_eq!(stakes.len(), bets.len());
        let total: f64 = stakes.iter().map(|stake| stake.fraction).sum();
        for stake in &stakes {
            prop_assert!(stake.fraction >= 0.0 && stake.fraction <= room.bet.max(0.0) + 1e-12);
            prop_assert!(stake.kelly.is_finite());
        }
        let least = [fixture, league, day].into_iter().fold(1.0, f64::min).max(0.0);
        prop_assert!(total <= least + 1e-12);
        prop_assert!(stakes[2].fraction <= exchange.max(0.0) + 1e-12);
        prop_assert!(stakes.iter().map(|stake| stake.kelly).sum::<f64>() <= 1.0 + 1e-9);
    }

    #[test]
    fn a_better_price_never_gets_a_smaller_stake(a in 0.1_f64..0.8, price in 1.05_f64..10.0, more in 0.0_f64..1.0) {
        let fair = [a, (1.0 - a) / 2.0, (1.0 - a) / 2.0];
        let room = Room::from(&Caps::default());
        let stake = |price| size(&[bet(Market::ONE_X_TWO, 0, price, fair)], &[], &[], &room, 0.25)[0].fraction;
        prop_assert!(stake(price + more) >= stake(price) - 1e-9);
    }
}
