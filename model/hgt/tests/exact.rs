//! Outputs against the definition in float64, and every gradient against central differences of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::default_trait_access, reason = "the only device there is")]

mod support;

use support::exact::Exact;
use support::{Parts, Random, Trained, config, gradients, largest, values};
use tideline_hgt::{Config, Hgt, Mode, Weights};

/// Step of the differences: their error is of its square, and of 1e-16 over it.
const STEP: f64 = 1e-5;

/// Weights with priors, skips and everything else away from where they start.
fn weights(config: &Config, seed: u64) -> Weights {
    let model: Hgt<Trained> = config.init(&Default::default(), seed).unwrap();
    let mut random = Random(seed + 99);
    let moved = model.weights().unwrap().values().iter().map(|x| x + 0.3 * random.unit()).collect();
    Weights::new(config.clone(), moved).unwrap()
}

#[test]
fn outputs_equal_the_definition_in_float64() {
    for (hidden, heads) in [(64, 4), (16, 4), (12, 4), (9, 3), (10, 1)] {
        let config = config(hidden, heads);
        let weights = weights(&config, hidden as u64);
        let parts = Parts::small(&config, 31 + hidden as u64);
        let model: Hgt<Trained> = weights.init(&Default::default()).unwrap();
        let outputs = model.forward(&parts.graph(&config), Mode::Inference).unwrap();
        for (output, exact) in outputs.iter().zip(Exact::new(&weights, &parts).forward()) {
            let exact: Vec<f32> = exact.iter().map(|it| *it as f32).collect();
            let (apart, scale) = largest(&exact, &values(output));
            assert!(scale > 0.1, "something is computed");
            assert!(apart < 1e-5 * scale.max(1.0), "hidden {hidden}: {apart} of {scale}");
        }
    }
}

#[test]
fn gradients_equal_central_differences_in_float64() {
    for (hidden, heads) in [(8, 2), (6, 2)] {
        let config = config(hidden, heads);
        let weights = weights(&config, 5);
        let parts = Parts::new(
            &config,
            17,
            &[9, 4, 14],
            &[(15, 4, 8), (14, 14, 9), (15, 9, 4), (0, 1, 1), (5, 4, 4)],
        );
        let model: Hgt<Trained> = weights.init(&Default::default()).unwrap();
        let outputs = model.forward(&parts.graph(&config), Mode::Inference).unwrap();
        let found = gradients(&model, outputs);
        let names = weights.parameters();
        assert_eq!(found.len(), names.len());
        let mut exact = Exact::new(&weights, &parts);
        for (at, found) in found.iter().enumerate() {
            let mut wanted = Vec::with_capacity(found.len());
            for number in 0..found.len() {
                let value = exact.parameters[at][number];
                let mut moved = |by: f64| {
                    exact.parameters[at][number] = value + by;
                    exact.loss()
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                moved(0.0);
                wanted.push(slope as f32);
            }
            let (apart, scale) = largest(&wanted, found);
            let name = &names[at].0;
            assert!(apart <= 1e-4 * scale.max(1e-3), "{name}: {apart} of {scale}");
        }
    }
}
