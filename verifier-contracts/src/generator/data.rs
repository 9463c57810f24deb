//! The verifying key as a contract's code: a byte that stops execution, then words of 32 bytes, big-endian.
//!
//! | words | content |
//! |---|---|
//! | 1 | digest of the shape |
//! | 1 | set-up: 1 development, 2 imported |
//! | 1 | k, the binary logarithm of the number of rows n |
//! | 1 | 1 / n |
//! | 2 | omega (of order n), and its power to the last row in use |
//! | 1 | the transcript's first scalar |
//! | 4, 4 | g2 and secret · g2: x, y, imaginary parts first |
//! | 1 each | omega to the power of each rotation, 0 first |
//! | 1 each | for each set of polynomials, the weights of the interpolation on its rotations |
//! | as many as it takes | what is opened where: `KEY_OPENINGS` in the source |
//! | 1 each | constants of the constraints |
//! | 2 each | commitments to the fixed columns, then to the permutation; (0, 0) at infinity |

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
    shape::{Shape, System},
    source,
};

/// The byte before the first word: `STOP`, so that a call to the data does nothing.
pub const VERIFYING_KEY_STOP_BYTE: u8 = 0;

/// Words before those whose number depends on the constraint system.
pub(super) const HEADER_WORDS: usize = 15;

impl System {
    /// Words of weights: each set has one a rotation.
    pub(super) fn weights(&self) -> usize {
        self.sets.iter().map(|set| set.rotations.len()).sum()
    }
}

pub(super) fn verifying_key(
    system: &System,
    shape: &Shape,
    vk: &VerifyingKey<G1Affine>,
    params: &ParamsKZG<Bn256>,
    origin: SrsOrigin,
) -> Result<Vec<u8>, GeneratorError> {
    if params.get_g().first() != Some(&G1Affine::generator()) {
        return Err(GeneratorError::Generator);
    }
    let domain = vk.get_domain();
    let rotate = |rotation: i32| {
        let base = if rotation < 0 { domain.get_omega_inv() } else { domain.get_omega() };
        base.pow_vartime([u64::from(rotation.unsigned_abs())])
    };
    let rows = Fr::from(1_u64 << domain.k());
    let source = match origin {
        SrsOrigin::Development => 1,
        SrsOrigin::Imported => 2,
    };

    let mut bytes = vec![VERIFYING_KEY_STOP_BYTE];
    bytes.extend(shape.digest);
    let header = [
        Fr::from(source),
        Fr::from(u64::from(domain.k())),
        invert(rows),
        domain.get_omega(),
        rotate(system.last_rotation()),
        vk.transcript_repr(),
    ];
    bytes.extend(header.iter().flat_map(word));
    bytes.extend(g2_words(&params.g2()));
    bytes.extend(g2_words(&params.s_g2()));

    let powers: Vec<Fr> = system.rotations.iter().map(|rotation| rotate(*rotation)).collect();
    let mut scalars = powers.clone();
    for set in &system.sets {
        let powers: Vec<Fr> =
            set.rotations.iter().filter_map(|rotation| powers.get(*rotation).copied()).collect();
        scalars.extend(powers.iter().map(|here| {
            let others = powers.iter().filter(|other| *other != here);
            invert(others.map(|other| here - other).product())
        }));
    }
    bytes.extend(scalars.iter().flat_map(word));
    bytes.extend(source::opening_list(system));
    bytes.extend(system.graph.constants().iter().flat_map(word));

    let permutation = vk.permutation().commitments();
    bytes.extend(vk.fixed_commitments().iter().chain(permutation).flat_map(point));
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
