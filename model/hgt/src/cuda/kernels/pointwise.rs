//! Functions of single numbers: GELU, dropout, the gate.

use cubecl::prelude::*;

/// 64 bits as two halves: not every device counts in 64.
#[derive(CubeType, Clone, Copy)]
struct Wide {
    high: u32,
    low: u32,
}

#[cube]
fn times(a: Wide, high: u32, low: u32) -> Wide {
    Wide { high: a.low.mul_hi(low) + a.low * high + a.high * low, low: a.low * low }
}

/// `a ^ (a >> by)`, for 0 < by < 32.
#[cube]
fn fold(a: Wide, #[comptime] by: u32) -> Wide {
    Wide {
        high: a.high ^ (a.high >> by),
        low: a.low ^ ((a.low >> by) | (a.high << comptime!(32 - by))),
    }
}

/// The factor of the number at `position`: the same function as on the CPU.
#[cube]
fn factor(position: usize, seed_high: u32, seed_low: u32, share: f32) -> f32 {
    let position = Wide { high: 0u32, low: position as u32 };
    let bits = times(position, 0x9E37_79B9u32, 0x7F4A_7C15u32);
    let low = bits.low ^ seed_low;
    let high = bits.high ^ seed_high;
    let sum = low + 0x7F4A_7C15u32;
    let mut carry = 0u32;
    if sum < low {
        carry = 1u32;
    }
    let bits = Wide { high: high + 0x9E37_79B9u32 + carry, low: sum };
    let bits = times(fold(bits, 30u32), 0xBF58_476Du32, 0x1CE4_E5B9u32);
    let bits = times(fold(bits, 27u32), 0x94D0_49BBu32, 0x1331_11EBu32);
    let bits = fold(bits, 31u32);
    let uniform = f32::cast_from(bits.high >> 8u32) / 16_777_216.0f32;
    let mut factor = 1.0f32 / (1.0f32 - share);
    if uniform < share {
        factor = 0.0f32;
    }
    factor
}

/// The normal distribution function, error below 1.5e-7 (Abramowitz and Stegun 7.1.26).
#[cube]
fn normal(x: f32) -> f32 {
    let z = f32::abs(x) * 0.707_106_77f32;
    let t = 1.0f32 / (0.327_591_1f32 * z + 1.0f32);
    let p = ((((1.061_405_4f32 * t - 1.453_152f32) * t + 1.421_413_8f32) * t - 0.284_496_72f32)
        * t
        + 0.254_829_6f32)
        * t;
    let half = 0.5f32 - 0.5f32 * p * f32::exp(-z * z);
    let mut value = 0.5f32 + half;
    if x < 0.0f32 {
        value = 0.5f32 - half;
    }
    value
}

/// GELU with the exact error function.
#[cube(launch)]
pub(crate) fn gelu(input: &Array<f32>, out: &mut Array<f32>, units: usize) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let x = input[ABSOLUTE_POS];
    out[ABSOLUTE_POS] = x * normal(x);
}

/// Gradient of messages from that of GELU's result, in place: times its derivative and the gate.
#[cube(launch)]
pub(crate) fn gelu_gradient(
    message: &Array<f32>,
    gate: &Array<f32>,
    kind: &Array<u32>,
    gradient: &mut Array<f32>,
    units: usize,
    hidden: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let x = message[ABSOLUTE_POS];
    let slope = normal(x) + x * f32::exp(-0.5f32 * x * x) * 0.398_942_3f32;
    let gate = gate[kind[ABSOLUTE_POS / hidden] as usize];
    gradient[ABSOLUTE_POS] = gradient[ABSOLUTE_POS] * slope * gate;
}

/// New states in place of the output matrix's result: dropout, gate, residual.
#[cube(launch)]
pub(crate) fn finish(
    new: &mut Array<f32>,
    states: &Array<f32>,
    gate: &Array<f32>,
    kind: &Array<u32>,
    own: &Array<u32>,
    units: usize,
    hidden: usize,
    share: f32,
    seed_high: u32,
    seed_low: u32,
    #[comptime] drop: bool,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let row = ABSOLUTE_POS / hidden;
    let own = states[own[row] as usize * hidden + ABSOLUTE_POS % hidden];
    let mut value = new[ABSOLUTE_POS];
    if drop {
        value *= factor(ABSOLUTE_POS, seed_high, seed_low, share);
    }
    new[ABSOLUTE_POS] = own + gate[kind[row] as usize] * (value - own);
}

/// From the gradient of new states: that before the gate, and its product with the own state.
#[cube(launch)]
pub(crate) fn finish_gradient(
    gradient: &Array<f32>,
    states: &Array<f32>,
    own: &Array<u32>,
    plain: &mut Array<f32>,
    product: &mut Array<f32>,
    units: usize,
    hidden: usize,
    share: f32,
    seed_high: u32,
    seed_low: u32,
    #[comptime] drop: bool,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let own = own[ABSOLUTE_POS / hidden] as usize * hidden + ABSOLUTE_POS % hidden;
    let mut value = gradient[ABSOLUTE_POS];
    product[ABSOLUTE_POS] = value * states[own];
    if drop {
        value *= factor(ABSOLUTE_POS, seed_high, seed_low, share);
    }
    plain[ABSOLUTE_POS] = value;
}

/// Gradient of the gate by type and column, `sum of gradient * (new - own)`, and of the output
/// matrices in place, which so far lack the gate. A unit by type and column.
#[cube(launch)]
pub(crate) fn gate_gradient(
    matrix_gradient: &mut Array<f32>,
    matrix: &Array<f32>,
    own: &Array<f32>,
    gate: &Array<f32>,
    out: &mut Array<f32>,
    units: usize,
    hidden: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let kind = ABSOLUTE_POS / hidden;
    let first = kind * (hidden + 1) * hidden + ABSOLUTE_POS % hidden;
    let gate = gate[kind];
    let mut sum = 0.0f32;
    for row in 0..hidden + 1 {
        let at = first + row * hidden;
        let value = matrix_gradient[at];
        sum += value * matrix[at];
        matrix_gradient[at] = value * gate;
    }
    out[ABSOLUTE_POS] = sum - own[ABSOLUTE_POS];
}

/// What the gate lets through to the own states: a unit by input row and column. `out_row` is the
/// row in the layer's output, or not below `rows`.
#[cube(launch)]
pub(crate) fn residual_gradient(
    gradient: &Array<f32>,
    gate: &Array<f32>,
    kind: &Array<u32>,
    out_row: &Array<u32>,
    out: &mut Array<f32>,
    units: usize,
    rows: usize,
    hidden: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let row = out_row[ABSOLUTE_POS / hidden] as usize;
    let mut value = 0.0f32;
    if row < rows {
        let keep = 1.0f32 - gate[kind[row] as usize];
        value = keep * gradient[row * hidden + ABSOLUTE_POS % hidden];
    }
    out[ABSOLUTE_POS] = value;
}

/// Gradient before relu.
#[cube(launch)]
pub(crate) fn relu_gradient(
    gradient: &Array<f32>,
    value: &Array<f32>,
    out: &mut Array<f32>,
    units: usize,
) {
    if ABSOLUTE_POS >= units {
        terminate!();
    }
    let mut kept = 0.0f32;
    if value[ABSOLUTE_POS] > 0.0f32 {
        kept = gradient[ABSOLUTE_POS];
    }
    out[ABSOLUTE_POS] = kept;
}
