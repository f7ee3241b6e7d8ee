//! Scenarios of a fixture: every final score that matters, with a probability that agrees with the
//! fair prices.
//!
//! Home and away goals are first taken as independent Poisson counts (Maher 1982) fitted to the fair
//! prices. That gets the shape right and the prices nearly; then the scores are re-weighted by as
//! little as possible (minimum relative entropy, an exponential tilt) until 1X2 is matched exactly,
//! and every other price that 1X2 leaves open. So a bet's edge in the joint problem is the edge the
//! lenses saw, and correlations come from the scores.

use schema::{Market, MarketKind, Outcome, Score, Selection, settle};

use crate::sizing::MarketPrice;
use schema::linear::solve;

/// Most goals of one side on the grid, plus one: the tail beyond is below 1e-4 up to 2.5 a match, and
/// the tilt makes up for it in the prices.
const GOALS: usize = 11;
/// Scores on the grid.
const CELLS: usize = GOALS * GOALS;
/// Most markets of one fixture taken into account together.
pub(crate) const MARKETS_MAX: usize = 8;
/// Goals a side before anything is known: the long-run means of football.
const RATES: [f64; 2] = [1.5, 1.2];
/// How strongly the fit holds on to [`RATES`] where prices say nothing.
const PRIOR: f64 = 1e-4;
/// Steps of the fit; six are usual.
const FIT_STEPS_MAX: usize = 25;
/// Change of a logarithmic rate at which the fit stops; the tilt does the rest exactly.
const FIT_TOLERANCE: f64 = 1e-4;
/// Largest distance of the fitted prices from the given ones; beyond, goals are not Poisson here
/// (basketball, say) and there are no scenarios.
const MISFIT_MAX: f64 = 0.15;
/// Steps of the tilt; five are usual.
const TILT_STEPS_MAX: usize = 60;
/// Accepted distance of tilted prices from the given ones.
const TILT_TOLERANCE: f64 = 1e-10;
/// A price whose variance is explained to all but this share by those before it is implied by them.
const IMPLIED: f64 = 1e-3;

/// Scores merged by what they mean for the markets.
#[derive(Debug)]
pub(crate) struct Scenarios {
    /// Probability of each.
    pub weights: Vec<f64>,
    /// Outcome state by scenario, then by market (see [`state`]).
    pub states: Vec<[u8; MARKETS_MAX]>,
}

/// What a score means for a market: for 1X2 the selection that wins, else the outcome of the first
/// selection as an index into [`SHARES`].
fn state(market: Market, score: Score) -> u8 {
    if market.kind == MarketKind::OneXTwo {
        return match score.home.cmp(&score.away) {
            std::cmp::Ordering::Greater => 0,
            std::cmp::Ordering::Equal => 1,
            std::cmp::Ordering::Less => 2,
        };
    }
    match settle(market, Selection(0), score) {
        Outcome::Win => 0,
        Outcome::HalfWin => 1,
        Outcome::HalfLoss => 3,
        Outcome::Loss => 4,
        _ => 2,
    }
}

/// Share of the stake that the first of two selections wins (loses when negative), by state.
const SHARES: [f64; 5] = [1.0, 0.5, 0.0, -0.5, -1.0];

/// Profit per unit staked on a selection in a state.
pub(crate) fn profit(market: Market, state: u8, selection: Selection, net_odds: f64) -> f64 {
    if market.kind == MarketKind::OneXTwo {
        return if state == selection.0 { net_odds - 1.0 } else { -1.0 };
    }
    let share = SHARES[usize::from(state)] * if selection.0 == 0 { 1.0 } else { -1.0 };
    if share > 0.0 { share * (net_odds - 1.0) } else { share }
}

/// What has to be zero on average for a price to be fair, in each state of its market. 1X2 gives
/// two conditions, a two-way market one: the mean profit at odds of 1 / fair, times fair.
fn conditions(price: &MarketPrice) -> Vec<[f64; 5]> {
    let q = price.fair;
    if price.market.kind == MarketKind::OneXTwo {
        let is = |selection: usize| {
            let mut f = [0.0; 5];
            for (state, f) in f.iter_mut().enumerate() {
                *f = f64::from(u8::from(state == selection)) - q[selection];
            }
            f
        };
        return vec![is(0), is(2)];
    }
    vec![SHARES.map(|share| if share > 0.0 { share * (1.0 - q[0]) } else { share * q[0] })]
}

/// Scenarios of a market alone whose states follow from its prices: no line, or one that cannot be
/// hit. Also the stand-in for any market when no score model fits; pushes are then left out.
pub(crate) fn simple(price: &MarketPrice) -> Scenarios {
    let three = price.market.kind == MarketKind::OneXTwo;
    let (states, fair): (&[u8], &[f64]) =
        if three { (&[0, 1, 2], &price.fair) } else { (&[0, 4], &price.fair[..2]) };
    let sum: f64 = fair.iter().sum();
    let row = |state: &u8| {
        let mut row = [0; MARKETS_MAX];
        row[0] = *state;
        row
    };
    Scenarios {
        weights: fair.iter().map(|p| p / sum).collect(),
        states: states.iter().map(row).collect(),
    }
}

/// Whether [`simple`] is exact for the market when it stands alone.
pub(crate) fn is_simple(market: Market) -> bool {
    match market.kind {
        MarketKind::OneXTwo | MarketKind::Binary => true,
        MarketKind::Total | MarketKind::AsianHandicap => market.line.quarters().rem_euclid(4) == 2,
        _ => false,
    }
}

/// Scenarios of a fixture from the fair prices of its markets (`prices[i]` is market `i`, 1X2 before
/// the others). `None` when goals cannot explain them.
pub(crate) fn joint(prices: &[MarketPrice]) -> Option<Scenarios> {
    debug_assert!(prices.len() <= MARKETS_MAX);
    let classes = Classes::of(prices);
    let all: Vec<Condition> = prices
        .iter()
        .enumerate()
        .flat_map(|(market, price)| conditions(price).into_iter().map(move |f| (market, f)))
        .collect();
    let conditions = classes.values(&all);
    let weights = fit(&classes, &conditions)?;
    let scenarios = Scenarios { weights, states: classes.states };
    tilt(scenarios, &conditions)
}

/// Which market a condition is about, and its value by state.
type Condition = (usize, [f64; 5]);

/// Scores that mean the same for every market, as one class.
struct Classes {
    states: Vec<[u8; MARKETS_MAX]>,
    /// Class of each score on the grid.
    of_cell: [u8; CELLS],
}

impl Classes {
    fn of(prices: &[MarketPrice]) -> Self {
        let mut states: Vec<[u8; MARKETS_MAX]> = Vec::new();
        let of_cell = std::array::from_fn(|cell| {
            let score = Score { home: (cell / GOALS) as u16, away: (cell % GOALS) as u16 };
            let mut row = [0; MARKETS_MAX];
            for (slot, price) in row.iter_mut().zip(prices) {
                *slot = state(price.market, score);
            }
            let packed = u64::from_le_bytes(row);
            let known = states.iter().position(|known| u64::from_le_bytes(*known) == packed);
            known.unwrap_or_else(|| {
                states.push(row);
                states.len() - 1
            }) as u8
        });
        Self { states, of_cell }
    }

    /// Each condition's value in each class.
    fn values(&self, conditions: &[Condition]) -> Vec<Vec<f64>> {
        let value = |(market, f): &Condition| {
            self.states.iter().map(|row| f[usize::from(row[*market])]).collect()
        };
        conditions.iter().map(value).collect()
    }

    /// Weight of each class at these rates, and its slopes by the logarithm of each rate.
    fn weights(&self, rates: [f64; 2]) -> [Vec<f64>; 3] {
        let mut sums = [(); 3].map(|()| vec![0.0; self.states.len()]);
        for (cell, weight) in poisson(rates).iter().enumerate() {
            let class = usize::from(self.of_cell[cell]);
            sums[0][class] += weight;
            sums[1][class] += weight * ((cell / GOALS) as f64 - rates[0]);
            sums[2][class] += weight * ((cell % GOALS) as f64 - rates[1]);
        }
        sums
    }
}

/// Poisson weights of the grid's cells at these rates, summing to one.
fn poisson(rates: [f64; 2]) -> [f64; CELLS] {
    let side = |rate: f64| {
        let mut p = [0.0; GOALS];
        p[0] = 1.0;
        for k in 1..GOALS {
            p[k] = p[k - 1] * rate / k as f64;
        }
        let sum: f64 = p.iter().sum();
        p.map(|p| p / sum)
    };
    let (home, away) = (side(rates[0]), side(rates[1]));
    std::array::from_fn(|cell| home[cell / GOALS] * away[cell % GOALS])
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Class weights at the rates that come closest to the prices, by Gauss and Newton's method on their
/// logarithms; `None` when even those are far off.
fn fit(classes: &Classes, conditions: &[Vec<f64>]) -> Option<Vec<f64>> {
    let start = RATES.map(f64::ln);
    let mut logs = start;
    for _ in 0..FIT_STEPS_MAX {
        let [weights, home, away] = classes.weights(logs.map(f64::exp));
        let mut a = [PRIOR, 0.0, PRIOR];
        let mut b = [PRIOR * (start[0] - logs[0]), PRIOR * (start[1] - logs[1])];
        for f in conditions {
            let (miss, home, away) = (dot(&weights, f), dot(&home, f), dot(&away, f));
            a = [a[0] + home * home, a[1] + home * away, a[2] + away * away];
            b = [b[0] - home * miss, b[1] - away * miss];
        }
        let determinant = a[0] * a[2] - a[1] * a[1];
        let step = [
            ((b[0] * a[2] - b[1] * a[1]) / determinant).clamp(-0.5, 0.5),
            ((b[1] * a[0] - b[0] * a[1]) / determinant).clamp(-0.5, 0.5),
        ];
        logs = [(logs[0] + step[0]).clamp(-4.0, 2.0), (logs[1] + step[1]).clamp(-4.0, 2.0)];
        if step[0].abs().max(step[1].abs()) < FIT_TOLERANCE {
            break;
        }
    }
    let [weights, ..] = classes.weights(logs.map(f64::exp));
    conditions.iter().all(|f| dot(&weights, f).abs() < MISFIT_MAX).then_some(weights)
}

/// The conditions without those that the ones before already imply (a level handicap follows from
/// 1X2): what is left of each after projecting on the others is its own.
fn independent(weights: &[f64], conditions: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut kept: Vec<Vec<f64>> = Vec::new();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let inner = |a: &[f64], b: &[f64]| {
        weights.iter().zip(a.iter().zip(b)).map(|(w, (a, b))| w * a * b).sum::<f64>()
    };
    for value in conditions {
        let mean = dot(weights, value);
        let mut rest: Vec<f64> = value.iter().map(|v| v - mean).collect();
        let variance = inner(&rest, &rest);
        for direction in &basis {
            let along = inner(&rest, direction);
            rest.iter_mut().zip(direction).for_each(|(r, d)| *r -= along * d);
        }
        let unexplained = inner(&rest, &rest);
        if unexplained > IMPLIED * variance && unexplained > 1e-9 {
            let norm = unexplained.sqrt();
            basis.push(rest.iter().map(|r| r / norm).collect());
            kept.push(value.clone());
        }
    }
    kept
}

/// Re-weights by `exp(sum lambda f)` so that each condition is zero on average: Newton's method on
/// the convex dual, the logarithm of the re-weighted sum.
fn tilt(mut scenarios: Scenarios, conditions: &[Vec<f64>]) -> Option<Scenarios> {
    let f = independent(&scenarios.weights, conditions);
    let m = f.len();
    let mut lambda = vec![0.0; m];
    let (mut weights, mut dual) = tilted(&scenarios.weights, &f, &lambda);
    for _ in 0..TILT_STEPS_MAX {
        let mean: Vec<f64> = f.iter().map(|f| dot(f, &weights)).collect();
        if mean.iter().all(|mean: &f64| mean.abs() < TILT_TOLERANCE) {
            scenarios.weights = weights;
            return Some(scenarios);
        }
        let mut step: Vec<f64> = mean.iter().map(|mean| -mean).collect();
        let mut covariance = vec![0.0; m * m];
        for i in 0..m {
            for j in 0..m {
                let moment: f64 = (0..weights.len()).map(|s| weights[s] * f[i][s] * f[j][s]).sum();
                covariance[i * m + j] = moment - mean[i] * mean[j];
            }
        }
        if !solve(&mut covariance, &mut step) {
            return None;
        }
        let mut length = 1.0;
        loop {
            let next: Vec<f64> = lambda.iter().zip(&step).map(|(l, s)| l + length * s).collect();
            let (moved, value) = tilted(&scenarios.weights, &f, &next);
            if value <= dual + 1e-15 {
                (lambda, weights, dual) = (next, moved, value);
                break;
            }
            length /= 2.0;
            if length < 1e-6 {
                return None;
            }
        }
    }
    None
}

/// Re-weighted and normalised weights, and the logarithm of their sum before that.
fn tilted(weights: &[f64], f: &[Vec<f64>], lambda: &[f64]) -> (Vec<f64>, f64) {
    let raw: Vec<f64> = weights
        .iter()
        .enumerate()
        .map(|(s, w)| w * f.iter().zip(lambda).map(|(f, l)| f[s] * l).sum::<f64>().exp())
        .collect();
    let sum: f64 = raw.iter().sum();
    (raw.iter().map(|w| w / sum).collect(), sum.ln())
}
