//! Adam with decoupled weight decay, over all parameters as one row of numbers.
//!
//! Parameters are few next to nodes and edges, so one pass over a flat row costs less than a step
//! of tensor operations for each of some thirty tensors, and it adds in one order everywhere.
//! Kingma and Ba 2015; Loshchilov and Hutter 2019.

use super::settings::{Settings, WARM_UP_STEPS};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
/// As in other implementations; burn's own default of 1e-5 would swallow small gradients.
const EPSILON: f64 = 1e-8;

/// State of the optimiser.
#[derive(Clone, Debug)]
pub(crate) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    decays: Vec<bool>,
    step: usize,
}

impl Adam {
    /// `decays` says for every parameter whether it is part of a matrix.
    pub fn new(decays: Vec<bool>) -> Self {
        let length = decays.len();
        Self { first: vec![0.0; length], second: vec![0.0; length], decays, step: 0 }
    }

    /// One step down the gradient, which is shortened to the clip first. False, and nothing
    /// changes, when the gradient is not finite.
    pub fn step(&mut self, values: &mut [f32], gradient: &[f32], settings: &Settings) -> bool {
        assert_eq!(values.len(), gradient.len(), "every parameter has a gradient");
        assert_eq!(values.len(), self.decays.len(), "the parameters are those it was made for");
        let squares: f64 = gradient.iter().map(|it| f64::from(*it).powi(2)).sum();
        if !squares.is_finite() {
            return false;
        }
        let clip = (settings.gradient_clip / squares.sqrt().max(f64::MIN_POSITIVE)).min(1.0);
        self.step += 1;
        let exponent = i32::try_from(self.step).unwrap_or(i32::MAX);
        let warm = (self.step as f64 / WARM_UP_STEPS as f64).min(1.0);
        let rate = settings.learning_rate * warm;
        let (bias_1, bias_2) = (1.0 - BETA_1.powi(exponent), 1.0 - BETA_2.powi(exponent));
        let keep = 1.0 - rate * settings.weight_decay;
        for at in 0..values.len() {
            let slope = f64::from(gradient[at]) * clip;
            let first = BETA_1 * f64::from(self.first[at]) + (1.0 - BETA_1) * slope;
            let second = BETA_2 * f64::from(self.second[at]) + (1.0 - BETA_2) * slope * slope;
            let value = f64::from(values[at]) * if self.decays[at] { keep } else { 1.0 };
            let move_by = (first / bias_1) / ((second / bias_2).sqrt() + EPSILON);
            values[at] = (value - rate * move_by) as f32;
            self.first[at] = first as f32;
            self.second[at] = second as f32;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_bottom_of_a_bowl_and_decays_only_what_it_is_told_to() {
        let settings = Settings { learning_rate: 0.05, weight_decay: 0.0, ..Settings::default() };
        let mut values = vec![3.0_f32, -2.0];
        let mut adam = Adam::new(vec![false, false]);
        for _ in 0..2000 {
            let gradient = [2.0 * (values[0] - 1.0), 20.0 * (values[1] - 0.5)];
            assert!(adam.step(&mut values, &gradient, &settings));
        }
        assert!((values[0] - 1.0).abs() < 1e-3 && (values[1] - 0.5).abs() < 1e-3, "{values:?}");

        let settings = Settings { learning_rate: 0.1, weight_decay: 0.5, ..Settings::default() };
        let mut values = vec![1.0_f32, 1.0];
        let mut adam = Adam::new(vec![true, false]);
        for _ in 0..WARM_UP_STEPS {
            assert!(adam.step(&mut values, &[0.0, 0.0], &settings));
        }
        let kept: f64 =
            (1..=WARM_UP_STEPS).map(|it| 1.0 - 0.05 * it as f64 / WARM_UP_STEPS as f64).product();
        assert!((f64::from(values[0]) - kept).abs() < 1e-6 && values[1] == 1.0, "{values:?}");
    }

    #[test]
    fn the_first_step_is_as_long_as_the_warm_rate_whatever_the_gradient() {
        for size in [1e-6_f32, 1.0, 1e6] {
            let settings = Settings { weight_decay: 0.0, ..Settings::default() };
            let mut values = vec![0.0_f32];
            let mut adam = Adam::new(vec![true]);
            assert!(adam.step(&mut values, &[size], &settings));
            let wanted = -(settings.learning_rate / WARM_UP_STEPS as f64) as f32;
            assert!((values[0] / wanted - 1.0).abs() < 0.02, "{values:?} {wanted}");
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let mut values = vec![1.0_f32, 2.0];
        let mut adam = Adam::new(vec![true, true]);
        assert!(!adam.step(&mut values, &[f32::NAN, 1.0], &Settings::default()));
        assert_eq!(values, [1.0, 2.0]);
    }
}
