//! Expected goals of a match by ratings alone: a Poisson regression on running sums.
//!
//! Goals are few and noisy; shots, shots on target and corners say more about how many are to come.
//! So goals are regressed on what every rating expects (log-linear, Maher 1982 with covariates), and
//! the pair of rates prices every market. The sums are those of Newton's method taken at the
//! coefficients of the day a match was added, which costs one pass and no memory of matches; they
//! decay, so that early, wrong coefficients are forgotten.

use schema::{Span, Time};
use serde::{Deserialize, Serialize};

use super::Rated;
use super::stakes::FIGHTS;
use super::statistics::SPEEDS;
use crate::form::STATISTICS;
use crate::form::normal::{Normal, dot};

/// Columns of one side of a match.
const COLUMNS: usize = 2 * STATISTICS * SPEEDS.len() + 3 * STATISTICS + 2 * FIGHTS + 6;
/// Memory of the sums.
const HALF_LIFE: Span = Span::days(2_200);
/// How strongly coefficients are pulled to zero: as a share of the rows.
const RIDGE_SHARE: f64 = 0.002;
/// Rows before which ratings expect the league's mean.
const ROWS_MIN: f64 = 4_000.0;
/// Range of a logarithmic rate: 0.08 to 7.4 goals.
const LOG_RANGE: [f64; 2] = [-2.5, 2.0];
/// How much less often than independent counts say, one side wins by one goal to none, and how much
/// more often it is a draw without goals or of one each (Dixon and Coles 1997).
const DEPENDENCE: f64 = -0.02;

/// The regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rates {
    sums: Normal,
    rows: f64,
    coefficients: Vec<f64>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { sums: Normal::new(COLUMNS), rows: 0.0, coefficients: Vec::new() }
    }
}

/// Columns of the home and of the away side.
fn columns(rated: &Rated) -> [Vec<f64>; 2] {
    let relative = &rated.relative;
    [0, 1].map(|side| {
        let (own, other) = match side {
            0 => (&relative.home, &relative.away),
            _ => (&relative.away, &relative.home),
        };
        let sign = if side == 0 { 1.0 } else { -1.0 };
        let mut row = Vec::with_capacity(COLUMNS);
        row.push(1.0);
        row.push(if side == 0 { 1.0 } else { 0.0 });
        for table in [own, other] {
            row.extend(table.iter().flatten().map(|relative| relative.ln()));
        }
        for expected in &rated.ahead {
            row.extend(expected.values.iter().map(|value| sign * value));
        }
        let levels = super::TOTAL_LEVELS;
        row.extend(rated.both.values.iter().zip(levels).map(|(value, level)| value - level));
        for side in [side, 1 - side] {
            row.extend(rated.open.fights[side]);
            row.push(relative.unknown[side]);
            row.push(rated.rest[side]);
        }
        debug_assert_eq!(row.len(), COLUMNS);
        row
    })
}

impl Rates {
    /// Expected goals of both sides.
    pub fn expect(&self, rated: &Rated) -> [f64; 2] {
        let [home, away] = columns(rated);
        [self.rate(&home, rated.relative.goals[0]), self.rate(&away, rated.relative.goals[1])]
    }

    fn rate(&self, row: &[f64], mean: f64) -> f64 {
        let [low, high] = LOG_RANGE;
        let by = if self.coefficients.is_empty() { 0.0 } else { dot(row, &self.coefficients) };
        (mean.ln() + by).clamp(low, high).exp()
    }

    /// Learns from what was expected before a match and how many goals there were.
    pub fn learn(&mut self, rated: &Rated, goals: [u16; 2], at: Time) {
        for (side, row) in columns(rated).into_iter().enumerate() {
            let mean = rated.relative.goals[side];
            let rate = self.rate(&row, mean);
            // As far as it was followed: a rate that was cut off was not the coefficients'.
            let by = (rate / mean).ln();
            let slope = f64::from(goals[side]) - rate + rate * by;
            self.sums.curve(&[(&row, 0)], [[rate, 0.0], [0.0, 0.0]], at, HALF_LIFE);
            self.sums.slope(&[(&row, 0)], [slope, 0.0], 1.0);
            self.rows += 1.0;
        }
    }

    /// Takes up what was learned.
    pub fn solve(&mut self) {
        if self.rows >= ROWS_MIN {
            self.coefficients = self.sums.solve(RIDGE_SHARE * self.sums.rows());
        }
    }
}

/// Probabilities of home, draw and away by two rates, with Dixon and Coles's dependence.
pub(crate) fn outcome(rates: [f64; 2]) -> [f64; 3] {
    let goals = crate::goals::Goals { rates };
    let p = goals.price(schema::Market::ONE_X_TWO).map(schema::Probability::as_f64);
    let shift = DEPENDENCE * rates[0] * rates[1] * (-rates[0] - rates[1]).exp();
    let moved = [p[0] + shift, p[1] - 2.0 * shift, p[2] + shift].map(|p| p.max(1e-6));
    let sum: f64 = moved.iter().sum();
    moved.map(|p| p / sum)
}
