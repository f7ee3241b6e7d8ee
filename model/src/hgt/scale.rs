//! Numbers brought to one scale: what a node's features are measured in must not matter.
//!
//! Fixed when a model is first trained and kept by everything that goes on from it, since weights
//! mean nothing on another scale.

use serde::{Deserialize, Serialize};

/// Standard deviations beyond which a number counts as so many.
const DEVIATIONS_MAX: f32 = 5.0;
/// Smallest standard deviation: a number that never changed says nothing when it does.
const DEVIATION_MIN: f32 = 1e-6;

/// Mean and inverse standard deviation by column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scale {
    columns: Vec<[f32; 2]>,
}

impl Scale {
    /// That of these rows.
    pub fn of<'a>(rows: impl Iterator<Item = &'a [f32]>, width: usize) -> Self {
        let mut sums = vec![[0.0_f64; 2]; width];
        let mut count = 0.0;
        for row in rows {
            count += 1.0;
            for (sum, x) in sums.iter_mut().zip(row) {
                sum[0] += f64::from(*x);
                sum[1] += f64::from(*x).powi(2);
            }
        }
        let column = |[sum, squares]: [f64; 2]| {
            let mean = sum / f64::max(count, 1.0);
            let deviation = (squares / f64::max(count, 1.0) - mean * mean).max(0.0).sqrt() as f32;
            let inverse = if deviation > DEVIATION_MIN { 1.0 / deviation } else { 0.0 };
            [mean as f32, inverse]
        };
        Self { columns: sums.into_iter().map(column).collect() }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Appends a row, brought to scale. A number that is not finite counts as the mean.
    pub fn put(&self, row: &[f32], into: &mut Vec<f32>) {
        debug_assert_eq!(row.len(), self.columns.len());
        into.extend(row.iter().zip(&self.columns).map(|(x, [mean, inverse])| {
            let scaled = (x - mean) * inverse;
            if scaled.is_finite() { scaled.clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX) } else { 0.0 }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_to_mean_zero_and_deviation_one() {
        let rows = [[1.0_f32, 5.0], [3.0, 5.0]];
        let scale = Scale::of(rows.iter().map(<[f32; 2]>::as_slice), 2);
        let mut out = Vec::new();
        for row in &rows {
            scale.put(row, &mut out);
        }
        scale.put(&[f32::NAN, 1e9], &mut out);
        assert_eq!(out, [-1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        scale.put(&[1e9, 5.0], &mut out);
        assert!((out[6] - DEVIATIONS_MAX).abs() < 1e-6);
    }
}
