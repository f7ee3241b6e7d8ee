//! Products of tall matrices and small weights, in registers.
//!
//! The weights of a layer fit the first-level cache, so nothing is packed: a tile of the result
//! stays in registers while the depth runs. Safe code all through; slices are cut so that the
//! compiler can drop bounds checks inside the depth loop.

use pulp::{Arch, Simd, WithSimd};

/// Row-major with rows `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    /// Numbers from the first one on.
    pub values: &'a [f32],
    /// Distance of rows.
    pub stride: usize,
}

/// Row-major, written to.
pub(crate) struct MatrixMut<'a> {
    /// Numbers from the first one on.
    pub values: &'a mut [f32],
    /// Distance of rows.
    pub stride: usize,
}

/// What is there before the product is added.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// A bias in every row.
    Bias(&'a [f32]),
    /// What the result holds.
    Add,
}

/// Rows, depth and columns of a product.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Rows of the result.
    pub rows: usize,
    /// What is summed over.
    pub depth: usize,
    /// Columns of the result.
    pub columns: usize,
}

/// `c = start + a b` with a: rows x depth, b: depth x columns.
pub(crate) fn product(
    arch: Arch,
    shape: Shape,
    a: Matrix<'_>,
    b: Matrix<'_>,
    start: Start<'_>,
    c: MatrixMut<'_>,
) {
    arch.dispatch(Product::<false> { shape, a, b, start, c });
}

/// `c += a' b` with a: depth x rows, b: depth x columns: the gradient of a weight.
pub(crate) fn gradient(arch: Arch, shape: Shape, a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) {
    arch.dispatch(Product::<true> { shape, a, b, start: Start::Add, c });
}

struct Product<'a, const TRANSPOSED: bool> {
    shape: Shape,
    a: Matrix<'a>,
    b: Matrix<'a>,
    start: Start<'a>,
    c: MatrixMut<'a>,
}

impl<const TRANSPOSED: bool> WithSimd for Product<'_, TRANSPOSED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = S::F32_LANES;
        let mut column = 0;
        let wide = if lanes == 16 { 4 } else { 2 };
        while column + wide * lanes <= self.shape.columns {
            if lanes == 16 {
                self.panel::<S, 4>(simd, column);
            } else {
                self.panel::<S, 2>(simd, column);
            }
            column += wide * lanes;
        }
        while column + lanes <= self.shape.columns {
            self.panel::<S, 1>(simd, column);
            column += lanes;
        }
        if column < self.shape.columns {
            self.tail(column);
        }
    }
}

impl<const TRANSPOSED: bool> Product<'_, TRANSPOSED> {
    /// All rows of `V` vectors of columns.
    #[inline(always)]
    fn panel<S: Simd, const V: usize>(&mut self, simd: S, column: usize) {
        let mut row = 0;
        if V == 1 {
            while row + 12 <= self.shape.rows {
                self.tile::<S, 12, V>(simd, row, column);
                row += 12;
            }
        }
        while row + 6 <= self.shape.rows {
            self.tile::<S, 6, V>(simd, row, column);
            row += 6;
        }
        while row + 2 <= self.shape.rows {
            self.tile::<S, 2, V>(simd, row, column);
            row += 2;
        }
        if row < self.shape.rows {
            self.tile::<S, 1, V>(simd, row, column);
        }
    }

    /// `M` rows of `V` vectors.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) {
        let width = V * S::F32_LANES;
        let depth = self.shape.depth;
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        for (m, sums) in sums.iter_mut().enumerate() {
            let from = match self.start {
                Start::Zero => continue,
                Start::Bias(bias) => &bias[column..][..width],
                Start::Add => &self.c.values[(row + m) * self.c.stride + column..][..width],
            };
            let (vectors, _) = S::as_simd_f32s(from);
            sums.copy_from_slice(&vectors[..V]);
        }
        let b = self.b.values;
        if TRANSPOSED {
            let a = self.a.values;
            for at in 0..depth {
                let (b, _) = S::as_simd_f32s(&b[at * self.b.stride + column..][..width]);
                let a = &a[at * self.a.stride + row..][..M];
                for m in 0..M {
                    let a = simd.splat_f32s(a[m]);
                    for v in 0..V {
                        sums[m][v] = simd.mul_add_f32s(a, b[v], sums[m][v]);
                    }
                }
            }
        } else {
            let mut a: [&[f32]; M] = [&[]; M];
            for (m, a) in a.iter_mut().enumerate() {
                *a = &self.a.values[(row + m) * self.a.stride..][..depth];
            }
            for at in 0..depth {
                let (b, _) = S::as_simd_f32s(&b[at * self.b.stride + column..][..width]);
                for m in 0..M {
                    let a = simd.splat_f32s(a[m][at]);
                    for v in 0..V {
                        sums[m][v] = simd.mul_add_f32s(a, b[v], sums[m][v]);
                    }
                }
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            let to = &mut self.c.values[(row + m) * self.c.stride + column..][..width];
            let (vectors, _) = S::as_mut_simd_f32s(to);
            vectors[..V].copy_from_slice(sums);
        }
    }

    /// Columns that do not fill a vector.
    #[inline(always)]
    fn tail(&mut self, column: usize) {
        for row in 0..self.shape.rows {
            for column in column..self.shape.columns {
                let mut sum = match self.start {
                    Start::Zero => 0.0,
                    Start::Bias(bias) => bias[column],
                    Start::Add => self.c.values[row * self.c.stride + column],
                };
                for at in 0..self.shape.depth {
                    let a = if TRANSPOSED {
                        self.a.values[at * self.a.stride + row]
                    } else {
                        self.a.values[row * self.a.stride + at]
                    };
                    sum += a * self.b.values[at * self.b.stride + column];
                }
                self.c.values[row * self.c.stride + column] = sum;
            }
        }
    }
}

/// `sums += ` the sum of rows: the gradient of a bias.
pub(crate) fn add_rows(rows: &[f32], sums: &mut [f32]) {
    for row in rows.chunks_exact(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += *value;
        }
    }
}
