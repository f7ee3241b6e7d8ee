//! The arithmetic, on plain slices: no framework, no allocation inside a row.
//!
//! Training on the CPU, inference without the framework and the tests' oracles meet here. Vector
//! instructions are chosen at run time; every sum has one order, whatever the number of threads.

pub(crate) mod backward;
pub(crate) mod edges;
pub(crate) mod forward;
pub(crate) mod gemm;
pub(crate) mod pointwise;
pub(crate) mod project;
pub(crate) mod wide;

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use crate::config::Schema;
use crate::plan::LayerPlan;
use crate::topology::Topology;

/// Rows that go through all steps of a layer together, so that they stay in the cache.
pub(crate) const BLOCK_ROWS: usize = 96;

/// What a layer is computed over.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Widths and relations.
    pub schema: Arc<Schema>,
    /// Edges.
    pub topology: Arc<Topology>,
    /// What is computed.
    pub plan: Arc<LayerPlan>,
    /// What is left out in training.
    pub dropout: Dropout,
}

/// Which numbers of a layer's new state are left out: a pure function of seed and position, so it
/// need not be stored and does not depend on the order of work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Dropout {
    /// Share left out; 0 outside training.
    pub share: f32,
    /// Of the step and the layer.
    pub seed: u64,
}

impl Dropout {
    /// The factor of the number at `position` (row times width plus column).
    pub fn factor(self, position: usize) -> f32 {
        let bits = mix(self.seed ^ (position as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let uniform = (bits >> 40) as f32 / (1_u64 << 24) as f32;
        if uniform < self.share { 0.0 } else { 1.0 / (1.0 - self.share) }
    }
}

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014).
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A layer's weights with relation matrices and priors folded in. The last row of every matrix is
/// its bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerWeights<'a> {
    /// Queries: types x (hidden + 1) x hidden.
    pub query: &'a [f32],
    /// Keys, then values, of relations: relations x (hidden + 1) x 2 hidden.
    pub key_value: &'a [f32],
    /// Messages to states: types x (hidden + 1) x hidden.
    pub out: &'a [f32],
    /// Share of the new state, by type, after the sigmoid.
    pub gate: &'a [f32],
}

impl<'a> LayerWeights<'a> {
    /// Matrix and bias of a type's query.
    pub fn query(&self, kind: usize, hidden: usize) -> (&'a [f32], &'a [f32]) {
        part(self.query, kind, hidden, hidden)
    }
    /// Matrix and bias of a relation's keys and values.
    pub fn key_value(&self, relation: usize, hidden: usize) -> (&'a [f32], &'a [f32]) {
        part(self.key_value, relation, hidden, 2 * hidden)
    }
    /// Matrix and bias of a type's new state.
    pub fn out(&self, kind: usize, hidden: usize) -> (&'a [f32], &'a [f32]) {
        part(self.out, kind, hidden, hidden)
    }
}

fn part(all: &[f32], at: usize, rows: usize, columns: usize) -> (&[f32], &[f32]) {
    let length = (rows + 1) * columns;
    all[at * length..(at + 1) * length].split_at(rows * columns)
}

/// The transpose of a row-major matrix whose rows are `stride` apart.
pub(crate) fn transposed(matrix: &[f32], rows: usize, columns: usize, stride: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * columns];
    for row in 0..rows {
        for column in 0..columns {
            out[column * rows + row] = matrix[row * stride + column];
        }
    }
    out
}

/// Something to do for every edge of a block, with vector instructions and, where `D` is not 0, a
/// head width known to the compiler.
pub(crate) trait EdgeKernel {
    /// Does it.
    fn run<S: Simd, const D: usize>(self, simd: S);
}

struct At<const D: usize, K>(K);

impl<const D: usize, K: EdgeKernel> WithSimd for At<D, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.run::<S, D>(simd);
    }
}

/// Runs a kernel, specialised for the usual head widths.
pub(crate) fn launch(arch: Arch, head_width: usize, kernel: impl EdgeKernel) {
    match head_width {
        4 => arch.dispatch(At::<4, _>(kernel)),
        8 => arch.dispatch(At::<8, _>(kernel)),
        16 => arch.dispatch(At::<16, _>(kernel)),
        32 => arch.dispatch(At::<32, _>(kernel)),
        _ => arch.dispatch(At::<0, _>(kernel)),
    }
}
