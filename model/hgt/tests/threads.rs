//! One seed gives the same bits whatever the number of threads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::default_trait_access, reason = "the only device there is")]

mod support;

use support::{Parts, Trained, config, gradients, values};
use tideline_hgt::{Hgt, Mode};

/// Enough rows and edges for many pieces of work of every kind.
fn parts(config: &tideline_hgt::Config) -> Parts {
    let edges = [
        (9_000, 40, 4_000),
        (12_000, 12_000, 5_000),
        (9_000, 5_000, 40),
        (3_000, 5_000, 12_000),
        (80, 40, 40),
    ];
    Parts::new(config, 23, &[5_000, 40, 12_000], &edges)
}

#[test]
fn threads_change_no_bit_of_outputs_or_gradients() {
    let config = config(16, 4);
    let model: Hgt<Trained> = config.init(&Default::default(), 2).unwrap();
    let graph = parts(&config).graph::<Trained>(&config);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let outputs = model.forward(&graph, Mode::Training { seed: 4 }).unwrap();
            let mut all: Vec<Vec<f32>> = outputs.iter().map(values).collect();
            all.extend(gradients(&model, outputs));
            all.into_iter().flatten().map(f32::to_bits).collect::<Vec<u32>>()
        })
    };
    let one = run(1);
    assert!(one.iter().filter(|it| **it != 0).count() > 1_000, "something is computed");
    for threads in [2, 3, 7] {
        assert!(run(threads) == one, "{threads} threads give other bits than one");
    }
}
