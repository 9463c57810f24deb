//! The scalar field of BN254 and its encodings outside circuits: 32-byte big-endian hex, and decimal.
//!
//! Every decoder refuses values that aren't reduced, so that a value has one encoding.

pub use ark_bn254::Fr;
use ark_ff::{BigInt, Field, PrimeField};
use num_bigint::BigUint;
use thiserror::Error;

/// A value that isn't the encoding of a field element or integer; the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// Hex without its prefix.
    #[error("expected hex starting with 0x, got {actual:?}")]
    HexPrefix {
        /// What was given.
        actual: String,
    },
    /// Hex of the wrong length.
    #[error("expected {expected} hex digits after 0x, got {actual}")]
    HexLength {
        /// Digits wanted.
        expected: usize,
        /// Digits given.
        actual: usize,
    },
    /// A character that is no hex digit.
    #[error("expected hex digits, got {actual:?}")]
    HexDigit {
        /// What was given.
        actual: String,
    },
    /// Something else than decimal digits, or leading zeros.
    #[error("expected a decimal integer without leading zeros, got {actual:?}")]
    Decimal {
        /// What was given.
        actual: String,
    },
    /// A field element at or above its field's order.
    #[error("expected a value below the field's order r, got {actual}")]
    NotReduced {
        /// The value, in hex.
        actual: String,
    },
    /// An integer with too many bits.
    #[error("expected an integer below 2^{bits}, got {actual}")]
    TooLarge {
        /// Bits allowed.
        bits: u32,
        /// What was given.
        actual: String,
    },
}

/// What error messages show of a string that may be long.
fn excerpt(text: &str) -> String {
    const LIMIT: usize = 100;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// 32 bytes, big-endian.
pub fn to_bytes(value: &Fr) -> [u8; 32] {
    bigint_to_bytes(&value.into_bigint())
}

/// A 256-bit integer as 32 bytes, big-endian.
pub fn bigint_to_bytes(value: &BigInt<4>) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(value.0.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

/// A 256-bit integer from 32 bytes, big-endian.
pub fn bigint_from_bytes(bytes: &[u8; 32]) -> BigInt<4> {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(bytes.chunks_exact(8)) {
        *limb = chunk.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
    }
    BigInt::new(limbs)
}

/// Reads 32 bytes, big-endian.
///
/// # Errors
/// When the value isn't below the field's order.
pub fn from_bytes(bytes: &[u8; 32]) -> Result<Fr, FieldError> {
    Fr::from_bigint(bigint_from_bytes(bytes))
        .ok_or_else(|| FieldError::NotReduced { actual: format!("0x{}", hex::encode(bytes)) })
}

/// `0x` and 64 lower-case hex digits.
pub fn to_hex(value: &Fr) -> String {
    format!("0x{}", hex::encode(to_bytes(value)))
}

/// Reads `0x` and 64 hex digits.
///
/// # Errors
/// When the text is anything else, or the value isn't below the field's order.
pub fn from_hex(text: &str) -> Result<Fr, FieldError> {
    from_bytes(&bytes_from_hex::<32>(text)?)
}

/// Reads `0x` and exactly `2 N` hex digits.
///
/// # Errors
/// When the text is anything else.
pub fn bytes_from_hex<const N: usize>(text: &str) -> Result<[u8; N], FieldError> {
    let digits = text.strip_prefix("0x").ok_or_else(|| FieldError::HexPrefix { actual: excerpt(text) })?;
    if digits.len() != 2 * N {
        return Err(FieldError::HexLength { expected: 2 * N, actual: digits.chars().count() });
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| FieldError::HexDigit { actual: excerpt(text) })?;
    Ok(bytes)
}

/// Decimal digits.
pub fn to_decimal(value: &Fr) -> String {
    bigint_to_decimal(&value.into_bigint())
}

/// Reads decimal digits.
///
/// # Errors
/// When the text isn't a decimal integer without leading zeros, or the value isn't below the field's order.
pub fn from_decimal(text: &str) -> Result<Fr, FieldError> {
    let value = bigint_from_decimal(text)?;
    Fr::from_bigint(value).ok_or_else(|| FieldError::NotReduced {
        actual: format!("0x{}", hex::encode(bigint_to_bytes(&value))),
    })
}

/// A 256-bit integer in decimal digits.
pub fn bigint_to_decimal(value: &BigInt<4>) -> String {
    BigUint::from(*value).to_string()
}

/// Reads a 256-bit integer, not reduced by anything, from decimal digits.
///
/// # Errors
/// When the text isn't a decimal integer without leading zeros, or has more than 256 bits.
pub fn bigint_from_decimal(text: &str) -> Result<BigInt<4>, FieldError> {
    check_decimal(text)?;
    let too_large = || FieldError::TooLarge { bits: 256, actual: excerpt(text) };
    if text.len() > 78 {
        return Err(too_large());
    }
    let value: BigUint = text.parse().map_err(|_| FieldError::Decimal { actual: excerpt(text) })?;
    BigInt::try_from(value).map_err(|()| too_large())
}

/// Reads an unsigned integer of at most `bits` (up to 128) bits from decimal digits.
///
/// # Errors
/// When the text isn't a decimal integer without leading zeros, or is too large.
pub fn integer_from_decimal(text: &str, bits: u32) -> Result<u128, FieldError> {
    check_decimal(text)?;
    let too_large = || FieldError::TooLarge { bits, actual: excerpt(text) };
    let value: u128 = text.parse().map_err(|_| too_large())?;
    if bits < 128 && value >> bits != 0 { Err(too_large()) } else { Ok(value) }
}

fn check_decimal(text: &str) -> Result<(), FieldError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (text.len() == 1 || !text.starts_with('0')) {
        Ok(())
    } else {
        Err(FieldError::Decimal { actual: excerpt(text) })
    }
}

/// `2^exponent` in the field.
pub fn power_of_two(exponent: u64) -> Fr {
    Fr::from(2u64).pow([exponent])
}

/// Serde of a field element as 32-byte big-endian hex: `#[serde(with = "field::serde_hex")]`.
pub mod serde_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Fr;

    /// Writes the hex string.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &Fr, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::to_hex(value))
    }

    /// Reads the hex string.
    ///
    /// # Errors
    /// When the string isn't a field element's encoding.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fr, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        super::from_hex(&text).map_err(D::Error::custom)
    }
}

/// Serde of an element of the blobs' field as 32-byte big-endian hex.
pub mod serde_da_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::rollup::evaluation::{DaScalar, da_from_bytes, da_to_bytes};

    /// Writes the hex string.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &DaScalar, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("0x{}", hex::encode(da_to_bytes(value))))
    }

    /// Reads the hex string.
    ///
    /// # Errors
    /// When the string isn't a field element's encoding.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DaScalar, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = super::bytes_from_hex::<32>(&text).map_err(D::Error::custom)?;
        da_from_bytes(&bytes).map_err(D::Error::custom)
    }
}

/// Serde of the siblings of a tree path, each as 32-byte big-endian hex.
pub mod serde_path {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::Fr;
    use crate::rollup::{ARITY, DEPTH};

    #[derive(Serialize, Deserialize)]
    struct Element(#[serde(with = "super::serde_hex")] Fr);

    /// Writes the levels, the lowest first, each an array of hex strings.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(
        path: &[[Fr; ARITY - 1]; DEPTH],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.map(|level| level.map(Element)).serialize(serializer)
    }

    /// Reads what [`serialize`] writes.
    ///
    /// # Errors
    /// When the shape or an element is wrong.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[[Fr; ARITY - 1]; DEPTH], D::Error> {
        let levels = <[[Element; ARITY - 1]; DEPTH]>::deserialize(deserializer).map_err(D::Error::custom)?;
        Ok(levels.map(|level| level.map(|element| element.0)))
    }
}

/// Serde of an integer wider than 32 bits as a decimal string; a plain number is accepted too.
pub mod serde_decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the decimal string.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<T: ToString, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<'a> {
        Number(u64),
        #[serde(borrow)]
        Text(std::borrow::Cow<'a, str>),
    }

    /// Reads a decimal string or a number.
    ///
    /// # Errors
    /// When the value is no decimal integer or doesn't fit the type.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: TryFrom<u128>,
        D: Deserializer<'de>,
    {
        let value = match Either::deserialize(deserializer) {
            Ok(Either::Number(value)) => u128::from(value),
            Ok(Either::Text(text)) => super::integer_from_decimal(&text, 128).map_err(D::Error::custom)?,
            Err(_) => return Err(D::Error::custom("expected an unsigned integer as a decimal string")),
        };
        let bits = 8 * size_of::<T>();
        T::try_from(value)
            .map_err(|_| D::Error::custom(format!("expected an integer below 2^{bits}, got {value}")))
    }
}

/// Serde of a 256-bit integer as a decimal string.
pub mod serde_bigint {
    use ark_ff::BigInt;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the decimal string.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &BigInt<4>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::bigint_to_decimal(value))
    }

    /// Reads the decimal string.
    ///
    /// # Errors
    /// When the string is no decimal integer below 2^256.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BigInt<4>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        super::bigint_from_decimal(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODULUS: &str = "21888242871839275222246405745257275088548364400416034343698204186575808495617";

    #[test]
    fn refuses_the_modulus() {
        assert_eq!(from_decimal(MODULUS).ok(), None);
        let modulus = bigint_from_decimal(MODULUS).unwrap();
        assert!(matches!(from_bytes(&bigint_to_bytes(&modulus)), Err(FieldError::NotReduced { .. })));
        let largest = -Fr::from(1u64);
        assert_eq!(from_decimal(&to_decimal(&largest)), Ok(largest));
        assert!(matches!(from_hex(&format!("0x{}", "f".repeat(64))), Err(FieldError::NotReduced { .. })));
    }

    #[test]
    fn refuses_other_encodings() {
        let hex = to_hex(&Fr::from(10u64));
        assert!(hex.ends_with("0a") && hex.len() == 66);
        assert!(matches!(from_hex(&hex[2..]), Err(FieldError::HexPrefix { .. })));
        assert!(matches!(from_hex(&hex[..65]), Err(FieldError::HexLength { expected: 64, actual: 63 })));
        assert!(matches!(from_hex(&format!("{hex}00")), Err(FieldError::HexLength { .. })));
        assert!(matches!(from_hex(&hex.replace('a', "g")), Err(FieldError::HexDigit { .. })));
        assert!(matches!(from_hex(&hex.replace("0a", "\u{e9}")), Err(FieldError::HexDigit { .. })));
        for text in ["", "01", "+1", "-1", "1 ", "0x1", "1e3", "\u{661}"] {
            assert!(matches!(from_decimal(text), Err(FieldError::Decimal { .. })), "{text:?}");
            assert!(matches!(integer_from_decimal(text, 40), Err(FieldError::Decimal { .. })), "{text:?}");
        }
        assert!(matches!(from_decimal(&"9".repeat(1000)), Err(FieldError::TooLarge { bits: 256, .. })));
        assert!(matches!(from_decimal(&"9".repeat(78)), Err(FieldError::TooLarge { bits: 256, .. })));
    }

    #[test]
    fn integers_fit_their_bits() {
        assert_eq!(integer_from_decimal("1099511627775", 40), Ok((1 << 40) - 1));
        assert!(integer_from_decimal("1099511627776", 40).is_err());
        assert_eq!(integer_from_decimal(&u128::MAX.to_string(), 128), Ok(u128::MAX));
        assert!(integer_from_decimal("340282366920938463463374607431768211456", 128).is_err());
    }

    fn element() -> impl Strategy<Value = Fr> {
        any::<[u8; 32]>().prop_map(|bytes| Fr::from_be_bytes_mod_order(&bytes))
    }

    proptest! {
        #[test]
        fn encodings_go_there_and_back(value in element()) {
            prop_assert_eq!(from_bytes(&to_bytes(&value)), Ok(value));
            prop_assert_eq!(from_hex(&to_hex(&value)), Ok(value));
            prop_assert_eq!(from_decimal(&to_decimal(&value)), Ok(value));
        }

        #[test]
        fn decoders_survive_anything(text in ".{0,80}") {
            if let Ok(value) = from_hex(&text) {
                prop_assert_eq!(to_hex(&value), text.to_lowercase());
            }
            if let Ok(value) = from_decimal(&text) {
                prop_assert_eq!(to_decimal(&value), text);
            }
        }
    }
}
