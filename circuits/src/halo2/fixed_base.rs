//! Many multiples of one point, by tables of all multiples of its doublings and batched affine additions.

use halo2_proofs::{
    arithmetic::Field,
    halo2curves::{
        bn256::{Fq, Fr, G1, G1Affine},
        ff::PrimeField,
        group::{Curve, Group, prime::PrimeCurveAffine},
    },
};
use rayon::prelude::*;

const WINDOW_BITS: usize = 16;
const WINDOWS: usize = 256 / WINDOW_BITS;
/// Additions that share one inversion.
const BATCH: usize = 1024;

/// For every window `w`, the points `d · 2^(16·w) · base` for all 16-bit digits `d`; 64 MiB.
pub(super) struct FixedBaseTable {
    windows: Vec<Vec<G1Affine>>,
}

impl FixedBaseTable {
    pub(super) fn new(base: G1Affine) -> Self {
        let mut bases = Vec::with_capacity(WINDOWS);
        let mut current = G1::from(base);
        for _ in 0..WINDOWS {
            bases.push(current);
            for _ in 0..WINDOW_BITS {
                current = current.double();
            }
        }
        let windows = bases
            .into_par_iter()
            .map(|base| {
                let mut current = G1::identity();
                let multiples = (0..1 << WINDOW_BITS)
                    .map(|_| {
                        let multiple = current;
                        current += base;
                        multiple
                    })
                    .collect::<Vec<_>>();
                let mut window = vec![G1Affine::identity(); multiples.len()];
                G1::batch_normalize(&multiples, &mut window);
                window
            })
            .collect();
        Self { windows }
    }

    /// `scalar · base` for every scalar.
    pub(super) fn multiply(&self, scalars: &[Fr]) -> Vec<G1Affine> {
        let mut points = vec![G1Affine::identity(); scalars.len()];
        points.par_chunks_mut(BATCH).zip(scalars.par_chunks(BATCH)).for_each(|(points, scalars)| {
            let digits = scalars.iter().map(Fr::to_repr).collect::<Vec<_>>();
            let mut adder = BatchAdder::default();
            for (position, window) in self.windows.iter().enumerate() {
                adder.add(
                    points,
                    digits.iter().map(|repr| {
                        let digit = u16::from_le_bytes([
                            repr.as_ref()[2 * position],
                            repr.as_ref()[2 * position + 1],
                        ]);
                        window[usize::from(digit)]
                    }),
                );
            }
        });
        points
    }
}

/// Affine additions `p_i += q_i` with one inversion for all.
#[derive(Default)]
struct BatchAdder {
    pending: Vec<(usize, G1Affine, Fq)>,
}

impl BatchAdder {
    fn add(&mut self, points: &mut [G1Affine], others: impl Iterator<Item = G1Affine>) {
        self.pending.clear();
        let mut product = Fq::ONE;
        for (i, (point, other)) in points.iter_mut().zip(others).enumerate() {
            if bool::from(other.is_identity()) {
                continue;
            }
            if bool::from(point.is_identity()) {
                *point = other;
            } else if point.x == other.x {
                *point = (G1::from(*point) + other).to_affine();
            } else {
                self.pending.push((i, other, product));
                product *= other.x - point.x;
            }
        }
        // The product is of non-zero factors, so it has an inverse.
        let mut inverse = Option::<Fq>::from(product.invert()).unwrap_or(Fq::ONE);
        for (i, other, before) in self.pending.drain(..).rev() {
            let point = &mut points[i];
            let difference = other.x - point.x;
            let slope = (other.y - point.y) * inverse * before;
            inverse *= difference;
            let x = slope.square() - point.x - other.x;
            let y = slope * (point.x - x) - point.y;
            *point = G1Affine { x, y };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples_equal_the_librarys() {
        let base = G1Affine::generator();
        let mut scalars = vec![Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(1 << 16), Fr::from(u64::MAX)];
        scalars.extend((0..3 * BATCH as u64).map(|i| Fr::from(i + 3).invert().unwrap().square()));
        let points = FixedBaseTable::new(base).multiply(&scalars);
        for (scalar, point) in scalars.iter().zip(points) {
            assert_eq!((base * scalar).to_affine(), point);
        }
    }
}
