//! Baby Jubjub as circomlib has it: the twisted Edwards curve `a x^2 + y^2 = 1 + d x^2 y^2` over [`Fr`] with
//! `a = 168700` and `d = 168696`, of order `8 l`.
//!
//! `a` is a square and `d` isn't, so the addition law has no exceptions among points on the curve. Nothing here
//! is constant-time.

use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, MontFp};

use super::Fr;

/// The curve's `a`.
pub const A: Fr = MontFp!("168700");
/// The curve's `d`.
pub const D: Fr = MontFp!("168696");
/// circomlib's `B8`: the generator of the subgroup of order [`SUBGROUP_ORDER`].
pub const BASE: Point = Point {
    x: MontFp!("5299619240641551281634865583518297030282874472190772894086521144482721001553"),
    y: MontFp!("16950150798460657717958625567821834550301663161624707787222815936182638968203"),
};
/// `l`, the prime order of the subgroup that [`BASE`] generates: 2736030358979909402780800718157159386076813972158567259200215660948447373041.
pub const SUBGROUP_ORDER: BigInt<4> =
    BigInt!("2736030358979909402780800718157159386076813972158567259200215660948447373041");

/// A point in affine coordinates. That it is on the curve is checked only where a function says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// First coordinate.
    pub x: Fr,
    /// Second coordinate.
    pub y: Fr,
}

impl Point {
    /// The neutral element.
    pub const IDENTITY: Self = Self { x: Fr::ZERO, y: Fr::ONE };

    /// Whether the coordinates satisfy the curve's equation.
    pub fn is_on_curve(&self) -> bool {
        let (xx, yy) = (self.x.square(), self.y.square());
        A * xx + yy == Fr::ONE + D * xx * yy
    }

    /// Whether the order of this point of the curve divides the cofactor 8.
    pub fn is_small_order(&self) -> bool {
        self.times_cofactor().is_identity()
    }

    /// Whether this point of the curve is in the subgroup of order `l`.
    pub fn is_in_subgroup(&self) -> bool {
        self.multiply(&SUBGROUP_ORDER).is_identity()
    }

    /// `8 P`, for a point of the curve.
    pub fn times_cofactor(&self) -> Projective {
        Projective::from(*self).double().double().double()
    }

    /// The sum of two points of the curve.
    pub fn add(&self, other: &Self) -> Self {
        Projective::from(*self).add(&Projective::from(*other)).to_affine()
    }

    /// `2 P`, for a point of the curve.
    pub fn double(&self) -> Self {
        Projective::from(*self).double().to_affine()
    }

    /// `scalar P`, for a point of the curve and any scalar below 2^256.
    pub fn multiply(&self, scalar: &BigInt<4>) -> Projective {
        Projective::from(*self).multiply(scalar)
    }
}

/// A point of the curve in projective coordinates: `x = X / Z`, `y = Y / Z`, `Z` not 0.
#[derive(Clone, Copy, Debug)]
pub struct Projective {
    x: Fr,
    y: Fr,
    z: Fr,
}

impl From<Point> for Projective {
    fn from(point: Point) -> Self {
        Self { x: point.x, y: point.y, z: Fr::ONE }
    }
}

impl PartialEq for Projective {
    fn eq(&self, other: &Self) -> bool {
        self.x * other.z == other.x * self.z && self.y * other.z == other.y * self.z
    }
}

impl Projective {
    /// Formulas "add-2008-bbjlp" of the Explicit-Formulas Database.
    pub fn add(&self, other: &Self) -> Self {
        let a = self.z * other.z;
        let b = a.square();
        let c = self.x * other.x;
        let d = self.y * other.y;
        let e = D * c * d;
        let (f, g) = (b - e, b + e);
        Self {
            x: a * f * ((self.x + self.y) * (other.x + other.y) - c - d),
            y: a * g * (d - A * c),
            z: f * g,
        }
    }

    /// Formulas "dbl-2008-bbjlp" of the Explicit-Formulas Database.
    pub fn double(&self) -> Self {
        let b = (self.x + self.y).square();
        let c = self.x.square();
        let d = self.y.square();
        let e = A * c;
        let f = e + d;
        let j = f - self.z.square().double();
        Self { x: (b - c - d) * j, y: f * (e - d), z: f * j }
    }

    /// `scalar P`, by windows of 4 bits.
    pub fn multiply(&self, scalar: &BigInt<4>) -> Self {
        let identity = Self::from(Point::IDENTITY);
        let mut multiples = [identity; 16];
        for i in 1..16 {
            multiples[i] = multiples[i - 1].add(self);
        }
        let mut sum = identity;
        for byte in scalar.to_bytes_be() {
            for digit in [byte >> 4, byte & 15] {
                sum = sum.double().double().double().double();
                if digit != 0 {
                    sum = sum.add(&multiples[usize::from(digit)]);
                }
            }
        }
        sum
    }

    /// Whether this is the neutral element.
    pub fn is_identity(&self) -> bool {
        self.x == Fr::ZERO && self.y == self.z
    }

    /// The affine coordinates.
    pub fn to_affine(&self) -> Point {
        // Never 0 for points of the curve; points off it give a meaningless result, as everywhere here.
        let inverse = self.z.inverse().unwrap_or_default();
        Point { x: self.x * inverse, y: self.y * inverse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_generates_the_subgroup() {
        assert!(BASE.is_on_curve() && BASE.is_in_subgroup() && !BASE.is_small_order());
        assert_eq!(BASE.add(&BASE), BASE.double());
        assert_eq!(BASE.add(&Point::IDENTITY), BASE);
        assert_eq!(BASE.multiply(&BigInt::from(3u64)).to_affine(), BASE.double().add(&BASE));
    }

    #[test]
    fn circomlibs_generator_has_the_cofactor() {
        let generator = Point {
            x: MontFp!("995203441582195749578291179787384436505546430278305826713579947235728471134"),
            y: MontFp!("5472060717959818805561601436314318772137091100104008585924551046643952123905"),
        };
        assert!(generator.is_on_curve() && !generator.is_in_subgroup());
        assert_eq!(generator.times_cofactor().to_affine(), BASE);
    }

    #[test]
    fn small_orders() {
        let order_2 = Point { x: Fr::ZERO, y: -Fr::ONE };
        let order_4 = Point { x: A.inverse().unwrap().sqrt().unwrap(), y: Fr::ZERO };
        for point in [Point::IDENTITY, order_2, order_4] {
            assert!(point.is_on_curve() && point.is_small_order());
            let shifted = BASE.add(&point);
            assert!(shifted.is_on_curve() && !shifted.is_small_order());
            assert_eq!(shifted.is_in_subgroup(), point == Point::IDENTITY);
        }
        assert!(!Point { x: Fr::ONE, y: Fr::ONE }.is_on_curve());
    }
}
