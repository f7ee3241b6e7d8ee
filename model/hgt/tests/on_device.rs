//! The device kernels equal the CPU's, and two runs of them are equal bit for bit.
//!
//! `--features vulkan-check` runs them on a Vulkan device (Mesa's software device `lavapipe` will
//! do), `--features cuda` on an NVIDIA device. Where there is none they are skipped, loudly.

#![cfg(any(feature = "cuda", feature = "vulkan-check"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use burn_flex::Flex;
use support::{Parts, config, largest, loss, values};
use tideline_hgt::{Config, Hgt, Mode, TrainingBackend, Weights};

struct Gradients<'a, B: AutodiffBackend> {
    all: &'a B::Gradients,
    found: Vec<Vec<f32>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Gradients<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let gradient = param.val().grad(self.all);
        let values = gradient.map(|it| it.into_data().iter::<f32>().collect::<Vec<f32>>());
        self.found.push(values.unwrap_or_else(|| vec![0.0; param.shape().num_elements()]));
    }
}

/// Outputs and gradients of all parameters.
type Numbers = (Vec<Vec<f32>>, Vec<Vec<f32>>);

fn step<B: TrainingBackend>(weights: &Weights, parts: &Parts, mode: Mode) -> Numbers {
    let device = B::Device::default();
    let model: Hgt<B> = weights.init(&device).unwrap();
    let graph = parts.graph::<B>(weights.config());
    let outputs = model.forward(&graph, mode).unwrap();
    let numbers = outputs.iter().map(values).collect();
    let all = loss(outputs).backward();
    let mut gradients = Gradients::<B> { all: &all, found: Vec::new() };
    model.visit(&mut gradients);
    (numbers, gradients.found)
}

fn weights(config: &Config, seed: u64) -> Weights {
    let model: Hgt<Flex> = config.init(&burn_flex::FlexDevice, seed).unwrap();
    model.weights().unwrap()
}

/// Outputs within 1e-4, gradients within 1e-3 of the largest; and the same once more, exactly.
fn compare<B: TrainingBackend>(what: &str, config: &Config, parts: &Parts) {
    let weights = weights(config, 5);
    for mode in [Mode::Inference, Mode::Training { seed: 7 }] {
        let here = step::<Autodiff<Flex>>(&weights, parts, mode);
        let there = step::<B>(&weights, parts, mode);
        for (at, (here, there)) in here.0.iter().zip(&there.0).enumerate() {
            let (apart, _) = largest(here, there);
            assert!(apart < 1e-4, "{what}, {mode:?}, output {at}: {apart}");
        }
        assert_eq!(here.1.len(), there.1.len());
        for (at, (here, there)) in here.1.iter().zip(&there.1).enumerate() {
            let (apart, scale) = largest(here, there);
            let bound = 1e-3 * scale.max(1e-3);
            assert!(apart <= bound, "{what}, {mode:?}, parameter {at}: {apart} of {scale}");
        }
        let again = step::<B>(&weights, parts, mode);
        assert!(there == again, "{what}, {mode:?}: two runs differ");
    }
}

fn all<B: TrainingBackend>() {
    // Head widths 3 to 16, widths that do not fill a tile and that fill more than one.
    for (hidden, heads) in [(64, 4), (12, 4), (10, 2), (16, 1), (32, 4), (9, 3), (80, 5)] {
        let config = config(hidden, heads);
        compare::<B>(
            &format!("hidden {hidden}, heads {heads}"),
            &config,
            &Parts::small(&config, hidden as u64),
        );
    }
    let config = config(16, 4);
    // 3,000 edges end at 2 fixtures and leave 3 quotes; more rows than one job sums.
    let edges = [(40, 7, 1300), (6000, 3, 2), (40, 1300, 7), (0, 1, 1), (900, 1, 1)];
    compare::<B>("long rows", &config, &Parts::new(&config, 3, &[1300, 7, 61], &edges));
    let none = [(0, 1, 1); 5];
    compare::<B>("no edges", &config, &Parts::new(&config, 4, &[3, 2, 1], &none));
    let mut unread = config.clone();
    unread.relations.truncate(1);
    unread.node_types[2].width = 9;
    unread.layers = 1;
    let parts = Parts::new(&unread, 6, &[70, 7, 5], &[(90, 7, 70)]);
    compare::<B>("a type that nobody reads", &unread, &parts);
    let edges = [(0, 1, 1), (30, 9, 5), (0, 1, 1), (4, 5, 9), (0, 1, 1)];
    compare::<B>("a type without nodes", &config, &Parts::new(&config, 5, &[5, 0, 9], &edges));
}

#[cfg(feature = "vulkan-check")]
#[test]
fn kernels_equal_those_of_the_cpu_on_a_vulkan_device() {
    type Backend = Autodiff<tideline_hgt::VulkanCheck>;
    let there = std::panic::catch_unwind(|| {
        let one = Tensor::<Backend, 1>::from_floats([1.0], &burn_wgpu::WgpuDevice::default());
        one.into_data().iter::<f32>().sum::<f32>()
    });
    if there.is_err() {
        eprintln!(
            "SKIPPED: there is no Vulkan device, so the device kernels were NOT checked; install \
             mesa-vulkan-drivers for a software one"
        );
        return;
    }
    all::<Backend>();
}

#[cfg(feature = "cuda")]
#[test]
fn kernels_equal_those_of_the_cpu_on_a_cuda_device() {
    let chosen = tideline_hgt::DeviceChoice::Cuda.choose();
    if chosen.device() == tideline_hgt::Device::Cpu {
        eprintln!("SKIPPED: the kernels were NOT checked on CUDA: {}", chosen.note());
        return;
    }
    all::<Autodiff<tideline_hgt::Cuda>>();
}
