//! Amounts and fees as decimal floats: a mantissa in the low bits and a 5-bit exponent above; the value is
//! `mantissa * 10^exponent`.
//!
//! A code is canonical when its exponent is 0 or `10 * mantissa >= 2^bits`: the exponent is the smallest that
//! the value allows, so that a value has one code.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bits of the exponent of either code.
pub const EXPONENT_BITS: u32 = 5;

/// What is wrong with a code or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FloatError {
    /// The code has bits above its exponent.
    #[error("expected a code below 2^{bits}, got {code}")]
    CodeTooLarge {
        /// Bits of a code.
        bits: u32,
        /// What was given.
        code: u64,
    },
    /// The same value has a code with a smaller exponent.
    #[error("code {code} isn't canonical: mantissa {mantissa} allows a smaller exponent than {exponent}")]
    NotCanonical {
        /// What was given.
        code: u64,
        /// Its mantissa.
        mantissa: u64,
        /// Its exponent.
        exponent: u32,
    },
    /// The value doesn't fit 128 bits.
    #[error("code {code} stands for {mantissa} * 10^{exponent}, expected a value below 2^128")]
    ValueTooLarge {
        /// What was given.
        code: u64,
        /// Its mantissa.
        mantissa: u64,
        /// Its exponent.
        exponent: u32,
    },
    /// No code stands for exactly this value.
    #[error("{value} has no exact code with a mantissa of {bits} bits")]
    Inexact {
        /// What was given.
        value: u128,
        /// Bits of the mantissa.
        bits: u32,
    },
}

fn decode(code: u64, bits: u32) -> Result<u128, FloatError> {
    if code >> (bits + EXPONENT_BITS) != 0 {
        return Err(FloatError::CodeTooLarge { bits: bits + EXPONENT_BITS, code });
    }
    let mantissa = code & ((1 << bits) - 1);
    let exponent = (code >> bits) as u32;
    if exponent != 0 && 10 * mantissa < 1 << bits {
        return Err(FloatError::NotCanonical { code, mantissa, exponent });
    }
    10u128
        .checked_pow(exponent)
        .and_then(|power| power.checked_mul(u128::from(mantissa)))
        .ok_or(FloatError::ValueTooLarge { code, mantissa, exponent })
}

/// The code of the largest representable value that is not above `value`, and that value.
fn encode_floor(value: u128, bits: u32) -> (u64, u128) {
    let mut mantissa = value;
    let mut exponent = 0u32;
    let mut power = 1u128;
    let largest = (1u128 << EXPONENT_BITS) - 1;
    while mantissa >> bits != 0 && u128::from(exponent) < largest {
        mantissa /= 10;
        exponent += 1;
        power = power.saturating_mul(10);
    }
    let full = (1 << bits) - 1;
    // Just above a full mantissa, the quotient is too small to be canonical: the full mantissa is next below.
    if exponent > 0 && 10 * mantissa <= full {
        exponent -= 1;
        power /= 10;
        mantissa = full;
    }
    let mantissa = mantissa.min(full);
    let code = (u64::from(exponent) << bits) | mantissa as u64;
    (code, mantissa * power)
}

macro_rules! float_code {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $bits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// Bits of the mantissa.
            pub const MANTISSA_BITS: u32 = $bits;
            /// Bits of the code.
            pub const BITS: u32 = $bits + EXPONENT_BITS;

            /// The mantissa, in the low bits.
            pub fn mantissa(self) -> u64 {
                u64::from(self.0) & ((1 << Self::MANTISSA_BITS) - 1)
            }

            /// Everything above the mantissa: the exponent when the code is in range.
            pub fn exponent(self) -> u64 {
                u64::from(self.0) >> Self::MANTISSA_BITS
            }

            /// The value that a canonical code stands for, in the token's smallest unit.
            ///
            /// # Errors
            /// When the code is too large, not canonical, or its value doesn't fit 128 bits.
            pub fn value(self) -> Result<u128, FloatError> {
                decode(u64::from(self.0), Self::MANTISSA_BITS)
            }

            /// The code of exactly this value.
            ///
            /// # Errors
            /// When there is none.
            pub fn encode(value: u128) -> Result<Self, FloatError> {
                let (code, actual) = encode_floor(value, Self::MANTISSA_BITS);
                if actual == value {
                    Ok(Self(code as $inner))
                } else {
                    Err(FloatError::Inexact { value, bits: Self::MANTISSA_BITS })
                }
            }

            /// The code of the largest representable value that isn't above `value`.
            pub fn encode_floor(value: u128) -> Self {
                Self(encode_floor(value, Self::MANTISSA_BITS).0 as $inner)
            }
        }
    };
}

float_code!(
    /// An amount: 35 bits of mantissa, 5 of exponent.
    AmountCode,
    u64,
    35
);
float_code!(
    /// A fee: 11 bits of mantissa, 5 of exponent.
    FeeCode,
    u16,
    11
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_codes_only() {
        let code = |mantissa: u64, exponent: u64| AmountCode(mantissa | exponent << 35).value();
        assert_eq!(code(0, 0), Ok(0));
        assert_eq!(code((1 << 35) - 1, 0), Ok((1 << 35) - 1));
        // 10 * 3435973836 is below 2^35, 10 * 3435973837 isn't.
        assert!(matches!(code(3_435_973_836, 1), Err(FloatError::NotCanonical { .. })));
        assert_eq!(code(3_435_973_837, 1), Ok(34_359_738_370));
        assert!(matches!(code(0, 1), Err(FloatError::NotCanonical { .. })));
        assert!(matches!(code((1 << 35) - 1, 31), Err(FloatError::ValueTooLarge { .. })));
        assert!(matches!(AmountCode(1 << 40).value(), Err(FloatError::CodeTooLarge { .. })));
        assert!(matches!(AmountCode(u64::MAX).value(), Err(FloatError::CodeTooLarge { .. })));
        assert_eq!(FeeCode(204 | 1 << 11).value().ok(), None);
        assert_eq!(FeeCode(205 | 1 << 11).value(), Ok(2050));
        assert_eq!(FeeCode(u16::MAX).value(), Ok(2047 * 10u128.pow(31)));
    }

    #[test]
    fn values_at_the_edges() {
        for value in [0, 1, (1 << 35) - 1, 10u128.pow(38), 34_359_738_370] {
            let code = AmountCode::encode(value).unwrap();
            assert_eq!(code.value(), Ok(value));
        }
        assert!(AmountCode::encode(1 << 35 | 1).is_err());
        assert_eq!(FeeCode::encode_floor(u128::MAX), FeeCode(u16::MAX));
        // A tenth of these is a mantissa too small to be canonical.
        assert_eq!(FeeCode::encode_floor(2048), FeeCode(2047));
        assert_eq!(AmountCode::encode_floor((1 << 35) + 1), AmountCode((1 << 35) - 1));
        assert!(FeeCode::encode(u128::MAX).is_err());
        assert!(AmountCode::encode_floor(u128::MAX).value().unwrap() > u128::MAX / 10 * 9);
    }

    /// The canonical code that follows, whatever its value.
    fn next(code: u64, bits: u32) -> u64 {
        if (code + 1).is_multiple_of(1 << bits) { code + 1 + (1u64 << bits).div_ceil(10) } else { code + 1 }
    }

    /// Values of every size, many of them next to a full mantissa's.
    fn value() -> impl Strategy<Value = u128> {
        let near = |bits: u32| {
            (0..32u32, -20..20i128).prop_map(move |(exponent, offset)| {
                (1u128 << bits).saturating_mul(10u128.pow(exponent)).saturating_add_signed(offset)
            })
        };
        let any_size = (any::<u128>(), 0..128u32).prop_map(|(value, shift)| value >> shift);
        prop_oneof![any_size, near(11), near(35)]
    }

    proptest! {
        #[test]
        fn amounts_round_down_to_the_next_code(value in value()) {
            let code = AmountCode::encode_floor(value);
            let floor = code.value().unwrap();
            prop_assert!(floor <= value);
            prop_assert!(AmountCode(next(code.0, 35)).value().is_ok_and(|next| next > value) || value > u128::MAX / 2);
            prop_assert_eq!(AmountCode::encode(floor), Ok(code));
            prop_assert_eq!(AmountCode::encode(value).is_ok(), value == floor);
        }

        #[test]
        fn fees_round_down_to_the_next_code(value in value()) {
            let code = FeeCode::encode_floor(value);
            let floor = code.value().unwrap();
            prop_assert!(floor <= value);
            if code != FeeCode(u16::MAX) {
                let next = FeeCode(next(u64::from(code.0), 11) as u16);
                prop_assert!(next.value().is_ok_and(|next| next > value));
            }
            prop_assert_eq!(FeeCode::encode(floor), Ok(code));
            prop_assert_eq!(FeeCode::encode(value).is_ok(), value == floor);
        }

        #[test]
        fn a_value_has_one_code(code in 0..1u64 << 40) {
            if let Ok(value) = AmountCode(code).value() {
                prop_assert_eq!(AmountCode::encode(value), Ok(AmountCode(code)));
            }
        }

        #[test]
        fn a_fee_has_one_code(code in any::<u16>()) {
            if let Ok(value) = FeeCode(code).value() {
                prop_assert_eq!(FeeCode::encode(value), Ok(FeeCode(code)));
            }
        }
    }
}
