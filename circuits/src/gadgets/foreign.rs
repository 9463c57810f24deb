//! Arithmetic modulo p, the order of BN254's base field, in a circuit over its scalar field, of order r.
//!
//! An element is an integer below 2^255 in 17 chunks of 15 bits; three chunks make one of its limbs,
//! `a = Σ 2^(45 i) a_i`, five of 45 bits and one of 30. It need not be below p. A statement
//!
//! ```text
//! E = q·p,     E a sum of products of two elements, of elements and of integers of the same form
//! ```
//!
//! is proven of integers by proving it modulo r and modulo 2^270: `|E − q·p|` must be below `r·2^270`, more than 2^523.
//! For this an integer is known by its three [`Residues`]: itself modulo r, and the sums of limb products of the orders 0 to
//! 2 and 3 to 5,
//!
//! ```text
//! low = Σ_{i+j<3} 2^(45(i+j)) a_i b_j      high = Σ_{3≤i+j<6} 2^(45(i+j−3)) a_i b_j      E ≡ low + 2^135 high   (2^270)
//! ```
//!
//! which are small enough not to wrap modulo r and linear in the integer, so that an integer can be used in further sums
//! without ever being reduced ([`relation`] has the equations, with two carries of 60 bits). Residues of one integer are
//! not unique: it is the statement about the sum that counts.
//!
//! The bounds, for everything that [`super::curve`] states:
//!
//! - Elements are below 2^255, so a product of two, or of differences of two, is below 2^510. At most 9 products make
//!   a sum `E`: `|E| < 2^514`. A quotient has 18 chunks and stands for `q' − 2^269`, or 17 for `q' − 2^254`. Hence
//!   `|E − q·p| < 2^514 + 2^269·p < 2^523 < r·2^270`.
//! - `low` and `high` of a product are below `6·2^180 + 5·2^135 + …  < 2^183` in absolute value, of the sum with `q·p`
//!   below 2^187. A carry is below `2^187/2^135 + 2^59 < 2^60`, and `2^135 · 2^60` plus the sum stays below r.

use std::sync::OnceLock;

use halo2_proofs::halo2curves::bn256::{Fq, Fr};
use halo2_proofs::halo2curves::ff::{Field, PrimeField};
use halo2_proofs::plonk::Expression;
use num_bigint::{BigInt, BigUint, Sign};

use super::arithmetic::power;
use crate::halo2::trace::{CHUNK_BITS, Trace};

/// Limbs of an element.
pub const LIMBS: usize = 6;
/// Chunks of a limb.
const LIMB_CHUNKS: usize = 3;
/// Bits of a limb.
pub const LIMB_BITS: u64 = (LIMB_CHUNKS * CHUNK_BITS as usize) as u64;
/// Bits of half of the limbs.
pub const HALF_BITS: u64 = 3 * LIMB_BITS;
/// Chunks of an element.
pub const ELEMENT_CHUNKS: usize = 17;
/// Chunks of a quotient, at most.
pub const QUOTIENT_CHUNKS: usize = 18;
/// Chunks of a carry.
pub const CARRY_CHUNKS: usize = 4;
/// Added to a carry so that it isn't negative.
const CARRY_OFFSET_BITS: u64 = (CARRY_CHUNKS * CHUNK_BITS as usize) as u64 - 1;
/// Added to a quotient of 17 or 18 chunks so that it isn't negative.
const fn quotient_offset_bits(chunks: usize) -> u64 {
    (chunks * CHUNK_BITS as usize) as u64 - 1
}

/// What equations are made of: values, or expressions of them.
pub trait Ring: Clone {
    /// A constant.
    fn constant(value: Fr) -> Self;
    /// `self + other`.
    fn plus(self, other: Self) -> Self;
    /// `self − other`.
    fn minus(self, other: Self) -> Self;
    /// `self · other`.
    fn times(self, other: Self) -> Self;
    /// `factor · self`.
    fn scaled(self, factor: Fr) -> Self;
}

macro_rules! ring {
    ($type:ty, $constant:expr) => {
        impl Ring for $type {
            fn constant(value: Fr) -> Self {
                $constant(value)
            }
            fn plus(self, other: Self) -> Self {
                self + other
            }
            fn minus(self, other: Self) -> Self {
                self - other
            }
            fn times(self, other: Self) -> Self {
                self * other
            }
            fn scaled(self, factor: Fr) -> Self {
                self * factor
            }
        }
    };
}
ring!(Fr, |value| value);
ring!(Expression<Fr>, Expression::Constant);

/// `Σ 2^(bits i) part_i`.
fn joined<T: Ring>(parts: &[T], bits: u64) -> T {
    let terms = (0..)
        .zip(parts)
        .map(|(i, part)| if i == 0 { part.clone() } else { part.clone().scaled(power(bits * i)) });
    terms.reduce(T::plus).unwrap_or_else(|| T::constant(Fr::ZERO))
}

/// The integer that chunks make.
pub fn from_chunks<T: Ring>(chunks: &[T]) -> T {
    joined(chunks, u64::from(CHUNK_BITS))
}

/// The limbs that at most 18 chunks make.
pub fn limbs_of_chunks<T: Ring>(chunks: &[T]) -> [T; LIMBS] {
    std::array::from_fn(|i| from_chunks(chunks.chunks(LIMB_CHUNKS).nth(i).unwrap_or(&[])))
}

/// What is known of an integer; see the module's page.
#[derive(Clone, Debug)]
pub struct Residues<T> {
    /// Modulo r.
    pub native: T,
    /// The lower half, small but signed.
    pub low: T,
    /// The upper half.
    pub high: T,
}

impl<T: Ring> Residues<T> {
    /// From three cells.
    pub fn new([native, low, high]: [T; 3]) -> Self {
        Self { native, low, high }
    }

    /// The three.
    pub fn cells(self) -> [T; 3] {
        [self.native, self.low, self.high]
    }

    /// An element's.
    pub fn of(limbs: &[T; LIMBS]) -> Self {
        let (low, high) = (joined(&limbs[..3], LIMB_BITS), joined(&limbs[3..], LIMB_BITS));
        let native = low.clone().plus(high.clone().scaled(power(HALF_BITS)));
        Self { native, low, high }
    }

    /// The product's of two elements, or differences of elements.
    pub fn product(a: &[T; LIMBS], b: &[T; LIMBS]) -> Self {
        let half = |orders: std::ops::Range<usize>| {
            let sums: Vec<T> = orders
                .map(|order| {
                    let products = (0..=order).map(|i| a[i].clone().times(b[order - i].clone()));
                    products.reduce(T::plus).unwrap_or_else(|| T::constant(Fr::ZERO))
                })
                .collect();
            joined(&sums, LIMB_BITS)
        };
        let native = Self::of(a).native.times(Self::of(b).native);
        Self { native, low: half(0..3), high: half(3..LIMBS) }
    }

    fn zip(self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        Self {
            native: f(self.native, other.native),
            low: f(self.low, other.low),
            high: f(self.high, other.high),
        }
    }

    /// The sum's.
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, T::plus)
    }

    /// The difference's.
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, T::minus)
    }

    /// A small multiple's.
    pub fn scaled(self, factor: u64) -> Self {
        let factor = Fr::from(factor);
        Self {
            native: self.native.scaled(factor),
            low: self.low.scaled(factor),
            high: self.high.scaled(factor),
        }
    }
}

/// The differences of two elements' limbs.
pub fn difference<T: Ring>(a: &[T; LIMBS], b: &[T; LIMBS]) -> [T; LIMBS] {
    std::array::from_fn(|i| a[i].clone().minus(b[i].clone()))
}

/// `E − q·p` for the quotient of these chunks.
fn remainder<T: Ring>(sum: Residues<T>, quotient: &[T]) -> Residues<T> {
    let mut q = limbs_of_chunks(quotient);
    let offset_bits = quotient_offset_bits(quotient.len()) - (LIMBS as u64 - 1) * LIMB_BITS;
    q[LIMBS - 1] = q[LIMBS - 1].clone().minus(T::constant(power(offset_bits)));
    let p = order_limbs();
    // Products with constants are scalings; otherwise as in `Residues::product`.
    let half = |orders: std::ops::Range<usize>| {
        let sums: Vec<T> = orders
            .map(|order| {
                let products = (0..=order).map(|i| q[i].clone().scaled(p[order - i]));
                products.reduce(T::plus).unwrap_or_else(|| T::constant(Fr::ZERO))
            })
            .collect();
        joined(&sums, LIMB_BITS)
    };
    let native = Residues::of(&q).native.scaled(to_field(order()));
    sum.minus(Residues { native, low: half(0..3), high: half(3..LIMBS) })
}

/// What is 0 if `E = q·p`, given the chunks of the quotient and of the two carries.
pub fn relation<T: Ring>(sum: Residues<T>, quotient: &[T], carries: &[T]) -> [T; 3] {
    let rest = remainder(sum, quotient);
    let offset = || T::constant(power(CARRY_OFFSET_BITS));
    let (first, second) = carries.split_at(CARRY_CHUNKS);
    let [first, second] = [first, second].map(|chunks| from_chunks(chunks).minus(offset()));
    [
        rest.native,
        rest.low.minus(first.clone().scaled(power(HALF_BITS))),
        rest.high.plus(first).minus(second.scaled(power(HALF_BITS))),
    ]
}

/// Names of the constraints of a [`relation`].
pub const RELATION_NAMES: [&str; 3] = ["modulo r", "lower half", "upper half"];

/// p.
pub fn order() -> &'static BigUint {
    static ORDER: OnceLock<BigUint> = OnceLock::new();
    ORDER.get_or_init(|| to_integer(-Fq::ONE) + 1_u8)
}

fn order_limbs() -> &'static [Fr; LIMBS] {
    static ORDER: OnceLock<[Fr; LIMBS]> = OnceLock::new();
    ORDER.get_or_init(|| limbs_of(order()))
}

/// A field element's canonical integer.
pub fn to_integer<F: PrimeField>(value: F) -> BigUint {
    BigUint::from_bytes_le(value.to_repr().as_ref())
}

/// An integer modulo r.
pub fn to_field(value: &BigUint) -> Fr {
    value.to_u64_digits().iter().rev().fold(Fr::ZERO, |sum, digit| sum * power(64) + Fr::from(*digit))
}

/// The integer's chunks, lowest first; higher bits are left out.
pub fn chunks_of(value: &BigUint, count: usize) -> Vec<u32> {
    let digits = value.to_u32_digits();
    let mask = (1_u64 << CHUNK_BITS) - 1;
    (0..count)
        .map(|i| {
            let from = i * CHUNK_BITS as usize;
            let word = |index: usize| u64::from(digits.get(index).copied().unwrap_or(0));
            let pair = word(from / 32) | word(from / 32 + 1) << 32;
            ((pair >> (from % 32)) & mask) as u32
        })
        .collect()
}

/// An element's limbs.
pub fn limbs_of(value: &BigUint) -> [Fr; LIMBS] {
    let chunks: Vec<Fr> =
        chunks_of(value, QUOTIENT_CHUNKS).into_iter().map(|chunk| Fr::from(u64::from(chunk))).collect();
    limbs_of_chunks(&chunks)
}

fn as_fields(chunks: &[u32]) -> Vec<Fr> {
    chunks.iter().map(|chunk| Fr::from(u64::from(*chunk))).collect()
}

/// What a prover shows of `E = q·p`.
#[derive(Clone, Debug)]
pub struct Division {
    /// Chunks of the quotient.
    pub quotient: Vec<u32>,
    /// Chunks of the two carries.
    pub carries: Vec<u32>,
}

impl Division {
    /// For this integer, with these residues. If p doesn't divide it, the relation doesn't hold.
    pub fn new(integer: &BigInt, sum: Residues<Fr>, chunks: usize) -> Self {
        let (sign, magnitude) = (integer.sign(), integer.magnitude());
        let quotient = BigInt::from_biguint(sign, magnitude / order());
        let shifted = quotient + (BigInt::from(1) << quotient_offset_bits(chunks));
        let quotient = chunks_of(&positive(shifted), chunks);
        let rest = remainder(sum, &as_fields(&quotient));
        let unit = power(HALF_BITS).invert().unwrap_or(Fr::ZERO);
        let offset = power(CARRY_OFFSET_BITS);
        let first = rest.low * unit;
        let second = (rest.high + first) * unit;
        let carries = [first, second];
        let carries = carries.iter().flat_map(|carry| chunks_of(&to_integer(carry + offset), CARRY_CHUNKS));
        Self { quotient, carries: carries.collect() }
    }
}

fn positive(value: BigInt) -> BigUint {
    if value.sign() == Sign::Minus { BigUint::default() } else { value.magnitude().clone() }
}

/// Writes chunks one after the other from chunk `first` of the rows from `row` on, and returns where the next one goes.
pub fn write_chunks(trace: &mut Trace, row: usize, first: usize, chunks: &[u32]) -> usize {
    for (index, chunk) in (first..).zip(chunks) {
        trace.set_chunk(row, index, *chunk);
    }
    first + chunks.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power_of_2(exponent: u64) -> BigUint {
        BigUint::from(1_u8) << exponent
    }

    #[test]
    fn the_bounds_of_the_page_hold() {
        let r = to_integer(-Fr::ONE) + 1_u8;
        let most_products = 9_u8;
        let product = power_of_2(510);
        let sum = product * most_products;
        let quotient = power_of_2(quotient_offset_bits(QUOTIENT_CHUNKS)) * order();
        assert!(sum + quotient < &r * power_of_2(2 * HALF_BITS));

        let limb = power_of_2(LIMB_BITS);
        let half = |counts: [u8; 3]| -> BigUint {
            let orders = (0..).zip(counts);
            orders.map(|(i, count)| &limb * &limb * count * power_of_2(LIMB_BITS * i)).sum()
        };
        // The quotient's product is one more.
        let largest = half([4, 5, 6]) * (most_products + 1);
        let carry = power_of_2(CARRY_OFFSET_BITS);
        assert!(&largest / power_of_2(HALF_BITS) + 2_u8 < carry);
        assert!((largest + &carry + power_of_2(HALF_BITS) * &carry) * 2_u8 < r);
    }

    #[test]
    fn elements_and_honest_quotients_fit() {
        assert!(order() < &power_of_2(254));
        let p = order();
        // λ² − x − x' − x'' from −3p to p²; anything else has 18 chunks and at most 9 products.
        assert!(p < &power_of_2(quotient_offset_bits(ELEMENT_CHUNKS)));
        assert!(p * 9_u8 < power_of_2(quotient_offset_bits(QUOTIENT_CHUNKS)));
    }
}
