//! Attention where keys and values are made at the source: per head, for every edge of a block.

use pulp::Simd;

use super::EdgeKernel;

/// The edges of a block of rows.
#[derive(Clone, Copy)]
pub(crate) struct Segments<'a> {
    /// First edge by row of the block, and the end of the last: rows + 1 entries.
    pub start: &'a [u32],
    /// Source row by edge, of the whole relation.
    pub source: &'a [u32],
}

impl<'a> Segments<'a> {
    /// The block's edges in the whole relation.
    #[inline(always)]
    pub fn first(&self) -> usize {
        self.start[0] as usize
    }

    /// (first edge inside the block, sources) by row.
    #[inline(always)]
    pub fn rows(self) -> impl Iterator<Item = (usize, &'a [u32])> {
        let first = self.first();
        self.start.windows(2).map(move |it| {
            let (begin, end) = (it[0] as usize, it[1] as usize);
            (begin - first, &self.source[begin..end])
        })
    }
}

#[inline(always)]
fn dot<const D: usize>(a: &[f32], b: &[f32]) -> f32 {
    if D == 0 {
        return a.iter().zip(b).map(|(a, b)| a * b).sum();
    }
    let (Some(a), Some(b)) = (a.first_chunk::<D>(), b.first_chunk::<D>()) else { return 0.0 };
    let mut products = [0.0_f32; D];
    for at in 0..D {
        products[at] = a[at] * b[at];
    }
    let mut half = D / 2;
    while half > 0 {
        for at in 0..half {
            products[at] += products[at + half];
        }
        half /= 2;
    }
    products[0]
}

#[inline(always)]
fn axpy<const D: usize>(y: &mut [f32], a: f32, x: &[f32]) {
    if D == 0 {
        for (y, x) in y.iter_mut().zip(x) {
            *y += a * x;
        }
        return;
    }
    let (Some(y), Some(x)) = (y.first_chunk_mut::<D>(), x.first_chunk::<D>()) else { return };
    for at in 0..D {
        y[at] = a.mul_add(x[at], y[at]);
    }
}

/// By edge and head: the block's row times the source's row of a table.
pub(crate) struct DotHeads<'a> {
    /// Attention heads.
    pub heads: usize,
    /// Block rows x hidden.
    pub left: &'a [f32],
    /// Source rows, `stride` apart, used from `offset` on.
    pub table: &'a [f32],
    /// Distance of source rows.
    pub stride: usize,
    /// First column used.
    pub offset: usize,
    /// The block's edges.
    pub segments: Segments<'a>,
    /// Block edges x heads, written.
    pub out: &'a mut [f32],
}

impl EdgeKernel for DotHeads<'_> {
    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, _: S) {
        let hidden = self.left.len() / (self.segments.start.len() - 1);
        let width = if D == 0 { hidden / self.heads } else { D };
        for (left, (edge, sources)) in self.left.chunks_exact(hidden).zip(self.segments.rows()) {
            let out = self.out[edge * self.heads..].chunks_exact_mut(self.heads);
            for (&source, out) in sources.iter().zip(out) {
                let right = &self.table[source as usize * self.stride + self.offset..][..hidden];
                let heads = left.chunks_exact(width).zip(right.chunks_exact(width));
                for (out, (left, right)) in out.iter_mut().zip(heads) {
                    *out = dot::<D>(left, right);
                }
            }
        }
    }
}

/// By row and head: adds the sources' rows of a table, each times its edge's coefficient.
pub(crate) struct AddHeads<'a> {
    /// Attention heads.
    pub heads: usize,
    /// Block edges x heads.
    pub coefficients: &'a [f32],
    /// Source rows, `stride` apart, used from `offset` on.
    pub table: &'a [f32],
    /// Distance of source rows.
    pub stride: usize,
    /// First column used.
    pub offset: usize,
    /// The block's edges.
    pub segments: Segments<'a>,
    /// Block rows x hidden, added to.
    pub out: &'a mut [f32],
}

impl EdgeKernel for AddHeads<'_> {
    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, _: S) {
        let hidden = self.out.len() / (self.segments.start.len() - 1);
        let width = if D == 0 { hidden / self.heads } else { D };
        for (out, (edge, sources)) in self.out.chunks_exact_mut(hidden).zip(self.segments.rows()) {
            let coefficients = self.coefficients[edge * self.heads..].chunks_exact(self.heads);
            for (&source, coefficients) in sources.iter().zip(coefficients) {
                let right = &self.table[source as usize * self.stride + self.offset..][..hidden];
                let heads = out.chunks_exact_mut(width).zip(right.chunks_exact(width));
                for (coefficient, (out, right)) in coefficients.iter().zip(heads) {
                    axpy::<D>(out, *coefficient, right);
                }
            }
        }
    }
}

/// Gradients of keys and values of a block of sources, over the edges that leave them.
pub(crate) struct GatherHeads<'a> {
    /// Attention heads.
    pub heads: usize,
    /// First entry by block row, and the end of the last.
    pub back_start: &'a [u32],
    /// Edge by entry, of the whole relation.
    pub back_edge: &'a [u32],
    /// Target row by entry, of the whole relation.
    pub back_target: &'a [u32],
    /// All edges x heads: attention.
    pub attention: &'a [f32],
    /// All edges x heads: gradient of scores.
    pub scores: &'a [f32],
    /// All targets x hidden: queries.
    pub query: &'a [f32],
    /// All targets x hidden: gradient of messages.
    pub message: &'a [f32],
    /// Block rows x 2 hidden: gradient of keys, then values; added to.
    pub out: &'a mut [f32],
}

impl EdgeKernel for GatherHeads<'_> {
    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, _: S) {
        let hidden = self.out.len() / (self.back_start.len() - 1) / 2;
        let width = if D == 0 { hidden / self.heads } else { D };
        for (out, range) in self.out.chunks_exact_mut(2 * hidden).zip(self.back_start.windows(2)) {
            let (keys, values) = out.split_at_mut(hidden);
            let range = range[0] as usize..range[1] as usize;
            let entries = self.back_edge[range.clone()].iter().zip(&self.back_target[range]);
            for (&edge, &target) in entries {
                let at = edge as usize * self.heads;
                let scores = &self.scores[at..][..self.heads];
                let attention = &self.attention[at..][..self.heads];
                let query = &self.query[target as usize * hidden..][..hidden];
                let message = &self.message[target as usize * hidden..][..hidden];
                let heads = keys.chunks_exact_mut(width).zip(query.chunks_exact(width));
                for (score, (key, query)) in scores.iter().zip(heads) {
                    axpy::<D>(key, *score, query);
                }
                let heads = values.chunks_exact_mut(width).zip(message.chunks_exact(width));
                for (attention, (value, message)) in attention.iter().zip(heads) {
                    axpy::<D>(value, *attention, message);
                }
            }
        }
    }
}
