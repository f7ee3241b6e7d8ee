//! One layer, forward: a block of targets goes through query, attention, GELU, output and gate
//! while it is in the cache.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::edges::{AddHeads, DotHeads, Segments};
use super::gemm::{Matrix, MatrixMut, Shape, Start, product};
use super::pointwise::{Part, gelu, softmax};
use super::wide::{AddWide, DotWide};
use super::{BLOCK_ROWS, Layer, LayerWeights, launch, transposed};
use crate::plan::{Side, Task, cut, edge_range};

/// A layer's result and what its gradient needs.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    /// New states: output rows x hidden.
    pub states: Vec<f32>,
    /// Queries: output rows x hidden.
    pub query: Vec<f32>,
    /// Messages before GELU: output rows x hidden.
    pub message: Vec<f32>,
    /// Attention by relation: edges x heads.
    pub attention: Vec<Vec<f32>>,
    /// Keys and values by relation made at the source: sources x 2 hidden.
    pub key_value: Vec<Vec<f32>>,
}

/// A relation's key matrix, transposed head by head: heads x (head width x hidden).
pub(crate) fn keys_by_head(layer: &Layer, weights: &LayerWeights<'_>) -> Vec<Vec<f32>> {
    let (hidden, heads) = (layer.schema.hidden, layer.schema.heads);
    let width = hidden / heads;
    let one = |(relation, side): (usize, &Option<Side>)| {
        if *side != Some(Side::Target) {
            return Vec::new();
        }
        let (matrix, _) = weights.key_value(relation, hidden);
        (0..heads)
            .flat_map(|head| transposed(&matrix[head * width..], hidden, width, 2 * hidden))
            .collect()
    };
    layer.plan.sides.iter().enumerate().map(one).collect()
}

/// What all blocks share.
pub(crate) struct Shared<'a> {
    pub arch: Arch,
    pub layer: &'a Layer,
    pub weights: LayerWeights<'a>,
    /// The layer's input: input rows x hidden.
    pub states: &'a [f32],
    pub keys_by_head: Vec<Vec<f32>>,
    pub key_value: &'a [Vec<f32>],
}

/// A task's own part of the result.
struct Piece<'a> {
    task: &'a Task,
    states: &'a mut [f32],
    query: &'a mut [f32],
    message: &'a mut [f32],
    /// By incoming relation of the task's type.
    attention: Vec<&'a mut [f32]>,
}

/// Computes a layer. `states` is its input: input rows x hidden.
pub(crate) fn forward(layer: &Layer, weights: LayerWeights<'_>, states: &[f32]) -> Forward {
    let plan = &layer.plan;
    let hidden = layer.schema.hidden;
    let key_value = key_values(layer, &weights, states);
    let shared = Shared {
        arch: Arch::new(),
        layer,
        weights,
        states,
        keys_by_head: keys_by_head(layer, &weights),
        key_value: &key_value,
    };
    let length = plan.output_rows * hidden;
    let mut out = Forward {
        states: vec![0.0; length],
        query: vec![0.0; length],
        message: vec![0.0; length],
        attention: by_edge(layer, layer.schema.heads),
        key_value: Vec::new(),
    };
    let rows = |task: &Task| task.rows.len() * hidden;
    let attention = cut_edges(layer, &mut out.attention, layer.schema.heads);
    let pieces: Vec<Piece<'_>> = plan
        .target_tasks
        .iter()
        .zip(cut(&plan.target_tasks, &mut out.states, rows))
        .zip(cut(&plan.target_tasks, &mut out.query, rows))
        .zip(cut(&plan.target_tasks, &mut out.message, rows))
        .zip(attention)
        .map(|((((task, states), query), message), attention)| Piece {
            task,
            states,
            query,
            message,
            attention,
        })
        .collect();
    pieces.into_par_iter().for_each(|piece| target_task(&shared, piece));
    out.key_value = key_value;
    out
}

/// Zeros by edge of every computed relation.
pub(crate) fn by_edge(layer: &Layer, width: usize) -> Vec<Vec<f32>> {
    let sides = layer.plan.sides.iter().zip(layer.topology.relations());
    sides.map(|(side, csr)| vec![0.0; side.map_or(0, |_| csr.edges() * width)]).collect()
}

/// Cuts per-edge numbers of every relation into the target tasks' pieces: by task, by incoming
/// relation.
pub(crate) fn cut_edges<'a>(
    layer: &Layer,
    values: &'a mut [Vec<f32>],
    width: usize,
) -> Vec<Vec<&'a mut [f32]>> {
    let plan = &layer.plan;
    let mut rest: Vec<&mut [f32]> = values.iter_mut().map(Vec::as_mut_slice).collect();
    let mut pieces = Vec::with_capacity(plan.target_tasks.len());
    for task in &plan.target_tasks {
        let mut piece = Vec::with_capacity(plan.incoming[task.kind].len());
        for &relation in &plan.incoming[task.kind] {
            let edges = edge_range(&layer.topology.relations()[relation], &task.rows).len();
            let whole = std::mem::take(&mut rest[relation]);
            let taken = (edges * width).min(whole.len());
            let (head, tail) = whole.split_at_mut(taken);
            piece.push(head);
            rest[relation] = tail;
        }
        pieces.push(piece);
    }
    pieces
}

/// Keys and values of all relations made at the source.
fn key_values(layer: &Layer, weights: &LayerWeights<'_>, states: &[f32]) -> Vec<Vec<f32>> {
    let hidden = layer.schema.hidden;
    let one = |(relation, side): (usize, &Option<Side>)| {
        if *side != Some(Side::Source) {
            return Vec::new();
        }
        let kind = layer.schema.relations[relation].0;
        let offset = layer.plan.inputs[kind].unwrap_or_default();
        let rows = layer.topology.counts()[kind];
        let states = &states[offset * hidden..(offset + rows) * hidden];
        relation_key_values(states, weights, relation, hidden)
    };
    layer.plan.sides.iter().enumerate().map(one).collect()
}

/// Keys and values of a relation for all given states: rows x 2 hidden.
pub(crate) fn relation_key_values(
    states: &[f32],
    weights: &LayerWeights<'_>,
    relation: usize,
    hidden: usize,
) -> Vec<f32> {
    let arch = Arch::new();
    let (matrix, bias) = weights.key_value(relation, hidden);
    let mut out = vec![0.0; states.len() * 2];
    let rows = BLOCK_ROWS * 4;
    out.par_chunks_mut(rows * 2 * hidden).zip(states.par_chunks(rows * hidden)).for_each(
        |(out, states)| {
            product(
                arch,
                Shape { rows: states.len() / hidden, depth: hidden, columns: 2 * hidden },
                Matrix { values: states, stride: hidden },
                Matrix { values: matrix, stride: 2 * hidden },
                Start::Bias(bias),
                MatrixMut { values: out, stride: 2 * hidden },
            );
        },
    );
    out
}

fn target_task(shared: &Shared<'_>, mut piece: Piece<'_>) {
    let hidden = shared.layer.schema.hidden;
    let heads = shared.layer.schema.heads;
    let relations = &shared.layer.plan.incoming[piece.task.kind];
    let mut scratch = Scratch::new(hidden, heads);
    for first in piece.task.rows.clone().step_by(BLOCK_ROWS) {
        let rows = first..piece.task.rows.end.min(first + BLOCK_ROWS);
        let at = (first - piece.task.rows.start) * hidden;
        let range = at..at + rows.len() * hidden;
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(relations.len());
        for (&relation, values) in relations.iter().zip(&mut piece.attention) {
            let csr = &shared.layer.topology.relations()[relation];
            let before = csr.start[piece.task.rows.start] as usize;
            let edges = edge_range(csr, &rows);
            let values = &mut values[(edges.start - before) * heads..(edges.end - before) * heads];
            parts.push(Part { start: &csr.start[rows.start..=rows.end], values });
        }
        let mut block = Block {
            kind: piece.task.kind,
            rows,
            query: &mut piece.query[range.clone()],
            message: &mut piece.message[range.clone()],
            states: &mut piece.states[range],
            parts,
        };
        block.attend(shared, &mut scratch);
        block.finish(shared, &mut scratch);
    }
}

/// Memory of a task, reused by its blocks.
struct Scratch {
    wide: Vec<f32>,
    constant: Vec<f32>,
    active: Vec<f32>,
}

impl Scratch {
    fn new(hidden: usize, heads: usize) -> Self {
        Self {
            wide: vec![0.0; BLOCK_ROWS * heads * hidden],
            constant: vec![0.0; BLOCK_ROWS * heads],
            active: vec![0.0; BLOCK_ROWS * hidden],
        }
    }
}

struct Block<'a> {
    kind: usize,
    rows: Range<usize>,
    query: &'a mut [f32],
    message: &'a mut [f32],
    states: &'a mut [f32],
    parts: Vec<Part<'a>>,
}

impl Shared<'_> {
    /// The input states of a type.
    pub fn states_of(&self, kind: usize) -> &[f32] {
        let hidden = self.layer.schema.hidden;
        let offset = self.layer.plan.inputs[kind].unwrap_or_default() * hidden;
        &self.states[offset..offset + self.layer.topology.counts()[kind] * hidden]
    }

    /// The edges of a block.
    pub fn segments(&self, relation: usize, rows: &Range<usize>) -> Segments<'_> {
        let csr = &self.layer.topology.relations()[relation];
        Segments { start: &csr.start[rows.start..=rows.end], source: &csr.source }
    }

    /// Queries through a relation's key matrix, and times its key bias: the vectors and constants
    /// that sources' states are scored with.
    pub fn widen(&self, relation: usize, query: &[f32], wide: &mut [f32], constant: &mut [f32]) {
        let (hidden, heads) = (self.layer.schema.hidden, self.layer.schema.heads);
        let width = hidden / heads;
        for head in 0..heads {
            product(
                self.arch,
                Shape { rows: query.len() / hidden, depth: width, columns: hidden },
                Matrix { values: &query[head * width..], stride: hidden },
                Matrix {
                    values: &self.keys_by_head[relation][head * width * hidden..],
                    stride: hidden,
                },
                Start::Zero,
                MatrixMut { values: &mut wide[head * hidden..], stride: heads * hidden },
            );
        }
        let (_, bias) = self.weights.key_value(relation, hidden);
        for (constant, query) in constant.chunks_exact_mut(heads).zip(query.chunks_exact(hidden)) {
            let by_head = query.chunks_exact(width).zip(bias.chunks_exact(width));
            for (constant, (query, bias)) in constant.iter_mut().zip(by_head) {
                *constant = query.iter().zip(bias).map(|(a, b)| a * b).sum();
            }
        }
    }
}

impl Block<'_> {
    /// Query, scores, softmax and messages.
    fn attend(&mut self, shared: &Shared<'_>, scratch: &mut Scratch) {
        let schema = &shared.layer.schema;
        let (hidden, heads, rows) = (schema.hidden, schema.heads, self.rows.len());
        let own = &shared.states_of(self.kind)[self.rows.start * hidden..self.rows.end * hidden];
        let (matrix, bias) = shared.weights.query(self.kind, hidden);
        product(
            shared.arch,
            Shape { rows, depth: hidden, columns: hidden },
            Matrix { values: own, stride: hidden },
            Matrix { values: matrix, stride: hidden },
            Start::Bias(bias),
            MatrixMut { values: &mut *self.query, stride: hidden },
        );
        let relations = &shared.layer.plan.incoming[self.kind];
        for (&relation, part) in relations.iter().zip(&mut self.parts) {
            let segments = shared.segments(relation, &self.rows);
            let source = schema.relations[relation].0;
            if shared.layer.plan.sides[relation] == Some(Side::Source) {
                let kernel = DotHeads {
                    heads,
                    left: &*self.query,
                    table: &shared.key_value[relation],
                    stride: 2 * hidden,
                    offset: 0,
                    segments,
                    out: &mut *part.values,
                };
                launch(shared.arch, hidden / heads, kernel);
            } else {
                let wide = &mut scratch.wide[..rows * heads * hidden];
                let constant = &mut scratch.constant[..rows * heads];
                shared.widen(relation, self.query, wide, constant);
                let kernel = DotWide {
                    heads,
                    left: wide,
                    constant,
                    table: shared.states_of(source),
                    segments,
                    out: &mut *part.values,
                };
                launch(shared.arch, hidden / heads, kernel);
            }
        }
        softmax(shared.arch, &mut self.parts, rows, heads);
        for at in 0..relations.len() {
            self.gather(shared, scratch, at);
        }
    }

    /// Adds one relation's messages.
    fn gather(&mut self, shared: &Shared<'_>, scratch: &mut Scratch, at: usize) {
        let schema = &shared.layer.schema;
        let (hidden, heads, rows) = (schema.hidden, schema.heads, self.rows.len());
        let width = hidden / heads;
        let relation = shared.layer.plan.incoming[self.kind][at];
        let segments = shared.segments(relation, &self.rows);
        let coefficients = &*self.parts[at].values;
        if shared.layer.plan.sides[relation] == Some(Side::Source) {
            let kernel = AddHeads {
                heads,
                coefficients,
                table: &shared.key_value[relation],
                stride: 2 * hidden,
                offset: hidden,
                segments,
                out: &mut *self.message,
            };
            launch(shared.arch, width, kernel);
            return;
        }
        let wide = &mut scratch.wide[..rows * heads * hidden];
        let sums = &mut scratch.constant[..rows * heads];
        wide.fill(0.0);
        sums.fill(0.0);
        let table = shared.states_of(schema.relations[relation].0);
        let kernel =
            AddWide { heads, coefficients, table, segments, out: &mut *wide, sums: &mut *sums };
        launch(shared.arch, width, kernel);
        let (matrix, bias) = shared.weights.key_value(relation, hidden);
        for head in 0..heads {
            product(
                shared.arch,
                Shape { rows, depth: hidden, columns: width },
                Matrix { values: &wide[head * hidden..], stride: heads * hidden },
                Matrix { values: &matrix[hidden + head * width..], stride: 2 * hidden },
                Start::Add,
                MatrixMut { values: &mut self.message[head * width..], stride: hidden },
            );
        }
        let bias = &bias[hidden..];
        for (message, sums) in self.message.chunks_exact_mut(hidden).zip(sums.chunks_exact(heads)) {
            let by_head = message.chunks_exact_mut(width).zip(bias.chunks_exact(width));
            for (sum, (message, bias)) in sums.iter().zip(by_head) {
                for (message, bias) in message.iter_mut().zip(bias) {
                    *message += *sum * *bias;
                }
            }
        }
    }

    /// GELU, output matrix, dropout, gate and residual.
    fn finish(&mut self, shared: &Shared<'_>, scratch: &mut Scratch) {
        let hidden = shared.layer.schema.hidden;
        let active = &mut scratch.active[..self.message.len()];
        gelu(shared.arch, self.message, active);
        let (matrix, bias) = shared.weights.out(self.kind, hidden);
        product(
            shared.arch,
            Shape { rows: self.rows.len(), depth: hidden, columns: hidden },
            Matrix { values: active, stride: hidden },
            Matrix { values: matrix, stride: hidden },
            Start::Bias(bias),
            MatrixMut { values: &mut *self.states, stride: hidden },
        );
        let dropout = shared.layer.dropout;
        if dropout.share > 0.0 {
            let offset = shared.layer.plan.outputs[self.kind].unwrap_or_default();
            let first = (offset + self.rows.start) * hidden;
            for (at, state) in self.states.iter_mut().enumerate() {
                *state *= dropout.factor(first + at);
            }
        }
        let gate = shared.weights.gate[self.kind];
        let own = &shared.states_of(self.kind)[self.rows.start * hidden..self.rows.end * hidden];
        for (state, own) in self.states.iter_mut().zip(own) {
            // No fused instruction: outside the kernels that would be a call a number.
            *state = *own + gate * (*state - *own);
        }
    }
}
