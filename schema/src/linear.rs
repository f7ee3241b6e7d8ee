//! The one piece of linear algebra that sizing and the pricer's weights both need, small enough not
//! to need a library.

/// Solves `a x = b` for a symmetric positive definite `a` (row-major, `n` by `n`) by Cholesky's
/// method. Both are overwritten, `b` with the solution. False when `a` is not positive definite.
///
/// ```
/// # use tideline_schema as schema;
/// let (mut a, mut b) = ([4.0, 2.0, 2.0, 3.0], [8.0, 8.0]);
/// assert!(schema::linear::solve(&mut a, &mut b));
/// assert!((b[0] - 1.0).abs() < 1e-12 && (b[1] - 2.0).abs() < 1e-12);
/// ```
///
/// # Panics
/// In debug builds, when `a` is not square over `b`.
pub fn solve(a: &mut [f64], b: &mut [f64]) -> bool {
    let n = b.len();
    debug_assert_eq!(a.len(), n * n);
    for j in 0..n {
        for k in 0..j {
            a[j * n + j] -= a[j * n + k] * a[j * n + k];
        }
        if a[j * n + j] <= 0.0 || a[j * n + j].is_nan() {
            return false;
        }
        a[j * n + j] = a[j * n + j].sqrt();
        for i in j + 1..n {
            for k in 0..j {
                a[i * n + j] -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] /= a[j * n + j];
        }
    }
    for i in 0..n {
        for k in 0..i {
            b[i] -= a[i * n + k] * b[k];
        }
        b[i] /= a[i * n + i];
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            b[i] -= a[k * n + i] * b[k];
        }
        b[i] /= a[i * n + i];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// a = m m' + I is positive definite; its solution put back gives b.
        #[test]
        fn the_solution_solves(
            m in proptest::collection::vec(-2.0_f64..2.0, 16), b in proptest::collection::vec(-3.0_f64..3.0, 4),
        ) {
            let mut a = vec![0.0; 16];
            for i in 0..4 {
                for j in 0..4 {
                    a[i * 4 + j] = (0..4).map(|k| m[i * 4 + k] * m[j * 4 + k]).sum::<f64>()
                        + f64::from(u8::from(i == j));
                }
            }
            let (mut work, mut x) = (a.clone(), b.clone());
            prop_assert!(solve(&mut work, &mut x));
            for i in 0..4 {
                let back: f64 = (0..4).map(|j| a[i * 4 + j] * x[j]).sum();
                prop_assert!((back - b[i]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_singular_system_is_refused() {
        assert!(!solve(&mut [1.0, 1.0, 1.0, 1.0], &mut [1.0, 2.0]));
        assert!(!solve(&mut [f64::NAN], &mut [1.0]));
    }
}
