//! The verifying key as a contract's code: a byte that stops execution, then words of 32 bytes, big-endian.
//!
//! | words | content |
//! |---|---|
//! | 1 | digest of the shape |
//! | 1 | set-up: 1 development, 2 imported |
//! | 1 | k, the binary logarithm of the number of rows n |
//! | 1 | 1 / n |
//! | 3 | omega (of order n), 1 / omega, omega^-7 |
//! | 1 | the transcript's first scalar |
//! | 4, 3, 2, 2 | weights of the interpolation on the rotations (0, 1, 2, 3), (0, 1, -7), (0, 1), (0, -1) |
//! | 4, 4 | g2 and secret · g2: x, y, imaginary parts first |
//! | 2 each | commitments to constants, table and selectors, then to the permutation; (0, 0) at infinity |

use halo2_proofs::{
    arithmetic::Field,
    halo2curves::{
        CurveAffine,
        bn256::{Bn256, Fq, Fr, G1Affine, G2Affine},
        ff::PrimeField,
    },
    plonk::VerifyingKey,
    poly::{commitment::ParamsProver, kzg::commitment::ParamsKZG},
};

use super::{
    GeneratorError, SrsOrigin,
    shape::{LAST_ROTATION, Shape},
};

/// The byte before the first word: `STOP`, so that a call to the data does nothing.
pub const VERIFYING_KEY_STOP_BYTE: u8 = 0;

/// Words before the commitments.
pub(super) const HEADER_WORDS: usize = 27;

/// The sets of rotations at which polynomials are opened, those with one rotation left out.
const ROTATION_SETS: [&[i32]; 4] = [&[0, 1, 2, 3], &[0, 1, LAST_ROTATION], &[0, 1], &[0, -1]];

pub(super) fn verifying_key(
    shape: &Shape,
    vk: &VerifyingKey<G1Affine>,
    params: &ParamsKZG<Bn256>,
    origin: SrsOrigin,
) -> Result<Vec<u8>, GeneratorError> {
    if params.get_g().first() != Some(&G1Affine::generator()) {
        return Err(GeneratorError::Generator);
    }
    let domain = vk.get_domain();
    let omega = domain.get_omega();
    let omega_inverse = domain.get_omega_inv();
    let rotate = |rotation: i32| {
        let base = if rotation < 0 { omega_inverse } else { omega };
        base.pow_vartime([u64::from(rotation.unsigned_abs())])
    };
    let rows = Fr::from(1_u64 << domain.k());
    let source = match origin {
        SrsOrigin::Development => 1,
        SrsOrigin::Imported => 2,
    };

    let mut bytes = vec![VERIFYING_KEY_STOP_BYTE];
    bytes.extend(shape.digest());
    let mut scalars = vec![
        Fr::from(source),
        Fr::from(u64::from(domain.k())),
        invert(rows),
        omega,
        omega_inverse,
        rotate(LAST_ROTATION),
        vk.transcript_repr(),
    ];
    for rotations in ROTATION_SETS {
        scalars.extend(rotations.iter().map(|&here| {
            let others = rotations.iter().filter(|&&other| other != here);
            invert(others.map(|&other| rotate(here) - rotate(other)).product())
        }));
    }
    bytes.extend(scalars.iter().flat_map(word));
    bytes.extend(g2_words(&params.g2()));
    bytes.extend(g2_words(&params.s_g2()));

    let fixed = shape.fixed_order().filter_map(|column| vk.fixed_commitments().get(column));
    let permutation = vk.permutation().commitments();
    bytes.extend(fixed.chain(permutation).flat_map(point));
    Ok(bytes)
}

/// The inverse of a value that is a difference of distinct roots of unity or a power of two, so never 0.
fn invert(value: Fr) -> Fr {
    Option::from(value.invert()).unwrap_or(Fr::ZERO)
}

fn word<F: PrimeField<Repr = [u8; 32]>>(value: &F) -> [u8; 32] {
    let mut bytes = value.to_repr();
    bytes.reverse();
    bytes
}

fn point(point: &G1Affine) -> Vec<u8> {
    let coordinates = Option::from(point.coordinates());
    let (x, y) = coordinates
        .map_or((Fq::zero(), Fq::zero()), |c: halo2_proofs::halo2curves::Coordinates<_>| (*c.x(), *c.y()));
    [x, y].iter().flat_map(word).collect()
}

fn g2_words(point: &G2Affine) -> Vec<u8> {
    [point.x.c1, point.x.c0, point.y.c1, point.y.c0].iter().flat_map(word).collect()
}
