//! What happens along edges: scores, the softmax over the edges of a target, and weighted sums of
//! rows over the edges of a target or of a source.

use cubecl::prelude::*;

/// Widest head whose loop is written out.
const UNROLLED_MAX: usize = 64;

/// A unit by edge and head: the product of that head of the target's row of `left` and of the
/// row of `table` the edge reads, `stride` apart, from column `offset` on.
#[cube(launch)]
pub(crate) fn dots(
    left: &Array<f32>,
    table: &Array<f32>,
    target: &Array<u32>,
    source: &Array<u32>,
    out: &mut Array<f32>,
    units: usize,
    stride: usize,
    offset: usize,
    #[comptime] heads: usize,
    #[comptime] width: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let edge = ABSOLUTE_POS / heads;
    let head = ABSOLUTE_POS % heads;
    let l = target[edge] as usize * comptime!(heads * width) + head * width;
    let r = source[edge] as usize * stride + offset + head * width;
    let mut sum = 0.0f32;
    #[unroll(width <= UNROLLED_MAX)]
    for at in 0..width {
        sum += left[l + at] * table[r + at];
    }
    out[ABSOLUTE_POS] = sum;
}

/// A unit by segment and head: greatest score, and the sum of exponentials relative to it.
/// `stats` and `slots` hold the two one after the other, by row or slot and head.
#[cube(launch)]
pub(crate) fn softmax_segments(
    scores: &Array<f32>,
    begin: &Array<u32>,
    place: &Array<u32>,
    stats: &mut Array<f32>,
    slots: &mut Array<f32>,
    units: usize,
    rows: usize,
    heads: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let segment = ABSOLUTE_POS / heads;
    let head = ABSOLUTE_POS % heads;
    let first = begin[segment] as usize;
    let end = begin[segment + 1] as usize;
    let mut greatest = f32::new(-1.0e30);
    for edge in first..end {
        greatest = max(greatest, scores[edge * heads + head]);
    }
    let mut sum = 0.0f32;
    for edge in first..end {
        sum += f32::exp(scores[edge * heads + head] - greatest);
    }
    let row = place[segment] as usize;
    if row < rows {
        let at = (row * heads + head) * 2;
        stats[at] = greatest;
        stats[at + 1] = sum;
    } else {
        let at = ((row - rows) * heads + head) * 2;
        slots[at] = greatest;
        slots[at + 1] = sum;
    }
}

/// A unit by long row and head: the same from its slots.
#[cube(launch)]
pub(crate) fn softmax_slots(
    slots: &Array<f32>,
    begin: &Array<u32>,
    row: &Array<u32>,
    stats: &mut Array<f32>,
    units: usize,
    heads: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let long = ABSOLUTE_POS / heads;
    let head = ABSOLUTE_POS % heads;
    let first = begin[long] as usize;
    let end = begin[long + 1] as usize;
    let mut greatest = f32::new(-1.0e30);
    for slot in first..end {
        greatest = max(greatest, slots[(slot * heads + head) * 2]);
    }
    let mut sum = 0.0f32;
    for slot in first..end {
        let at = (slot * heads + head) * 2;
        sum += slots[at + 1] * f32::exp(slots[at] - greatest);
    }
    let at = (row[long] as usize * heads + head) * 2;
    stats[at] = greatest;
    stats[at + 1] = sum;
}

/// A unit by edge and head: attention from scores, in place.
#[cube(launch)]
pub(crate) fn softmax_finish(
    scores: &mut Array<f32>,
    stats: &Array<f32>,
    target: &Array<u32>,
    units: usize,
    heads: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let edge = ABSOLUTE_POS / heads;
    let head = ABSOLUTE_POS % heads;
    let at = (target[edge] as usize * heads + head) * 2;
    scores[ABSOLUTE_POS] = f32::exp(scores[ABSOLUTE_POS] - stats[at]) / stats[at + 1];
}

/// A unit by edge and head: gradient of scores from that of attention, in place. `mean` is the sum
/// of attention times its gradient by row and head.
#[cube(launch)]
pub(crate) fn softmax_gradient(
    gradient: &mut Array<f32>,
    attention: &Array<f32>,
    mean: &Array<f32>,
    target: &Array<u32>,
    units: usize,
    heads: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let edge = ABSOLUTE_POS / heads;
    let head = ABSOLUTE_POS % heads;
    let mean = mean[target[edge] as usize * heads + head];
    gradient[ABSOLUTE_POS] = attention[ABSOLUTE_POS] * (gradient[ABSOLUTE_POS] - mean);
}

/// A unit by segment and column: sums over the segment's entries the row of `table` that the entry
/// reads times the coefficient of its edge and head. Rows of `table` and of `out` are `stride` and
/// `out_stride` apart. With `indirect`, `edge` says which edge an entry is; otherwise entries are
/// edges.
#[cube(launch)]
pub(crate) fn gather(
    coefficients: &Array<f32>,
    edge: &Array<u32>,
    table: &Array<f32>,
    row: &Array<u32>,
    begin: &Array<u32>,
    place: &Array<u32>,
    out: &mut Array<f32>,
    slots: &mut Array<f32>,
    units: usize,
    rows: usize,
    stride: usize,
    offset: usize,
    out_stride: usize,
    out_offset: usize,
    #[comptime] heads: usize,
    #[comptime] width: usize,
    #[comptime] indirect: bool,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let hidden = comptime!(heads * width);
    let segment = ABSOLUTE_POS / hidden;
    let column = ABSOLUTE_POS % hidden;
    let head = column / width;
    let mut total = 0.0f32;
    for entry in begin[segment] as usize..begin[segment + 1] as usize {
        let coefficient = if indirect {
            coefficients[edge[entry] as usize * heads + head]
        } else {
            coefficients[entry * heads + head]
        };
        total += coefficient * table[row[entry] as usize * stride + offset + column];
    }
    let to = place[segment] as usize;
    if to < rows {
        out[to * out_stride + out_offset + column] = total;
    } else {
        slots[(to - rows) * hidden + column] = total;
    }
}
