//! What the tests share: a small configuration with all the awkward cases, numbers from a seed,
//! and gradients of every parameter.

#![allow(dead_code, reason = "every test file is its own crate and uses its own part")]

pub mod exact;

use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn_flex::Flex;
use tideline_hgt::{Config, Edges, Graph, Hgt, NodeType, Output, Relation};

/// The backend that trains on the CPU.
pub type Trained = Autodiff<Flex>;

/// Three node types; one relation within a type, one without edges.
pub fn config(hidden: usize, heads: usize) -> Config {
    let node = |name: &str, width| NodeType { name: name.into(), width };
    let relation = |source: &str, name: &str, target: &str| Relation {
        source: source.into(),
        name: name.into(),
        target: target.into(),
    };
    let output = |name: &str, node_type: &str, width| Output {
        name: name.into(),
        node_type: node_type.into(),
        width,
        zero_start: false,
    };
    Config {
        node_types: vec![node("fixture", 5), node("team", 3), node("quote", 4)],
        relations: vec![
            relation("team", "plays", "fixture"),
            relation("quote", "prices", "fixture"),
            relation("fixture", "of", "team"),
            relation("fixture", "empty", "quote"),
            relation("team", "met", "team"),
        ],
        hidden,
        heads,
        layers: 2,
        dropout: 0.2,
        outputs: vec![output("outcome", "fixture", 3), output("strength", "team", 2)],
    }
}

/// Numbers from a seed.
pub struct Random(pub u64);

impl Random {
    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Between -1 and 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }

    /// Below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }
}

/// A graph's parts, on no device yet.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Nodes by type.
    pub counts: Vec<usize>,
    /// Nodes x width by type.
    pub features: Vec<Vec<f32>>,
    /// By relation.
    pub edges: Vec<Edges>,
}

impl Parts {
    /// Random features; `edges` are (number, sources below, targets below) by relation.
    pub fn new(
        config: &Config,
        seed: u64,
        counts: &[usize],
        edges: &[(usize, usize, usize)],
    ) -> Self {
        let mut random = Random(seed * 2 + 1);
        let features = counts
            .iter()
            .zip(&config.node_types)
            .map(|(count, kind)| (0..count * kind.width).map(|_| random.unit()).collect())
            .collect();
        let mut edges_of = |&(many, sources, targets): &(usize, usize, usize)| {
            let mut ends =
                |below: usize| (0..many).map(|_| random.below(below) as u32).collect::<Vec<u32>>();
            Edges { sources: ends(sources), targets: ends(targets) }
        };
        let edges = edges.iter().map(&mut edges_of).collect();
        Self { counts: counts.to_vec(), features, edges }
    }

    /// Some dozen nodes; the last fixtures have no team.
    pub fn small(config: &Config, seed: u64) -> Self {
        let edges = [(40, 7, 20), (61, 61, 23), (40, 23, 7), (0, 1, 1), (9, 7, 7)];
        Self::new(config, seed, &[23, 7, 61], &edges)
    }

    /// On a device.
    pub fn graph<B: Backend>(&self, config: &Config) -> Graph<B> {
        let device = B::Device::default();
        Graph::new(config, &self.counts, &self.features, &self.edges, &device).unwrap()
    }
}

/// Something to minimise: squares and, of the first output, the sum.
pub fn loss<B: Backend>(outputs: Vec<Tensor<B, 2>>) -> Tensor<B, 1> {
    let [a, b]: [Tensor<B, 2>; 2] = outputs.try_into().unwrap();
    a.clone().powi_scalar(2).sum() + a.sum() + b.powi_scalar(2).sum()
}

struct Gradients<'a> {
    all: &'a <Trained as AutodiffBackend>::Gradients,
    found: Vec<Vec<f32>>,
}

impl ModuleVisitor<Trained> for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Trained, D>>) {
        let gradient = param.val().grad(self.all);
        let values = gradient.map(|it| it.into_data().iter::<f32>().collect::<Vec<f32>>());
        self.found.push(values.unwrap_or_else(|| vec![0.0; param.shape().num_elements()]));
    }
}

/// Gradients of [`loss`] in every parameter, in the order of the weights.
pub fn gradients(model: &Hgt<Trained>, outputs: Vec<Tensor<Trained, 2>>) -> Vec<Vec<f32>> {
    let all = loss(outputs).backward();
    let mut gradients = Gradients { all: &all, found: Vec::new() };
    model.visit(&mut gradients);
    gradients.found
}

/// Numbers of a tensor.
pub fn values<B: Backend>(tensor: &Tensor<B, 2>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}

/// Greatest difference, and greatest number of the first.
pub fn largest(a: &[f32], b: &[f32]) -> (f32, f32) {
    assert_eq!(a.len(), b.len());
    let scale = a.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    (a.iter().zip(b).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs())), scale)
}
