//! One layer, backward: by target, then by source along the transpose.
//!
//! Cheap things (GELU, keys at the target, weighted sums) are computed again rather than kept: a
//! block's worth of arithmetic costs less than writing and reading it for every node. Every task
//! sums its weights' gradients on its own, and they are added in order of tasks.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::edges::{AddHeads, DotHeads, GatherHeads};
use super::forward::{Forward, Shared, by_edge, cut_edges, keys_by_head};
use super::gemm::{Matrix, MatrixMut, Shape, Start, add_rows, gradient, product};
use super::pointwise::{Part, gelu, gelu_gradient, softmax_gradient};
use super::wide::{AddWide, DotWide, GatherWide, SpreadWide};
use super::{BLOCK_ROWS, Layer, LayerWeights, launch, transposed};
use crate::plan::{Side, Task, cut, edge_range};

/// Gradients of a layer's input and of its (folded) weights, shaped as those.
#[derive(Debug, Default)]
pub(crate) struct Backward {
    /// Input rows x hidden.
    pub states: Vec<f32>,
    /// Types x (hidden + 1) x hidden.
    pub query: Vec<f32>,
    /// Relations x (hidden + 1) x 2 hidden.
    pub key_value: Vec<f32>,
    /// Types x (hidden + 1) x hidden.
    pub out: Vec<f32>,
    /// Types.
    pub gate: Vec<f32>,
}

/// A task's share of the weights' gradients.
struct Partial {
    query: Vec<f32>,
    out: Vec<f32>,
    /// Sum of `gradient * own state`.
    gate: f64,
    /// (relation, its keys and values).
    key_value: Vec<(usize, Vec<f32>)>,
}

/// Transposed weights.
struct Transposed {
    /// By type.
    query: Vec<Vec<f32>>,
    /// By type.
    out: Vec<Vec<f32>>,
    /// By relation made at the source: 2 hidden x hidden.
    key_value: Vec<Vec<f32>>,
    /// By relation made at the target: heads x (head width x hidden).
    values_by_head: Vec<Vec<f32>>,
}

impl Transposed {
    fn new(layer: &Layer, weights: &LayerWeights<'_>) -> Self {
        let (hidden, heads) = (layer.schema.hidden, layer.schema.heads);
        let width = hidden / heads;
        let types = layer.schema.widths.len();
        let square = |matrix: &[f32]| transposed(matrix, hidden, hidden, hidden);
        let sides = || layer.plan.sides.iter().enumerate();
        let whole = |(relation, side): (usize, &Option<Side>)| match side {
            Some(Side::Source) => {
                transposed(weights.key_value(relation, hidden).0, hidden, 2 * hidden, 2 * hidden)
            }
            _ => Vec::new(),
        };
        let by_head = |(relation, side): (usize, &Option<Side>)| match side {
            Some(Side::Target) => {
                let matrix = &weights.key_value(relation, hidden).0[hidden..];
                (0..heads)
                    .flat_map(|head| transposed(&matrix[head * width..], hidden, width, 2 * hidden))
                    .collect()
            }
            _ => Vec::new(),
        };
        Self {
            query: (0..types).map(|kind| square(weights.query(kind, hidden).0)).collect(),
            out: (0..types).map(|kind| square(weights.out(kind, hidden).0)).collect(),
            key_value: sides().map(whole).collect(),
            values_by_head: sides().map(by_head).collect(),
        }
    }
}

/// What all blocks share.
struct Context<'a> {
    shared: Shared<'a>,
    forward: &'a Forward,
    transposed: Transposed,
    /// Gradient of the layer's output.
    gradient: &'a [f32],
}

/// A target task's own part of the intermediate results.
struct Piece<'a> {
    task: &'a Task,
    /// Gradient of messages before GELU.
    message: &'a mut [f32],
    /// Gradient of the targets' own input states.
    states: &'a mut [f32],
    /// Gradient of scores, by incoming relation.
    scores: Vec<&'a mut [f32]>,
    /// What sources receive, by incoming relation made at the target.
    spread: Vec<&'a mut [f32]>,
}

/// Gradients from that of the layer's output: output rows x hidden.
pub(crate) fn backward(
    layer: &Layer,
    weights: LayerWeights<'_>,
    states: &[f32],
    forward: &Forward,
    gradient: &[f32],
) -> Backward {
    let plan = &layer.plan;
    let (hidden, heads) = (layer.schema.hidden, layer.schema.heads);
    let context = Context {
        shared: Shared {
            arch: Arch::new(),
            layer,
            weights,
            states,
            keys_by_head: keys_by_head(layer, &weights),
            key_value: &forward.key_value,
        },
        forward,
        transposed: Transposed::new(layer, &weights),
        gradient,
    };
    let mut message = vec![0.0; plan.output_rows * hidden];
    let mut own = vec![0.0; plan.output_rows * hidden];
    let mut scores = by_edge(layer, heads);
    let mut spread = by_edge(layer, hidden);
    for (side, spread) in plan.sides.iter().zip(&mut spread) {
        if *side != Some(Side::Target) {
            *spread = Vec::new();
        }
    }
    let length = |task: &Task| task.rows.len() * hidden;
    let pieces: Vec<Piece<'_>> = plan
        .target_tasks
        .iter()
        .zip(cut(&plan.target_tasks, &mut message, length))
        .zip(cut(&plan.target_tasks, &mut own, length))
        .zip(cut_edges(layer, &mut scores, heads))
        .zip(cut_edges(layer, &mut spread, hidden))
        .map(|((((task, message), states), scores), spread)| Piece {
            task,
            message,
            states,
            scores,
            spread,
        })
        .collect();
    let by_target: Vec<Partial> =
        pieces.into_par_iter().map(|piece| target_task(&context, piece)).collect();
    let mut out = Backward {
        states: vec![0.0; plan.input_rows * hidden],
        query: vec![0.0; weights.query.len()],
        key_value: vec![0.0; weights.key_value.len()],
        out: vec![0.0; weights.out.len()],
        gate: vec![0.0; weights.gate.len()],
    };
    let received = Received { message, own, scores, spread };
    let pieces = cut(&plan.source_tasks, &mut out.states, length);
    let by_source: Vec<Vec<(usize, Vec<f32>)>> = plan
        .source_tasks
        .par_iter()
        .zip(pieces)
        .map(|(task, states)| source_task(&context, &received, task, states))
        .collect();
    reduce(&context, &by_target, &by_source, &mut out);
    out
}

/// Adds up the tasks' shares, in order of tasks.
fn reduce(
    context: &Context<'_>,
    by_target: &[Partial],
    by_source: &[Vec<(usize, Vec<f32>)>],
    out: &mut Backward,
) {
    let layer = context.shared.layer;
    let weights = &context.shared.weights;
    let hidden = layer.schema.hidden;
    let square = (hidden + 1) * hidden;
    let mut gates = vec![0.0_f64; weights.gate.len()];
    for (task, partial) in layer.plan.target_tasks.iter().zip(by_target) {
        add_rows(&partial.query, &mut out.query[task.kind * square..][..square]);
        add_rows(&partial.out, &mut out.out[task.kind * square..][..square]);
        gates[task.kind] -= partial.gate;
    }
    let relations = by_target.iter().map(|it| &it.key_value).chain(by_source).flatten();
    for (relation, sums) in relations {
        add_rows(sums, &mut out.key_value[relation * 2 * square..][..2 * square]);
    }
    // So far `out` is the gradient without the gate. Its product with the weights is the sum of
    // `gradient * new state`, which is what the gate's own gradient needs.
    for kind in 0..gates.len() {
        let range = kind * square..(kind + 1) * square;
        let pairs = out.out[range.clone()].iter().zip(&weights.out[range.clone()]);
        gates[kind] += pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        for value in &mut out.out[range] {
            *value *= weights.gate[kind];
        }
        out.gate[kind] = gates[kind] as f32;
    }
}

/// What the first pass left for the second.
struct Received {
    message: Vec<f32>,
    own: Vec<f32>,
    scores: Vec<Vec<f32>>,
    spread: Vec<Vec<f32>>,
}

/// Memory of a target task, reused by its blocks.
struct Scratch {
    /// Gradient of the new state before the gate.
    plain: Vec<f32>,
    active: Vec<f32>,
    query: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    sums: Vec<f32>,
    constant: Vec<f32>,
}

impl Scratch {
    fn new(hidden: usize, heads: usize) -> Self {
        let rows = |width: usize| vec![0.0; BLOCK_ROWS * width];
        Self {
            plain: rows(hidden),
            active: rows(hidden),
            query: rows(hidden),
            keys: rows(heads * hidden),
            values: rows(heads * hidden),
            sums: rows(heads * hidden),
            constant: rows(heads),
        }
    }
}

fn target_task(context: &Context<'_>, mut piece: Piece<'_>) -> Partial {
    let layer = context.shared.layer;
    let (hidden, heads) = (layer.schema.hidden, layer.schema.heads);
    let kind = piece.task.kind;
    let relations = &layer.plan.incoming[kind];
    let at_target = |it: &&usize| layer.plan.sides[**it] == Some(Side::Target);
    let mut partial = Partial {
        query: vec![0.0; (hidden + 1) * hidden],
        out: vec![0.0; (hidden + 1) * hidden],
        gate: 0.0,
        key_value: relations
            .iter()
            .filter(at_target)
            .map(|it| (*it, vec![0.0; (hidden + 1) * 2 * hidden]))
            .collect(),
    };
    let mut scratch = Scratch::new(hidden, heads);
    for first in piece.task.rows.clone().step_by(BLOCK_ROWS) {
        let rows = first..piece.task.rows.end.min(first + BLOCK_ROWS);
        let at = (first - piece.task.rows.start) * hidden;
        let range = at..at + rows.len() * hidden;
        let before = piece.task.rows.start;
        let mut parts = Vec::with_capacity(relations.len());
        let mut attention = Vec::with_capacity(relations.len());
        let mut spread: Vec<&mut [f32]> = Vec::with_capacity(relations.len());
        for ((&relation, scores), spread_task) in
            relations.iter().zip(&mut piece.scores).zip(&mut piece.spread)
        {
            let csr = &layer.topology.relations()[relation];
            let edges = edge_range(csr, &rows);
            attention
                .push(&context.forward.attention[relation][edges.start * heads..edges.end * heads]);
            let before = csr.start[before] as usize;
            let own = edges.start - before..edges.end - before;
            let values = &mut scores[own.start * heads..own.end * heads];
            parts.push(Part { start: &csr.start[rows.start..=rows.end], values });
            spread.push(if spread_task.is_empty() {
                &mut []
            } else {
                &mut spread_task[own.start * hidden..own.end * hidden]
            });
        }
        let mut block = Block {
            context,
            kind,
            rows,
            message: &mut piece.message[range.clone()],
            states: &mut piece.states[range],
            parts,
            attention,
            spread,
        };
        block.output(&mut scratch, &mut partial);
        block.scores(&mut scratch);
        block.queries(&mut scratch, &mut partial);
        block.own_states(&mut scratch, &mut partial);
    }
    partial
}

struct Block<'a> {
    context: &'a Context<'a>,
    kind: usize,
    rows: Range<usize>,
    message: &'a mut [f32],
    states: &'a mut [f32],
    parts: Vec<Part<'a>>,
    attention: Vec<&'a [f32]>,
    spread: Vec<&'a mut [f32]>,
}

impl<'a> Block<'a> {
    fn sizes(&self) -> (usize, usize, usize, usize) {
        let schema = &self.context.shared.layer.schema;
        (schema.hidden, schema.heads, schema.hidden / schema.heads, self.rows.len())
    }

    /// The block's rows of a table of output rows x hidden.
    fn outputs(&self, table: &'a [f32]) -> &'a [f32] {
        let layer = self.context.shared.layer;
        let offset = layer.plan.outputs[self.kind].unwrap_or_default();
        let hidden = layer.schema.hidden;
        &table[(offset + self.rows.start) * hidden..(offset + self.rows.end) * hidden]
    }

    fn inputs(&self) -> &'a [f32] {
        let hidden = self.context.shared.layer.schema.hidden;
        let states = self.context.shared.states_of(self.kind);
        &states[self.rows.start * hidden..self.rows.end * hidden]
    }

    /// Back through gate, dropout, output matrix and GELU: gradient of messages.
    fn output(&mut self, scratch: &mut Scratch, partial: &mut Partial) {
        let (hidden, _, _, rows) = self.sizes();
        let shared = &self.context.shared;
        let gate = shared.weights.gate[self.kind];
        let gradient_block = self.outputs(self.context.gradient);
        let message = self.outputs(&self.context.forward.message);
        let plain = &mut scratch.plain[..rows * hidden];
        plain.copy_from_slice(gradient_block);
        let own = gradient_block.iter().zip(self.inputs());
        let gate_sum: f32 = own.map(|(gradient, own)| gradient * own).sum();
        partial.gate += f64::from(gate_sum);
        let dropout = shared.layer.dropout;
        if dropout.share > 0.0 {
            let offset = shared.layer.plan.outputs[self.kind].unwrap_or_default();
            let first = (offset + self.rows.start) * hidden;
            for (at, value) in plain.iter_mut().enumerate() {
                *value *= dropout.factor(first + at);
            }
        }
        let active = &mut scratch.active[..rows * hidden];
        gelu(shared.arch, message, active);
        let (matrix, bias) = partial.out.split_at_mut(hidden * hidden);
        gradient(
            shared.arch,
            Shape { rows: hidden, depth: rows, columns: hidden },
            Matrix { values: active, stride: hidden },
            Matrix { values: plain, stride: hidden },
            MatrixMut { values: matrix, stride: hidden },
        );
        add_rows(plain, bias);
        product(
            shared.arch,
            Shape { rows, depth: hidden, columns: hidden },
            Matrix { values: plain, stride: hidden },
            Matrix { values: &self.context.transposed.out[self.kind], stride: hidden },
            Start::Zero,
            MatrixMut { values: &mut *self.message, stride: hidden },
        );
        gelu_gradient(shared.arch, message, self.message);
        for value in &mut *self.message {
            *value *= gate;
        }
    }

    /// Gradient of scores of all edges.
    fn scores(&mut self, scratch: &mut Scratch) {
        let (hidden, heads, width, rows) = self.sizes();
        let shared = &self.context.shared;
        let relations = &shared.layer.plan.incoming[self.kind];
        for (&relation, part) in relations.iter().zip(&mut self.parts) {
            let segments = shared.segments(relation, &self.rows);
            if shared.layer.plan.sides[relation] == Some(Side::Source) {
                let kernel = DotHeads {
                    heads,
                    left: &*self.message,
                    table: &shared.key_value[relation],
                    stride: 2 * hidden,
                    offset: hidden,
                    segments,
                    out: &mut *part.values,
                };
                launch(shared.arch, width, kernel);
            } else {
                let values = &mut scratch.values[..rows * heads * hidden];
                let constant = &mut scratch.constant[..rows * heads];
                self.context.widen_values(relation, self.message, values, constant);
                let kernel = DotWide {
                    heads,
                    left: values,
                    constant,
                    table: shared.states_of(shared.layer.schema.relations[relation].0),
                    segments,
                    out: &mut *part.values,
                };
                launch(shared.arch, width, kernel);
            }
        }
        softmax_gradient(&mut self.parts, &self.attention, rows, heads);
    }

    /// Gradient of queries, of weights applied at the target, and of what sources receive.
    fn queries(&mut self, scratch: &mut Scratch, partial: &mut Partial) {
        let (hidden, heads, width, rows) = self.sizes();
        let shared = &self.context.shared;
        scratch.query[..rows * hidden].fill(0.0);
        let relations = &shared.layer.plan.incoming[self.kind];
        for (at, &relation) in relations.iter().enumerate() {
            if shared.layer.plan.sides[relation] == Some(Side::Target) {
                self.target_side(at, relation, scratch, partial);
                continue;
            }
            let kernel = AddHeads {
                heads,
                coefficients: &*self.parts[at].values,
                table: &shared.key_value[relation],
                stride: 2 * hidden,
                offset: 0,
                segments: shared.segments(relation, &self.rows),
                out: &mut scratch.query[..rows * hidden],
            };
            launch(shared.arch, width, kernel);
        }
    }

    /// A relation whose matrices are applied at the target.
    fn target_side(
        &mut self,
        at: usize,
        relation: usize,
        scratch: &mut Scratch,
        partial: &mut Partial,
    ) {
        let (hidden, heads, width, rows) = self.sizes();
        let context = self.context;
        let shared = &context.shared;
        let query = self.outputs(&context.forward.query);
        let Some((_, weight)) = partial.key_value.iter_mut().find(|it| it.0 == relation) else {
            return;
        };
        let table = shared.states_of(shared.layer.schema.relations[relation].0);
        let segments = shared.segments(relation, &self.rows);
        let wide = rows * heads * hidden;
        let constant = &mut scratch.constant[..rows * heads];
        let (keys, values) = (&mut scratch.keys[..wide], &mut scratch.values[..wide]);
        context.widen_values(relation, self.message, values, constant);
        shared.widen(relation, query, keys, constant);
        let kernel = SpreadWide {
            heads,
            scores: &*self.parts[at].values,
            keys,
            attention: self.attention[at],
            values,
            segments,
            out: &mut *self.spread[at],
        };
        launch(shared.arch, width, kernel);
        let sums = &mut scratch.sums[..wide];
        for (coefficients, left, offset) in
            [(&*self.parts[at].values, query, 0), (self.attention[at], &*self.message, hidden)]
        {
            sums.fill(0.0);
            constant.fill(0.0);
            let (out, counts) = (&mut *sums, &mut *constant);
            let kernel = AddWide { heads, coefficients, table, segments, out, sums: counts };
            launch(shared.arch, width, kernel);
            add_by_head(shared, sums, constant, left, &mut weight[offset..]);
            if offset == 0 {
                let (matrix, bias) = shared.weights.key_value(relation, hidden);
                let out = &mut scratch.query[..rows * hidden];
                narrow(shared, matrix, &bias[..hidden], sums, constant, out);
            }
        }
    }

    /// Gradient of the targets' own states.
    fn own_states(&mut self, scratch: &mut Scratch, partial: &mut Partial) {
        let (hidden, _, _, rows) = self.sizes();
        let shared = &self.context.shared;
        let query = &scratch.query[..rows * hidden];
        let (matrix, bias) = partial.query.split_at_mut(hidden * hidden);
        gradient(
            shared.arch,
            Shape { rows: hidden, depth: rows, columns: hidden },
            Matrix { values: self.inputs(), stride: hidden },
            Matrix { values: query, stride: hidden },
            MatrixMut { values: matrix, stride: hidden },
        );
        add_rows(query, bias);
        let keep = 1.0 - shared.weights.gate[self.kind];
        let gradient_block = self.outputs(self.context.gradient);
        for (state, gradient) in self.states.iter_mut().zip(gradient_block) {
            *state = keep * gradient;
        }
        product(
            shared.arch,
            Shape { rows, depth: hidden, columns: hidden },
            Matrix { values: query, stride: hidden },
            Matrix { values: &self.context.transposed.query[self.kind], stride: hidden },
            Start::Add,
            MatrixMut { values: &mut *self.states, stride: hidden },
        );
    }
}

impl Context<'_> {
    /// Gradients of messages through a relation's value matrix, and times its value bias.
    fn widen_values(
        &self,
        relation: usize,
        message: &[f32],
        wide: &mut [f32],
        constant: &mut [f32],
    ) {
        let shared = &self.shared;
        let (hidden, heads) = (shared.layer.schema.hidden, shared.layer.schema.heads);
        let width = hidden / heads;
        let matrix = &self.transposed.values_by_head[relation];
        for head in 0..heads {
            product(
                shared.arch,
                Shape { rows: message.len() / hidden, depth: width, columns: hidden },
                Matrix { values: &message[head * width..], stride: hidden },
                Matrix { values: &matrix[head * width * hidden..], stride: hidden },
                Start::Zero,
                MatrixMut { values: &mut wide[head * hidden..], stride: heads * hidden },
            );
        }
        let bias = &shared.weights.key_value(relation, hidden).1[hidden..];
        for (out, row) in constant.chunks_exact_mut(heads).zip(message.chunks_exact(hidden)) {
            let by_head = row.chunks_exact(width).zip(bias.chunks_exact(width));
            for (out, (row, bias)) in out.iter_mut().zip(by_head) {
                *out = row.iter().zip(bias).map(|(a, b)| a * b).sum();
            }
        }
    }
}

/// Weight gradient of a matrix applied at the target: `wide' left` head by head, bias last.
fn add_by_head(shared: &Shared<'_>, wide: &[f32], sums: &[f32], left: &[f32], weight: &mut [f32]) {
    let (hidden, heads) = (shared.layer.schema.hidden, shared.layer.schema.heads);
    let width = hidden / heads;
    for head in 0..heads {
        gradient(
            shared.arch,
            Shape { rows: hidden, depth: left.len() / hidden, columns: width },
            Matrix { values: &wide[head * hidden..], stride: heads * hidden },
            Matrix { values: &left[head * width..], stride: hidden },
            MatrixMut { values: &mut weight[head * width..], stride: 2 * hidden },
        );
    }
    let bias = &mut weight[2 * hidden * hidden..][..hidden];
    for (left, sums) in left.chunks_exact(hidden).zip(sums.chunks_exact(heads)) {
        let by_head = bias.chunks_exact_mut(width).zip(left.chunks_exact(width));
        for (sum, (bias, left)) in sums.iter().zip(by_head) {
            for (bias, left) in bias.iter_mut().zip(left) {
                *bias += *sum * *left;
            }
        }
    }
}

/// Adds `wide` through a key matrix, and `sums` times its bias, to the gradient of queries.
fn narrow(
    shared: &Shared<'_>,
    matrix: &[f32],
    bias: &[f32],
    wide: &[f32],
    sums: &[f32],
    out: &mut [f32],
) {
    let (hidden, heads) = (shared.layer.schema.hidden, shared.layer.schema.heads);
    let width = hidden / heads;
    for head in 0..heads {
        product(
            shared.arch,
            Shape { rows: out.len() / hidden, depth: hidden, columns: width },
            Matrix { values: &wide[head * hidden..], stride: heads * hidden },
            Matrix { values: &matrix[head * width..], stride: 2 * hidden },
            Start::Add,
            MatrixMut { values: &mut out[head * width..], stride: hidden },
        );
    }
    for (out, sums) in out.chunks_exact_mut(hidden).zip(sums.chunks_exact(heads)) {
        let by_head = out.chunks_exact_mut(width).zip(bias.chunks_exact(width));
        for (sum, (out, bias)) in sums.iter().zip(by_head) {
            for (out, bias) in out.iter_mut().zip(bias) {
                *out += *sum * *bias;
            }
        }
    }
}

/// Gradients of a task's source states; returns the weights' by relation made at the source.
fn source_task(
    context: &Context<'_>,
    received: &Received,
    task: &Task,
    states: &mut [f32],
) -> Vec<(usize, Vec<f32>)> {
    let shared = &context.shared;
    let layer = shared.layer;
    let (plan, hidden) = (&layer.plan, layer.schema.hidden);
    let mut partial = Vec::new();
    let mut scratch = vec![0.0; BLOCK_ROWS * 2 * hidden];
    for &relation in &plan.outgoing[task.kind] {
        if plan.sides[relation] == Some(Side::Source) {
            partial.push((relation, vec![0.0; (hidden + 1) * 2 * hidden]));
        }
    }
    for first in task.rows.clone().step_by(BLOCK_ROWS) {
        let rows = first..task.rows.end.min(first + BLOCK_ROWS);
        let at = (first - task.rows.start) * hidden;
        let out = &mut states[at..at + rows.len() * hidden];
        if let Some(offset) = plan.outputs[task.kind] {
            let at = (offset + rows.start) * hidden;
            out.copy_from_slice(&received.own[at..at + out.len()]);
        }
        for &relation in &plan.outgoing[task.kind] {
            let csr = &layer.topology.relations()[relation];
            let back_start = &csr.back_start[rows.start..=rows.end];
            match partial.iter_mut().find(|it| it.0 == relation) {
                None => {
                    let edges = &received.spread[relation];
                    let back_edge = &csr.back_edge;
                    let out = &mut *out;
                    let kernel = GatherWide { back_start, back_edge, edges, out };
                    launch(shared.arch, hidden / layer.schema.heads, kernel);
                }
                Some((_, weight)) => {
                    let scratch = &mut scratch[..rows.len() * 2 * hidden];
                    source_side(context, received, relation, &rows, scratch);
                    source_weights(context, relation, task.kind, &rows, scratch, weight, out);
                }
            }
        }
    }
    partial
}

/// Gradient of a block's keys and values.
fn source_side(
    context: &Context<'_>,
    received: &Received,
    relation: usize,
    rows: &Range<usize>,
    out: &mut [f32],
) {
    let layer = context.shared.layer;
    let (hidden, heads) = (layer.schema.hidden, layer.schema.heads);
    let csr = &layer.topology.relations()[relation];
    let target = layer.schema.relations[relation].1;
    let offset = layer.plan.outputs[target].unwrap_or_default() * hidden;
    out.fill(0.0);
    let kernel = GatherHeads {
        heads,
        back_start: &csr.back_start[rows.start..=rows.end],
        back_edge: &csr.back_edge,
        back_target: &csr.back_target,
        attention: &context.forward.attention[relation],
        scores: &received.scores[relation],
        query: &context.forward.query[offset..],
        message: &received.message[offset..],
        out,
    };
    launch(context.shared.arch, hidden / heads, kernel);
}

/// From the gradient of a block's keys and values to that of their weights and of its states.
fn source_weights(
    context: &Context<'_>,
    relation: usize,
    kind: usize,
    rows: &Range<usize>,
    key_value: &[f32],
    weight: &mut [f32],
    states: &mut [f32],
) {
    let shared = &context.shared;
    let hidden = shared.layer.schema.hidden;
    let own = &shared.states_of(kind)[rows.start * hidden..rows.end * hidden];
    let (matrix, bias) = weight.split_at_mut(2 * hidden * hidden);
    gradient(
        shared.arch,
        Shape { rows: hidden, depth: rows.len(), columns: 2 * hidden },
        Matrix { values: own, stride: hidden },
        Matrix { values: key_value, stride: 2 * hidden },
        MatrixMut { values: matrix, stride: 2 * hidden },
    );
    add_rows(key_value, bias);
    product(
        shared.arch,
        Shape { rows: rows.len(), depth: 2 * hidden, columns: hidden },
        Matrix { values: key_value, stride: 2 * hidden },
        Matrix { values: &context.transposed.key_value[relation], stride: hidden },
        Start::Add,
        MatrixMut { values: states, stride: hidden },
    );
}
