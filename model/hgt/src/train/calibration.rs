//! How much of the outcome output to believe: one factor for each coordinate.
//!
//! A network that stopped early still moves lines a little too far or not far enough. Two numbers
//! fitted on the validation rows mend the average size of its moves; a prior around 1 keeps a few
//! hundred rows from deciding more than they can.

use super::objective::{Objective, along, probabilities};
use super::problem::MOVES;

/// Largest factor.
pub const CALIBRATION_MAX: f32 = 1.5;
/// Spread of the belief, before any row is seen, that the factor is 1.
const PRIOR_SPREAD: f64 = 0.5;
const PRECISION: f64 = 1.0 / (PRIOR_SPREAD * PRIOR_SPREAD);
/// Rounds over both coordinates; the loss is convex, and a few steps end where many do.
const ROUNDS: usize = 12;

/// Most times that a step which made it worse is halved: far enough from its minimum a convex
/// function is so flat that Newton's step goes past it.
const HALVINGS_MAX: usize = 20;

/// Factors on the outcome output `moves` (rows x 2) that minimise cross-entropy, summed by weight,
/// plus the prior: by coordinate, Newton's step, kept within `0..=`[`CALIBRATION_MAX`].
pub(crate) fn calibrate(objective: &Objective<'_>, moves: &[f32]) -> [f32; MOVES] {
    let mut factors = [1.0_f64; MOVES];
    let mut here = cost(objective, moves, factors);
    for _ in 0..ROUNDS {
        for axis in 0..MOVES {
            let step = newton(objective, moves, factors, axis);
            let mut next = factors;
            next[axis] = (factors[axis] - step).clamp(0.0, f64::from(CALIBRATION_MAX));
            for _ in 0..HALVINGS_MAX {
                let there = cost(objective, moves, next);
                if there <= here {
                    (factors, here) = (next, there);
                    break;
                }
                next[axis] = f64::midpoint(next[axis], factors[axis]);
            }
        }
    }
    factors.map(|it| it as f32)
}

/// What is minimised.
fn cost(objective: &Objective<'_>, moves: &[f32], factors: [f64; MOVES]) -> f64 {
    let mut sum: f64 = factors.iter().map(|it| 0.5 * PRECISION * (it - 1.0).powi(2)).sum();
    for &(at, row) in objective.rows() {
        let (_, logs) = probabilities(row.base, scaled(moves, at, factors));
        let inner: f64 = (0..3).map(|it| f64::from(row.truth[it]) * logs[it]).sum();
        sum -= f64::from(row.weight) * inner;
    }
    sum
}

/// Slope over curvature along one factor.
fn newton(objective: &Objective<'_>, moves: &[f32], factors: [f64; MOVES], axis: usize) -> f64 {
    let (mut slope, mut curvature) = (PRECISION * (factors[axis] - 1.0), PRECISION);
    for &(at, row) in objective.rows() {
        let (chances, _) = probabilities(row.base, scaled(moves, at, factors));
        let apart = [0, 1, 2].map(|it| chances[it] - f64::from(row.truth[it]));
        let (weight, output) = (f64::from(row.weight), f64::from(moves[at * MOVES + axis]));
        slope += weight * along(apart)[axis] * output;
        curvature += weight * variance(chances, axis) * output * output;
    }
    slope / curvature
}

fn scaled(moves: &[f32], row: usize, factors: [f64; MOVES]) -> [f64; MOVES] {
    [0, 1].map(|it| factors[it] * f64::from(moves[row * MOVES + it]))
}

/// Variance of a coordinate's direction under the distribution: how fast its slope changes.
fn variance(chances: [f64; 3], axis: usize) -> f64 {
    let direction = if axis == 0 { [0.5, 0.0, -0.5] } else { [-1.0, 2.0, -1.0].map(|it| it / 3.0) };
    let mean: f64 = (0..3).map(|it| chances[it] * direction[it]).sum();
    (0..3).map(|it| chances[it] * (direction[it] - mean).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::problem::{Heads, Problem, Role, TargetRow};
    use super::super::settings::Settings;
    use super::*;

    /// Rows whose truth is the base moved by `truth` times the output.
    fn fitted(rows: usize, truth: [f64; 2], size: f32) -> [f32; 2] {
        let moves: Vec<f32> = (0..rows * 2).map(|it| (it as f32 * 1.7).sin() * size).collect();
        let row = |at: usize| {
            let base = [-0.8, -1.3, -1.2];
            let by = [0, 1].map(|it| truth[it] * f64::from(moves[at * 2 + it]));
            let truth = probabilities(base, by).0.map(|it| it as f32);
            TargetRow { role: Role::Validate, weight: 1.0, base, truth, ..TargetRow::default() }
        };
        let problem = Problem { rows: (0..rows).map(row).collect(), ..Problem::default() };
        let heads = Heads { outcome: Some(0), ..Heads::default() };
        let objective = Objective::new(&problem, heads, &Settings::default(), Role::Validate);
        calibrate(&objective, &moves)
    }

    #[test]
    fn many_rows_decide_and_few_do_not() {
        let many = fitted(20_000, [0.6, 1.2], 0.5);
        assert!((many[0] - 0.6).abs() < 0.02 && (many[1] - 1.2).abs() < 0.02, "{many:?}");
        let few = fitted(20, [0.2, 0.2], 0.1);
        assert!(few.iter().all(|it| *it > 0.95 && *it < 1.0), "{few:?}");
        assert_eq!(fitted(50, [0.3, 0.3], 0.0), [1.0, 1.0]);
    }

    #[test]
    fn factors_stay_within_their_bounds() {
        let wild = fitted(2_000, [0.02, 0.02], 60.0);
        assert!(wild.iter().all(|it| (*it - 0.02).abs() < 0.01), "{wild:?}");
        assert_eq!(fitted(20_000, [-1.0, 3.0], 0.5), [0.0, CALIBRATION_MAX]);
    }
}
