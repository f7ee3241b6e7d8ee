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
/// Rounds over both coordinates; the loss is convex, and a few steps end where many do.
const ROUNDS: usize = 12;

/// Factors on the outcome output `moves` (rows x 2) that minimise cross-entropy, summed by weight,
/// plus the prior: by coordinate, Newton's step, kept within `0..=`[`CALIBRATION_MAX`].
pub(crate) fn calibrate(objective: &Objective<'_>, moves: &[f32]) -> [f32; MOVES] {
    let precision = 1.0 / (PRIOR_SPREAD * PRIOR_SPREAD);
    let mut factors = [1.0_f64; MOVES];
    for _ in 0..ROUNDS {
        for axis in 0..MOVES {
            let (mut slope, mut curvature) = (precision * (factors[axis] - 1.0), precision);
            for &(at, row) in objective.rows() {
                let output = [f64::from(moves[at * MOVES]), f64::from(moves[at * MOVES + 1])];
                let by = [factors[0] * output[0], factors[1] * output[1]];
                let (chances, _) = probabilities(row.base, by);
                let apart = [0, 1, 2].map(|it| chances[it] - f64::from(row.truth[it]));
                let weight = f64::from(row.weight);
                slope += weight * along(apart)[axis] * output[axis];
                curvature += weight * variance(chances, axis) * output[axis] * output[axis];
            }
            let next = factors[axis] - slope / curvature;
            factors[axis] = next.clamp(0.0, f64::from(CALIBRATION_MAX));
        }
    }
    factors.map(|it| it as f32)
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
        assert_eq!(fitted(20_000, [-1.0, 3.0], 0.5), [0.0, CALIBRATION_MAX]);
    }
}
