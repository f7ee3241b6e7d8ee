//! The reference training step on a GPU, twice from one seed:
//! `cargo run --release -p tideline-hgt --features cuda --example gpu_step [-- --steps 20]`.
//!
//! Prints the time of every step, compares the first outputs with the CPU's and the two runs' last
//! weights bit by bit, and fails when they differ. Without a GPU it says so and measures nothing.
//! With `--features vulkan-check`, `--vulkan` runs the same on a Vulkan device: a check of the
//! kernels at full size, whose times mean nothing.

#![allow(clippy::disallowed_methods, reason = "an example may measure time")]
#![allow(clippy::print_stdout, reason = "an example prints what it measured")]

#[allow(dead_code, reason = "the benchmark also writes the graph for other programs")]
#[path = "../benches/hgt/reference.rs"]
mod reference;

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::{Tensor, TensorData, activation};
use reference::{CLASSES, Reference};
use tideline_hgt::{Device, DeviceChoice, Graph, Hgt, Mode, OnBackend, TrainingBackend, Weights};

/// As in the benchmark.
const LEARNING_RATE: f64 = 1e-3;
/// Greatest difference of an output from the CPU's.
const OUTPUT_APART_MAX: f32 = 1e-4;

/// Training steps on any backend.
struct Steps<'a> {
    reference: &'a Reference,
    weights: &'a Weights,
    count: usize,
}

/// What came of them.
struct Outcome {
    /// Outputs of the first step.
    first: Vec<f32>,
    /// Mean cross-entropy by step.
    losses: Vec<f32>,
    ms: Vec<f64>,
    weights: Weights,
}

impl OnBackend for Steps<'_> {
    type Output = Result<Outcome>;

    fn run<B: TrainingBackend>(self, device: &B::Device) -> Result<Outcome> {
        let Reference { config, counts, features, edges, labels } = self.reference;
        let mut model: Hgt<B> = self.weights.init(device)?;
        let graph: Graph<B> = Graph::new(config, counts, features, edges, device)?;
        let mut wanted = vec![0.0_f32; labels.len() * CLASSES];
        for (row, label) in labels.iter().enumerate() {
            wanted[row * CLASSES + usize::try_from(*label)?] = -1.0 / labels.len() as f32;
        }
        let wanted = TensorData::new(wanted, [labels.len(), CLASSES]);
        let wanted: Tensor<B, 2> = Tensor::from_data(wanted, device);
        let mut adam = AdamConfig::new().with_epsilon(1e-8).init::<B, Hgt<B>>();
        let (mut first, mut losses, mut ms) = (Vec::new(), Vec::new(), Vec::new());
        for step in 0..self.count {
            let start = Instant::now();
            let outputs = model.forward(&graph, Mode::Training { seed: step as u64 })?;
            let output = outputs.into_iter().next().context("an output is configured")?;
            let loss = activation::log_softmax(output.clone(), 1) * wanted.clone();
            // Not `sum`, which adds with atomics in any order on a GPU.
            let loss = loss.sum_dim(1).sum_dim(0);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = adam.step(LEARNING_RATE, model, gradients);
            losses.extend(loss.into_data().iter::<f32>());
            B::sync(device).map_err(|it| anyhow::anyhow!("the device failed: {it:?}"))?;
            ms.push(start.elapsed().as_secs_f64() * 1e3);
            if step == 0 {
                first = output.into_data().iter::<f32>().collect();
            }
        }
        Ok(Outcome { first, losses, ms, weights: model.weights()? })
    }
}

fn main() -> Result<()> {
    let (mut count, mut vulkan) = (20, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--steps" => count = words.next().context("give a number after --steps")?.parse()?,
            "--vulkan" => vulkan = true,
            _ => bail!("{word} is not an option: there are --steps N and --vulkan"),
        }
    }
    ensure!(count > 0, "give at least one step");
    let chosen = DeviceChoice::Cuda.choose();
    if chosen.device() == Device::Cpu && !vulkan {
        println!("NOT MEASURED, there is no GPU to measure: {}", chosen.note());
        return Ok(());
    }
    let reference = Reference::new();
    let device = burn_flex::FlexDevice;
    let start: Hgt<burn_flex::Flex> = reference.config.init(&device, 5)?;
    let weights = start.weights()?;
    let steps = |count| Steps { reference: &reference, weights: &weights, count };
    let there = |count| -> Result<Outcome> {
        if vulkan { on_vulkan(steps(count)) } else { chosen.run(steps(count)) }
    };
    println!("{}", if vulkan { "on a Vulkan device" } else { chosen.note() });
    let (once, again) = (there(count)?, there(count)?);
    for (name, run) in [("first run", &once), ("second run", &again)] {
        let median = median(run.ms[1.min(count - 1)..].to_vec());
        let loss = run.losses.last().copied().unwrap_or_default();
        println!(
            "{name}: first step {:.1} ms with compiling and sorting out, then {median:.2} ms a step (median), last loss {loss:.6}",
            run.ms[0]
        );
    }
    let here = DeviceChoice::Cpu.choose().run(steps(1))?;
    let apart = here.first.iter().zip(&once.first).map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0_f32, f32::max);
    println!("first outputs are within {apart:.1e} of the CPU's (at most {OUTPUT_APART_MAX:.0e})");
    ensure!(apart <= OUTPUT_APART_MAX, "the device computes something else than the CPU");
    let bits = |it: &Outcome| -> Vec<u32> {
        it.weights.values().iter().chain(&it.losses).map(|it| it.to_bits()).collect()
    };
    ensure!(bits(&once) == bits(&again), "two runs from one seed differ");
    println!("two runs from one seed are equal, bit for bit, after {count} steps");
    Ok(())
}

#[cfg(feature = "vulkan-check")]
fn on_vulkan(steps: Steps<'_>) -> Result<Outcome> {
    type Backend = burn::backend::Autodiff<tideline_hgt::VulkanCheck>;
    steps.run::<Backend>(&burn_wgpu::WgpuDevice::default())
}

#[cfg(not(feature = "vulkan-check"))]
fn on_vulkan(_: Steps<'_>) -> Result<Outcome> {
    bail!("build with `--features vulkan-check` to use --vulkan")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
