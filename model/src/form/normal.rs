//! Ridge regression on running sums over a fixed number of columns: what is learned is a matrix that
//! decays with time, is added to match by match, and is solved when a window closes.

use schema::{Span, Time};
use serde::{Deserialize, Serialize};

/// Decayed normal equations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Normal {
    columns: usize,
    /// Row-major, symmetric.
    moments: Vec<f64>,
    targets: Vec<f64>,
    /// Decayed number of rows.
    rows: f64,
    /// Up to when the sums are decayed.
    at: Time,
}

impl Normal {
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            moments: vec![0.0; columns * columns],
            targets: vec![0.0; columns],
            rows: 0.0,
            at: Time::MIN,
        }
    }

    /// Adds a row seen at a time; what came before counts half after every half-life.
    pub fn add(&mut self, row: &[f64], target: f64, at: Time, half_life: Span) {
        self.curve(&[(row, 0)], [[1.0, 0.0], [0.0, 0.0]], at, half_life);
        self.slope(&[(row, 0)], [target, 0.0], 1.0);
    }

    /// Adds the curvature of a loss in groups of columns, each given with its first one: `by` says
    /// how the loss curves in the sum of one group and that of another.
    pub fn curve(
        &mut self,
        groups: &[(&[f64], usize)],
        by: [[f64; 2]; 2],
        at: Time,
        half_life: Span,
    ) {
        self.decay(at, half_life);
        for (a, (row, from)) in groups.iter().enumerate() {
            for (i, x) in row.iter().enumerate() {
                let line = (from + i) * self.columns;
                for (b, (other, start)) in groups.iter().enumerate() {
                    let weight = x * by[a][b];
                    let line = &mut self.moments[line + start..line + start + other.len()];
                    for (moment, y) in line.iter_mut().zip(*other) {
                        *moment += weight * y;
                    }
                }
            }
        }
        self.rows += 1.0;
    }

    /// Adds its slope, down which the coefficients go; `share` is how much it counts.
    pub fn slope(&mut self, groups: &[(&[f64], usize)], by: [f64; 2], share: f64) {
        for ((row, from), by) in groups.iter().zip(by) {
            for (target, x) in self.targets[*from..].iter_mut().zip(*row) {
                *target += share * by * x;
            }
        }
    }

    fn decay(&mut self, at: Time, half_life: Span) {
        if self.at != Time::MIN && at > self.at {
            let factor = (-(at.since(self.at) as f64) / half_life.ms() as f64).exp2();
            self.moments.iter_mut().chain(&mut self.targets).for_each(|sum| *sum *= factor);
            self.rows *= factor;
        }
        self.at = self.at.max(at);
    }

    /// Coefficients with the least squared error plus, for each, its square times what `ridge` rows
    /// of average size would add: no column counts more for being measured in larger units. Zeros
    /// when nothing can be told.
    pub fn solve(&self, ridge: f64) -> Vec<f64> {
        let n = self.columns;
        let (mut a, mut b) = (self.moments.clone(), self.targets.clone());
        let rows = self.rows.max(1.0);
        for i in 0..n {
            a[i * n + i] += a[i * n + i] / rows * ridge + f64::EPSILON;
        }
        if schema::linear::solve(&mut a, &mut b) { b } else { vec![0.0; n] }
    }

    /// Decayed number of rows.
    pub fn rows(&self) -> f64 {
        self.rows
    }

    /// Whether the pieces have the sizes they must have, for sums read from outside.
    pub fn is_sound(&self, columns: usize) -> bool {
        self.columns == columns
            && self.moments.len() == columns * columns
            && self.targets.len() == columns
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_is_found_and_a_ridge_pulls_to_zero(
            slope in -3.0_f64..3.0, xs in prop::collection::vec(-2.0_f64..2.0, 20..40),
        ) {
            let mut normal = Normal::new(2);
            for (day, x) in xs.iter().enumerate() {
                let at = Time::from_ms(day as i64 * 86_400_000);
                normal.add(&[1.0, *x], 0.5 + slope * x, at, Span::days(30));
            }
            let exact = normal.solve(0.0);
            prop_assert!((exact[0] - 0.5).abs() < 1e-5 && (exact[1] - slope).abs() < 1e-5);
            let pulled = normal.solve(1e6);
            prop_assert!(pulled.iter().all(|c| c.abs() < 1e-2));
        }
    }

    #[test]
    fn the_past_counts_half_after_a_half_life() {
        let mut normal = Normal::new(1);
        normal.add(&[1.0], 1.0, Time::from_ms(0), Span::days(10));
        normal.add(&[1.0], 0.0, Time::from_ms(864_000_000), Span::days(10));
        assert!((normal.solve(0.0)[0] - 1.0 / 3.0).abs() < 1e-9);
        assert!(normal.is_sound(1) && !normal.is_sound(2));
    }
}
