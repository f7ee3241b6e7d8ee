//! How good 1X2 forecasts were: proper scores and calibration, as the published literature defines
//! them, so that the figures can be put beside anybody's.

use super::chance::Random;

/// Least probability that log-loss is taken of, so that one impossible outcome does not end it all.
pub const PROBABILITY_MIN: f64 = 1e-12;
/// Equal-count bins of the calibration error.
pub const BINS: usize = 10;
/// Draws of outcomes that the floor of the calibration error is the mean of.
const FLOOR_DRAWS: u64 = 20;

/// `-ln p` of what happened, in nats (Good 1952).
pub fn log_loss(p: &[f64; 3], outcome: u8) -> f64 {
    -p[usize::from(outcome)].clamp(PROBABILITY_MIN, 1.0).ln()
}

/// Ranked probability score, half the squared distance of the cumulated probabilities (Epstein
/// 1969): 0 for a perfect forecast, 1 for the worst.
///
/// ```
/// use tideline::tearsheet::scores::ranked_probability_score;
/// // A draw after 50 %, 30 %, 20 %: (0.5^2 + (0.8 - 1)^2) / 2.
/// assert!((ranked_probability_score(&[0.5, 0.3, 0.2], 1) - 0.145).abs() < 1e-12);
/// ```
pub fn ranked_probability_score(p: &[f64; 3], outcome: u8) -> f64 {
    let home = p[0] - f64::from(u8::from(outcome == 0));
    let home_or_draw = p[0] + p[1] - f64::from(u8::from(outcome <= 1));
    f64::midpoint(home * home, home_or_draw * home_or_draw)
}

/// Brier score over the three outcomes (Brier 1950): 0 for a perfect forecast, 2 for the worst.
pub fn brier(p: &[f64; 3], outcome: u8) -> f64 {
    let miss = |(i, p): (usize, &f64)| (p - f64::from(u8::from(i == usize::from(outcome)))).powi(2);
    p.iter().enumerate().map(miss).sum()
}

/// Class-wise expected calibration error: for each outcome, forecasts in ten bins of equal count,
/// the mean distance of forecast and frequency weighted by count; then the mean over the three
/// outcomes (Kull et al. 2019, with equal-count bins). 0 without forecasts.
pub fn calibration_error(p: &[[f64; 3]], outcomes: &[u8]) -> f64 {
    error_in(&Order::of(p), p, outcomes)
}

/// The calibration error a perfectly calibrated forecast of this sharpness and number would show:
/// the mean over seeded draws of outcomes from the forecasts themselves. Below it, a calibration
/// error says nothing.
pub fn calibration_floor(p: &[[f64; 3]], seed: u64) -> f64 {
    let (order, mut random) = (Order::of(p), Random::new(seed));
    let mut drawn = vec![0_u8; p.len()];
    let mut sum = 0.0;
    for _ in 0..FLOOR_DRAWS {
        for (p, outcome) in p.iter().zip(&mut drawn) {
            let u = random.unit();
            *outcome = u8::from(u > p[0]) + u8::from(u > p[0] + p[1]);
        }
        sum += error_in(&order, p, &drawn);
    }
    sum / FLOOR_DRAWS as f64
}

/// Forecasts of each outcome in order of probability.
struct Order([Vec<u32>; 3]);

impl Order {
    fn of(p: &[[f64; 3]]) -> Self {
        Self([0, 1, 2].map(|class| {
            let mut order: Vec<u32> = (0..p.len() as u32).collect();
            order.sort_by(|a, b| p[*a as usize][class].total_cmp(&p[*b as usize][class]));
            order
        }))
    }
}

fn error_in(order: &Order, p: &[[f64; 3]], outcomes: &[u8]) -> f64 {
    debug_assert_eq!(p.len(), outcomes.len(), "a forecast, an outcome");
    if p.is_empty() {
        return 0.0;
    }
    let mut total = 0.0;
    for (class, order) in order.0.iter().enumerate() {
        let (mut start, n) = (0, order.len());
        for bin in 0..BINS {
            let end = start + n / BINS + usize::from(bin < n % BINS);
            let gap = |i: &u32| {
                let i = *i as usize;
                p[i][class] - f64::from(u8::from(usize::from(outcomes[i]) == class))
            };
            total += order[start..end].iter().map(gap).sum::<f64>().abs();
            start = end;
        }
    }
    total / (3.0 * p.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn worked_examples() {
        let p = [0.5, 0.3, 0.2];
        assert!((log_loss(&p, 1) - 1.203_972_804_325_936).abs() < 1e-15);
        // Draw: (0.5 - 0)^2 + (0.8 - 1)^2 = 0.29, halved.
        assert!((ranked_probability_score(&p, 1) - 0.145).abs() < 1e-15);
        // Away: (0.5^2 + 0.8^2) / 2.
        assert!((ranked_probability_score(&p, 2) - 0.445).abs() < 1e-15);
        // Home: 0.25 + 0.09 + 0.04.
        assert!((brier(&p, 0) - 0.38).abs() < 1e-15);
        assert!((brier(&[0.0, 0.0, 1.0], 0) - 2.0).abs() < 1e-15);
        assert!(log_loss(&[0.0, 0.5, 0.5], 0) < 28.0, "dear, and finite");
    }

    #[test]
    fn calibration_by_hand() {
        // Two forecasts: each of the first two bins holds one, the others none. Class by class:
        // home |0.6 - 1| + |0.2 - 0| = 0.6; draw |0.2 - 0| + |0.3 - 0| = 0.5;
        // away |0.2 - 0| + |0.5 - 1| = 0.7. Over 3 classes and 2 forecasts: 1.8 / 6.
        let p = [[0.6, 0.2, 0.2], [0.2, 0.3, 0.5]];
        assert!((calibration_error(&p, &[0, 2]) - 0.3).abs() < 1e-15);
        assert_eq!(calibration_error(&[], &[]), 0.0);
    }

    #[test]
    fn a_calibrated_forecast_stands_at_the_floor_and_a_wrong_one_above_it() {
        let mut random = Random::new(3);
        let (mut p, mut y) = (Vec::new(), Vec::new());
        for _ in 0..20_000 {
            let home = 0.2 + 0.6 * random.unit();
            let forecast = [home, (1.0 - home) * 0.45, (1.0 - home) * 0.55];
            let u = random.unit();
            y.push(u8::from(u > forecast[0]) + u8::from(u > forecast[0] + forecast[1]));
            p.push(forecast);
        }
        let (found, floor) = (calibration_error(&p, &y), calibration_floor(&p, 1));
        assert!(found < 1.5 * floor && found > 0.5 * floor, "{found} {floor}");
        let wrong: Vec<_> = p.iter().map(|p| [p[0] - 0.05, p[1], p[2] + 0.05]).collect();
        assert!(calibration_error(&wrong, &y) > 3.0 * floor);
    }

    fn forecasts() -> impl Strategy<Value = Vec<([f64; 3], u8)>> {
        let one = (0.01_f64..1.0, 0.01_f64..1.0, 0.01_f64..1.0, 0_u8..3);
        proptest::collection::vec(one, 1..80).prop_map(|all| {
            all.into_iter().map(|(a, b, c, y)| ([a, b, c].map(|x| x / (a + b + c)), y)).collect()
        })
    }

    fn split(all: &[([f64; 3], u8)]) -> (Vec<[f64; 3]>, Vec<u8>) {
        all.iter().copied().unzip()
    }

    proptest! {
        /// Reversing home and away reverses nothing: the order home, draw, away reads both ways.
        #[test]
        fn home_and_away_are_alike(all in forecasts()) {
            for (p, y) in all {
                let (turned, z) = ([p[2], p[1], p[0]], 2 - y);
                prop_assert!((log_loss(&p, y) - log_loss(&turned, z)).abs() < 1e-12);
                prop_assert!((brier(&p, y) - brier(&turned, z)).abs() < 1e-12);
                let (a, b) = (ranked_probability_score(&p, y), ranked_probability_score(&turned, z));
                prop_assert!((a - b).abs() < 1e-12);
            }
        }

        #[test]
        fn the_order_of_fixtures_does_not_matter(all in forecasts(), by in 0_usize..80) {
            let (p, y) = split(&all);
            let mut turned = all.clone();
            turned.rotate_left(by % all.len());
            let (q, z) = split(&turned);
            // Forecasts of equal probability may change bins; made-up ones are never equal.
            prop_assert!((calibration_error(&p, &y) - calibration_error(&q, &z)).abs() < 1e-12);
        }

        #[test]
        fn a_perfect_forecast_scores_zero_and_any_other_more(all in forecasts()) {
            let sure: Vec<[f64; 3]> =
                all.iter().map(|(_, y)| [0, 1, 2].map(|i| f64::from(u8::from(i == *y)))).collect();
            let (_, y) = split(&all);
            for ((p, y), sure) in all.iter().zip(&sure) {
                prop_assert_eq!(log_loss(sure, *y), 0.0);
                prop_assert_eq!(brier(sure, *y), 0.0);
                prop_assert_eq!(ranked_probability_score(sure, *y), 0.0);
                prop_assert!(log_loss(p, *y) > 0.0 && brier(p, *y) > 0.0);
                prop_assert!((0.0..=1.0).contains(&ranked_probability_score(p, *y)));
            }
            prop_assert_eq!(calibration_error(&sure, &y), 0.0);
            prop_assert_eq!(calibration_floor(&sure, 7), 0.0);
        }
    }
}
