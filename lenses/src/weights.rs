//! The weights of the lenses, learned from which of them foresaw a beaten closing line.
//!
//! Whether a bet beat the close is known for every bet and is far less noisy than profit, so that a
//! few hundred bets can say something. The method is a linear probability model: "CLV > 0"
//! regressed on the log scores with a ridge and non-negative coefficients, normalised to sum one and
//! shrunk to equal weights. Linear rather than logistic because its sufficient statistics are sums
//! of integers: corrections are taken out exactly and no bet has to be kept.

use serde::{Deserialize, Serialize};

use crate::Learning;

/// Number of lenses there are.
pub const LENSES_MAX: usize = 5;
/// Scores below this count as this in the geometric mean, so that its logarithm is finite.
const SCORE_MIN: f64 = 0.01;
/// Sweeps of coordinate descent; five coefficients settle within a few dozen.
const SWEEPS_MAX: usize = 200;
/// Change of a coefficient below which the sweeps stop.
const TOLERANCE: f64 = 1e-12;

/// Weights of the lenses in the order of [`crate::LensConfig::names`], summing to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights(pub [f64; LENSES_MAX]);

impl Weights {
    /// The same weight for each.
    pub const EQUAL: Self = Self([1.0 / LENSES_MAX as f64; LENSES_MAX]);

    /// The logarithm of a score in thousandths, as records keep it.
    pub(crate) fn log_score_milli(score: f64) -> i32 {
        (score.clamp(SCORE_MIN, 1.0).ln() * 1_000.0).round() as i32
    }

    /// Weighted geometric mean of scores by lens; lenses not on the panel are `None` and leave
    /// their weight to the others. A score of zero makes the mean zero.
    pub fn combine(&self, scores: &[Option<f64>; LENSES_MAX]) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (score, weight) in scores.iter().zip(self.0) {
            let Some(score) = score else { continue };
            if *score <= 0.0 {
                return 0.0;
            }
            sum += weight * score.ln();
            total += weight;
        }
        if total > 0.0 { (sum / total).exp().clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Sums over bets of log scores (z, thousandths) and of whether they beat the close (y, 0 or 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct LensSums {
    n: i64,
    y: i64,
    z: [i64; LENSES_MAX],
    zy: [i64; LENSES_MAX],
    zz: [[i64; LENSES_MAX]; LENSES_MAX],
}

impl LensSums {
    pub(crate) fn add(&mut self, log_scores_milli: &[i32; LENSES_MAX], won: bool, sign: i64) {
        let z = log_scores_milli.map(i64::from);
        self.n += sign;
        self.y += sign * i64::from(won);
        for i in 0..LENSES_MAX {
            self.z[i] += sign * z[i];
            self.zy[i] += sign * z[i] * i64::from(won);
            for (sum, other) in self.zz[i].iter_mut().zip(z) {
                *sum += sign * z[i] * other;
            }
        }
    }

    /// Non-negative ridge regression on centred sums by cyclic coordinate descent.
    pub(crate) fn fit(&self, learning: &Learning) -> Weights {
        if self.n <= 0 || self.n < i64::from(learning.bets_min) {
            return Weights::EQUAL;
        }
        let n = self.n as f64;
        let mean = self.z.map(|z| z as f64 / n);
        let y_mean = self.y as f64 / n;
        let covariance = |i: usize, j: usize| self.zz[i][j] as f64 / n - mean[i] * mean[j];
        let variance: f64 = (0..LENSES_MAX).map(|i| covariance(i, i)).sum::<f64>();
        let ridge = (learning.ridge * variance / LENSES_MAX as f64).max(f64::MIN_POSITIVE);
        let mut beta = [0.0_f64; LENSES_MAX];
        for _ in 0..SWEEPS_MAX {
            let mut change = 0.0_f64;
            for i in 0..LENSES_MAX {
                let mut pull = self.zy[i] as f64 / n - mean[i] * y_mean;
                for (j, other) in beta.iter().enumerate().filter(|(j, _)| *j != i) {
                    pull -= covariance(i, j) * other;
                }
                let updated = (pull / (covariance(i, i) + ridge)).max(0.0);
                change = change.max((updated - beta[i]).abs());
                beta[i] = updated;
            }
            if change < TOLERANCE {
                break;
            }
        }
        shrink(beta, n, f64::from(learning.shrink_bets))
    }
}

/// Normalises, and counts equal weights as `prior` more bets.
fn shrink(beta: [f64; LENSES_MAX], n: f64, prior: f64) -> Weights {
    let sum: f64 = beta.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return Weights::EQUAL;
    }
    let learned = n / (n + prior);
    Weights(beta.map(|b| learned * b / sum + (1.0 - learned) / LENSES_MAX as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bets beat the close when the first score is high; the second moves without meaning.
    fn telling(bets: u32) -> LensSums {
        let mut sums = LensSums::default();
        for i in 0..bets {
            let scores = [-((i % 10) as i32) * 100, -((i % 7) as i32) * 100, -300, -300, -300];
            sums.add(&scores, i % 10 < 5, 1);
        }
        sums
    }

    #[test]
    fn equal_until_enough_bets_then_learned() {
        let learning = Learning::default();
        assert_eq!(telling(199).fit(&learning), Weights::EQUAL);
        let learned = telling(2_000).fit(&learning).0;
        assert!(learned[0] > 0.8, "{learned:?}");
        assert!(learned[1] < 0.05, "{learned:?}");
        assert!((learned.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_lens_that_misleads_gets_no_weight_of_its_own() {
        let mut sums = LensSums::default();
        for i in 0..1_000_i32 {
            sums.add(&[-(i % 10) * 100, -300, -300, -300, -300], i % 10 > 5, 1);
        }
        assert_eq!(sums.fit(&Learning::default()), Weights::EQUAL);
    }

    proptest! {
        #[test]
        fn the_mean_lies_between_the_scores(scores in proptest::array::uniform5(0.01_f64..1.0)) {
            let mean = Weights::EQUAL.combine(&scores.map(Some));
            let low = scores.iter().copied().fold(1.0, f64::min);
            let high = scores.iter().copied().fold(0.0, f64::max);
            prop_assert!(mean >= low - 1e-12 && mean <= high + 1e-12);
        }

        #[test]
        fn taking_out_is_exact(
            bets in proptest::collection::vec((proptest::array::uniform5(-4_605_i32..=0), any::<bool>()), 1..40)
        ) {
            let mut sums = telling(300);
            let before = sums;
            for (scores, won) in &bets { sums.add(scores, *won, 1); }
            for (scores, won) in &bets { sums.add(scores, *won, -1); }
            prop_assert_eq!(sums, before);
        }
    }
}
