//! The evaluations that tie a proof to the published data: each stream is the polynomial whose coefficients are its
//! words, highest first, evaluated at a point that the contract draws from everything that the proof is about.

use serde::{Deserialize, Serialize};
use tiny_keccak::{Hasher, Keccak};

use super::{
    Fr,
    field::{self, FieldError},
};

/// The scalar field of BLS12-381, of which blobs hold polynomials.
pub type DaScalar = ark_bls12_381::Fr;

/// A point of evaluation has this many bits, so that it is the same integer in both fields.
pub const POINT_BITS: usize = 128;

/// Where a batch's two streams are evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// Of the DA stream, modulo the scalar field order of BLS12-381. 0 where a committee keeps the data.
    #[serde(with = "field::serde_decimal")]
    pub z_d: u128,
    /// Of the L1 stream, modulo r.
    #[serde(with = "field::serde_decimal")]
    pub z_l: u128,
}

/// Both evaluations, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluations {
    /// Of the DA stream.
    #[serde(with = "field::serde_da_hex")]
    pub y_d: DaScalar,
    /// Of the L1 stream.
    #[serde(with = "field::serde_hex")]
    pub y_l: Fr,
}

impl Evaluations {
    /// The evaluations after more words: `y ← y·z + w` for each.
    pub fn absorb(self, points: &Points, da_words: &[Fr], l1_words: &[Fr]) -> Self {
        let (z_d, z_l) = (DaScalar::from(points.z_d), Fr::from(points.z_l));
        Self {
            y_d: da_words.iter().fold(self.y_d, |y, word| y * z_d + to_da(word)),
            y_l: l1_words.iter().fold(self.y_l, |y, word| y * z_l + word),
        }
    }
}

/// A word as an element of the blobs' field, the same integer: words are below 2^248.
pub fn to_da(word: &Fr) -> DaScalar {
    use ark_ff::PrimeField;
    DaScalar::from_bigint(word.into_bigint()).unwrap_or_default()
}

/// An element of the blobs' field as two limbs of 128 bits, the low one first.
pub fn da_limbs(value: &DaScalar) -> [Fr; 2] {
    use ark_ff::PrimeField;
    let [a, b, c, d] = value.into_bigint().0;
    [u128::from(a) | u128::from(b) << 64, u128::from(c) | u128::from(d) << 64].map(Fr::from)
}

/// An element of the blobs' field as 32 bytes, big-endian.
pub fn da_to_bytes(value: &DaScalar) -> [u8; 32] {
    use ark_ff::PrimeField;
    field::bigint_to_bytes(&value.into_bigint())
}

/// Reads 32 bytes, big-endian.
///
/// # Errors
/// When the value isn't below the order of the blobs' field.
pub fn da_from_bytes(bytes: &[u8; 32]) -> Result<DaScalar, FieldError> {
    use ark_ff::PrimeField;
    DaScalar::from_bigint(field::bigint_from_bytes(bytes))
        .ok_or_else(|| FieldError::NotReduced { actual: format!("0x{}", hex::encode(bytes)) })
}

/// A point as 32 bytes, big-endian.
pub fn point_to_bytes(point: u128) -> [u8; 32] {
    field::to_bytes(&Fr::from(point))
}

/// Reads 32 bytes, big-endian.
///
/// # Errors
/// When the value has more than [`POINT_BITS`] bits.
pub fn point_from_bytes(bytes: &[u8; 32]) -> Result<u128, FieldError> {
    let (high, low) = bytes.split_at(16);
    if high.iter().any(|byte| *byte != 0) {
        let actual = format!("0x{}", hex::encode(bytes));
        return Err(FieldError::TooLarge { bits: POINT_BITS as u32, actual });
    }
    Ok(low.iter().fold(0, |point, byte| point << 8 | u128::from(*byte)))
}

/// What the points of a batch are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct PointInputs<'a> {
    /// The rollup's domain.
    pub domain: Fr,
    /// `number (64 bits) | timestamp << 64`.
    pub batch: Fr,
    /// State before the batch.
    pub state_in: Fr,
    /// State after the batch.
    pub state_out: Fr,
    /// Commitment to both streams.
    pub commit: Fr,
    /// The L1 stream.
    pub l1_words: &'a [Fr],
    /// Versioned hashes of the batch's blobs; none where a committee keeps the data.
    pub blob_hashes: &'a [[u8; 32]],
}

/// The points as the contract computes them: `uint128(keccak256(abi.encode(tag, domain, batch, state_in, state_out,
/// commit, keccak256(L1 words), keccak256(blob hashes))))`.
pub fn points(inputs: &PointInputs<'_>) -> Points {
    let words: Vec<u8> = inputs.l1_words.iter().flat_map(field::to_bytes).collect();
    let tail = [keccak(&[&words]), keccak(&[inputs.blob_hashes.as_flattened()])];
    let elements = [inputs.domain, inputs.batch, inputs.state_in, inputs.state_out, inputs.commit];
    let elements = elements.map(|element| field::to_bytes(&element));
    let point = |tag: &str| {
        let tag = keccak(&[tag.as_bytes()]);
        let hash = keccak(&[&tag, elements.as_flattened(), tail.as_flattened()]);
        hash.iter().skip(16).fold(0_u128, |point, byte| point << 8 | u128::from(*byte))
    };
    Points { z_d: point("tenon.v1.z_d"), z_l: point("tenon.v1.z_l") }
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut keccak = Keccak::v256();
    for part in parts {
        keccak.update(part);
    }
    let mut hash = [0; 32];
    keccak.finalize(&mut hash);
    hash
}
