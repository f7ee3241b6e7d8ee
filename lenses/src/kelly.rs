//! Kelly stakes: the ones that make the expected logarithm of wealth grow fastest.
//!
//! Jointly over all bets of a fixture, because two bets that win together are one large bet and two
//! that exclude each other insure each other; sized apart, the first kind is overbet and the second
//! underbet. Kelly 1956; for several bets the problem is concave, so Newton's method finds the one
//! best answer.

use schema::linear::solve;

/// Weight of an imagined scenario in which every stake is lost. It keeps the stakes together below
/// the bankroll even in an arbitrage, and moves no other answer by more than about itself.
const RUIN: f64 = 1e-9;
/// Newton steps; a dozen are usual.
const STEPS_MAX: usize = 100;
/// Halvings of a step before it counts as none.
const HALVINGS_MAX: usize = 50;
/// Projected slope at which the answer is accepted.
const TOLERANCE: f64 = 1e-11;
/// Ridge that keeps the system solvable when two bets are the same bet.
const RIDGE: f64 = 1e-10;

/// Scenarios with their weights, and what each bet returns per unit staked in each of them.
#[derive(Debug, Default)]
pub(crate) struct Problem {
    /// Probability of each scenario.
    pub weights: Vec<f64>,
    /// Wealth in each scenario before the bets, 1 without anything held.
    pub base: Vec<f64>,
    /// Share of the wealth already staked.
    pub staked: f64,
    /// By bet, then by scenario.
    pub returns: Vec<Vec<f64>>,
}

impl Problem {
    fn wealth(&self, scenario: usize, stakes: &[f64]) -> f64 {
        let won = self.returns.iter().zip(stakes).map(|(bet, stake)| bet[scenario] * stake);
        self.base[scenario] + won.sum::<f64>()
    }

    fn left(&self, stakes: &[f64]) -> f64 {
        1.0 - self.staked - stakes.iter().sum::<f64>()
    }

    /// Expected log wealth; minus infinity where some scenario ruins.
    fn growth(&self, stakes: &[f64]) -> f64 {
        let left = self.left(stakes);
        if left <= 0.0 {
            return f64::NEG_INFINITY;
        }
        let mut sum = RUIN * left.ln();
        for (scenario, weight) in self.weights.iter().enumerate() {
            let wealth = self.wealth(scenario, stakes);
            if wealth <= 0.0 {
                return f64::NEG_INFINITY;
            }
            sum += weight * wealth.ln();
        }
        sum
    }

    /// First derivative, and minus the second, of growth by stakes.
    fn slopes(&self, stakes: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = stakes.len();
        let ruin = RUIN / self.left(stakes);
        let mut gradient = vec![-ruin; n];
        let mut curvature = vec![ruin / self.left(stakes); n * n];
        for (scenario, weight) in self.weights.iter().enumerate() {
            let wealth = self.wealth(scenario, stakes);
            let by_wealth = weight / wealth;
            for i in 0..n {
                let pull = by_wealth * self.returns[i][scenario];
                gradient[i] += pull;
                for j in 0..=i {
                    curvature[i * n + j] += pull * self.returns[j][scenario] / wealth;
                }
            }
        }
        for i in 0..n {
            for j in i + 1..n {
                curvature[i * n + j] = curvature[j * n + i];
            }
        }
        (gradient, curvature)
    }
}

/// The non-negative stakes with the greatest expected log growth, as shares of the bankroll.
pub(crate) fn maximise(problem: &Problem) -> Vec<f64> {
    let n = problem.returns.len();
    let mut stakes = vec![0.0; n];
    let mut best = problem.growth(&stakes);
    for _ in 0..STEPS_MAX {
        let (gradient, curvature) = problem.slopes(&stakes);
        let free: Vec<usize> =
            (0..n).filter(|i| stakes[*i] > 0.0 || gradient[*i] > TOLERANCE).collect();
        if free.iter().all(|i| gradient[*i].abs() <= TOLERANCE) {
            break;
        }
        let newton = newton_step(&free, &gradient, &curvature, n);
        let stepped = advance(problem, &stakes, &newton, best).or_else(|| {
            advance(problem, &stakes, &ascent_step(&free, &gradient, &curvature, n), best)
        });
        let Some((moved, growth)) = stepped else { break };
        (stakes, best) = (moved, growth);
    }
    stakes
}

/// Newton's direction over the free bets, zero elsewhere.
fn newton_step(free: &[usize], gradient: &[f64], curvature: &[f64], n: usize) -> Vec<f64> {
    let m = free.len();
    let mut a = vec![0.0; m * m];
    let mut b: Vec<f64> = free.iter().map(|i| gradient[*i]).collect();
    for (row, i) in free.iter().enumerate() {
        for (column, j) in free.iter().enumerate() {
            a[row * m + column] = curvature[i * n + j];
        }
        a[row * m + row] *= 1.0 + RIDGE;
    }
    let mut step = vec![0.0; n];
    if solve(&mut a, &mut b) {
        for (i, b) in free.iter().zip(b) {
            step[*i] = b;
        }
    }
    step
}

/// The best single coordinate's own Newton step: always uphill, for the rare time that projection
/// spoils the joint direction.
fn ascent_step(free: &[usize], gradient: &[f64], curvature: &[f64], n: usize) -> Vec<f64> {
    let gain = |i: &usize| gradient[*i] * gradient[*i] / curvature[i * n + i];
    let mut step = vec![0.0; n];
    if let Some(i) = free.iter().copied().max_by(|i, j| gain(i).total_cmp(&gain(j))) {
        step[i] = gradient[i] / curvature[i * n + i];
    }
    step
}

/// Goes along a direction, cut at zero stakes, as far as it pays; `None` when it does not.
fn advance(problem: &Problem, stakes: &[f64], step: &[f64], best: f64) -> Option<(Vec<f64>, f64)> {
    let mut length = 1.0;
    for _ in 0..HALVINGS_MAX {
        let moved: Vec<f64> =
            stakes.iter().zip(step).map(|(stake, step)| (stake + length * step).max(0.0)).collect();
        let growth = problem.growth(&moved);
        if growth > best {
            return Some((moved, growth));
        }
        length /= 2.0;
    }
    None
}

/// Kelly stakes on exclusive outcomes of one market in closed form (Smoczynski and Tomkins 2010):
/// take outcomes in order of `p x odds` while that exceeds the reserve rate
/// `R = (1 - sum p) / (1 - sum 1/odds)` of those taken; stake `p - R / odds` on each.
///
/// An arbitrage (the inverses of the odds taken sum to one or less) has no finite reserve rate;
/// then each outcome gets its probability, the whole bankroll, as Kelly's betting without a track
/// take has it.
///
/// ```
/// let stakes = tideline_lenses::exclusive_kelly(&[0.5, 0.3, 0.2], &[2.1, 3.2, 4.0]);
/// assert!(stakes[0] > 0.0 && stakes[2] == 0.0);
/// // One outcome alone is the textbook's (p x odds - 1) / (odds - 1).
/// let alone = tideline_lenses::exclusive_kelly(&[0.5], &[2.1]);
/// assert!((alone[0] - 0.05 / 1.1).abs() < 1e-12);
/// ```
pub fn exclusive_kelly(probabilities: &[f64], net_odds: &[f64]) -> Vec<f64> {
    let n = probabilities.len().min(net_odds.len());
    let mut order: Vec<usize> = (0..n).collect();
    let value = |i: usize| probabilities[i] * net_odds[i];
    order.sort_by(|i, j| value(*j).total_cmp(&value(*i)).then(i.cmp(j)));
    let (mut reserve, mut left, mut room) = (1.0, 1.0, 1.0);
    let mut taken = Vec::with_capacity(n);
    for i in order {
        if value(i) <= reserve {
            break;
        }
        left -= probabilities[i];
        room -= 1.0 / net_odds[i];
        taken.push(i);
        if room <= 0.0 {
            reserve = 0.0;
            break;
        }
        reserve = (left / room).max(0.0);
    }
    let mut stakes = vec![0.0; n];
    for i in taken {
        stakes[i] = (probabilities[i] - reserve / net_odds[i]).max(0.0);
    }
    stakes
}
