//! Seeded chance: what a difference could have been in other weeks like these.
//!
//! Matches of one weekend share weather, news and the books' mistakes, so whole weeks are drawn
//! anew, never single matches (block bootstrap, Künsch 1989).

use serde::Serialize;

/// Resamples an interval is told from.
pub const DRAWS: usize = 1_000;
/// Where every drawing begins, so that a tearsheet comes out the same again.
pub const SEED: u64 = 20_260_701;

/// A seeded stream of numbers: splitmix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A stream from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `n`.
    const fn below(&mut self, n: usize) -> usize {
        ((self.bits() as u128 * n as u128) >> 64) as usize
    }
}

/// A mean and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The value itself.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// The ratio `sum a / sum b` over all items, each `(week, a, b)`, with its 95 % interval from
/// [`DRAWS`] resamples of whole weeks. `None` when the weights `b` sum to nothing.
///
/// ```
/// let profit_and_stake = [(1, 5.0, 10.0), (1, -10.0, 10.0), (2, 8.0, 10.0)];
/// let yielded = tideline::tearsheet::chance::ratio(profit_and_stake).unwrap();
/// assert!((yielded.value - 0.1).abs() < 1e-12);
/// assert_eq!((yielded.low, yielded.high), (-0.25, 0.8)); // the first week alone, the second alone
/// ```
pub fn ratio(items: impl IntoIterator<Item = (i64, f64, f64)>) -> Option<Estimate> {
    let mut items: Vec<_> = items.into_iter().collect();
    items.sort_by_key(|(week, ..)| *week);
    let weeks: Vec<(f64, f64)> = items
        .chunk_by(|x, y| x.0 == y.0)
        .map(|week| week.iter().fold((0.0, 0.0), |sum, item| (sum.0 + item.1, sum.1 + item.2)))
        .collect();
    let total = |weeks: &mut dyn Iterator<Item = (f64, f64)>| {
        weeks.fold((0.0, 0.0), |sum, week| (sum.0 + week.0, sum.1 + week.1))
    };
    let (a, b) = total(&mut weeks.iter().copied());
    if b <= 0.0 {
        return None;
    }
    let mut random = Random::new(SEED);
    let mut drawn = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let n = weeks.len();
        let (a, b) = total(&mut (0..n).map(|_| weeks[random.below(n)]));
        if b > 0.0 {
            drawn.push(a / b);
        }
    }
    drawn.sort_by(f64::total_cmp);
    Some(Estimate { value: a / b, low: quantile(&drawn, 0.025), high: quantile(&drawn, 0.975) })
}

/// The quantile of sorted values, linear between them (Hyndman and Fan 1996, type 7).
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    debug_assert!(!sorted.is_empty() && (0.0..=1.0).contains(&share), "of something, in 0..=1");
    let at = share * (sorted.len() - 1) as f64;
    let (low, rest) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + rest * (sorted[high] - sorted[low])
}

/// The week of a day since 1970, weeks beginning on Mondays.
pub const fn week_of(day: i64) -> i64 {
    // 1970-01-05 was a Monday.
    (day - 4).div_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_by_hand() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[5.0], 0.975), 5.0);
    }

    #[test]
    fn weeks_begin_on_mondays() {
        // 2022-08-07 was a Sunday: day 19211.
        assert_eq!(week_of(19_211) + 1, week_of(19_212));
        assert_eq!(week_of(19_205), week_of(19_211));
    }

    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        let mut random = Random::new(11);
        let mut covered = 0;
        for _ in 0..200 {
            // The mean of a uniform number is a half; three matches a week share it.
            let mut items = Vec::new();
            for week in 0..60 {
                let shared = random.unit();
                items.extend([(week, shared, 1.0), (week, shared, 1.0), (week, shared, 1.0)]);
            }
            let estimate = ratio(items).unwrap();
            covered += u32::from(estimate.low <= 0.5 && 0.5 <= estimate.high);
        }
        assert!((176..=198).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn nothing_has_no_ratio() {
        assert_eq!(ratio([]), None);
        assert_eq!(ratio([(1, 2.0, 0.0)]), None);
    }

    proptest! {
        #[test]
        fn order_within_a_week_does_not_matter(
            items in proptest::collection::vec((0_i64..20, -1.0_f64..1.0), 1..60), by in 0_usize..60,
        ) {
            // Dyadic values, so that sums are exact in any order.
            let items: Vec<_> =
                items.iter().map(|(week, a)| (*week, (a * 64.0).round() / 64.0, 1.0)).collect();
            let mut turned = items.clone();
            turned.rotate_left(by % items.len());
            let one = ratio(items.clone()).unwrap();
            prop_assert_eq!(one, ratio(turned).unwrap());
            prop_assert!(one.low <= one.high);
        }
    }
}
