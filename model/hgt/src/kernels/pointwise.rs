//! Functions of single numbers, written so that the compiler turns them into vector instructions,
//! and the softmax over the edges of a target.

use pulp::{Arch, Simd, WithSimd};

/// Adding it rounds to a whole number and leaves that number in the low bits.
const ROUND: f32 = 12_582_912.0;

/// e^x for x <= 0, about 1e-7 relative (Cephes, S. Moshier).
#[inline(always)]
pub(crate) fn exp_negative(x: f32) -> f32 {
    let x = x.max(-87.0);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let mut p = 1.987_569_1e-4_f32;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.0e-1] {
        p = p.mul_add(r, c);
    }
    let y = (p * r).mul_add(r, r) + 1.0;
    y * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The error function, by Kummer's series: all terms are positive.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 * sum.abs() {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        sum * (-x * x).exp() * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn powers_are_right_to_the_last_bits_all_the_way_down() {
        for step in 0..=87_000 {
            let x = -(step as f32) / 1000.0;
            let exact = f64::from(x).exp();
            let apart = (f64::from(exp_negative(x)) - exact).abs() / exact;
            assert!(apart < 3e-7, "{x}: {apart}");
        }
        assert_eq!(exp_negative(0.0), 1.0);
        assert!(exp_negative(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn gelu_and_its_slope_are_those_of_the_definition() {
        let x: Vec<f32> = (-6_000..=6_000).map(|it| it as f32 / 1000.0).collect();
        let (mut y, mut slope) = (vec![0.0; x.len()], vec![1.0; x.len()]);
        gelu(Arch::new(), &x, &mut y);
        gelu_gradient(Arch::new(), &x, &mut slope);
        for ((x, y), slope) in x.iter().zip(&y).zip(&slope) {
            let exact = f64::from(*x);
            let p = 0.5 * (1.0 + erf(exact / std::f64::consts::SQRT_2));
            let density = (-exact * exact / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            assert!((f64::from(*y) - exact * p).abs() < 2e-6, "gelu of {x}");
            assert!((f64::from(*slope) - p - exact * density).abs() < 2e-6, "its slope at {x}");
        }
    }
}
