//! Functions of single numbers, written so that the compiler turns them into vector instructions,
//! and the softmax over the edges of a target.

use pulp::{Arch, Simd, WithSimd};

/// e^x for x <= 0, about 1e-7 relative (Cephes, S. Moshier).
#[inline(always)]
pub(crate) fn exp_negative(x: f32) -> f32 {
    let x = x.max(-87.0);
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let mut p = 1.987_569_1e-4_f32;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.0e-1] {
        p = p.mul_add(r, c);
    }
    let y = (p * r).mul_add(r, r) + 1.0;
    y * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

/// The normal distribution function and e^(-x^2/2); error below 1.5e-7 (Abramowitz and Stegun
/// 7.1.26).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / 0.327_591_1_f32.mul_add(z, 1.0);
    let e = exp_negative(-z * z);
    let mut p = 1.061_405_4_f32;
    for c in [-1.453_152, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        p = p.mul_add(t, c);
    }
    let erf = 1.0 - p * t * e;
    (0.5 + 0.5 * erf.copysign(x), e)
}

struct Gelu<'a>(&'a [f32], &'a mut [f32]);

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, y) in self.0.iter().zip(self.1) {
            *y = *x * normal(*x).0;
        }
    }
}

/// GELU with the exact error function, as torch's default.
pub(crate) fn gelu(arch: Arch, x: &[f32], y: &mut [f32]) {
    arch.dispatch(Gelu(x, y));
}

struct GeluGradient<'a>(&'a [f32], &'a mut [f32]);

impl WithSimd for GeluGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, y) in self.0.iter().zip(self.1) {
            let (p, e) = normal(*x);
            *y *= (*x * e).mul_add(0.398_942_3, p);
        }
    }
}

/// Multiplies `y` by the derivative of GELU at `x`.
pub(crate) fn gelu_gradient(arch: Arch, x: &[f32], y: &mut [f32]) {
    arch.dispatch(GeluGradient(x, y));
}

struct Exp<'a>(&'a mut [f32]);

impl WithSimd for Exp<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for x in self.0 {
            *x = exp_negative(*x);
        }
    }
}

/// A relation's share of a block's edges: first edge by row, and a number an edge and head.
pub(crate) struct Part<'a> {
    /// First edge by row of the block, and the end of the last.
    pub start: &'a [u32],
    /// Block edges x heads.
    pub values: &'a mut [f32],
}

impl Part<'_> {
    #[inline(always)]
    fn row(&mut self, row: usize, heads: usize) -> &mut [f32] {
        let first = self.start[0] as usize;
        let (begin, end) = (self.start[row] as usize, self.start[row + 1] as usize);
        &mut self.values[(begin - first) * heads..(end - first) * heads]
    }
}

/// Softmax by row and head over the edges of all relations. A row without edges has none.
pub(crate) fn softmax(arch: Arch, parts: &mut [Part<'_>], rows: usize, heads: usize) {
    let mut extreme = vec![0.0; heads];
    for row in 0..rows {
        extreme.fill(f32::NEG_INFINITY);
        for part in &mut *parts {
            for edge in part.row(row, heads).chunks_exact(heads) {
                for (extreme, value) in extreme.iter_mut().zip(edge) {
                    *extreme = extreme.max(*value);
                }
            }
        }
        for part in &mut *parts {
            for edge in part.row(row, heads).chunks_exact_mut(heads) {
                for (extreme, value) in extreme.iter().zip(edge) {
                    *value -= *extreme;
                }
            }
        }
    }
    for part in &mut *parts {
        arch.dispatch(Exp(part.values));
    }
    for row in 0..rows {
        let sums = &mut extreme;
        sums.fill(0.0);
        for part in &mut *parts {
            for edge in part.row(row, heads).chunks_exact(heads) {
                for (sum, value) in sums.iter_mut().zip(edge) {
                    *sum += *value;
                }
            }
        }
        for sum in sums.iter_mut() {
            *sum = 1.0 / *sum;
        }
        for part in &mut *parts {
            for edge in part.row(row, heads).chunks_exact_mut(heads) {
                for (sum, value) in sums.iter().zip(edge) {
                    *value *= *sum;
                }
            }
        }
    }
}

/// The gradient of scores from that of attention, in place: `a (g - sum a g)` by row and head.
pub(crate) fn softmax_gradient(
    parts: &mut [Part<'_>],
    attention: &[&[f32]],
    rows: usize,
    heads: usize,
) {
    let mut sums = vec![0.0; heads];
    for row in 0..rows {
        sums.fill(0.0);
        for (part, attention) in parts.iter_mut().zip(attention) {
            let at = (part.start[row] - part.start[0]) as usize * heads;
            let attention = attention[at..].chunks_exact(heads);
            for (edge, attention) in part.row(row, heads).chunks_exact(heads).zip(attention) {
                for ((sum, value), attention) in sums.iter_mut().zip(edge).zip(attention) {
                    *sum += *attention * *value;
                }
            }
        }
        for (part, attention) in parts.iter_mut().zip(attention) {
            let at = (part.start[row] - part.start[0]) as usize * heads;
            let attention = attention[at..].chunks_exact(heads);
            for (edge, attention) in part.row(row, heads).chunks_exact_mut(heads).zip(attention) {
                for ((sum, value), attention) in sums.iter().zip(edge).zip(attention) {
                    *value = *attention * (*value - *sum);
                }
            }
        }
    }
}
