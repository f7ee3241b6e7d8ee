//! Goals: what a fixture's prices say about how many each side will score, and back.
//!
//! One pair of expected goals prices 1X2, totals and handicaps together, so they agree; and the
//! expected goals behind past prices are what shots, corners and results are measured against.
//! Independent Poisson counts (Maher 1982); draws come out a little rare, which is why 1X2 keeps a
//! head of its own.

use schema::{Market, MarketKind, Outcome, Probability, SELECTIONS_MAX, Score, Selection, settle};

/// Most goals of one side on the grid, plus one: the tail beyond is below 10^-4 up to 2.5 a match.
const GOALS: usize = 11;
/// Expected goals before anything is known: the long-run means of football.
const PRIOR: [f64; 2] = [1.5, 1.2];
/// How strongly a fit holds on to [`PRIOR`] where prices say nothing.
const PRIOR_WEIGHT: f64 = 1e-7;
/// Steps of a fit; six are usual.
const STEPS_MAX: usize = 40;
/// How much the first step of a fit is shortened.
const DAMPING: f64 = 1e-2;
/// Change of a logarithmic rate at which a fit stops.
const TOLERANCE: f64 = 1e-7;
/// Range of a logarithmic rate: 0.02 to 7.4 goals.
const LOG_RANGE: [f64; 2] = [-4.0, 2.0];

/// Expected goals of both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goals {
    /// Home, then away.
    pub rates: [f64; 2],
}

/// A score's chance, and its slopes by the logarithm of each rate, for one condition.
#[derive(Clone, Copy, Default)]
struct Slope {
    value: f64,
    by: [f64; 2],
}

impl Goals {
    /// The goals that come closest to de-vigged prices: least squares over their fair-bet
    /// conditions, by Levenberg's method on the logarithms of the rates. `None` without any
    /// price of a market on goals.
    ///
    /// ```
    /// use model::goals::Goals;
    /// use schema::{Line, Market, MarketKind, Probability};
    /// # use tideline_model as model;
    /// let goals = Goals { rates: [1.7, 1.1] };
    /// let total = Market::with_line(MarketKind::Total, Line::new(2.5)?);
    /// let prices = [Market::ONE_X_TWO, total].map(|market| (market, goals.price(market)));
    /// let found = Goals::fit(&prices).unwrap();
    /// assert!((found.rates[0] - 1.7).abs() < 1e-3 && (found.rates[1] - 1.1).abs() < 1e-3);
    /// # Ok::<(), schema::Error>(())
    /// ```
    pub fn fit(prices: &[(Market, [Probability; SELECTIONS_MAX])]) -> Option<Self> {
        if prices.is_empty() {
            return None;
        }
        let mut logs = PRIOR.map(f64::ln);
        let mut best = Normal::at(logs, prices);
        let mut damping = DAMPING;
        for _ in 0..STEPS_MAX {
            let step = best.step(damping);
            let [low, high] = LOG_RANGE;
            let next = [0, 1].map(|side| (logs[side] + step[side]).clamp(low, high));
            let tried = Normal::at(next, prices);
            // A step that makes it worse was too long: a shorter one, along the slope.
            if tried.error > best.error {
                damping *= 10.0;
                continue;
            }
            damping /= 10.0;
            (logs, best) = (next, tried);
            if step[0].abs().max(step[1].abs()) < TOLERANCE {
                break;
            }
        }
        Some(Self { rates: logs.map(f64::exp) })
    }

    /// The fair probabilities of a market: those at whose inverse odds every bet breaks even, stakes
    /// that come back left out. Zeros behind the last selection.
    pub fn price(&self, market: Market) -> [Probability; SELECTIONS_MAX] {
        let grid = Grid::of(self.rates);
        let mut won = [0.0; SELECTIONS_MAX];
        for (cell, weight) in grid.weights.iter().enumerate() {
            for (selection, won) in won.iter_mut().enumerate().take(market.selections().len()) {
                *won += weight * share(market, selection, score(cell)).max(0.0);
            }
        }
        let sum: f64 = won.iter().sum();
        won.map(|won| Probability::clamped(won / sum))
    }

    /// Goals to be expected of both sides together.
    pub fn total(&self) -> f64 {
        self.rates[0] + self.rates[1]
    }

    /// Goals by which the home side is expected to be ahead.
    pub fn supremacy(&self) -> f64 {
        self.rates[0] - self.rates[1]
    }
}

/// The normal equations of the least squares at a pair of logarithmic rates.
struct Normal {
    error: f64,
    a: [f64; 3],
    b: [f64; 2],
}

impl Normal {
    fn at(logs: [f64; 2], prices: &[(Market, [Probability; SELECTIONS_MAX])]) -> Self {
        let grid = Grid::of(logs.map(f64::exp));
        let away = [0, 1].map(|side| PRIOR[side].ln() - logs[side]);
        let mut normal = Self {
            error: PRIOR_WEIGHT * (away[0] * away[0] + away[1] * away[1]),
            a: [PRIOR_WEIGHT, 0.0, PRIOR_WEIGHT],
            b: away.map(|away| PRIOR_WEIGHT * away),
        };
        for (market, fair) in prices {
            for Slope { value, by: [home, away] } in grid.conditions(*market, fair) {
                let a = &mut normal.a;
                *a = [a[0] + home * home, a[1] + home * away, a[2] + away * away];
                normal.b = [normal.b[0] - home * value, normal.b[1] - away * value];
                normal.error += value * value;
            }
        }
        normal
    }

    /// Levenberg's step: Gauss and Newton's, shortened by the damping.
    fn step(&self, damping: f64) -> [f64; 2] {
        let [aa, ab, bb] = self.a;
        let (aa, bb) = (aa * (1.0 + damping), bb * (1.0 + damping));
        let determinant = aa * bb - ab * ab;
        [
            (self.b[0] * bb - self.b[1] * ab) / determinant,
            (self.b[1] * aa - self.b[0] * ab) / determinant,
        ]
    }
}

/// The chance of every score.
struct Grid {
    rates: [f64; 2],
    weights: [f64; GOALS * GOALS],
}

fn score(cell: usize) -> Score {
    Score { home: (cell / GOALS) as u16, away: (cell % GOALS) as u16 }
}

/// Share of the stake that wins (above zero) or is lost (below).
fn share(market: Market, selection: usize, score: Score) -> f64 {
    match settle(market, Selection(selection as u8), score) {
        Outcome::Win => 1.0,
        Outcome::HalfWin => 0.5,
        Outcome::HalfLoss => -0.5,
        Outcome::Loss => -1.0,
        _ => 0.0,
    }
}

impl Grid {
    fn of(rates: [f64; 2]) -> Self {
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
        Self { rates, weights: std::array::from_fn(|cell| home[cell / GOALS] * away[cell % GOALS]) }
    }

    /// What has to be zero for these prices to be fair: the mean profit of a bet on each selection
    /// but the last, at the inverse of its probability, times that probability.
    fn conditions(
        &self,
        market: Market,
        fair: &[Probability; SELECTIONS_MAX],
    ) -> impl Iterator<Item = Slope> {
        let free = if market.kind == MarketKind::OneXTwo { [0, 2].as_slice() } else { &[0] };
        free.iter().map(move |selection| {
            let q = fair[*selection].as_f64();
            let mut slope = Slope::default();
            for (cell, weight) in self.weights.iter().enumerate() {
                let share = share(market, *selection, score(cell));
                let profit = if share > 0.0 { share * (1.0 - q) } else { share * q };
                let value = weight * profit;
                slope.value += value;
                slope.by[0] += value * ((cell / GOALS) as f64 - self.rates[0]);
                slope.by[1] += value * ((cell % GOALS) as f64 - self.rates[1]);
            }
            slope
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schema::Line;

    use super::*;

    fn markets() -> [Market; 4] {
        let line = |kind, line| Market::with_line(kind, Line::new(line).unwrap());
        [
            Market::ONE_X_TWO,
            line(MarketKind::Total, 2.5),
            line(MarketKind::AsianHandicap, -0.75),
            line(MarketKind::Total, 3.0),
        ]
    }

    proptest! {
        #[test]
        fn a_fit_finds_the_goals_behind_prices(home in 0.4_f64..3.0, away in 0.4_f64..3.0) {
            let goals = Goals { rates: [home, away] };
            let prices: Vec<_> =
                markets().iter().map(|market| (*market, goals.price(*market))).collect();
            for used in [&prices[..1], &prices[1..3], &prices[..]] {
                let found = Goals::fit(used).unwrap();
                prop_assert!((found.rates[0] - home).abs() < 0.01 * home, "{found:?}");
                prop_assert!((found.rates[1] - away).abs() < 0.01 * away, "{found:?}");
            }
        }

        #[test]
        fn every_price_is_a_distribution(home in 0.05_f64..6.0, away in 0.05_f64..6.0) {
            for market in markets() {
                let sum: f64 = Goals { rates: [home, away] }
                    .price(market)
                    .iter()
                    .map(|p| p.as_f64())
                    .sum();
                prop_assert!((sum - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn known_prices() {
        // Level sides of 1.3 goals each: two independent Poisson counts of equal rate are equal
        // with probability e^-2m I0(2m) = 0.2639.
        let [home, draw, away] = Goals { rates: [1.3, 1.3] }.price(Market::ONE_X_TWO);
        assert!((draw.as_f64() - 0.263_9).abs() < 1e-3, "{draw}");
        assert!((home.as_f64() - away.as_f64()).abs() < 1e-9);
        assert_eq!(Goals::fit(&[]), None);
    }
}
