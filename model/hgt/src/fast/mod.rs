//! Prices in microseconds: one fixture's outputs without the framework.
//!
//! At window close [`Fast::cache`] keeps the states of the whole graph after every layer. From then
//! on a fixture is a [`Neighbourhood`]: the nodes whose features can still change, or that are newer
//! than the graph, and copies of the cached numbers they meet. [`Fast::reprice`] computes only what
//! lies between a change and the outputs; everything else is still there from the last time. The
//! result is that of the full forward over the graph with those nodes and edges in it.

mod alone;
mod build;
mod layout;
mod neighbourhood;
mod reprice;
mod step;

use std::sync::Arc;

use burn::tensor::backend::Backend;
use pulp::Arch;

use crate::config::Schema;
use crate::kernels::forward::forward;
use crate::kernels::{Dropout, Layer, LayerWeights, mix, project, transposed};
use crate::plan::whole;
use crate::topology::Topology;
use crate::{Error, Graph, Result, Weights};

pub use build::{Builder, NODES_MAX, Node};
pub use neighbourhood::{Live, Neighbourhood};
pub use reprice::Scratch;

/// A trained model, folded and ready to price on one thread.
///
/// ```
/// use burn_flex::Flex;
/// use tideline_hgt::fast::{Fast, Node, Scratch};
/// use tideline_hgt::{Config, Edges, Graph, Hgt, NodeType, Output, Relation};
///
/// let config = Config {
///     node_types: vec![
///         NodeType { name: "fixture".into(), width: 2 },
///         NodeType { name: "team".into(), width: 1 },
///     ],
///     relations: vec![Relation {
///         source: "team".into(),
///         name: "plays".into(),
///         target: "fixture".into(),
///     }],
///     hidden: 8,
///     heads: 2,
///     layers: 2,
///     dropout: 0.0,
///     outputs: vec![Output {
///         name: "outcome".into(),
///         node_type: "fixture".into(),
///         width: 3,
///         zero_start: false,
///     }],
/// };
/// let device = Default::default();
/// let model: Hgt<Flex> = config.init(&device, 1)?;
/// // At window close: two fixtures of two teams.
/// let features = [vec![0.1, 0.2, 0.3, 0.4], vec![1.0, -1.0]];
/// let edges = [Edges { sources: vec![0, 1], targets: vec![0, 1] }];
/// let graph = Graph::<Flex>::new(&config, &[2, 2], &features, &edges, &device)?;
/// let fast = Fast::new(&model.weights()?)?;
/// let cache = fast.cache(&graph)?;
/// // A new fixture of team 1, whose features then change.
/// let mut builder = fast.neighbourhood(&cache)?;
/// let fixture = builder.add(0, &[0.5, 0.5])?;
/// builder.edge(0, Node::Cached { kind: 1, row: 1 }, fixture)?;
/// let mut near = builder.finish(fixture)?;
/// let mut scratch = Scratch::default();
/// let before = fast.reprice(&mut scratch, &mut near).to_vec();
/// near.set_features(fixture, &[0.6, 0.5])?;
/// let after = fast.reprice(&mut scratch, &mut near);
/// assert_eq!(after.len(), 3);
/// assert_ne!(after, before);
/// # Ok::<(), tideline_hgt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fast {
    arch: Arch,
    schema: Arc<Schema>,
    /// Of configuration and weights: caches and neighbourhoods belong to one model.
    id: u64,
    /// (all widths) x hidden.
    project_weight: Vec<f32>,
    /// Types x hidden.
    project_bias: Vec<f32>,
    layers: Vec<Folded>,
    /// Hidden x width and width, by output.
    outputs: Vec<(Vec<f32>, Vec<f32>)>,
}

/// A layer's weights with relation matrices and priors folded in; shapes as [`LayerWeights`].
#[derive(Clone, Debug)]
struct Folded {
    query: Vec<f32>,
    key_value: Vec<f32>,
    out: Vec<f32>,
    gate: Vec<f32>,
    /// Key matrices transposed head by head, by relation: heads x (head width x hidden).
    keys_by_head: Vec<Vec<f32>>,
}

impl Folded {
    fn weights(&self) -> LayerWeights<'_> {
        LayerWeights {
            query: &self.query,
            key_value: &self.key_value,
            out: &self.out,
            gate: &self.gate,
        }
    }
}

/// The states of a whole graph, kept from one window close to the next.
#[derive(Clone, Debug)]
pub struct Cache {
    schema: Arc<Schema>,
    /// The model's.
    id: u64,
    topology: Arc<Topology>,
    /// First row of every type in `states`.
    first: Vec<usize>,
    /// Before every layer: all rows x hidden.
    states: Vec<Vec<f32>>,
}

impl Cache {
    /// The graph it was made of.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// Bytes of its states.
    pub fn bytes(&self) -> usize {
        self.states.iter().map(|it| it.len() * size_of::<f32>()).sum()
    }

    /// A node's state before a layer.
    fn state(&self, layer: usize, kind: usize, row: usize) -> &[f32] {
        let hidden = self.schema.hidden;
        &self.states[layer][(self.first[kind] + row) * hidden..][..hidden]
    }
}

impl Fast {
    /// Folds a trained model's matrices.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn new(weights: &Weights) -> Result<Self> {
        let schema = Arc::new(weights.config().schema()?);
        let all = weights.parameters();
        let mut next = all.iter();
        let mut take = || next.next().map_or(&[][..], |it| it.2);
        let (project_weight, project_bias) = (take().to_vec(), take().to_vec());
        let layers = (0..schema.layers)
            .map(|_| {
                let parts: [&[f32]; 8] = std::array::from_fn(|_| take());
                fold(&schema, parts)
            })
            .collect();
        let outputs = schema.outputs.iter().map(|_| (take().to_vec(), take().to_vec())).collect();
        let arch = Arch::new();
        let words = weights.values().iter().map(|it| u64::from(it.to_bits()));
        let shape = format!("{schema:?}").into_bytes().into_iter().map(u64::from);
        let id = shape.chain(words).fold(0, |id, word| mix(id ^ word));
        Ok(Self { arch, schema, id, project_weight, project_bias, layers, outputs })
    }

    /// Computes and keeps the states of all nodes.
    ///
    /// # Errors
    /// [`Error::Graph`] for a graph of another configuration.
    pub fn cache<B: Backend>(&self, graph: &Graph<B>) -> Result<Cache> {
        if *graph.schema != *self.schema {
            return Err(Error::Graph(
                "it was made for another configuration: make it from the model's".into(),
            ));
        }
        let topology = graph.topology.clone();
        let features: Vec<f32> = graph.features.to_data().iter::<f32>().collect();
        let plan = Arc::new(whole(&self.schema, &topology));
        let (weight, bias) = (&self.project_weight, &self.project_bias);
        let mut states =
            vec![project::forward(&self.schema, &topology, &plan, &features, weight, bias)];
        let layer = Layer {
            schema: self.schema.clone(),
            topology: topology.clone(),
            plan: plan.clone(),
            dropout: Dropout::default(),
        };
        for folded in self.layers.iter().take(self.schema.layers - 1) {
            let before = &states[states.len() - 1];
            states.push(forward(&layer, folded.weights(), before).states);
        }
        let first = plan.inputs.iter().map(|it| it.unwrap_or_default()).collect();
        Ok(Cache { schema: self.schema.clone(), id: self.id, topology, first, states })
    }

    /// Numbers of [`Fast::reprice`] for a node of this type: those of all outputs read from it, in
    /// the configuration's order.
    pub fn width(&self, kind: usize) -> usize {
        self.schema.outputs.iter().filter(|it| it.0 == kind).map(|it| it.1).sum()
    }
}

/// Folds the eight parameters of a layer, in the order of [`Weights`]. Sums run in float64.
fn fold(schema: &Schema, parts: [&[f32]; 8]) -> Folded {
    let [kqv, kqv_bias, key, value, prior, out, out_bias, skip] = parts;
    let (hidden, heads) = (schema.hidden, schema.heads);
    let (types, relations) = (schema.widths.len(), schema.relations.len());
    let width = hidden / heads;
    // Rows of a type's keys, queries and values, the bias last.
    let row = |kind: usize, row: usize| {
        let from = if row == hidden { kqv_bias } else { kqv };
        let at = if row == hidden { kind } else { kind * hidden + row };
        &from[at * 3 * hidden..][..3 * hidden]
    };
    let mut query = Vec::with_capacity(types * (hidden + 1) * hidden);
    let mut outs = Vec::with_capacity(types * (hidden + 1) * hidden);
    for kind in 0..types {
        for it in 0..=hidden {
            query.extend_from_slice(&row(kind, it)[hidden..2 * hidden]);
        }
        outs.extend_from_slice(&out[kind * hidden * hidden..][..hidden * hidden]);
        outs.extend_from_slice(&out_bias[kind * hidden..][..hidden]);
    }
    let mut key_value = Vec::with_capacity(relations * (hidden + 1) * 2 * hidden);
    let mut keys_by_head = Vec::with_capacity(relations);
    for (relation, &(source, _)) in schema.relations.iter().enumerate() {
        let first = key_value.len();
        for it in 0..=hidden {
            let row = row(source, it);
            for (matrices, offset, scaled) in [(key, 0, true), (value, 2 * hidden, false)] {
                for column in 0..hidden {
                    let head = column / width;
                    let matrix = &matrices[(relation * heads + head) * width * width..];
                    let left = &row[offset + head * width..][..width];
                    let sum: f64 = (0..width)
                        .map(|at| {
                            f64::from(left[at]) * f64::from(matrix[at * width + column % width])
                        })
                        .sum();
                    let prior = f64::from(prior[relation * heads + head]);
                    let scale = if scaled { prior / (width as f64).sqrt() } else { 1.0 };
                    key_value.push((sum * scale) as f32);
                }
            }
        }
        let matrix = &key_value[first..];
        keys_by_head.push(
            (0..heads)
                .flat_map(|head| transposed(&matrix[head * width..], hidden, width, 2 * hidden))
                .collect(),
        );
    }
    let gate = skip.iter().map(|it| (1.0 / (1.0 + (-f64::from(*it)).exp())) as f32).collect();
    Folded { query, key_value, out: outs, gate, keys_by_head }
}
