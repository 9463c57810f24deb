//! Keys and signatures: circomlib's EdDSA-Poseidon on Baby Jubjub, bit for bit.
//!
//! A signature `(R8, S)` of message `M` by key `A` is valid when `S B8 = R8 + 8 h A` with
//! `h = H_5(R8x, R8y, Ax, Ay, M)`.

use std::fmt;

use ark_ff::{AdditiveGroup, BigInt, PrimeField};
use num_bigint::BigUint;
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Fr,
    babyjubjub::{BASE, Point, Projective, SUBGROUP_ORDER},
    blake512, field, poseidon,
};

/// A point that should be on Baby Jubjub; whether it is matters only when it signs.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// `S` isn't below the subgroup's order.
    #[error("S isn't below the subgroup's order")]
    ScalarTooLarge,
    /// The key is no point of the curve.
    #[error("the key isn't on the curve")]
    KeyOffCurve,
    /// The key's order divides the cofactor.
    #[error("the key has a small order")]
    KeySmallOrder,
    /// `R8` is no point of the curve.
    #[error("R8 isn't on the curve")]
    PointOffCurve,
    /// `R8` is one of the two points with x = 0.
    #[error("R8 has x = 0")]
    PointZero,
    /// The equation doesn't hold: another key, message or signature.
    #[error("the signature doesn't match the key and the message")]
    Mismatch,
}

/// `H_5(R8x, R8y, Ax, Ay, M)`.
pub fn challenge(key: &PublicKey, signature: &Signature, message: Fr) -> Fr {
    poseidon::hash_5([signature.r8x, signature.r8y, key.x, key.y, message])
}

impl PublicKey {
    /// The key as a point.
    pub fn point(&self) -> Point {
        Point { x: self.x, y: self.y }
    }

    /// Checks a signature of `message`. The key may have a component outside the subgroup.
    ///
    /// # Errors
    /// The first reason for which the signature isn't valid.
    pub fn verify(&self, message: Fr, signature: &Signature) -> Result<(), SignatureError> {
        if signature.s >= SUBGROUP_ORDER {
            return Err(SignatureError::ScalarTooLarge);
        }
        let key = self.point();
        if !key.is_on_curve() {
            return Err(SignatureError::KeyOffCurve);
        }
        let key_8 = key.times_cofactor();
        if key_8.is_identity() {
            return Err(SignatureError::KeySmallOrder);
        }
        let r8 = Point { x: signature.r8x, y: signature.r8y };
        if !r8.is_on_curve() {
            return Err(SignatureError::PointOffCurve);
        }
        if r8.x == Fr::ZERO {
            return Err(SignatureError::PointZero);
        }
        let h = challenge(self, signature, message).into_bigint();
        let right = key_8.multiply(&h).add(&Projective::from(r8));
        if BASE.multiply(&signature.s) == right { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

/// A signing key: a seed of 32 bytes, from which circomlib's derivation makes everything else.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    seed: [u8; 32],
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl PrivateKey {
    /// The key of a seed; any 32 bytes are a seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed }
    }

    /// A key of a random seed.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self { seed }
    }

    /// The secret itself, for storing it.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The secret scalar, a multiple of 8, and the prefix that nonces are made with.
    fn expand(&self) -> (BigUint, [u8; 32]) {
        let digest = blake512::hash(&self.seed);
        let (mut scalar, mut prefix) = ([0; 32], [0; 32]);
        scalar.copy_from_slice(&digest[..32]);
        prefix.copy_from_slice(&digest[32..]);
        scalar[0] &= 0xf8;
        scalar[31] = (scalar[31] & 0x7f) | 0x40;
        (BigUint::from_bytes_le(&scalar), prefix)
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        let (scalar, _) = self.expand();
        let Point { x, y } = multiply_base(&(scalar >> 3u32));
        PublicKey { x, y }
    }

    /// Signs a message. The same key and message give the same signature.
    pub fn sign(&self, message: Fr) -> Signature {
        let (scalar, prefix) = self.expand();
        let order = BigUint::from(SUBGROUP_ORDER);
        let mut nonce_input = prefix.to_vec();
        nonce_input.extend(field::to_bytes(&message).iter().rev());
        let nonce = BigUint::from_bytes_le(&blake512::hash(&nonce_input)) % &order;
        let r8 = multiply_base(&nonce);
        let unfinished = Signature { r8x: r8.x, r8y: r8.y, s: BigInt::default() };
        let h: BigUint = challenge(&self.public_key(), &unfinished, message).into_bigint().into();
        Signature { s: to_bigint((nonce + h * scalar) % order), ..unfinished }
    }
}

fn multiply_base(scalar: &BigUint) -> Point {
    BASE.multiply(&to_bigint(scalar.clone())).to_affine()
}

/// The callers' values are below 2^255.
fn to_bigint(value: BigUint) -> BigInt<4> {
    BigInt::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ark_ff::{BigInteger, Field};
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::rollup::babyjubjub::A;

    fn signed() -> (PrivateKey, PublicKey, Fr, Signature) {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(7));
        let message = Fr::from(1234u64);
        let signature = key.sign(message);
        (key.clone(), key.public_key(), message, signature)
    }

    #[test]
    fn signs_and_verifies() {
        let (key, public, message, signature) = signed();
        assert_eq!(public.verify(message, &signature), Ok(()));
        assert_eq!(key.sign(message), signature);
        assert_eq!(public.verify(message + Fr::ONE, &signature), Err(SignatureError::Mismatch));
        let other = PrivateKey::from_seed([3; 32]).public_key();
        assert_eq!(other.verify(message, &signature), Err(SignatureError::Mismatch));
    }

    #[test]
    fn refuses_a_scalar_of_the_order_or_more() {
        let (_, public, message, mut signature) = signed();
        signature.s.add_with_carry(&SUBGROUP_ORDER);
        assert_eq!(public.verify(message, &signature), Err(SignatureError::ScalarTooLarge));
        signature.s = SUBGROUP_ORDER;
        assert_eq!(public.verify(message, &signature), Err(SignatureError::ScalarTooLarge));
    }

    #[test]
    fn refuses_points_off_the_curve() {
        let (_, public, message, signature) = signed();
        let off = PublicKey { x: public.x + Fr::ONE, ..public };
        assert_eq!(off.verify(message, &signature), Err(SignatureError::KeyOffCurve));
        let off = Signature { r8y: signature.r8y + Fr::ONE, ..signature };
        assert_eq!(public.verify(message, &off), Err(SignatureError::PointOffCurve));
    }

    #[test]
    fn refuses_r8_with_x_0() {
        // With S = 0 and R8 the identity, a key of small order would verify.
        let (_, public, message, signature) = signed();
        for y in [Fr::ONE, -Fr::ONE] {
            let zero = Signature { r8x: Fr::ZERO, r8y: y, ..signature };
            assert_eq!(public.verify(message, &zero), Err(SignatureError::PointZero));
        }
    }

    #[test]
    fn refuses_keys_of_small_order() {
        // Without the check, R8 = S B8 verifies any message under such a key.
        let s = BigInt::from(77u64);
        let r8 = BASE.multiply(&s).to_affine();
        let signature = Signature { r8x: r8.x, r8y: r8.y, s };
        let order_4 = A.inverse().unwrap().sqrt().unwrap();
        for (x, y) in [(Fr::ZERO, Fr::ONE), (Fr::ZERO, -Fr::ONE), (order_4, Fr::ZERO), (-order_4, Fr::ZERO)] {
            let key = PublicKey { x, y };
            assert_eq!(key.verify(Fr::ONE, &signature), Err(SignatureError::KeySmallOrder));
        }
    }

    #[test]
    fn accepts_keys_with_a_cofactor_component() {
        let (key, _, message, _) = signed();
        let (scalar, _) = key.expand();
        let torsion = Point { x: A.inverse().unwrap().sqrt().unwrap(), y: Fr::ZERO };
        let shifted = multiply_base(&(&scalar >> 3u32)).add(&torsion);
        assert!(!shifted.is_in_subgroup());
        let public = PublicKey { x: shifted.x, y: shifted.y };
        for i in 1..20u64 {
            let nonce = BigUint::from(i);
            let r8 = multiply_base(&nonce);
            let unfinished = Signature { r8x: r8.x, r8y: r8.y, s: BigInt::default() };
            let h: BigUint = challenge(&public, &unfinished, message).into_bigint().into();
            let s = to_bigint((nonce + h * &scalar) % BigUint::from(SUBGROUP_ORDER));
            assert_eq!(public.verify(message, &Signature { s, ..unfinished }), Ok(()));
        }
    }

    #[test]
    fn debug_hides_the_seed() {
        let key = PrivateKey::from_seed([0x5a; 32]);
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
    }
}
