//! The layer operation and its hand-written gradient equal burn's own operations, on graphs with
//! empty relations, nodes without edges and any head width.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::default_trait_access, reason = "the only device there is")]

use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn_flex::Flex;
use tideline_hgt::{Config, Edges, Graph, Hgt, Mode, NodeType, Output, Relation, Weights};

type Trained = Autodiff<Flex>;

fn config(hidden: usize, heads: usize) -> Config {
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
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

fn graph<B: Backend>(config: &Config, seed: u64) -> Graph<B> {
    let mut random = Random(seed * 2 + 1);
    let counts = [23, 7, 61];
    let widths = [5, 3, 4];
    let features: Vec<Vec<f32>> = counts
        .iter()
        .zip(widths)
        .map(|(count, width)| (0..count * width).map(|_| random.unit()).collect())
        .collect();
    let mut edges = |many: u64, sources: u64, targets: u64| {
        let mut ends = |below: u64| (0..many).map(|_| (random.next() % below) as u32).collect();
        Edges { sources: ends(sources), targets: ends(targets) }
    };
    let edges =
        [edges(40, 7, 20), edges(61, 61, 23), edges(40, 23, 7), Edges::default(), edges(9, 7, 7)];
    Graph::new(config, &counts, &features, &edges, &B::Device::default()).unwrap()
}

fn loss<B: Backend>(outputs: Vec<Tensor<B, 2>>) -> Tensor<B, 1> {
    let [a, b]: [Tensor<B, 2>; 2] = outputs.try_into().unwrap();
    a.clone().powi_scalar(2).sum() + a.sum() + b.powi_scalar(2).sum()
}

/// Gradients of all parameters, by name of their order.
struct Gradients<'a> {
    all: &'a <Trained as AutodiffBackend>::Gradients,
    found: Vec<Vec<f32>>,
}

impl ModuleVisitor<Trained> for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Trained, D>>) {
        let _: ParamId = param.id;
        let gradient = param.val().grad(self.all);
        let values = gradient.map(|it| it.into_data().iter::<f32>().collect::<Vec<f32>>());
        self.found.push(values.unwrap_or_default());
    }
}

fn gradients(model: &Hgt<Trained>, outputs: Vec<Tensor<Trained, 2>>) -> Vec<Vec<f32>> {
    let all = loss(outputs).backward();
    let mut gradients = Gradients { all: &all, found: Vec::new() };
    model.visit(&mut gradients);
    gradients.found
}

fn largest(a: &[f32], b: &[f32]) -> (f32, f32) {
    assert_eq!(a.len(), b.len());
    let scale = a.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    (a.iter().zip(b).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs())), scale)
}

#[test]
fn outputs_and_gradients_equal_those_of_plain_operations() {
    for (hidden, heads) in [(16, 4), (32, 4), (64, 4), (12, 4), (16, 1), (10, 2)] {
        for mode in [Mode::Inference, Mode::Training { seed: 7 }] {
            let config = config(hidden, heads);
            let device = Default::default();
            let model: Hgt<Trained> = config.init(&device, 11).unwrap();
            let graph = graph::<Trained>(&config, hidden as u64);
            let fused = model.forward(&graph, mode).unwrap();
            let plain = model.forward_generic(&graph, mode).unwrap();
            for (fused, plain) in fused.iter().zip(&plain) {
                let values =
                    |t: &Tensor<Trained, 2>| t.to_data().iter::<f32>().collect::<Vec<f32>>();
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
    let graph = graph::<Flex>(&config, 5);
    let values = |model: &Hgt<Flex>| {
        let outputs = model.forward(&graph, Mode::Inference).unwrap();
        outputs.iter().flat_map(|t| t.to_data().iter::<f32>().collect::<Vec<f32>>()).collect()
    };
    let (first, second): (Vec<f32>, Vec<f32>) = (values(&model), values(&again));
    assert_eq!(first, second);
    for at in [0, 5, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(Weights::from_bytes(&changed).is_err(), "byte {at}");
        assert!(Weights::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
}
