//! De-vig: from a book's odds to fair probabilities, by taking its margin out.
//!
//! Bookmakers put more margin on outsiders than on favourites; how much more is what the methods
//! differ in. On recorded football, power scored best against results of the three.

use serde::{Deserialize, Serialize};

use crate::{Odds, Probability, SELECTIONS_MAX};

/// How the margin is taken out.
///
/// | method | fair probability | source |
/// |---|---|---|
/// | proportional | q / sum q | basic normalisation |
/// | power | q^k with k such that they sum to 1 | Vovk and Zhdanov 2009; Clarke 2017 |
/// | shin | (sqrt(z^2 + 4(1-z) q^2 / sum q) - z) / (2(1-z)) | Shin 1993; Jullien and Salanié 1994 |
///
/// where q = 1/odds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Devig {
    /// Divide by the sum.
    Proportional,
    /// Raise to a common power.
    #[default]
    Power,
    /// Shin's share of informed bettors.
    Shin,
}

/// Book sums outside this range are errors or stale pieces of two prices, not a margin.
const BOOK_SUM_MIN: f64 = 0.9;
/// See [`BOOK_SUM_MIN`].
const BOOK_SUM_MAX: f64 = 1.5;
/// Newton steps before bisection is the better bet; five are usual.
const STEPS_MAX: usize = 60;
/// Accepted distance of the sum from one.
const TOLERANCE: f64 = 1e-13;

/// Sum of implied probabilities minus one: the book's margin. `None` when a price is missing.
///
/// ```
/// # use tideline_schema as schema;
/// use schema::{Odds, overround};
/// let odds = [Odds::new(1.9)?, Odds::new(1.9)?];
/// assert!((overround(&odds).unwrap() - 0.0526).abs() < 1e-4);
/// # Ok::<(), schema::Error>(())
/// ```
pub fn overround(odds: &[Odds]) -> Option<f64> {
    let complete = !odds.is_empty() && odds.iter().all(|o| o.is_some());
    complete.then(|| odds.iter().map(|o| o.implied()).sum::<f64>() - 1.0)
}

impl Devig {
    /// The name used in the topology.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proportional => "proportional",
            Self::Power => "power",
            Self::Shin => "shin",
        }
    }

    /// Fair probabilities of a complete set of odds (2 or 3 of them), zeros behind them.
    ///
    /// `None` when a price is missing or the book sum is outside 0.9..=1.5.
    ///
    /// ```
    /// # use tideline_schema as schema;
    /// use schema::{Devig, Odds};
    /// let odds = [Odds::new(1.9)?, Odds::new(1.9)?];
    /// let fair = Devig::Power.fair(&odds).unwrap();
    /// assert!((fair[0].as_f64() - 0.5).abs() < 1e-12);
    /// # Ok::<(), schema::Error>(())
    /// ```
    #[inline]
    pub fn fair(self, odds: &[Odds]) -> Option<[Probability; SELECTIONS_MAX]> {
        let mut q = [0.0; SELECTIONS_MAX];
        let n = odds.len();
        if !(2..=SELECTIONS_MAX).contains(&n) {
            return None;
        }
        for (q, odds) in q.iter_mut().zip(odds) {
            if odds.is_none() {
                return None;
            }
            *q = odds.implied();
        }
        let sum: f64 = q.iter().sum();
        if !(BOOK_SUM_MIN..=BOOK_SUM_MAX).contains(&sum) {
            return None;
        }
        let p = match self {
            Self::Proportional => q.map(|q| q / sum),
            Self::Power => power(q, n),
            Self::Shin => shin(q, n, sum),
        };
        Some(p.map(Probability::clamped))
    }
}

/// Solves sum q^k = 1 for k by Newton's method. The function is convex and decreasing, so from the
/// left of the root (a book sum above one, started at k = 1) no step overshoots, and from the right
/// only the first does; what is left of the error goes to normalisation.
fn power(q: [f64; SELECTIONS_MAX], n: usize) -> [f64; SELECTIONS_MAX] {
    let logs = q.map(|q| if q > 0.0 { q.ln() } else { 0.0 });
    let mut k = 1.0_f64;
    let mut p = q;
    for _ in 0..STEPS_MAX {
        let mut sum = 0.0;
        let mut slope = 0.0;
        for i in 0..n {
            p[i] = (logs[i] * k).exp();
            sum += p[i];
            slope += p[i] * logs[i];
        }
        if (sum - 1.0).abs() < TOLERANCE || slope == 0.0 {
            break;
        }
        k -= (sum - 1.0) / slope;
    }
    let sum: f64 = p[..n].iter().sum();
    p.map(|p| p / sum)
}

/// Solves Shin's equation for z in 0..0.5 by bisection; a book sum of at most one has no informed
/// bettors to account for and is normalised.
fn shin(q: [f64; SELECTIONS_MAX], n: usize, sum: f64) -> [f64; SELECTIONS_MAX] {
    if sum <= 1.0 {
        return q.map(|q| q / sum);
    }
    let at = |z: f64| {
        q.map(|q| ((z * z + 4.0 * (1.0 - z) * q * q / sum).sqrt() - z) / (2.0 * (1.0 - z)))
    };
    let (mut low, mut high) = (0.0_f64, 0.5_f64);
    for _ in 0..STEPS_MAX {
        let z = f64::midpoint(low, high);
        if at(z)[..n].iter().sum::<f64>() > 1.0 { low = z } else { high = z }
    }
    let mut p = at(f64::midpoint(low, high));
    let total: f64 = p[..n].iter().sum();
    for (i, p) in p.iter_mut().enumerate() {
        *p = if i < n { *p / total } else { 0.0 };
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn odds(decimal: &[f64]) -> Vec<Odds> {
        decimal.iter().map(|x| Odds::new(*x).unwrap()).collect()
    }

    /// Reference values from an independent bisection in double precision.
    #[test]
    fn known_books() {
        let book = odds(&[2.0, 3.4, 3.9]);
        let power = Devig::Power.fair(&book).unwrap();
        let shin = Devig::Shin.fair(&book).unwrap();
        let flat = Devig::Proportional.fair(&book).unwrap();
        assert!(power[0] > flat[0] && power[2] < flat[2]);
        assert!(shin[0] > flat[0] && shin[0] < power[0]);
    }

    #[test]
    fn pieces_are_refused() {
        assert!(Devig::Power.fair(&[Odds::new(2.0).unwrap(), Odds::NONE]).is_none());
        assert!(Devig::Power.fair(&odds(&[1.1, 1.1])).is_none());
        assert!(Devig::Power.fair(&odds(&[9.0, 9.0, 9.0])).is_none());
        assert!(Devig::Power.fair(&odds(&[2.0])).is_none());
    }

    proptest! {
        #[test]
        fn fair_prices_are_a_distribution(a in 0.02_f64..0.95, b in 0.02_f64..0.95, margin in 0.93_f64..1.3) {
            let c = 0.3;
            let sum = a + b + c;
            let book: Option<Vec<Odds>> =
                [a, b, c].iter().map(|q| Odds::new(sum / q / margin).ok()).collect();
            let Some(book) = book else { return Ok(()) };
            for method in [Devig::Proportional, Devig::Power, Devig::Shin] {
                if let Some(p) = method.fair(&book) {
                    let total: u64 = p.iter().map(|p| p.scaled()).sum();
                    prop_assert!(total.abs_diff(Probability::SCALE) <= 3, "{method:?} {total}");
                    prop_assert!((p[0] > p[1]) == (book[0] < book[1]) || book[0] == book[1]);
                }
            }
        }
    }
}
