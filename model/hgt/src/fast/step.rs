//! One layer of one type: the targets that something changed for go through the kernels of the
//! training forward together.
//!
//! A target is computed again when its own state or that of a source changed. Those targets are
//! gathered into consecutive rows, so that a product runs over all of them at once.

use pulp::{Simd, WithSimd};

use super::neighbourhood::{FIXED, LocalKind, LocalRelation, Table};
use super::reprice::{Scratch, sized};
use super::{Fast, Folded};
use crate::kernels::edges::{AddHeads, DotHeads, Segments};
use crate::kernels::gemm::{Matrix, MatrixMut, Shape, Start, product};
use crate::kernels::launch;
use crate::kernels::pointwise::{exp_negative, gelu};
use crate::kernels::wide::{AddWide, DotWide};
use crate::plan::Side;

/// The edges of one relation to the picked targets.
#[derive(Clone, Debug, Default)]
pub(super) struct Edges {
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

/// One layer of one type.
pub(super) struct Step<'a> {
    pub fast: &'a Fast,
    pub folded: &'a Folded,
    /// Before the layer.
    pub table: &'a Table,
    pub scratch: &'a mut Scratch,
}

impl Step<'_> {
    /// Computes the targets again that something changed for, or all.
    pub fn run(mut self, kind: &mut LocalKind, after: &mut Table, all: bool) {
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
        self.queries(kind, all);
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

    /// Queries of the picked targets; made again where their own states changed.
    fn queries(&mut self, kind: &mut LocalKind, all: bool) {
        let hidden = self.fast.schema.hidden;
        let Scratch { picked, query, message, gathered, made, rows, .. } = &mut *self.scratch;
        gathered.clear();
        rows.clear();
        for &at in &*picked {
            let slot = kind.targets[at as usize] as usize;
            if all || self.table.changed[slot] {
                gathered.extend_from_slice(&self.table.states[slot * hidden..][..hidden]);
                rows.push(at);
            }
        }
        let (matrix, bias) = self.folded.weights().query(kind.kind, hidden);
        let made = sized(made, gathered.len());
        product(
            self.fast.arch,
            Shape { rows: rows.len(), depth: hidden, columns: hidden },
            Matrix { values: gathered, stride: hidden },
            Matrix { values: matrix, stride: hidden },
            Start::Bias(bias),
            MatrixMut { values: &mut *made, stride: hidden },
        );
        for (at, made) in rows.iter().zip(made.chunks_exact(hidden)) {
            kind.query[*at as usize * hidden..][..hidden].copy_from_slice(made);
        }
        let length = picked.len() * hidden;
        for (at, query) in picked.iter().zip(sized(query, length).chunks_exact_mut(hidden)) {
            query.copy_from_slice(&kind.query[*at as usize * hidden..][..hidden]);
        }
        sized(message, length).fill(0.0);
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

    /// Softmax by target and head over the edges of all relations, up to the division by the sum:
    /// that is cheaper on the message.
    fn softmax(&mut self, relations: usize) {
        let heads = self.fast.schema.heads;
        let Scratch { picked, extreme, inverse, edges, .. } = &mut *self.scratch;
        let length = picked.len() * heads;
        let (edges, extreme, sums) =
            (&mut edges[..relations], sized(extreme, length), sized(inverse, length));
        if heads == 4 {
            self.fast.arch.dispatch(Softmax::<4> { heads, edges, extreme, sums });
        } else {
            self.fast.arch.dispatch(Softmax::<0> { heads, edges, extreme, sums });
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

    /// Division by the softmax's sum, GELU, output matrix, gate and residual; the new states go to
    /// their slots.
    fn finish(&mut self, kind: &LocalKind, after: &mut Table) {
        let (hidden, heads) = (self.fast.schema.hidden, self.fast.schema.heads);
        let Scratch { picked, query, message, made, inverse, .. } = &mut *self.scratch;
        let length = picked.len() * hidden;
        let message = &mut message[..length];
        let by_head = message.chunks_exact_mut(hidden / heads).zip(&inverse[..]);
        for (message, inverse) in by_head {
            for message in message {
                *message *= *inverse;
            }
        }
        // The queries have been used.
        let active = &mut query[..length];
        gelu(self.fast.arch, message, active);
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
        for (at, made) in picked.iter().zip(made.chunks_exact(hidden)) {
            let slot = kind.targets[*at as usize] as usize;
            let own = &self.table.states[slot * hidden..][..hidden];
            let states = &mut after.states[slot * hidden..][..hidden];
            for (state, (made, own)) in states.iter_mut().zip(made.iter().zip(own)) {
                *state = *own + gate * (*made - *own);
            }
            after.changed[slot] = true;
        }
    }
}

/// Scores to e^(score - greatest), and one over their sums. `H` is the number of heads where it is
/// not 0.
struct Softmax<'a, const H: usize> {
    heads: usize,
    edges: &'a mut [Edges],
    /// Targets x heads.
    extreme: &'a mut [f32],
    /// Targets x heads, written; 0 where there is no edge.
    sums: &'a mut [f32],
}

impl<const H: usize> WithSimd for Softmax<'_, H> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let heads = if H == 0 { self.heads } else { H };
        let by_target = self.extreme.chunks_exact_mut(heads).zip(self.sums.chunks_exact_mut(heads));
        for (target, (extreme, sums)) in by_target.enumerate() {
            extreme.fill(f32::NEG_INFINITY);
            sums.fill(0.0);
            for edges in &mut *self.edges {
                for edge in edges.of(target, heads).chunks_exact(heads) {
                    for head in 0..heads {
                        extreme[head] = extreme[head].max(edge[head]);
                    }
                }
            }
            for edges in &mut *self.edges {
                for edge in edges.of(target, heads).chunks_exact_mut(heads) {
                    for head in 0..heads {
                        edge[head] = exp_negative(edge[head] - extreme[head]);
                        sums[head] += edge[head];
                    }
                }
            }
            for sum in sums {
                *sum = if *sum > 0.0 { 1.0 / *sum } else { 0.0 };
            }
        }
    }
}

impl Edges {
    /// Scores of one target's edges.
    #[inline(always)]
    fn of(&mut self, target: usize, heads: usize) -> &mut [f32] {
        let (begin, end) = (self.start[target] as usize, self.start[target + 1] as usize);
        &mut self.scores[begin * heads..end * heads]
    }
}
