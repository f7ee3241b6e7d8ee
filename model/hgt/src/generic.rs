//! The same model with burn's own operations: for backends without kernels, and as a check.
//!
//! Follows the definition rather than the fast way: matrices at the source, edges gathered one by
//! one. The greatest score of a target is found on the host, since burn has no segment maximum; it
//! carries no gradient, as the softmax does not depend on it.

use burn::tensor::backend::Backend;
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData, activation};

use crate::config::Schema;
use crate::kernels::Layer;
use crate::kernels::project::packing;
use crate::model::HgtLayer;
use crate::{Graph, Hgt};

/// Inputs to states: input rows x hidden.
pub(crate) fn project<B: Backend>(
    model: &Hgt<B>,
    graph: &Graph<B>,
    schema: &Schema,
) -> Tensor<B, 2> {
    let (_, first) = packing(schema, graph.topology.counts());
    let mut tables = Vec::new();
    for (kind, &width) in schema.widths.iter().enumerate() {
        if graph.plans[0].inputs[kind].is_some() && graph.topology.counts()[kind] > 0 {
            let range = [first[kind]..first[kind] + width, 0..schema.hidden];
            let weight = model.project_weight.val().slice(range);
            let bias = model.project_bias.val().slice([kind..kind + 1, 0..schema.hidden]);
            tables.push(activation::relu(graph.features_of(kind).matmul(weight) + bias));
        }
    }
    joined(tables, schema.hidden, &graph.features.device())
}

fn joined<B: Backend>(
    tables: Vec<Tensor<B, 2>>,
    hidden: usize,
    device: &B::Device,
) -> Tensor<B, 2> {
    if tables.is_empty() { Tensor::zeros([0, hidden], device) } else { Tensor::cat(tables, 0) }
}

fn rows<B: Backend>(table: &Tensor<B, 2>, first: usize, count: usize) -> Tensor<B, 2> {
    table.clone().slice([first..first + count, 0..table.dims()[1]])
}

/// A matrix and its bias out of a stack.
fn matrix<B: Backend>(stack: &Tensor<B, 3>, at: usize) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let [_, rows, columns] = stack.dims();
    let one = stack.clone().slice([at..at + 1, 0..rows, 0..columns]).reshape([rows, columns]);
    (one.clone().slice([0..rows - 1, 0..columns]), one.slice([rows - 1..rows, 0..columns]))
}

/// One layer's new states: output rows x hidden.
pub(crate) fn layer<B: Backend>(
    work: &Layer,
    parameters: &HgtLayer<B>,
    states: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let hidden = work.schema.hidden;
    let device = states.device();
    let folded = parameters.fold(&work.schema, &device, Tensor::matmul);
    let mut tables = Vec::new();
    for (kind, &count) in work.topology.counts().iter().enumerate() {
        if work.plan.outputs[kind].is_none() || count == 0 {
            continue;
        }
        let own = rows(&states, work.plan.inputs[kind].unwrap_or_default(), count);
        let (weight, bias) = matrix(&folded.query, kind);
        let query = own.clone().matmul(weight) + bias;
        let message = attend(work, kind, &states, &query, &folded.key_value);
        let (weight, bias) = matrix(&folded.out, kind);
        let mut new = activation::gelu(message).matmul(weight) + bias;
        if work.dropout.share > 0.0 {
            let first = work.plan.outputs[kind].unwrap_or_default() * hidden;
            let factors: Vec<f32> =
                (0..count * hidden).map(|at| work.dropout.factor(first + at)).collect();
            new = new * Tensor::from_data(TensorData::new(factors, [count, hidden]), &device);
        }
        let gate = folded.gate.clone().slice([kind..kind + 1]).reshape([1, 1]);
        tables.push(own.clone() + (new - own) * gate);
    }
    joined(tables, hidden, &device)
}

/// Messages of a type's nodes before GELU.
fn attend<B: Backend>(
    work: &Layer,
    kind: usize,
    states: &Tensor<B, 2>,
    query: &Tensor<B, 2>,
    key_value: &Tensor<B, 3>,
) -> Tensor<B, 2> {
    let (hidden, heads) = (work.schema.hidden, work.schema.heads);
    let (device, count) = (states.device(), work.topology.counts()[kind]);
    let (mut keys, mut values, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for &relation in &work.plan.incoming[kind] {
        let csr = &work.topology.relations()[relation];
        if csr.edges() == 0 {
            continue;
        }
        let source = work.schema.relations[relation].0;
        let first = work.plan.inputs[source].unwrap_or_default();
        let (weight, bias) = matrix(key_value, relation);
        let table = rows(states, first, work.topology.counts()[source]).matmul(weight) + bias;
        let both = table.select(0, index(csr.source.iter().copied(), &device));
        keys.push(both.clone().slice([0..csr.edges(), 0..hidden]));
        values.push(both.slice([0..csr.edges(), hidden..2 * hidden]));
        let pairs = csr.start.windows(2).enumerate();
        targets.extend(pairs.flat_map(|(row, it)| (it[0]..it[1]).map(move |_| row as u32)));
    }
    if targets.is_empty() {
        return Tensor::zeros([count, hidden], &device);
    }
    let edges = targets.len();
    let by_head = [edges, heads, hidden / heads];
    let to = index::<B>(targets.iter().copied(), &device);
    let scores = (Tensor::cat(keys, 0) * query.clone().select(0, to.clone()))
        .reshape(by_head)
        .sum_dim(2)
        .reshape([edges, heads]);
    let greatest = greatest(&scores, &targets, count);
    let scores = (scores - Tensor::from_data(greatest, &device)).exp();
    let zeros = Tensor::zeros([count, heads], &device);
    let sums = zeros.select_assign(0, to.clone(), scores.clone(), IndexingUpdateOp::Add);
    let attention = scores / sums.select(0, to.clone());
    let messages = Tensor::cat(values, 0).reshape(by_head) * attention.reshape([edges, heads, 1]);
    Tensor::zeros([count, hidden], &device).select_assign(
        0,
        to,
        messages.reshape([edges, hidden]),
        IndexingUpdateOp::Add,
    )
}

fn index<B: Backend>(rows: impl Iterator<Item = u32>, device: &B::Device) -> Tensor<B, 1, Int> {
    let rows: Vec<i64> = rows.map(i64::from).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}

/// The greatest score of the edge's target, by edge and head.
fn greatest<B: Backend>(scores: &Tensor<B, 2>, targets: &[u32], count: usize) -> TensorData {
    let [edges, heads] = scores.dims();
    let values: Vec<f32> = scores.clone().detach().into_data().iter::<f32>().collect();
    let mut by_target = vec![f32::NEG_INFINITY; count * heads];
    for (edge, &target) in targets.iter().enumerate() {
        for head in 0..heads {
            let it = &mut by_target[target as usize * heads + head];
            *it = it.max(values[edge * heads + head]);
        }
    }
    let by_edge = targets
        .iter()
        .flat_map(|&target| by_target[target as usize * heads..][..heads].iter().copied())
        .collect::<Vec<f32>>();
    TensorData::new(by_edge, [edges, heads])
}
