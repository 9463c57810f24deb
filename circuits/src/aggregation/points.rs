//! A curve chip that puts multi-scalar multiplications off.
//!
//! The verifier of each leaf proof ends in a multi-scalar multiplication over the same constants of the
//! verifying key, and a random combination adds the results up. Here points stay sums of scalars times
//! points until the very end, so that constants common to all leaf proofs are multiplied once.

use std::{fmt, ops::Deref};

use halo2_proofs::{
    arithmetic::Field,
    halo2curves::{
        bn256::{Fr, G1Affine},
        group::{Curve, prime::PrimeCurveAffine},
    },
};
use snark_verifier::loader::halo2::{EccInstructions, Halo2Loader};

use super::scalars::{Builder, Form, ScalarChip};
use crate::{
    gadgets::curve::{self, Point},
    halo2::trace::Var,
};

/// The loader that runs the leaf verifier in the circuit.
pub(super) type Loader = Halo2Loader<G1Affine, LazyEccChip>;

/// A sum of points that hasn't been evaluated.
#[derive(Clone, Default)]
pub(super) struct LazyPoint {
    constant: G1Affine,
    /// Points to be added as they are.
    units: Vec<Point>,
    /// Scalars times constants, each constant once.
    fixed: Vec<(Form, G1Affine)>,
    /// Scalars times points.
    variable: Vec<(Form, Point)>,
}

impl fmt::Debug for LazyPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyPoint")
            .field("units", &self.units.len())
            .field("fixed", &self.fixed.len())
            .field("variable", &self.variable.len())
            .finish_non_exhaustive()
    }
}

impl LazyPoint {
    /// The point, if the sum is just one read from a proof.
    pub(super) fn as_unit(&self) -> Option<&Point> {
        match self.units.as_slice() {
            [unit]
                if self.fixed.is_empty()
                    && self.variable.is_empty()
                    && bool::from(self.constant.is_identity()) =>
            {
                Some(unit)
            }
            _ => None,
        }
    }

    /// `scalar · self`.
    pub(super) fn scaled(&self, builder: &mut Builder, scalar: &Form) -> Self {
        let mut scaled = Self::default();
        if !bool::from(self.constant.is_identity()) {
            scaled.fixed.push((scalar.clone(), self.constant));
        }
        scaled
            .fixed
            .extend(self.fixed.iter().map(|(factor, base)| (builder.multiply(scalar, factor), *base)));
        scaled.variable.extend(self.units.iter().map(|base| (scalar.clone(), base.clone())));
        scaled.variable.extend(
            self.variable.iter().map(|(factor, base)| (builder.multiply(scalar, factor), base.clone())),
        );
        scaled
    }

    /// `self + point`.
    pub(super) fn plus(mut self, point: Self) -> Self {
        self.constant = (self.constant + point.constant).to_affine();
        self.units.extend(point.units);
        self.variable.extend(point.variable);
        for (scalar, base) in point.fixed {
            match self.fixed.iter_mut().find(|(_, known)| *known == base) {
                Some((factor, _)) => *factor = factor.plus(Fr::ONE, &scalar),
                None => self.fixed.push((scalar, base)),
            }
        }
        self
    }

    /// The point that a sum amounts to, which must not be the identity.
    pub(super) fn evaluate(mut self, builder: &mut Builder) -> Point {
        if !bool::from(self.constant.is_identity()) {
            self.fixed.push((Fr::ONE.into(), self.constant));
        }
        let variable: Vec<_> =
            self.variable.iter().map(|(scalar, point)| (builder.cell(scalar), point.clone())).collect();
        let fixed: Vec<_> = self.fixed.iter().map(|(scalar, point)| (builder.cell(scalar), *point)).collect();
        curve::msm(&mut builder.trace, &variable, &fixed, &self.units)
    }
}

/// The coordinates' limbs of 88 bits, low ones first, x first.
pub(super) fn limbs(builder: &mut Builder, point: &Point) -> Vec<Var> {
    let zero = builder.cell(&Fr::ZERO.into());
    point.limbs(&mut builder.trace, zero).into_iter().flatten().collect()
}

/// snark-verifier's curve operations on lazy points.
#[derive(Clone, Debug)]
pub(super) struct LazyEccChip;

impl EccInstructions<G1Affine> for LazyEccChip {
    type Context = Builder;
    type ScalarChip = ScalarChip;
    type AssignedCell = Form;
    type AssignedScalar = Form;
    type AssignedEcPoint = LazyPoint;

    fn scalar_chip(&self) -> &ScalarChip {
        &ScalarChip
    }

    fn assign_constant(&self, _: &mut Builder, point: G1Affine) -> LazyPoint {
        LazyPoint { constant: point, ..Default::default() }
    }

    fn assign_point(&self, builder: &mut Builder, point: G1Affine) -> LazyPoint {
        let point = curve::assign_point(&mut builder.trace, &point);
        LazyPoint { units: vec![point], ..Default::default() }
    }

    fn sum_with_const(
        &self,
        _: &mut Builder,
        values: &[impl Deref<Target = LazyPoint>],
        constant: G1Affine,
    ) -> LazyPoint {
        let start = LazyPoint { constant, ..Default::default() };
        values.iter().fold(start, |sum, value| sum.plus((**value).clone()))
    }

    fn fixed_base_msm(
        &mut self,
        _: &mut Builder,
        pairs: &[(impl Deref<Target = Form>, G1Affine)],
    ) -> LazyPoint {
        pairs.iter().filter(|(_, base)| !bool::from(base.is_identity())).fold(
            LazyPoint::default(),
            |sum, (scalar, base)| {
                sum.plus(LazyPoint { fixed: vec![((**scalar).clone(), *base)], ..Default::default() })
            },
        )
    }

    fn variable_base_msm(
        &mut self,
        builder: &mut Builder,
        pairs: &[(impl Deref<Target = Form>, impl Deref<Target = LazyPoint>)],
    ) -> LazyPoint {
        pairs.iter().fold(LazyPoint::default(), |sum, (scalar, point)| {
            let term = point.scaled(builder, scalar);
            sum.plus(term)
        })
    }

    fn assert_equal(&self, builder: &mut Builder, left: &LazyPoint, right: &LazyPoint) {
        let [left, right] = [left, right].map(|point| point.clone().evaluate(builder));
        let [left, right] = [left, right].map(|point| limbs(builder, &point));
        for (left, right) in left.into_iter().zip(right) {
            builder.trace.link(left, right);
        }
    }
}
