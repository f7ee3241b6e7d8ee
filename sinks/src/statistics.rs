//! The figures the report stands on: means with intervals, drawdown, calibration.
//!
//! Sums are kept in integers, so that a corrected bet is taken out exactly as it was put in and the
//! figures do not depend on the order of facts. Each formula names its source.

/// Fewest observations from which a mean is worth judging; below, a report says so.
pub const SAMPLE_MIN: u64 = 30;

/// Parts of one that sums are kept in: 10^-9.
const UNIT: f64 = 1e9;
/// Greatest magnitude of an observation: its square times 10^8 of them still fits.
const VALUE_MAX: f64 = 1e6;
/// The normal distribution's 97.5 % point.
const Z_975: f64 = 1.959_963_984_540_054;

/// A mean and the interval that covers the true one 95 times in 100, if the observations are
/// independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Number of observations.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

impl Interval {
    /// Whether there are too few observations (under [`SAMPLE_MIN`]) to judge the mean by.
    pub const fn is_too_few(&self) -> bool {
        self.n < SAMPLE_MIN
    }
}

/// Count, sum and sum of squares of observations that may be taken out again.
///
/// ```
/// use tideline_sinks::statistics::Moments;
/// let mut clv = Moments::default();
/// for value in [0.02, -0.01, 0.05] {
///     clv.add(value);
/// }
/// clv.remove(0.05); // corrected
/// assert!((clv.mean().unwrap() - 0.005).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    n: u64,
    sum: i128,
    squares: i128,
}

fn to_units(value: f64) -> i128 {
    debug_assert!(value.is_finite(), "observations are finite");
    (value.clamp(-VALUE_MAX, VALUE_MAX) * UNIT).round() as i128
}

impl Moments {
    /// Puts an observation in. Magnitudes above a million are cut to it.
    pub fn add(&mut self, value: f64) {
        let units = to_units(value);
        self.n += 1;
        self.sum += units;
        self.squares += units * units;
    }

    /// Takes an observation out that was put in before.
    pub fn remove(&mut self, value: f64) {
        debug_assert!(self.n > 0, "only what was put in can be taken out");
        let units = to_units(value);
        self.n = self.n.saturating_sub(1);
        self.sum -= units;
        self.squares -= units * units;
    }

    /// Number of observations.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum as f64 / UNIT
    }

    /// Their mean; `None` without observations.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum as f64 / UNIT / self.n as f64)
    }

    /// Unbiased variance, `(sum x^2 - n mean^2) / (n - 1)`, computed in integers up to the last
    /// division; `None` below two observations.
    pub fn variance(&self) -> Option<f64> {
        if self.n < 2 {
            return None;
        }
        let n = self.n as f64;
        let mean = self.sum as f64 / n;
        let squares = self.squares as f64 - mean * self.sum as f64;
        Some((squares / (n - 1.0)).max(0.0) / (UNIT * UNIT))
    }

    /// Mean with its 95 % interval, `mean +- t s / sqrt(n)` (Student 1908); `None` below two
    /// observations, from which no spread can be told.
    pub fn interval(&self) -> Option<Interval> {
        let (mean, variance) = (self.mean()?, self.variance()?);
        let half = student_t_975(self.n - 1) * (variance / self.n as f64).sqrt();
        Some(Interval { n: self.n, mean, low: mean - half, high: mean + half })
    }
}

/// Mean with its 95 % interval as `(mean, low, high)`: see [`Moments::interval`]. All zero without
/// observations; with a single one, three times that one, since nothing is known of the spread.
/// Values that are not finite are left out.
///
/// ```
/// let (mean, low, high) = tideline_sinks::statistics::mean_interval(&[0.01, 0.03, 0.02, 0.02]);
/// assert!((mean - 0.02).abs() < 1e-12);
/// assert!((low - 0.007_01).abs() < 1e-4 && (high - 0.032_99).abs() < 1e-4);
/// ```
pub fn mean_interval(values: &[f64]) -> (f64, f64, f64) {
    let mut moments = Moments::default();
    values.iter().filter(|value| value.is_finite()).for_each(|value| moments.add(*value));
    match (moments.interval(), moments.mean()) {
        (Some(interval), _) => (interval.mean, interval.low, interval.high),
        (None, Some(mean)) => (mean, mean, mean),
        (None, None) => (0.0, 0.0, 0.0),
    }
}

/// The 97.5 % point of Student's t with `degrees` of freedom, to three decimals: exact values up to
/// four, beyond them the expansion around the normal (Abramowitz and Stegun 1964, 26.7.5).
pub fn student_t_975(degrees: u64) -> f64 {
    match degrees {
        0 => f64::INFINITY,
        1 => 12.706_204_736,
        2 => 4.302_652_730,
        3 => 3.182_446_305,
        4 => 2.776_445_105,
        _ => {
            let (z, v) = (Z_975, degrees as f64);
            let (z3, z5) = (z.powi(3), z.powi(5));
            let (z7, z9) = (z.powi(7), z.powi(9));
            let g1 = (z3 + z) / 4.0;
            let g2 = (5.0 * z5 + 16.0 * z3 + 3.0 * z) / 96.0;
            let g3 = (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / 384.0;
            let g4 = (79.0 * z9 + 776.0 * z7 + 1482.0 * z5 - 1920.0 * z3 - 945.0 * z) / 92_160.0;
            z + g1 / v + g2 / v.powi(2) + g3 / v.powi(3) + g4 / v.powi(4)
        }
    }
}

/// A peak and the greatest fall from one so far, as fractions of the peak in 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawdown {
    peak: f64,
    /// Fall from the latest peak.
    pub now: f64,
    /// Greatest fall so far.
    pub max: f64,
}

impl Drawdown {
    /// Follows the value on. Falls are told only from a positive peak.
    pub fn observe(&mut self, value: f64) {
        self.peak = self.peak.max(value);
        self.now = if self.peak > 0.0 { (1.0 - value / self.peak).clamp(0.0, 1.0) } else { 0.0 };
        self.max = self.max.max(self.now);
    }
}

/// Greatest fall from a peak, as a fraction of that peak in 0..=1.
///
/// ```
/// let fall = tideline_sinks::statistics::max_drawdown([100.0, 120.0, 90.0, 130.0, 125.0]);
/// assert_eq!(fall, 0.25);
/// ```
pub fn max_drawdown(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut drawdown = Drawdown::default();
    values.into_iter().for_each(|value| drawdown.observe(value));
    drawdown.max
}

/// Interval of a frequency of `hits` in `n`, 95 % (Wilson 1927): unlike the textbook one it stays
/// inside 0..=1 and holds for small n. The whole range without observations.
pub fn wilson_interval(hits: u64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (count, z2) = (n as f64, Z_975 * Z_975);
    let p = hits.min(n) as f64 / count;
    let centre = p + z2 / (2.0 * count);
    let half = Z_975 * (p * (1.0 - p) / count + z2 / (4.0 * count * count)).sqrt();
    let scale = 1.0 + z2 / count;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn t_points_match_the_tables() {
        let table = [(5, 2.5706), (9, 2.2622), (10, 2.2281), (29, 2.0452), (120, 1.9799)];
        for (degrees, point) in table {
            let found = student_t_975(degrees);
            assert!((found - point).abs() < 6e-4, "{degrees}: {found}");
        }
        assert!((student_t_975(1_000_000) - Z_975).abs() < 1e-5);
    }

    #[test]
    fn few_observations_do_not_pretend() {
        assert_eq!(mean_interval(&[]), (0.0, 0.0, 0.0));
        assert_eq!(mean_interval(&[0.5, f64::NAN]), (0.5, 0.5, 0.5));
        assert!(Moments::default().interval().is_none());
    }

    #[test]
    fn wilson_matches_a_worked_example() {
        // 10 of 20, as in Newcombe 1998 and R's binom.confint(10, 20, method = "wilson").
        let (low, high) = wilson_interval(10, 20);
        assert!((low - 0.2993).abs() < 1e-4 && (high - 0.7007).abs() < 1e-4, "{low} {high}");
        assert_eq!(wilson_interval(0, 0), (0.0, 1.0));
        assert_eq!(wilson_interval(0, 9).0, 0.0);
    }

    #[test]
    fn a_bankroll_below_zero_is_a_full_drawdown() {
        assert_eq!(max_drawdown([10.0, -5.0]), 1.0);
        assert_eq!(max_drawdown([0.0, 0.0]), 0.0);
        assert_eq!(max_drawdown([]), 0.0);
    }

    proptest! {
        #[test]
        fn moments_agree_with_two_passes_and_forget_what_is_removed(
            kept in proptest::collection::vec(-3.0_f64..3.0, 2..60),
            taken in proptest::collection::vec(-3.0_f64..3.0, 0..60),
        ) {
            let mut moments = Moments::default();
            for v in &taken {
                moments.add(*v);
            }
            for v in &kept {
                moments.add(*v);
            }
            taken.iter().rev().for_each(|v| moments.remove(*v));
            let n = kept.len() as f64;
            let mean = kept.iter().sum::<f64>() / n;
            let variance = kept.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            prop_assert!((moments.mean().unwrap() - mean).abs() < 1e-8);
            prop_assert!((moments.variance().unwrap() - variance).abs() < 1e-7);
            let mut fresh = Moments::default();
            for v in &kept {
                fresh.add(*v);
            }
            prop_assert_eq!(fresh, moments);
        }

        #[test]
        fn wilson_covers_the_frequency(n in 1_u64..500, share in 0.0_f64..=1.0) {
            let hits = (n as f64 * share) as u64;
            let (low, high) = wilson_interval(hits, n);
            let p = hits as f64 / n as f64;
            prop_assert!(0.0 <= low && low <= p + 1e-12 && p <= high + 1e-12 && high <= 1.0);
        }
    }
}
