//! The layer operation and its hand-written gradient equal burn's own operations, on graphs with
//! empty relations, nodes without edges and any head width.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::default_trait_access, reason = "the only device there is")]

mod support;

use burn_flex::Flex;
use support::{Parts, Trained, config, gradients, largest, values};
use tideline_hgt::{Hgt, Mode, Weights};

#[test]
fn outputs_and_gradients_equal_those_of_plain_operations() {
    for (hidden, heads) in [(16, 4), (32, 4), (64, 4), (12, 4), (16, 1), (10, 2)] {
        for mode in [Mode::Inference, Mode::Training { seed: 7 }] {
            let config = config(hidden, heads);
            let device = Default::default();
            let model: Hgt<Trained> = config.init(&device, 11).unwrap();
            let graph = Parts::small(&config, hidden as u64).graph::<Trained>(&config);
            let fused = model.forward(&graph, mode).unwrap();
            let plain = model.forward_generic(&graph, mode).unwrap();
            for (fused, plain) in fused.iter().zip(&plain) {
                let (apart, _) = largest(&values(plain), &values(fused));
                assert!(apart < 1e-5, "hidden {hidden}, heads {heads}, {mode:?}: {apart}");
            }
            let (fused, plain) = (gradients(&model, fused), gradients(&model, plain));
            assert!(fused.len() > 10);
            for (at, (fused, plain)) in fused.iter().zip(&plain).enumerate() {
                if plain.is_empty() || fused.is_empty() {
                    assert!(plain.iter().chain(fused).all(|x| *x == 0.0), "parameter {at}");
                    continue;
                }
                let (apart, scale) = largest(plain, fused);
                assert!(apart <= 1e-4 * scale.max(1e-3), "parameter {at}: {apart} of {scale}");
            }
        }
    }
}

#[test]
fn weights_survive_bytes_and_refuse_what_is_cut_or_changed() {
    let config = config(16, 4);
    let device = Default::default();
    let model: Hgt<Flex> = config.init(&device, 3).unwrap();
    let weights = model.weights().unwrap();
    let bytes = weights.to_bytes();
    let read = Weights::from_bytes(&bytes).unwrap();
    assert_eq!(read, weights);
    let again: Hgt<Flex> = read.init(&device).unwrap();
    let graph = Parts::small(&config, 5).graph::<Flex>(&config);
    let all = |model: &Hgt<Flex>| -> Vec<f32> {
        let outputs = model.forward(&graph, Mode::Inference).unwrap();
        outputs.iter().flat_map(values).collect()
    };
    let (first, second) = (all(&model), all(&again));
    assert_eq!(first, second);
    for at in [0, 5, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(Weights::from_bytes(&changed).is_err(), "byte {at}");
        assert!(Weights::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
}
