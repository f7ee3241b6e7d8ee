//! One call: from changed features to outputs, touching only what changed.
//!
//! A target is computed again when its own state or that of a source changed. The targets of a type
//! that are left go through the kernels of the training forward together, gathered into the rows of
//! a [`Scratch`].

use super::neighbourhood::{FIXED, LocalKind, LocalRelation, Neighbourhood, Table};
use super::{Fast, Folded};
use crate::kernels::edges::{AddHeads, DotHeads, Segments};
use crate::kernels::gemm::{Matrix, MatrixMut, Shape, Start, product};
use crate::kernels::launch;
use crate::kernels::pointwise::{exp, gelu};
use crate::kernels::wide::{AddWide, DotWide};
use crate::plan::Side;

/// Working memory of [`Fast::reprice`], shared by all neighbourhoods of a thread. Grows to what the
/// largest needs and is not freed in between.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Targets of a type that are computed again, by their place.
    picked: Vec<u32>,
    /// Their states before the layer: rows x hidden.
    own: Vec<f32>,
    query: Vec<f32>,
    message: Vec<f32>,
    /// Rows x heads x hidden.
    wide: Vec<f32>,
    /// Rows x heads.
    constant: Vec<f32>,
    /// Features or states, and products of them, rows gathered.
    gathered: Vec<f32>,
    made: Vec<f32>,
    rows: Vec<u32>,
    edges: Vec<Edges>,
}

/// The edges of one relation to the picked targets.
#[derive(Clone, Debug, Default)]
struct Edges {
    start: Vec<u32>,
    source: Vec<u32>,
    /// Edges x heads.
    scores: Vec<f32>,
}

impl Edges {
    fn segments(&self) -> Segments<'_> {
        Segments { start: &self.start, source: &self.source }
    }
}

/// Makes it `length` long; what it holds is arbitrary.
fn sized(values: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if values.len() < length {
        values.resize(length, 0.0);
    }
    &mut values[..length]
}

impl Fast {
    /// The root's outputs, those of its type one after the other in the configuration's order.
    ///
    /// Computes what depends on features set since the last call; the first call computes
    /// everything. The neighbourhood has to be one built with this model. Allocates nothing once
    /// `scratch` has served one as large.
    ///
    /// # Panics
    /// Where the neighbourhood is that of a model of another configuration.
    pub fn reprice<'a>(&self, scratch: &mut Scratch, of: &'a mut Neighbourhood) -> &'a [f32] {
        assert!(
            of.schema == self.schema,
            "a neighbourhood is priced by the model it is built with"
        );
        if !of.changed && !of.fresh {
            return &of.outputs;
        }
        self.project(scratch, of);
        for (layer, folded) in self.layers.iter().enumerate() {
            let (before, after) = of.tables.split_at_mut(layer + 1);
            for kind in &mut of.layers[layer].kinds {
                let step = Step { fast: self, folded, table: &before[layer], scratch };
                step.run(kind, &mut after[0], of.fresh);
            }
        }
        self.read(of);
        for table in &mut of.tables {
            table.changed.fill(false);
        }
        (of.changed, of.fresh) = (false, false);
        &of.outputs
    }

    /// First states of nodes whose features changed.
    fn project(&self, scratch: &mut Scratch, of: &mut Neighbourhood) {
        let hidden = self.schema.hidden;
        let Table { states, changed } = &mut of.tables[0];
        for inputs in &of.inputs {
            let width = self.schema.widths[inputs.kind];
            let at_weight: usize = self.schema.widths[..inputs.kind].iter().sum();
            scratch.gathered.clear();
            scratch.rows.clear();
            for slot in inputs.slots.clone().filter(|slot| changed[*slot]) {
                let row = (slot - inputs.slots.start) * width;
                scratch.gathered.extend_from_slice(&inputs.features[row..row + width]);
                scratch.rows.push(slot as u32);
            }
            let rows = scratch.rows.len();
            let made = sized(&mut scratch.made, rows * hidden);
            product(
                self.arch,
                Shape { rows, depth: width, columns: hidden },
                Matrix { values: &scratch.gathered, stride: width },
                Matrix { values: &self.project_weight[at_weight * hidden..], stride: hidden },
                Start::Bias(&self.project_bias[inputs.kind * hidden..][..hidden]),
                MatrixMut { values: made, stride: hidden },
            );
            for (slot, made) in scratch.rows.iter().zip(made.chunks_exact(hidden)) {
                let state = &mut states[*slot as usize * hidden..][..hidden];
                for (state, made) in state.iter_mut().zip(made) {
                    *state = made.max(0.0);
                }
            }
        }
    }

    /// Outputs from the root's last state.
    fn read(&self, of: &mut Neighbourhood) {
        let hidden = self.schema.hidden;
        let last = of.layers.last().and_then(|it| it.kinds.first());
        let Some(&slot) = last.and_then(|it| it.targets.first()) else { return };
        let state = &of.tables[self.schema.layers].states[slot as usize * hidden..][..hidden];
        let mut rest = &mut of.outputs[..];
        for (&(kind, width), (weight, bias)) in self.schema.outputs.iter().zip(&self.outputs) {
            if kind != of.root_kind {
                continue;
            }
            let (own, tail) = std::mem::take(&mut rest).split_at_mut(width);
            rest = tail;
            own.copy_from_slice(bias);
            for (state, weight) in state.iter().zip(weight.chunks_exact(width)) {
                for (own, weight) in own.iter_mut().zip(weight) {
                    *own += *state * *weight;
                }
            }
        }
    }
}

/// One layer of one type.
struct Step<'a> {
    fast: &'a Fast,
    folded: &'a Folded,
    /// Before the layer.
    table: &'a Table,
    scratch: &'a mut Scratch,
}

impl Step<'_> {
    fn run(mut self, kind: &mut LocalKind, after: &mut Table, all: bool) {
        self.pick(kind, all);
        if self.scratch.picked.is_empty() {
            return;
        }
        if self.scratch.edges.len() < kind.relations.len() {
            self.scratch.edges.resize_with(kind.relations.len(), Edges::default);
        }
        for relation in &mut kind.relations {
            self.key_values(relation, all);
        }
        self.queries(kind);
        for (at, relation) in kind.relations.iter().enumerate() {
            self.edges(at, relation);
            self.scores(at, relation);
        }
        self.softmax(kind.relations.len());
        for (at, relation) in kind.relations.iter().enumerate() {
            self.messages(at, relation);
        }
        self.finish(kind, after);
    }

    /// Which targets are computed again.
    fn pick(&mut self, kind: &LocalKind, all: bool) {
        let changed = &self.table.changed;
        let is_changed = |slot: u32| slot != FIXED && changed[slot as usize];
        self.scratch.picked.clear();
        for (at, &slot) in kind.targets.iter().enumerate() {
            let touched = |relation: &LocalRelation| {
                let edges = relation.start[at] as usize..relation.start[at + 1] as usize;
                relation.slot[edges].iter().any(|slot| is_changed(*slot))
            };
            if all || is_changed(slot) || kind.relations.iter().any(touched) {
                self.scratch.picked.push(at as u32);
            }
        }
    }

    /// Keys and values of changed sources, where they are made at the source.
    fn key_values(&mut self, relation: &mut LocalRelation, all: bool) {
        let hidden = self.fast.schema.hidden;
        let Scratch { gathered, made, rows, .. } = &mut *self.scratch;
        gathered.clear();
        rows.clear();
        for &(slot, row) in &relation.live {
            if all || self.table.changed[slot as usize] {
                gathered.extend_from_slice(&self.table.states[slot as usize * hidden..][..hidden]);
                rows.push(row);
            }
        }
        if rows.is_empty() {
            return;
        }
        let (matrix, bias) = self.folded.weights().key_value(relation.relation, hidden);
        let made = sized(made, rows.len() * 2 * hidden);
        product(
            self.fast.arch,
            Shape { rows: rows.len(), depth: hidden, columns: 2 * hidden },
            Matrix { values: gathered, stride: hidden },
            Matrix { values: matrix, stride: 2 * hidden },
            Start::Bias(bias),
            MatrixMut { values: made, stride: 2 * hidden },
        );
        for (row, made) in rows.iter().zip(made.chunks_exact(2 * hidden)) {
            relation.key_value[*row as usize * 2 * hidden..][..2 * hidden].copy_from_slice(made);
        }
    }

    /// States and queries of the picked targets.
    fn queries(&mut self, kind: &LocalKind) {
        let hidden = self.fast.schema.hidden;
        let Scratch { picked, own, query, message, .. } = &mut *self.scratch;
        own.clear();
        for at in &*picked {
            let slot = kind.targets[*at as usize] as usize;
            own.extend_from_slice(&self.table.states[slot * hidden..][..hidden]);
        }
        let (matrix, bias) = self.folded.weights().query(kind.kind, hidden);
        product(
            self.fast.arch,
            Shape { rows: picked.len(), depth: hidden, columns: hidden },
            Matrix { values: own, stride: hidden },
            Matrix { values: matrix, stride: hidden },
            Start::Bias(bias),
            MatrixMut { values: sized(query, own.len()), stride: hidden },
        );
        sized(message, own.len()).fill(0.0);
    }

    /// The edges to the picked targets, one target after the other.
    fn edges(&mut self, at: usize, relation: &LocalRelation) {
        let edges = &mut self.scratch.edges[at];
        edges.source.clear();
        edges.start.clear();
        edges.start.push(0);
        for target in &self.scratch.picked {
            let target = *target as usize;
            let range = relation.start[target] as usize..relation.start[target + 1] as usize;
            edges.source.extend_from_slice(&relation.source[range]);
            edges.start.push(edges.source.len() as u32);
        }
    }

    fn scores(&mut self, at: usize, relation: &LocalRelation) {
        let schema = &self.fast.schema;
        let (hidden, heads, rows) = (schema.hidden, schema.heads, self.scratch.picked.len());
        let width = hidden / heads;
        if relation.side == Side::Target {
            self.widen(relation.relation);
        }
        let Scratch { query, wide, constant, edges, .. } = &mut *self.scratch;
        let Edges { start, source, scores } = &mut edges[at];
        let out = sized(scores, source.len() * heads);
        let segments = Segments { start, source };
        if relation.side == Side::Target {
            let kernel = DotWide {
                heads,
                left: &wide[..rows * heads * hidden],
                constant: &constant[..rows * heads],
                table: &self.table.states,
                segments,
                out,
            };
            launch(self.fast.arch, width, kernel);
        } else {
            let kernel = DotHeads {
                heads,
                left: &query[..rows * hidden],
                table: &relation.key_value,
                stride: 2 * hidden,
                offset: 0,
                segments,
                out,
            };
            launch(self.fast.arch, width, kernel);
        }
    }

    /// Queries through a relation's key matrix, and times its key bias.
    fn widen(&mut self, relation: usize) {
        let schema = &self.fast.schema;
        let (hidden, heads, rows) = (schema.hidden, schema.heads, self.scratch.picked.len());
        let width = hidden / heads;
        let Scratch { query, wide, constant, .. } = &mut *self.scratch;
        let query = &query[..rows * hidden];
        let wide = sized(wide, rows * heads * hidden);
        let keys = &self.folded.keys_by_head[relation];
        for head in 0..heads {
            product(
                self.fast.arch,
                Shape { rows, depth: width, columns: hidden },
                Matrix { values: &query[head * width..], stride: hidden },
                Matrix { values: &keys[head * width * hidden..], stride: hidden },
                Start::Zero,
                MatrixMut { values: &mut wide[head * hidden..], stride: heads * hidden },
            );
        }
        let (_, bias) = self.folded.weights().key_value(relation, hidden);
        let constant = sized(constant, rows * heads).chunks_exact_mut(heads);
        for (constant, query) in constant.zip(query.chunks_exact(hidden)) {
            let by_head = query.chunks_exact(width).zip(bias.chunks_exact(width));
            for (constant, (query, bias)) in constant.iter_mut().zip(by_head) {
                *constant = query.iter().zip(bias).map(|(a, b)| a * b).sum();
            }
        }
    }

    /// Softmax by target and head over the edges of all relations.
    fn softmax(&mut self, relations: usize) {
        let heads = self.fast.schema.heads;
        let Scratch { picked, constant, edges, .. } = &mut *self.scratch;
        let (edges, rows) = (&mut edges[..relations], picked.len());
        let extremes = sized(constant, rows * heads);
        extremes.fill(f32::NEG_INFINITY);
        for edges in &*edges {
            edges.each(heads, extremes, |extreme, score| *extreme = extreme.max(score));
        }
        for edges in &mut *edges {
            edges.each_mut(heads, extremes, |extreme, score| *score -= extreme);
            let length = edges.source.len() * heads;
            exp(self.fast.arch, &mut edges.scores[..length]);
        }
        let sums = extremes;
        sums.fill(0.0);
        for edges in &*edges {
            edges.each(heads, sums, |sum, score| *sum += score);
        }
        for sum in sums.iter_mut() {
            *sum = 1.0 / *sum;
        }
        for edges in &mut *edges {
            edges.each_mut(heads, sums, |sum, score| *score *= sum);
        }
    }

    /// Adds one relation's messages.
    fn messages(&mut self, at: usize, relation: &LocalRelation) {
        let schema = &self.fast.schema;
        let (hidden, heads, rows) = (schema.hidden, schema.heads, self.scratch.picked.len());
        let width = hidden / heads;
        let Scratch { message, wide, constant, edges, .. } = &mut *self.scratch;
        let edges = &edges[at];
        let (coefficients, segments) = (&edges.scores[..], edges.segments());
        let message = &mut message[..rows * hidden];
        if relation.side == Side::Source {
            let kernel = AddHeads {
                heads,
                coefficients,
                table: &relation.key_value,
                stride: 2 * hidden,
                offset: hidden,
                segments,
                out: message,
            };
            launch(self.fast.arch, width, kernel);
            return;
        }
        let wide = sized(wide, rows * heads * hidden);
        let sums = sized(constant, rows * heads);
        wide.fill(0.0);
        sums.fill(0.0);
        let table = &self.table.states;
        let kernel =
            AddWide { heads, coefficients, table, segments, out: &mut *wide, sums: &mut *sums };
        launch(self.fast.arch, width, kernel);
        let (matrix, bias) = self.folded.weights().key_value(relation.relation, hidden);
        for head in 0..heads {
            product(
                self.fast.arch,
                Shape { rows, depth: hidden, columns: width },
                Matrix { values: &wide[head * hidden..], stride: heads * hidden },
                Matrix { values: &matrix[hidden + head * width..], stride: 2 * hidden },
                Start::Add,
                MatrixMut { values: &mut message[head * width..], stride: hidden },
            );
        }
        for (message, sums) in message.chunks_exact_mut(hidden).zip(sums.chunks_exact(heads)) {
            let by_head = message.chunks_exact_mut(width).zip(bias[hidden..].chunks_exact(width));
            for (sum, (message, bias)) in sums.iter().zip(by_head) {
                for (message, bias) in message.iter_mut().zip(bias) {
                    *message += *sum * *bias;
                }
            }
        }
    }

    /// GELU, output matrix, gate and residual; the new states go to their slots.
    fn finish(&mut self, kind: &LocalKind, after: &mut Table) {
        let hidden = self.fast.schema.hidden;
        let Scratch { picked, own, query, message, made, .. } = &mut *self.scratch;
        let length = picked.len() * hidden;
        // The queries have been used.
        let active = &mut query[..length];
        gelu(self.fast.arch, &message[..length], active);
        let (matrix, bias) = self.folded.weights().out(kind.kind, hidden);
        let made = sized(made, length);
        product(
            self.fast.arch,
            Shape { rows: picked.len(), depth: hidden, columns: hidden },
            Matrix { values: active, stride: hidden },
            Matrix { values: matrix, stride: hidden },
            Start::Bias(bias),
            MatrixMut { values: &mut *made, stride: hidden },
        );
        let gate = self.folded.gate[kind.kind];
        let rows = made.chunks_exact(hidden).zip(own.chunks_exact(hidden));
        for (at, (made, own)) in picked.iter().zip(rows) {
            let slot = kind.targets[*at as usize] as usize;
            let states = &mut after.states[slot * hidden..][..hidden];
            for (state, (made, own)) in states.iter_mut().zip(made.iter().zip(own)) {
                *state = gate.mul_add(*made - *own, *own);
            }
            after.changed[slot] = true;
        }
    }
}

impl Edges {
    /// Calls with the target's number and the score, by head.
    fn each(&self, heads: usize, by_target: &mut [f32], mut call: impl FnMut(&mut f32, f32)) {
        let targets = by_target.chunks_exact_mut(heads).zip(self.start.windows(2));
        for (numbers, range) in targets {
            let scores = &self.scores[range[0] as usize * heads..range[1] as usize * heads];
            for edge in scores.chunks_exact(heads) {
                for (number, score) in numbers.iter_mut().zip(edge) {
                    call(number, *score);
                }
            }
        }
    }

    /// The same, to change scores.
    fn each_mut(&mut self, heads: usize, by_target: &[f32], mut call: impl FnMut(f32, &mut f32)) {
        let targets = by_target.chunks_exact(heads).zip(self.start.windows(2));
        for (numbers, range) in targets {
            let scores = &mut self.scores[range[0] as usize * heads..range[1] as usize * heads];
            for edge in scores.chunks_exact_mut(heads) {
                for (number, score) in numbers.iter().zip(edge) {
                    call(*number, score);
                }
            }
        }
    }
}
