//! The losses and their gradients, in closed form and in double precision.
//!
//! The outputs of all target rows are a few numbers a row, so the loss is computed where the
//! targets are and only its gradient goes back into burn's graph: one formula for training, for
//! validation and for the calibration, and the same bits on every backend for the same outputs.

use serde::{Deserialize, Serialize};

use super::problem::{Heads, MOVES, Problem, Role, TargetRow};
use super::settings::Settings;

/// Logarithm of the most goals that are believed: an untrained exponential must not overflow.
const LOG_GOALS_MAX: f64 = 5.0;
/// Least mean square of closing moves that the squared error is measured in: below it no line
/// moved.
const CLOSING_SQUARE_MIN: f64 = 1e-8;

/// Losses, each a mean by weight over the rows that are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Cross-entropy of the outcome, nats.
    pub outcome: f64,
    /// Squared error of the closing move, in units of that of predicting no move: 1 for no move
    /// at all on the training rows.
    pub closing: f64,
    /// Poisson loss `exp(l) - truth l` of home and away goals, summed.
    pub goals: f64,
    /// Of the three, by the weights in the settings: what is minimised.
    pub total: f64,
}

/// The rows of one role that count, ready to be compared with outputs.
#[derive(Clone, Debug)]
pub(crate) struct Objective<'a> {
    heads: Heads,
    rows: Vec<(usize, &'a TargetRow)>,
    /// One over the summed weight.
    share: f64,
    closing_weight: f64,
    goals_weight: f64,
    /// One over the mean square of the training rows' closing moves, by coordinate.
    closing_scale: [f64; MOVES],
}

/// Outputs of all target rows by the configuration's outputs, or gradients with respect to them.
pub(crate) type Outputs = Vec<Vec<f32>>;

impl<'a> Objective<'a> {
    pub fn new(problem: &'a Problem, heads: Heads, settings: &Settings, role: Role) -> Self {
        let counted = |role: Role| {
            let rows = problem.rows.iter().enumerate();
            rows.filter(move |(_, it)| it.role == role && it.weight > 0.0)
        };
        let (mut squares, mut weight) = ([0.0; MOVES], 0.0);
        for (_, row) in counted(Role::Train) {
            let Some(closing) = row.closing else { continue };
            weight += f64::from(row.weight);
            for at in 0..MOVES {
                squares[at] += f64::from(row.weight) * f64::from(closing[at]).powi(2);
            }
        }
        let scale = |square: f64| 1.0 / (square / weight).max(CLOSING_SQUARE_MIN);
        let rows: Vec<_> = counted(role).collect();
        let total: f64 = rows.iter().map(|(_, it)| f64::from(it.weight)).sum();
        Self {
            heads,
            share: 1.0 / total,
            closing_weight: settings.closing_weight,
            goals_weight: settings.goals_weight,
            closing_scale: if weight > 0.0 { squares.map(scale) } else { [0.0; MOVES] },
            rows,
        }
    }

    /// The rows that count.
    pub fn rows(&self) -> &[(usize, &'a TargetRow)] {
        &self.rows
    }

    /// Losses of all-zero outputs.
    pub fn start(&self) -> Losses {
        self.walk(|_, _| [0.0; MOVES], |_, _, _| {})
    }

    /// Losses of these outputs.
    pub fn losses(&self, outputs: &[Vec<f32>]) -> Losses {
        self.walk(|head, row| pair(&outputs[head], row), |_, _, _| {})
    }

    /// Losses, and the gradient of the total with respect to the outputs, into `gradients` of the
    /// outputs' sizes. Only rows that count are written: let it start at zero.
    pub fn gradients(&self, outputs: &[Vec<f32>], gradients: &mut [Vec<f32>]) -> Losses {
        self.walk(
            |head, row| pair(&outputs[head], row),
            |head, row, gradient| {
                for at in 0..MOVES {
                    gradients[head][row * MOVES + at] = gradient[at] as f32;
                }
            },
        )
    }

    fn walk(
        &self,
        read: impl Fn(usize, usize) -> [f64; MOVES],
        mut write: impl FnMut(usize, usize, [f64; MOVES]),
    ) -> Losses {
        let mut losses = Losses::default();
        for &(at, row) in &self.rows {
            let weight = f64::from(row.weight) * self.share;
            if let Some(head) = self.heads.outcome {
                let (loss, slope) = outcome(row, read(head, at));
                losses.outcome += weight * loss;
                write(head, at, slope.map(|it| it * weight));
            }
            if let (Some(head), Some(closing)) = (self.heads.closing, row.closing) {
                let (loss, slope) = self.closing(closing, read(head, at));
                losses.closing += weight * loss;
                write(head, at, slope.map(|it| it * weight * self.closing_weight));
            }
            if let (Some(head), Some(rates)) = (self.heads.goals, row.rates) {
                let (loss, slope) = goals(rates.base, rates.truth, read(head, at));
                losses.goals += weight * loss;
                write(head, at, slope.map(|it| it * weight * self.goals_weight));
            }
        }
        losses.total = losses.outcome
            + self.closing_weight * losses.closing
            + self.goals_weight * losses.goals;
        losses
    }

    fn closing(&self, truth: [f32; MOVES], output: [f64; MOVES]) -> (f64, [f64; MOVES]) {
        let (mut loss, mut slope) = (0.0, [0.0; MOVES]);
        for at in 0..MOVES {
            let error = output[at] - f64::from(truth[at]);
            let scale = self.closing_scale[at] / MOVES as f64;
            loss += scale * error * error;
            slope[at] = 2.0 * scale * error;
        }
        (loss, slope)
    }
}

fn pair(values: &[f32], row: usize) -> [f64; MOVES] {
    [f64::from(values[row * MOVES]), f64::from(values[row * MOVES + 1])]
}

/// Probabilities of a line moved along its coordinates, and the logarithm of what they were
/// divided by.
pub(crate) fn probabilities(base: [f32; 3], by: [f64; MOVES]) -> ([f64; 3], [f64; 3]) {
    let (side, draw) = (0.5 * by[0], by[1] / 3.0);
    let base = base.map(f64::from);
    let line = [base[0] + side - draw, base[1] + 2.0 * draw, base[2] - side - draw];
    let most = line[0].max(line[1]).max(line[2]);
    let exps = line.map(|it| (it - most).exp());
    let sum: f64 = exps.iter().sum();
    let log_sum = most + sum.ln();
    (exps.map(|it| it / sum), line.map(|it| it - log_sum))
}

/// A difference of two distributions, as a slope along the two coordinates.
pub(crate) fn along(apart: [f64; 3]) -> [f64; MOVES] {
    [0.5 * (apart[0] - apart[2]), (2.0 * apart[1] - apart[0] - apart[2]) / 3.0]
}

/// Cross-entropy and its slope.
fn outcome(row: &TargetRow, output: [f64; MOVES]) -> (f64, [f64; MOVES]) {
    let (chances, logs) = probabilities(row.base, output);
    let truth = row.truth.map(f64::from);
    let loss = -(truth[0] * logs[0] + truth[1] * logs[1] + truth[2] * logs[2]);
    let sum = truth[0] + truth[1] + truth[2];
    (loss, along([0, 1, 2].map(|it| chances[it] * sum - truth[it])))
}

/// Poisson loss and its slope.
fn goals(base: [f32; MOVES], truth: [f32; MOVES], output: [f64; MOVES]) -> (f64, [f64; MOVES]) {
    let (mut loss, mut slope) = (0.0, [0.0; MOVES]);
    for at in 0..MOVES {
        let log = f64::from(base[at]) + output[at];
        let (truth, rate) = (f64::from(truth[at]), log.min(LOG_GOALS_MAX).exp());
        loss += rate - truth * log;
        slope[at] = rate - truth;
    }
    (loss, slope)
}

#[cfg(test)]
mod tests {
    use super::super::problem::{Rates, moved};
    use super::*;

    fn problem() -> Problem {
        let row = |role, weight, truth, closing, rates| TargetRow {
            role,
            weight,
            base: [-0.8, -1.2, -1.1],
            truth,
            closing,
            rates,
        };
        let rates = Rates { base: [0.3, 0.1], truth: [1.7, 0.4] };
        let rows = vec![
            row(Role::Train, 1.0, [0.5, 0.2, 0.3], Some([0.1, -0.02]), Some(rates)),
            row(Role::Train, 0.4, [0.0, 1.0, 0.0], None, Some(rates)),
            row(Role::Train, 0.0, [f32::NAN; 3], Some([f32::NAN; 2]), None),
            row(Role::Validate, 1.0, [0.1, 0.2, 0.7], Some([-0.1, 0.05]), None),
            row(Role::Train, 2.0, [0.3, 0.3, 0.4], Some([0.0, 0.04]), None),
        ];
        Problem { rows, ..Problem::default() }
    }

    const HEADS: Heads = Heads { outcome: Some(0), closing: Some(1), goals: Some(2) };

    #[test]
    fn gradients_are_the_slopes_of_the_losses() {
        let problem = problem();
        let settings = Settings { closing_weight: 0.7, goals_weight: 0.3, ..Settings::default() };
        let objective = Objective::new(&problem, HEADS, &settings, Role::Train);
        let outputs: Outputs = (0..3)
            .map(|head| (0..10).map(|it| ((it * 7 + head) as f32).sin() * 0.3).collect())
            .collect();
        let mut gradients = vec![vec![0.0; 10]; 3];
        let losses = objective.gradients(&outputs, &mut gradients);
        assert_eq!(losses, objective.losses(&outputs));
        let mut nonzero = 0;
        for head in 0..3 {
            for at in 0..10 {
                let at_offset = |by: f32| {
                    let mut outputs = outputs.clone();
                    outputs[head][at] += by;
                    let moved = f64::from(outputs[head][at]);
                    (moved, objective.losses(&outputs).total)
                };
                let ((x1, y1), (x0, y0)) = (at_offset(1e-3), at_offset(-1e-3));
                let slope = (y1 - y0) / (x1 - x0);
                let apart = (slope - f64::from(gradients[head][at])).abs();
                assert!(apart < 1e-5, "{head} {at}: {slope} {}", gradients[head][at]);
                nonzero += usize::from(gradients[head][at] != 0.0);
            }
        }
        // Rows 2 (weight 0) and 3 (validation) have none; one has no closing, one no goals.
        assert_eq!(nonzero, 6 + 4 + 4);
    }

    #[test]
    fn a_closing_move_that_is_not_foreseen_costs_one() {
        let mut problem = problem();
        problem.rows[1].closing = Some([0.3, 0.01]);
        let objective = Objective::new(&problem, HEADS, &Settings::default(), Role::Train);
        assert!((objective.start().closing - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_line_moves_as_it_is_documented() {
        let base = [-0.8_f32, -1.2, -1.1];
        let line = moved(base, [0.4, -0.3]);
        let (chances, logs) = probabilities(base, [f64::from(0.4_f32), f64::from(-0.3_f32)]);
        let sum: f32 = line.iter().map(|it| it.exp()).sum();
        for at in 0..3 {
            assert!((chances[at] - f64::from(line[at].exp() / sum)).abs() < 1e-6);
            assert!((chances[at].ln() - logs[at]).abs() < 1e-12);
        }
    }
}
