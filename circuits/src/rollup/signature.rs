//! Keys and signatures: circomlib's EdDSA-Poseidon on Baby Jubjub.

use ark_ff::BigInt;
use serde::{Deserialize, Serialize};

use super::{Fr, field};

/// A point that should be on Baby Jubjub; what it is worth is decided when it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// First coordinate.
    #[serde(with = "field::serde_hex")]
    pub x: Fr,
    /// Second coordinate.
    #[serde(with = "field::serde_hex")]
    pub y: Fr,
}

/// A signature: the point R8 and the scalar S.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// First coordinate of R8.
    #[serde(with = "field::serde_hex")]
    pub r8x: Fr,
    /// Second coordinate of R8.
    #[serde(with = "field::serde_hex")]
    pub r8y: Fr,
    /// S, not reduced by anything.
    #[serde(with = "field::serde_bigint")]
    pub s: BigInt<4>,
}
