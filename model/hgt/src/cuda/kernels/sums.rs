//! Sums of rows by group, in two steps where a group is long.
//!
//! A segment is a piece of a group. A group of one segment is written where it belongs; of more,
//! each segment goes to a slot, and the slots are summed by the same kernel. `place` is a row
//! below `rows`, or a slot from there on.

use cubecl::prelude::*;

/// A unit by segment and column: sums `input` (entries x width) into `out`, whose rows are
/// `out_stride` apart, from column `out_offset` on.
#[cube(launch)]
pub(crate) fn sum(
    input: &Array<f32>,
    begin: &Array<u32>,
    place: &Array<u32>,
    out: &mut Array<f32>,
    slots: &mut Array<f32>,
    units: usize,
    rows: usize,
    width: usize,
    out_stride: usize,
    out_offset: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let segment = ABSOLUTE_POS / width;
    let column = ABSOLUTE_POS % width;
    let mut total = 0.0f32;
    for entry in begin[segment] as usize..begin[segment + 1] as usize {
        total += input[entry * width + column];
    }
    let row = place[segment] as usize;
    if row < rows {
        out[row * out_stride + out_offset + column] = total;
    } else {
        slots[(row - rows) * width + column] = total;
    }
}

/// A unit by segment and column: the same over products `left * right`, number by number.
#[cube(launch)]
pub(crate) fn sum_products(
    left: &Array<f32>,
    right: &Array<f32>,
    begin: &Array<u32>,
    place: &Array<u32>,
    out: &mut Array<f32>,
    slots: &mut Array<f32>,
    units: usize,
    rows: usize,
    width: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let segment = ABSOLUTE_POS / width;
    let column = ABSOLUTE_POS % width;
    let mut total = 0.0f32;
    for entry in begin[segment] as usize..begin[segment + 1] as usize {
        total += left[entry * width + column] * right[entry * width + column];
    }
    let row = place[segment] as usize;
    if row < rows {
        out[row * width + column] = total;
    } else {
        slots[(row - rows) * width + column] = total;
    }
}
