//! Launching kernels: what each needs beside its buffers.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::{CubeCount, CubeDim};

use super::indices::LayerIndices;
use super::jobs::{Jobs, Sums};
use super::kernels::product::{Factors, Finish, SIDE, TILE};
use super::kernels::{edges, product, sums};
use super::memory::Memory;
use super::segments::Segments;

/// Units of a piece of a deep product.
const PIECE_DEPTH: usize = 256;

/// A device, and the lists of the layer at work.
pub(super) struct Run<'a, R: CubeRuntime> {
    pub memory: &'a Memory<R>,
    pub at: &'a LayerIndices<R>,
    pub hidden: usize,
    pub heads: usize,
}

/// Where a sum along edges reads and writes.
pub(super) struct Columns {
    /// Distance of rows of the table.
    pub stride: usize,
    /// First column read.
    pub offset: usize,
    /// Distance of rows of the result.
    pub out_stride: usize,
    /// First column written.
    pub out_offset: usize,
}

impl<R: CubeRuntime> Memory<R> {
    /// Products of a list of jobs, tiles of `heights` rows of results each.
    #[allow(clippy::too_many_arguments, reason = "a product has two factors and a result")]
    pub fn product(
        &self,
        jobs: &Jobs<R>,
        factors: Factors,
        finish: Finish,
        left: &CubeTensor<R>,
        (right, right_stride): (&CubeTensor<R>, usize),
        (out, columns): (&CubeTensor<R>, usize),
        height: usize,
    ) {
        if jobs.count == 0 {
            return;
        }
        let tiles = |length: usize| length.div_ceil(TILE) as u32;
        let count = CubeCount::Static(jobs.count as u32, tiles(columns), tiles(height));
        product::product::launch::<R>(
            self.client(),
            count,
            CubeDim::new_2d(SIDE as u32, SIDE as u32),
            left.clone().into_array_arg(),
            right.clone().into_array_arg(),
            out.clone().into_array_arg(),
            jobs.list.clone().into_array_arg(),
            columns,
            right_stride,
            factors,
            finish,
        );
    }

    /// Gradients of matrices: groups x (height + 1) x columns, sums of columns last.
    pub fn matrix_gradient(
        &self,
        at: &Sums<R>,
        left: &CubeTensor<R>,
        right: &CubeTensor<R>,
        columns: usize,
    ) -> CubeTensor<R> {
        let parts = self.empty(at.jobs.count * at.length);
        let height = at.length / columns - 1;
        let (factors, finish) = (Factors::LeftTransposed, Finish::Write);
        let right = (right, columns);
        self.product(&at.jobs, factors, finish, left, right, (&parts, columns), height);
        let out = self.empty(at.segments.rows * at.length);
        self.sum(&at.segments, &parts, &out, at.length);
        out
    }

    /// Sums of rows by group: groups x width.
    pub fn sum(&self, at: &Segments<R>, input: &CubeTensor<R>, out: &CubeTensor<R>, width: usize) {
        let units = at.count * width;
        if units == 0 {
            return;
        }
        let slots = self.empty(at.slots * width);
        let (count, dim) = self.units(units);
        sums::sum::launch::<R>(
            self.client(),
            count,
            dim,
            input.clone().into_array_arg(),
            at.begin.clone().into_array_arg(),
            at.place.clone().into_array_arg(),
            out.clone().into_array_arg(),
            slots.clone().into_array_arg(),
            units,
            at.rows,
            width,
            width,
            0,
        );
        self.sum_slots(at, &slots, out, (width, width, 0));
    }

    /// Groups of several segments from their slots; `shape` is width, distance and first column
    /// of what is written.
    fn sum_slots(
        &self,
        at: &Segments<R>,
        slots: &CubeTensor<R>,
        out: &CubeTensor<R>,
        (width, out_stride, out_offset): (usize, usize, usize),
    ) {
        let units = at.long * width;
        if units == 0 {
            return;
        }
        let (count, dim) = self.units(units);
        sums::sum::launch::<R>(
            self.client(),
            count,
            dim,
            slots.clone().into_array_arg(),
            at.long_begin.clone().into_array_arg(),
            at.long_row.clone().into_array_arg(),
            out.clone().into_array_arg(),
            self.empty(1).into_array_arg(),
            units,
            at.rows,
            width,
            out_stride,
            out_offset,
        );
    }

    /// A stack of small products: stack x rows x columns. Both are contiguous.
    pub fn stacked(
        &self,
        left: CubeTensor<R>,
        right: CubeTensor<R>,
        [stack, rows, depth, columns]: [usize; 4],
    ) -> CubeTensor<R> {
        let length = stack * rows * columns;
        let pieces = depth.div_ceil(PIECE_DEPTH).max(1);
        let parts = self.empty(pieces * length);
        if length > 0 {
            let (count, dim) = self.units(pieces * length);
            product::stacked::launch::<R>(
                self.client(),
                count,
                dim,
                left.into_array_arg(),
                right.into_array_arg(),
                parts.clone().into_array_arg(),
                pieces * length,
                stack,
                rows,
                columns,
                depth,
                PIECE_DEPTH,
            );
        }
        if pieces == 1 {
            return self.shaped(parts, [stack, rows, columns]);
        }
        let out = self.empty(length);
        if length > 0 {
            let (count, dim) = self.units(length);
            sums::sum::launch::<R>(
                self.client(),
                count,
                dim,
                parts.into_array_arg(),
                self.indices(vec![0, pieces as u32]).into_array_arg(),
                self.indices(vec![0]).into_array_arg(),
                out.clone().into_array_arg(),
                self.empty(1).into_array_arg(),
                length,
                1,
                length,
                length,
                0,
            );
        }
        self.shaped(out, [stack, rows, columns])
    }
}

impl<R: CubeRuntime> Run<'_, R> {
    /// By edge and head: row of `left` times row of the table from column `offset` on.
    pub fn dots(
        &self,
        left: &CubeTensor<R>,
        table: &CubeTensor<R>,
        offset: usize,
    ) -> CubeTensor<R> {
        let units = self.at.edges * self.heads;
        let out = self.memory.empty(units);
        if units > 0 {
            let (count, dim) = self.memory.units(units);
            edges::dots::launch::<R>(
                self.memory.client(),
                count,
                dim,
                left.clone().into_array_arg(),
                table.clone().into_array_arg(),
                self.at.target.clone().into_array_arg(),
                self.at.source.clone().into_array_arg(),
                out.clone().into_array_arg(),
                units,
                2 * self.hidden,
                offset,
                self.heads,
                self.hidden / self.heads,
            );
        }
        out
    }

    /// Attention from scores, in place.
    pub fn softmax(&self, scores: &CubeTensor<R>) {
        let (memory, heads, rows) = (self.memory, self.heads, &self.at.by_target);
        let units = self.at.edges * heads;
        if units == 0 {
            return;
        }
        let stats = memory.empty(rows.rows * heads * 2);
        let slots = memory.empty(rows.slots * heads * 2);
        let (count, dim) = memory.units(rows.count * heads);
        edges::softmax_segments::launch::<R>(
            memory.client(),
            count,
            dim,
            scores.clone().into_array_arg(),
            rows.begin.clone().into_array_arg(),
            rows.place.clone().into_array_arg(),
            stats.clone().into_array_arg(),
            slots.clone().into_array_arg(),
            rows.count * heads,
            rows.rows,
            heads,
        );
        if rows.long > 0 {
            let (count, dim) = memory.units(rows.long * heads);
            edges::softmax_slots::launch::<R>(
                memory.client(),
                count,
                dim,
                slots.into_array_arg(),
                rows.long_begin.clone().into_array_arg(),
                rows.long_row.clone().into_array_arg(),
                stats.clone().into_array_arg(),
                rows.long * heads,
                heads,
            );
        }
        let (count, dim) = memory.units(units);
        edges::softmax_finish::launch::<R>(
            memory.client(),
            count,
            dim,
            scores.clone().into_array_arg(),
            stats.into_array_arg(),
            self.at.target.clone().into_array_arg(),
            units,
            heads,
        );
    }

    /// Gradient of scores from that of attention, in place.
    pub fn softmax_gradient(&self, attention: &CubeTensor<R>, gradient: &CubeTensor<R>) {
        let (memory, heads, rows) = (self.memory, self.heads, &self.at.by_target);
        let units = self.at.edges * heads;
        if units == 0 {
            return;
        }
        let mean = memory.empty(rows.rows * heads);
        let slots = memory.empty(rows.slots * heads);
        let (count, dim) = memory.units(rows.count * heads);
        sums::sum_products::launch::<R>(
            memory.client(),
            count,
            dim,
            attention.clone().into_array_arg(),
            gradient.clone().into_array_arg(),
            rows.begin.clone().into_array_arg(),
            rows.place.clone().into_array_arg(),
            mean.clone().into_array_arg(),
            slots.clone().into_array_arg(),
            rows.count * heads,
            rows.rows,
            heads,
        );
        memory.sum_slots(rows, &slots, &mean, (heads, heads, 0));
        let (count, dim) = memory.units(units);
        edges::softmax_gradient::launch::<R>(
            memory.client(),
            count,
            dim,
            gradient.clone().into_array_arg(),
            attention.clone().into_array_arg(),
            mean.into_array_arg(),
            self.at.target.clone().into_array_arg(),
            units,
            heads,
        );
    }

    /// Rows of a table, each times its edge's coefficient, summed by target; with `back`, by
    /// source along the transpose.
    pub fn gather(
        &self,
        back: bool,
        coefficients: &CubeTensor<R>,
        table: &CubeTensor<R>,
        out: &CubeTensor<R>,
        columns: &Columns,
    ) {
        let (memory, hidden) = (self.memory, self.hidden);
        let (rows, row) = if back {
            (&self.at.by_source, &self.at.back_target)
        } else {
            (&self.at.by_target, &self.at.source)
        };
        let units = rows.count * hidden;
        if units == 0 {
            return;
        }
        let slots = memory.empty(rows.slots * hidden);
        let (count, dim) = memory.units(units);
        edges::gather::launch::<R>(
            memory.client(),
            count,
            dim,
            coefficients.clone().into_array_arg(),
            self.at.back_edge.clone().into_array_arg(),
            table.clone().into_array_arg(),
            row.clone().into_array_arg(),
            rows.begin.clone().into_array_arg(),
            rows.place.clone().into_array_arg(),
            out.clone().into_array_arg(),
            slots.clone().into_array_arg(),
            units,
            rows.rows,
            columns.stride,
            columns.offset,
            columns.out_stride,
            columns.out_offset,
            self.heads,
            hidden / self.heads,
            back,
        );
        memory.sum_slots(rows, &slots, out, (hidden, columns.out_stride, columns.out_offset));
    }
}
