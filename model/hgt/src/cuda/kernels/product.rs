//! Products of matrices in single precision, many of them in one launch.
//!
//! The framework's own product rounds its factors to ten bits on tensor cores, and which kernel it
//! takes is measured at run time: neither exact enough for gradients nor the same in every run.

use cubecl::prelude::*;

/// Rows and columns of a cube's tile of the result.
pub(crate) const TILE: usize = 64;
/// Depth of a step.
const DEPTH: usize = 16;
/// Rows and columns of units in a cube; each computes `TILE / SIDE` rows and columns.
pub(crate) const SIDE: usize = 16;
/// Units of a cube.
const UNITS: usize = SIDE * SIDE;
/// Distance of rows in shared memory: odd, so that neighbours are in different banks.
const PITCH: usize = TILE + 1;
/// Rows, and columns, of a unit.
const EACH: usize = TILE / SIDE;
/// Numbers that describe a job, in this order: first of a, stride of a, first of b, first of the
/// bias, first of the result, rows, depth, unused.
pub(crate) const JOB: usize = 8;

/// Which factor is transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Factors {
    /// `a b`
    Plain,
    /// `a b'`
    RightTransposed,
    /// `a' b`, and the sums of the columns of b as one more row.
    LeftTransposed,
}

/// What becomes of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Finish {
    /// Written.
    Write,
    /// Written with a bias added.
    Bias,
    /// The same, negative numbers as 0.
    BiasRelu,
    /// Added to what is there.
    Add,
}

/// `c = a b` for a job by cube: `jobs` of [`JOB`] numbers each by x, tiles of columns by y, tiles
/// of rows by z. `a` is read with the job's stride, `b` with `b_stride`; `c` is written with
/// `columns` as stride.
#[cube(launch)]
pub(crate) fn product(
    a: &Array<f32>,
    b: &Array<f32>,
    c: &mut Array<f32>,
    jobs: &Array<u32>,
    columns: usize,
    b_stride: usize,
    #[comptime] factors: Factors,
    #[comptime] finish: Finish,
) {
    let job = (CUBE_POS_X as usize) * JOB;
    let a_first = jobs[job] as usize;
    let a_stride = jobs[job + 1] as usize;
    let b_first = jobs[job + 2] as usize;
    let rows = jobs[job + 5] as usize;
    let depth = jobs[job + 6] as usize;
    let row_first = (CUBE_POS_Z as usize) * TILE;
    let column_first = (CUBE_POS_Y as usize) * TILE;

    let mut left = SharedMemory::<f32>::new(comptime!(DEPTH * PITCH));
    let mut right = SharedMemory::<f32>::new(comptime!(DEPTH * PITCH));
    let mut sums = Array::<f32>::new(comptime!(EACH * EACH));
    let mut bias = Array::<f32>::new(comptime!(EACH));
    #[unroll]
    for at in 0..EACH * EACH {
        sums[at] = 0.0f32;
    }
    #[unroll]
    for at in 0..EACH {
        bias[at] = 0.0f32;
    }
    for step in 0..depth.div_ceil(DEPTH) {
        let k = step * DEPTH;
        load_left(a, &mut left, a_first, a_stride, row_first, rows, k, depth, factors);
        load_right(b, &mut right, b_first, b_stride, column_first, columns, k, depth, factors);
        sync_cube();
        multiply(&left, &right, &mut sums, &mut bias, factors);
        sync_cube();
    }
    let c_first = jobs[job + 4] as usize;
    let bias_first = jobs[job + 3] as usize;
    store(b, c, &sums, c_first, bias_first, row_first, rows, column_first, columns, finish);
    if comptime!(factors == Factors::LeftTransposed) {
        store_bias(c, &bias, c_first + rows * columns, row_first, column_first, columns);
    }
}

/// A step's tile of the left factor, depth by rows; 0 outside.
#[cube]
fn load_left(
    a: &Array<f32>,
    tile: &mut SharedMemory<f32>,
    first: usize,
    stride: usize,
    row_first: usize,
    rows: usize,
    depth_first: usize,
    depth: usize,
    #[comptime] factors: Factors,
) {
    let unit = UNIT_POS as usize;
    #[unroll]
    for part in 0..EACH {
        let at = unit + part * UNITS;
        let (deep, row) = if comptime!(factors == Factors::LeftTransposed) {
            (at / TILE, at % TILE)
        } else {
            (at % DEPTH, at / DEPTH)
        };
        let (k, m) = (depth_first + deep, row_first + row);
        let mut value = 0.0f32;
        if k < depth && m < rows {
            if comptime!(factors == Factors::LeftTransposed) {
                value = a[first + k * stride + m];
            } else {
                value = a[first + m * stride + k];
            }
        }
        tile[deep * PITCH + row] = value;
    }
}

/// A step's tile of the right factor, depth by columns; 0 outside.
#[cube]
fn load_right(
    b: &Array<f32>,
    tile: &mut SharedMemory<f32>,
    first: usize,
    stride: usize,
    column_first: usize,
    columns: usize,
    depth_first: usize,
    depth: usize,
    #[comptime] factors: Factors,
) {
    let unit = UNIT_POS as usize;
    #[unroll]
    for part in 0..EACH {
        let at = unit + part * UNITS;
        let (deep, column) = if comptime!(factors == Factors::RightTransposed) {
            (at % DEPTH, at / DEPTH)
        } else {
            (at / TILE, at % TILE)
        };
        let (k, n) = (depth_first + deep, column_first + column);
        let mut value = 0.0f32;
        if k < depth && n < columns {
            if comptime!(factors == Factors::RightTransposed) {
                value = b[first + n * stride + k];
            } else {
                value = b[first + k * stride + n];
            }
        }
        tile[deep * PITCH + column] = value;
    }
}

/// Adds the product of two tiles to the unit's own sums, which are every [`SIDE`]th row and column.
#[cube]
fn multiply(
    left: &SharedMemory<f32>,
    right: &SharedMemory<f32>,
    sums: &mut Array<f32>,
    bias: &mut Array<f32>,
    #[comptime] factors: Factors,
) {
    let x = UNIT_POS_X as usize;
    let y = UNIT_POS_Y as usize;
    #[unroll]
    for deep in 0..DEPTH {
        #[unroll]
        for j in 0..EACH {
            let value = right[deep * PITCH + x + j * SIDE];
            if comptime!(factors == Factors::LeftTransposed) {
                bias[j] += value;
            }
            #[unroll]
            for i in 0..EACH {
                sums[i * EACH + j] += left[deep * PITCH + y + i * SIDE] * value;
            }
        }
    }
}

#[cube]
fn store(
    b: &Array<f32>,
    c: &mut Array<f32>,
    sums: &Array<f32>,
    c_first: usize,
    bias_first: usize,
    row_first: usize,
    rows: usize,
    column_first: usize,
    columns: usize,
    #[comptime] finish: Finish,
) {
    #[unroll]
    for j in 0..EACH {
        let n = column_first + UNIT_POS_X as usize + j * SIDE;
        #[unroll]
        for i in 0..EACH {
            let m = row_first + UNIT_POS_Y as usize + i * SIDE;
            if n < columns && m < rows {
                let at = c_first + m * columns + n;
                let mut value = sums[i * EACH + j];
                if comptime!(finish == Finish::Bias || finish == Finish::BiasRelu) {
                    value += b[bias_first + n];
                }
                if comptime!(finish == Finish::BiasRelu) {
                    value = max(value, 0.0f32);
                }
                if comptime!(finish == Finish::Add) {
                    value += c[at];
                }
                c[at] = value;
            }
        }
    }
}

/// Sums of columns, from the first tile of rows only: all tiles have the same.
#[cube]
fn store_bias(
    c: &mut Array<f32>,
    bias: &Array<f32>,
    first: usize,
    row_first: usize,
    column_first: usize,
    columns: usize,
) {
    #[unroll]
    for j in 0..EACH {
        let n = column_first + UNIT_POS_X as usize + j * SIDE;
        if n < columns && UNIT_POS_Y == 0 && row_first == 0 {
            c[first + n] = bias[j];
        }
    }
}

/// `c = a b` for a stack of small matrices, the depth cut into pieces of `piece`: a unit for each
/// number of each piece's result, `pieces x stack x rows x columns`.
#[cube(launch)]
pub(crate) fn stacked(
    a: &Array<f32>,
    b: &Array<f32>,
    c: &mut Array<f32>,
    units: usize,
    stack: usize,
    rows: usize,
    columns: usize,
    depth: usize,
    piece: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let column = ABSOLUTE_POS % columns;
    let rest = ABSOLUTE_POS / columns;
    let row = rest % rows;
    let rest = rest / rows;
    let matrix = rest % stack;
    let first = (rest / stack) * piece;
    let end = min(first + piece, depth);
    let a_first = (matrix * rows + row) * depth;
    let b_first = matrix * depth * columns + column;
    let mut sum = 0.0f32;
    for k in first..end {
        sum += a[a_first + k] * b[b_first + k * columns];
    }
    c[ABSOLUTE_POS] = sum;
}
