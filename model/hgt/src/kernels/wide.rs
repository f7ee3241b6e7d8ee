//! Attention where keys and values are made at the target: every head of an edge meets the whole
//! state of the source. More arithmetic an edge, none a source: see `plan`.

use pulp::Simd;

use super::EdgeKernel;
use super::edges::Segments;

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, a_tail) = S::as_simd_f32s(a);
    let (b, b_tail) = S::as_simd_f32s(b);
    let mut sum = simd.splat_f32s(0.0);
    for (a, b) in a.iter().zip(b) {
        sum = simd.mul_add_f32s(*a, *b, sum);
    }
    let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
    simd.reduce_sum_f32s(sum) + tail
}

#[inline(always)]
fn axpy<S: Simd>(simd: S, y: &mut [f32], a: f32, x: &[f32]) {
    let (x, x_tail) = S::as_simd_f32s(x);
    let (y, y_tail) = S::as_mut_simd_f32s(y);
    let factor = simd.splat_f32s(a);
    for (y, x) in y.iter_mut().zip(x) {
        *y = simd.mul_add_f32s(factor, *x, *y);
    }
    for (y, x) in y_tail.iter_mut().zip(x_tail) {
        *y += a * x;
    }
}

/// By edge and head: the row's vector of that head times the source's state, plus a constant.
pub(crate) struct DotWide<'a> {
    /// Attention heads.
    pub heads: usize,
    /// Block rows x heads x hidden.
    pub left: &'a [f32],
    /// Block rows x heads.
    pub constant: &'a [f32],
    /// Sources x hidden.
    pub table: &'a [f32],
    /// The block's edges.
    pub segments: Segments<'a>,
    /// Block edges x heads, written.
    pub out: &'a mut [f32],
}

impl EdgeKernel for DotWide<'_> {
    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, simd: S) {
        let wide = self.left.len() / (self.segments.start.len() - 1);
        let hidden = wide / self.heads;
        let rows = self.left.chunks_exact(wide).zip(self.constant.chunks_exact(self.heads));
        for ((left, constant), (edge, sources)) in rows.zip(self.segments.rows()) {
            let out = self.out[edge * self.heads..].chunks_exact_mut(self.heads);
            for (&source, out) in sources.iter().zip(out) {
                let state = &self.table[source as usize * hidden..][..hidden];
                let heads = left.chunks_exact(hidden).zip(constant);
                for (out, (left, constant)) in out.iter_mut().zip(heads) {
                    *out = dot(simd, left, state) + constant;
                }
            }
        }
    }
}

/// By row and head: adds the sources' states, each times its edge's coefficient of that head, and
/// the coefficients themselves.
pub(crate) struct AddWide<'a> {
    /// Attention heads.
    pub heads: usize,
    /// Block edges x heads.
    pub coefficients: &'a [f32],
    /// Sources x hidden.
    pub table: &'a [f32],
    /// The block's edges.
    pub segments: Segments<'a>,
    /// Block rows x heads x hidden, added to.
    pub out: &'a mut [f32],
    /// Block rows x heads, added to.
    pub sums: &'a mut [f32],
}

impl EdgeKernel for AddWide<'_> {
    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, simd: S) {
        let wide = self.out.len() / (self.segments.start.len() - 1);
        let hidden = wide / self.heads;
        let rows = self.out.chunks_exact_mut(wide).zip(self.sums.chunks_exact_mut(self.heads));
        for ((out, sums), (edge, sources)) in rows.zip(self.segments.rows()) {
            let coefficients = self.coefficients[edge * self.heads..].chunks_exact(self.heads);
            for (&source, coefficients) in sources.iter().zip(coefficients) {
                let state = &self.table[source as usize * hidden..][..hidden];
                let heads = out.chunks_exact_mut(hidden).zip(sums.iter_mut());
                for (coefficient, (out, sum)) in coefficients.iter().zip(heads) {
                    axpy(simd, out, *coefficient, state);
                    *sum += *coefficient;
                }
            }
        }
    }
}

/// By edge: what its source's state receives, `sum over heads of a x + b y`.
pub(crate) struct SpreadWide<'a> {
    /// Attention heads.
    pub heads: usize,
    /// Block edges x heads: gradient of scores.
    pub scores: &'a [f32],
    /// Block rows x heads x hidden: what scores were made with.
    pub keys: &'a [f32],
    /// Block edges x heads: attention.
    pub attention: &'a [f32],
    /// Block rows x heads x hidden: gradient of weighted sums.
    pub values: &'a [f32],
    /// The block's edges.
    pub segments: Segments<'a>,
    /// Block edges x hidden, written.
    pub out: &'a mut [f32],
}

impl EdgeKernel for SpreadWide<'_> {
    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, simd: S) {
        let wide = self.keys.len() / (self.segments.start.len() - 1);
        let hidden = wide / self.heads;
        let rows = self.keys.chunks_exact(wide).zip(self.values.chunks_exact(wide));
        for ((keys, values), (edge, sources)) in rows.zip(self.segments.rows()) {
            let scores = self.scores[edge * self.heads..].chunks_exact(self.heads);
            let attention = self.attention[edge * self.heads..].chunks_exact(self.heads);
            let out = self.out[edge * hidden..].chunks_exact_mut(hidden).take(sources.len());
            for ((scores, attention), out) in scores.zip(attention).zip(out) {
                out.fill(0.0);
                let heads = keys.chunks_exact(hidden).zip(values.chunks_exact(hidden));
                for ((score, attention), (key, value)) in scores.iter().zip(attention).zip(heads) {
                    axpy(simd, out, *score, key);
                    axpy(simd, out, *attention, value);
                }
            }
        }
    }
}

/// By source row: adds what [`SpreadWide`] left at its edges.
pub(crate) struct GatherWide<'a> {
    /// First entry by block row, and the end of the last.
    pub back_start: &'a [u32],
    /// Edge by entry, of the whole relation.
    pub back_edge: &'a [u32],
    /// All edges x hidden.
    pub edges: &'a [f32],
    /// Block rows x hidden, added to.
    pub out: &'a mut [f32],
}

impl EdgeKernel for GatherWide<'_> {
    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, simd: S) {
        let hidden = self.out.len() / (self.back_start.len() - 1);
        for (out, range) in self.out.chunks_exact_mut(hidden).zip(self.back_start.windows(2)) {
            for &edge in &self.back_edge[range[0] as usize..range[1] as usize] {
                axpy(simd, out, 1.0, &self.edges[edge as usize * hidden..][..hidden]);
            }
        }
    }
}
