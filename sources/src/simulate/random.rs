//! Seeded randomness. A generator of its own, so that the sample stays the same for ever, whatever
//! libraries do.

/// xoshiro256** of Blackman and Vigna (2018), seeded by splitmix64 of Steele et al. (2014).
#[derive(Clone, Debug)]
pub(super) struct Random([u64; 4]);

impl Random {
    /// A stream of its own for each list of keys.
    pub fn of(keys: &[u64]) -> Self {
        let mut state = 0_u64;
        let mut next = |key: u64| {
            state = (state ^ key).wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            state = z ^ (z >> 31);
            state
        };
        for key in keys {
            next(*key);
        }
        Self([next(1), next(2), next(3), next(4)])
    }

    fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in a range.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True this often.
    pub fn chance(&mut self, rate: f64) -> bool {
        self.unit() < rate
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Normal with mean 0 and variance 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// Poisson with a small mean (Knuth 1969), at most 60.
    pub fn poisson(&mut self, mean: f64) -> u8 {
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit && count < 60 {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |keys: &[u64]| Random::of(keys).bits();
        assert_eq!(draw(&[1, 2]), draw(&[1, 2]));
        assert_ne!(draw(&[1, 2]), draw(&[2, 1]));
        assert_ne!(draw(&[1]), draw(&[1, 0]));
    }

    #[test]
    fn draws_have_the_moments_they_should() {
        let mut random = Random::of(&[42]);
        let n = 20_000;
        let mean = |draws: &[f64]| draws.iter().sum::<f64>() / draws.len() as f64;
        let normal: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        assert!(mean(&normal).abs() < 0.03);
        let squares: Vec<f64> = normal.iter().map(|x| x * x).collect();
        assert!((mean(&squares) - 1.0).abs() < 0.05);
        let counts: Vec<f64> = (0..n).map(|_| f64::from(random.poisson(1.4))).collect();
        assert!((mean(&counts) - 1.4).abs() < 0.04);
    }
}
