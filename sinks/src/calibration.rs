//! Are the probabilities true? Reliability by bin, expected calibration error, and the log-loss
//! beside the closing line's, which is the hardest benchmark there is.
//!
//! Kept as integer sums, so a corrected result replaces its forecast exactly.

use schema::Forecast;

use crate::statistics::wilson_interval;

/// Number of equal bins of probability in a reliability diagram.
pub const BINS: usize = 10;

/// Parts of one that sums are kept in: 10^-12.
const UNIT: f64 = 1e12;
/// Probabilities below this count as this in a log-loss, which would be infinite at zero.
const PROBABILITY_MIN: f64 = 1e-15;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bin {
    n: u64,
    hits: u64,
    probability: i128,
}

/// One bin of a reliability diagram: of the events that were given about `predicted`, `observed`
/// came true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Lower edge of the bin.
    pub from: f64,
    /// Upper edge of the bin.
    pub to: f64,
    /// Events in it.
    pub n: u64,
    /// Their mean forecast.
    pub predicted: f64,
    /// The share that came true.
    pub observed: f64,
    /// Lower end of the 95 % interval of `observed` (Wilson).
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
}

/// Sums over forecasts with a known outcome. Each forecast is three events, one an outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    forecasts: u64,
    loss: i128,
    with_closing: u64,
    loss_with_closing: i128,
    closing_loss: i128,
    bins: [Bin; BINS],
}

/// What one forecast adds: small enough to keep for every fixture, so that it can be taken out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastRecord {
    fair: [f64; 3],
    closing: Option<[f64; 3]>,
    outcome: u8,
}

impl ForecastRecord {
    /// The record of a forecast; `None` when it is not one (probabilities outside 0..=1 or not
    /// summing to about 1, an outcome that does not exist). An unsound closing line is left out.
    pub fn of(forecast: &Forecast) -> Option<Self> {
        let is_sound = |p: &[f64; 3]| {
            p.iter().all(|p| (0.0..=1.0).contains(p)) && (p.iter().sum::<f64>() - 1.0).abs() < 1e-3
        };
        let fits = forecast.outcome < 3 && is_sound(&forecast.fair);
        fits.then(|| Self {
            fair: forecast.fair,
            closing: forecast.closing.filter(is_sound),
            outcome: forecast.outcome,
        })
    }
}

fn loss(p: f64) -> i128 {
    (-p.max(PROBABILITY_MIN).ln() * UNIT).round() as i128
}

impl Calibration {
    /// Puts a forecast in.
    pub fn add(&mut self, record: &ForecastRecord) {
        self.apply(record, 1);
    }

    /// Takes a forecast out that was put in before.
    pub fn remove(&mut self, record: &ForecastRecord) {
        debug_assert!(self.forecasts > 0, "only what was put in can be taken out");
        self.apply(record, -1);
    }

    fn apply(&mut self, record: &ForecastRecord, sign: i64) {
        let step = |count: &mut u64| *count = count.saturating_add_signed(sign);
        let outcome = usize::from(record.outcome);
        let fair_loss = i128::from(sign) * loss(record.fair[outcome]);
        step(&mut self.forecasts);
        self.loss += fair_loss;
        if let Some(closing) = record.closing {
            step(&mut self.with_closing);
            self.loss_with_closing += fair_loss;
            self.closing_loss += i128::from(sign) * loss(closing[outcome]);
        }
        for (selection, p) in record.fair.into_iter().enumerate() {
            let bin = &mut self.bins[((p * BINS as f64) as usize).min(BINS - 1)];
            step(&mut bin.n);
            bin.probability += i128::from(sign) * (p * UNIT).round() as i128;
            if selection == outcome {
                step(&mut bin.hits);
            }
        }
    }

    /// Number of forecasts.
    pub const fn forecasts(&self) -> u64 {
        self.forecasts
    }

    /// Number of forecasts whose closing line is known: those that both log-losses are over.
    pub const fn with_closing(&self) -> u64 {
        self.with_closing
    }

    /// Mean of `-ln p` of what happened, in nats (Good 1952), over all forecasts.
    pub fn log_loss(&self) -> Option<f64> {
        mean(self.loss, self.forecasts)
    }

    /// Log-losses of the forecasts and of the closing line over the same fixtures: those that have
    /// a closing line.
    pub fn log_loss_beside_closing(&self) -> Option<(f64, f64)> {
        let ours = mean(self.loss_with_closing, self.with_closing)?;
        Some((ours, mean(self.closing_loss, self.with_closing)?))
    }

    /// Expected calibration error, `sum_b n_b / n |predicted_b - observed_b|` (Naeini, Cooper and
    /// Hauskrecht 2015), the three outcomes pooled.
    pub fn expected_calibration_error(&self) -> Option<f64> {
        let bins = self.bins();
        let n: u64 = bins.iter().map(|bin| bin.n).sum();
        let gap = |bin: &ReliabilityBin| bin.n as f64 * (bin.predicted - bin.observed).abs();
        (n > 0).then(|| bins.iter().map(gap).sum::<f64>() / n as f64)
    }

    /// The bins that have events, in order of probability.
    pub fn bins(&self) -> Vec<ReliabilityBin> {
        let full = self.bins.iter().enumerate().filter(|(_, bin)| bin.n > 0);
        full.map(|(index, bin)| {
            let (low, high) = wilson_interval(bin.hits, bin.n);
            ReliabilityBin {
                from: index as f64 / BINS as f64,
                to: (index + 1) as f64 / BINS as f64,
                n: bin.n,
                predicted: bin.probability as f64 / UNIT / bin.n as f64,
                observed: bin.hits as f64 / bin.n as f64,
                low,
                high,
            }
        })
        .collect()
    }
}

fn mean(sum: i128, n: u64) -> Option<f64> {
    (n > 0).then(|| sum as f64 / UNIT / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forecast(fair: [f64; 3], outcome: u8) -> Forecast {
        let kick_off = schema::Time::from_ms(0);
        let (fixture, league) = (String::new(), String::new());
        Forecast { fixture, league, kick_off, fair, closing: Some([0.5, 0.3, 0.2]), outcome }
    }

    #[test]
    fn a_worked_example() {
        let mut calibration = Calibration::default();
        calibration.add(&ForecastRecord::of(&forecast([0.5, 0.25, 0.25], 0)).unwrap());
        calibration.add(&ForecastRecord::of(&forecast([0.5, 0.25, 0.25], 1)).unwrap());
        let log_loss = -f64::midpoint(0.5_f64.ln(), 0.25_f64.ln());
        assert!((calibration.log_loss().unwrap() - log_loss).abs() < 1e-11);
        let (_, closing) = calibration.log_loss_beside_closing().unwrap();
        assert!((closing + f64::midpoint(0.5_f64.ln(), 0.3_f64.ln())).abs() < 1e-11);
        // Bin 0.5: 2 events, 1 hit: no gap. Bin 0.25: 4 events, 1 hit: no gap.
        assert!(calibration.expected_calibration_error().unwrap() < 1e-12);
        assert_eq!(calibration.bins().iter().map(|bin| bin.n).collect::<Vec<_>>(), [4, 2]);
    }

    #[test]
    fn what_is_not_a_forecast_is_left_out() {
        assert!(ForecastRecord::of(&forecast([0.5, 0.25, 0.25], 3)).is_none());
        assert!(ForecastRecord::of(&forecast([f64::NAN, 0.5, 0.5], 0)).is_none());
        assert!(ForecastRecord::of(&forecast([0.0; 3], 0)).is_none());
    }

    #[test]
    fn a_certain_forecast_that_fails_is_dear_but_finite() {
        let mut calibration = Calibration::default();
        calibration.add(&ForecastRecord::of(&forecast([1.0, 0.0, 0.0], 2)).unwrap());
        assert!((34.0..35.0).contains(&calibration.log_loss().unwrap()));
    }

    proptest! {
        #[test]
        fn a_correction_leaves_no_trace(
            weights in proptest::collection::vec((0.01_f64..1.0, 0.01_f64..1.0, 0.01_f64..1.0, 0_u8..3), 1..40),
        ) {
            let records: Vec<_> = weights.iter().map(|(a, b, c, outcome)| {
                let sum = a + b + c;
                ForecastRecord::of(&forecast([a / sum, b / sum, c / sum], *outcome)).unwrap()
            }).collect();
            let mut corrected = Calibration::default();
            let mut straight = Calibration::default();
            for record in &records {
                let wrong = ForecastRecord { outcome: (record.outcome + 1) % 3, ..*record };
                corrected.add(&wrong);
                corrected.remove(&wrong);
                corrected.add(record);
            }
            records.iter().rev().for_each(|record| straight.add(record));
            prop_assert_eq!(corrected, straight);
        }
    }
}
