//! The module: parameters as burn tensors, forward over a graph.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData, TensorPrimitive, activation};

use crate::config::Schema;
use crate::kernels::{Dropout, Layer, mix};
use crate::operation::{HgtBackend, LayerTensors, Work};
use crate::weights::parameters;
use crate::{Config, Error, Graph, Result, Weights, generic};

/// A heterogeneous graph transformer (Hu et al. 2020; the arithmetic is that of torch-geometric's
/// `HGTConv`): inputs through a linear layer and relu, layers of attention over all relations
/// that end at a node with a gated residual, linear outputs.
#[derive(Module, Debug)]
pub struct Hgt<B: Backend> {
    pub(crate) project_weight: Param<Tensor<B, 2>>,
    pub(crate) project_bias: Param<Tensor<B, 2>>,
    pub(crate) layers: Vec<HgtLayer<B>>,
    pub(crate) outputs: Vec<HgtOutput<B>>,
    #[module(skip)]
    config: Arc<Config>,
    #[module(skip)]
    schema: Arc<Schema>,
}

/// One layer's parameters; shapes in [`Weights`].
#[derive(Module, Debug)]
pub struct HgtLayer<B: Backend> {
    pub(crate) kqv_weight: Param<Tensor<B, 3>>,
    pub(crate) kqv_bias: Param<Tensor<B, 2>>,
    pub(crate) key_relation: Param<Tensor<B, 4>>,
    pub(crate) value_relation: Param<Tensor<B, 4>>,
    pub(crate) prior: Param<Tensor<B, 2>>,
    pub(crate) out_weight: Param<Tensor<B, 3>>,
    pub(crate) out_bias: Param<Tensor<B, 2>>,
    pub(crate) skip: Param<Tensor<B, 1>>,
}

/// One output's parameters.
#[derive(Module, Debug)]
pub struct HgtOutput<B: Backend> {
    pub(crate) weight: Param<Tensor<B, 2>>,
    pub(crate) bias: Param<Tensor<B, 1>>,
}

impl Config {
    /// A new model. Weights are uniform within one over the square root of what they sum over,
    /// priors and skips 1, as in torch-geometric; outputs with `zero_start` are zero. One seed
    /// gives one model on every backend.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn init<B: Backend>(&self, device: &B::Device, seed: u64) -> Result<Hgt<B>> {
        let schema = self.schema()?;
        let mut values = Vec::new();
        for (at, (name, shape)) in parameters(&schema).into_iter().enumerate() {
            let length: usize = shape.iter().product();
            let zero = name.strip_prefix("outputs.").is_some_and(|it| {
                let output = it.split('.').next().and_then(|it| it.parse::<usize>().ok());
                output.is_some_and(|it| self.outputs[it].zero_start)
            });
            if name.ends_with("prior") || name.ends_with("skip") || zero {
                values.resize(values.len() + length, if zero { 0.0 } else { 1.0 });
                continue;
            }
            let stream = mix(seed ^ mix(at as u64));
            let unit = |it: usize| {
                let bits = mix(stream.wrapping_add(it as u64)) >> 40;
                2.0 * (bits as f32 / (1_u64 << 24) as f32) - 1.0
            };
            if name == "project.weight" {
                for (kind, &width) in schema.widths.iter().enumerate() {
                    let before: usize = schema.widths[..kind].iter().sum();
                    let bound = 1.0 / (width as f32).sqrt();
                    let range = before * schema.hidden..(before + width) * schema.hidden;
                    values.extend(range.map(|it| unit(it) * bound));
                }
                continue;
            }
            let fan_in = if name.ends_with("_relation") {
                schema.hidden / schema.heads
            } else {
                schema.hidden
            };
            let bound = 1.0 / (fan_in as f32).sqrt();
            values.extend((0..length).map(|it| unit(it) * bound));
        }
        Weights::new(self.clone(), values)?.init(device)
    }
}

impl Weights {
    /// A model with these weights.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Hgt<B>> {
        let schema = Arc::new(self.config().schema()?);
        let all = self.parameters();
        let mut next = all.iter();
        let mut layers = Vec::with_capacity(schema.layers);
        let mut take = || next.next().map_or((&[][..], &[][..]), |it| (it.1.as_slice(), it.2));
        let (project_weight, project_bias) = (param(take(), device), param(take(), device));
        for _ in 0..schema.layers {
            layers.push(HgtLayer {
                kqv_weight: param(take(), device),
                kqv_bias: param(take(), device),
                key_relation: param(take(), device),
                value_relation: param(take(), device),
                prior: param(take(), device),
                out_weight: param(take(), device),
                out_bias: param(take(), device),
                skip: param(take(), device),
            });
        }
        let outputs = schema
            .outputs
            .iter()
            .map(|_| HgtOutput { weight: param(take(), device), bias: param(take(), device) })
            .collect();
        let config = Arc::new(self.config().clone());
        Ok(Hgt { project_weight, project_bias, layers, outputs, config, schema })
    }
}

fn param<B: Backend, const N: usize>(
    (shape, values): (&[usize], &[f32]),
    device: &B::Device,
) -> Param<Tensor<B, N>> {
    Param::from_data(TensorData::new(values.to_vec(), shape.to_vec()), device)
}

fn numbers<B: Backend, const N: usize>(tensor: Tensor<B, N>, into: &mut Vec<f32>) {
    into.extend(tensor.into_data().iter::<f32>());
}

/// Which numbers of a step's states are left out, besides the share in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// None.
    Inference,
    /// By chance; one seed leaves out the same on every backend and any number of threads.
    Training {
        /// Of the step: take another one each step.
        seed: u64,
    },
}

/// A layer's weights with relation matrices and priors folded in. The last row of every matrix is
/// its bias.
pub(crate) struct Folded<B: Backend> {
    /// Types x (hidden + 1) x hidden.
    pub query: Tensor<B, 3>,
    /// Relations x (hidden + 1) x 2 hidden.
    pub key_value: Tensor<B, 3>,
    /// Types x (hidden + 1) x hidden.
    pub out: Tensor<B, 3>,
    /// Types.
    pub gate: Tensor<B, 1>,
}

impl<B: Backend> HgtLayer<B> {
    /// `product` multiplies stacks of matrices.
    pub(crate) fn fold(
        &self,
        schema: &Schema,
        device: &B::Device,
        product: impl Fn(Tensor<B, 3>, Tensor<B, 3>) -> Tensor<B, 3>,
    ) -> Folded<B> {
        let (hidden, heads) = (schema.hidden, schema.heads);
        let (types, relations) = (schema.widths.len(), schema.relations.len());
        let (width, rows) = (hidden / heads, hidden + 1);
        let bias = self.kqv_bias.val().reshape([types, 1, 3 * hidden]);
        let all = Tensor::cat(vec![self.kqv_weight.val(), bias], 1);
        let part = |tensor: &Tensor<B, 3>, at: usize| {
            tensor.clone().slice([0..tensor.dims()[0], 0..rows, at * hidden..(at + 1) * hidden])
        };
        let query = part(&all, 1);
        let sources: Vec<i64> = schema.relations.iter().map(|it| it.0 as i64).collect();
        let sources: Tensor<B, 1, Int> =
            Tensor::from_data(TensorData::new(sources, [relations]), device);
        let all = all.select(0, sources);
        let apply = |tensor: Tensor<B, 3>, matrix: Tensor<B, 4>| {
            let by_head = tensor.reshape([relations, rows, heads, width]).swap_dims(1, 2);
            let (stack, square) =
                ([relations * heads, rows, width], [relations * heads, width, width]);
            product(by_head.reshape(stack), matrix.reshape(square))
                .reshape([relations, heads, rows, width])
                .swap_dims(1, 2)
                .reshape([relations, rows, hidden])
        };
        let scale = self.prior.val().div_scalar((width as f32).sqrt());
        let keys = self.key_relation.val() * scale.reshape([relations, heads, 1, 1]);
        let key_value = Tensor::cat(
            vec![apply(part(&all, 0), keys), apply(part(&all, 2), self.value_relation.val())],
            2,
        );
        let bias = self.out_bias.val().reshape([types, 1, hidden]);
        let out = Tensor::cat(vec![self.out_weight.val(), bias], 1);
        Folded { query, key_value, out, gate: activation::sigmoid(self.skip.val()) }
    }
}

impl<B: Backend> Hgt<B> {
    /// What it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its weights as plain numbers.
    ///
    /// # Errors
    /// [`Error::Weights`] when a number is not finite.
    pub fn weights(&self) -> Result<Weights> {
        let mut all = Vec::new();
        numbers(self.project_weight.val(), &mut all);
        numbers(self.project_bias.val(), &mut all);
        for layer in &self.layers {
            numbers(layer.kqv_weight.val(), &mut all);
            numbers(layer.kqv_bias.val(), &mut all);
            numbers(layer.key_relation.val(), &mut all);
            numbers(layer.value_relation.val(), &mut all);
            numbers(layer.prior.val(), &mut all);
            numbers(layer.out_weight.val(), &mut all);
            numbers(layer.out_bias.val(), &mut all);
            numbers(layer.skip.val(), &mut all);
        }
        for output in &self.outputs {
            numbers(output.weight.val(), &mut all);
            numbers(output.bias.val(), &mut all);
        }
        Weights::new((*self.config).clone(), all)
    }

    /// The layer's work on a graph.
    fn work(&self, graph: &Graph<B>, at: usize, mode: Mode) -> Arc<Layer> {
        let dropout = match mode {
            Mode::Inference => Dropout::default(),
            Mode::Training { seed } => {
                Dropout { share: self.schema.dropout, seed: mix(seed ^ mix(at as u64)) }
            }
        };
        Arc::new(Layer {
            schema: self.schema.clone(),
            topology: graph.topology.clone(),
            plan: graph.plans[at].clone(),
            dropout,
        })
    }

    /// # Errors
    /// [`Error::Graph`] for a graph of another configuration.
    fn check(&self, graph: &Graph<B>) -> Result<()> {
        if *graph.schema == *self.schema {
            return Ok(());
        }
        Err(Error::Graph("it was made for another configuration: make it from the model's".into()))
    }

    /// Outputs from the last states.
    fn read(
        &self,
        graph: &Graph<B>,
        states: &Tensor<B, 2>,
        product: impl Fn(Tensor<B, 3>, Tensor<B, 3>) -> Tensor<B, 3>,
    ) -> Vec<Tensor<B, 2>> {
        let Some(last) = graph.plans.last() else { return Vec::new() };
        let hidden = self.schema.hidden;
        let one = |(output, &(kind, width)): (&HgtOutput<B>, &(usize, usize))| {
            let offset = last.outputs[kind].unwrap_or_default();
            let rows = graph.topology.counts()[kind];
            let states = if rows == last.output_rows {
                states.clone()
            } else {
                states.clone().slice([offset..offset + rows, 0..hidden])
            };
            if rows == 0 {
                return Tensor::zeros([0, width], &states.device());
            }
            let weight = output.weight.val().reshape([1, hidden, width]);
            let product = product(states.reshape([1, rows, hidden]), weight);
            product.reshape([rows, width]) + output.bias.val().reshape([1, width])
        };
        self.outputs.iter().zip(&self.schema.outputs).map(one).collect()
    }

    /// The same as [`Hgt::forward`] with burn's own operations only: for any backend, slower, and
    /// what the layer operation is tested against.
    ///
    /// # Errors
    /// [`Error::Graph`] for a graph of another configuration.
    pub fn forward_generic(&self, graph: &Graph<B>, mode: Mode) -> Result<Vec<Tensor<B, 2>>> {
        self.check(graph)?;
        let mut states = generic::project(self, graph, &self.schema);
        for (at, layer) in self.layers.iter().enumerate() {
            let work = self.work(graph, at, mode);
            states = generic::layer(&work, layer, states);
        }
        Ok(self.read(graph, &states, Tensor::matmul))
    }
}

/// The backend's product in single precision.
fn stacked<B: HgtBackend>(left: Tensor<B, 3>, right: Tensor<B, 3>) -> Tensor<B, 3> {
    let (left, right) = (left.into_primitive().tensor(), right.into_primitive().tensor());
    Tensor::from_primitive(TensorPrimitive::Float(B::hgt_stacked_product(left, right)))
}

impl<B: HgtBackend> Hgt<B> {
    /// Outputs in the configuration's order, each nodes of its type x its width.
    ///
    /// On an autodiff backend use `model.valid()` and `graph.valid()` where no gradient is wanted.
    ///
    /// # Errors
    /// [`Error::Graph`] for a graph of another configuration.
    pub fn forward(&self, graph: &Graph<B>, mode: Mode) -> Result<Vec<Tensor<B, 2>>> {
        self.check(graph)?;
        let float = |tensor| Tensor::from_primitive(TensorPrimitive::Float(tensor));
        let mut states: Tensor<B, 2> = float(B::hgt_project(
            &Work(self.work(graph, 0, mode)),
            graph.features.clone().into_primitive().tensor(),
            self.project_weight.val().into_primitive().tensor(),
            self.project_bias.val().into_primitive().tensor(),
        ));
        for (at, layer) in self.layers.iter().enumerate() {
            let folded = layer.fold(&self.schema, &states.device(), stacked);
            let tensors = LayerTensors {
                states: states.into_primitive().tensor(),
                query: folded.query.into_primitive().tensor(),
                key_value: folded.key_value.into_primitive().tensor(),
                out: folded.out.into_primitive().tensor(),
                gate: folded.gate.into_primitive().tensor(),
            };
            states = float(B::hgt_layer(&Work(self.work(graph, at, mode)), tensors));
        }
        Ok(self.read(graph, &states, stacked))
    }
}
