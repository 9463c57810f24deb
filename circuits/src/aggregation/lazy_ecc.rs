//! A curve chip that puts multi-scalar multiplications off.
//!
//! The verifier of each leaf proof ends in a multi-scalar multiplication over the same constants of the
//! verifying key, and a random combination adds the results up. Here points stay sums of scalars times
//! points until the very end, so that constants common to all leaf proofs are multiplied once.

use std::ops::Deref;

use halo2_base::{
    AssignedValue,
    QuantumCell::Existing,
    gates::{GateChip, GateInstructions, flex_gate::threads::SinglePhaseCoreManager},
};
use halo2_ecc::{
    bigint::ProperCrtUint,
    ecc::{BaseFieldEccChip, EcPoint},
    fields::FieldChip,
};
use halo2_proofs::halo2curves::{
    bn256::{Fr, G1Affine},
    ff::PrimeField,
    group::{Curve, prime::PrimeCurveAffine},
};
use snark_verifier::{
    Error,
    loader::halo2::{EccInstructions, Halo2Loader},
    system::halo2::transcript::halo2::NativeEncoding,
};

/// Cells of the circuit, by thread of the witness generation.
type Pool = SinglePhaseCoreManager<Fr>;
/// A scalar.
type Cell = AssignedValue<Fr>;
/// A point whose coordinates are assigned.
pub(super) type Point = EcPoint<Fr, ProperCrtUint<Fr>>;
/// The loader that runs the leaf verifier in the circuit.
pub(super) type Loader<'chip> = Halo2Loader<G1Affine, LazyEccChip<'chip>>;

/// A sum of points that hasn't been evaluated.
#[derive(Clone, Debug, Default)]
pub(super) struct LazyPoint {
    constant: G1Affine,
    /// Points to be added as they are.
    units: Vec<Point>,
    /// Scalars times constants, each constant once.
    fixed: Vec<(Cell, G1Affine)>,
    /// Scalars times points.
    variable: Vec<(Cell, Point)>,
}

/// Wraps halo2-ecc's chip; see the module's page.
#[derive(Clone, Debug)]
pub(super) struct LazyEccChip<'chip> {
    inner: BaseFieldEccChip<'chip, G1Affine>,
}

impl<'chip> LazyEccChip<'chip> {
    pub(super) fn new(inner: BaseFieldEccChip<'chip, G1Affine>) -> Self {
        Self { inner }
    }

    fn gate(&self) -> &GateChip<Fr> {
        self.inner.field_chip().gate()
    }

    /// `scalar · point`.
    pub(super) fn scale(&self, pool: &mut Pool, scalar: Cell, point: &LazyPoint) -> LazyPoint {
        let gate = self.gate();
        let ctx = pool.main();
        let mut scaled = LazyPoint::default();
        if !bool::from(point.constant.is_identity()) {
            scaled.fixed.push((scalar, point.constant));
        }
        scaled.fixed.extend(
            point.fixed.iter().map(|(factor, base)| (gate.mul(ctx, scalar, Existing(*factor)), *base)),
        );
        scaled.variable.extend(point.units.iter().map(|base| (scalar, base.clone())));
        scaled.variable.extend(
            point
                .variable
                .iter()
                .map(|(factor, base)| (gate.mul(ctx, scalar, Existing(*factor)), base.clone())),
        );
        scaled
    }

    /// `sum + point`.
    pub(super) fn add(&self, pool: &mut Pool, mut sum: LazyPoint, point: LazyPoint) -> LazyPoint {
        sum.constant = (sum.constant + point.constant).to_affine();
        sum.units.extend(point.units);
        sum.variable.extend(point.variable);
        for (scalar, base) in point.fixed {
            match sum.fixed.iter_mut().find(|(_, known)| *known == base) {
                Some((factor, _)) => *factor = self.gate().add(pool.main(), *factor, scalar),
                None => sum.fixed.push((scalar, base)),
            }
        }
        sum
    }

    /// The point that a sum amounts to; the identity is (0, 0).
    pub(super) fn evaluate(&self, pool: &mut Pool, sum: LazyPoint) -> Point {
        let bits = Fr::NUM_BITS as usize;
        let mut terms = sum.units;
        if !sum.fixed.is_empty() {
            let (scalars, bases): (Vec<_>, Vec<_>) =
                sum.fixed.into_iter().map(|(scalar, base)| (vec![scalar], base)).unzip();
            terms.push(self.inner.fixed_base_msm::<G1Affine>(pool, &bases, scalars, bits));
        }
        if !sum.variable.is_empty() {
            let (scalars, bases): (Vec<_>, Vec<_>) =
                sum.variable.into_iter().map(|(scalar, base)| (vec![scalar], base)).unzip();
            terms.push(self.inner.variable_base_msm::<G1Affine>(pool, &bases, scalars, bits));
        }
        if terms.is_empty() || !bool::from(sum.constant.is_identity()) {
            terms.push(self.inner.assign_constant_point(pool.main(), sum.constant));
        }
        match <[Point; 1]>::try_from(terms) {
            Ok([point]) => point,
            Err(terms) => self.inner.sum::<G1Affine>(pool.main(), terms),
        }
    }
}

impl EccInstructions<G1Affine> for LazyEccChip<'_> {
    type Context = Pool;
    type ScalarChip = GateChip<Fr>;
    type AssignedCell = Cell;
    type AssignedScalar = Cell;
    type AssignedEcPoint = LazyPoint;

    fn scalar_chip(&self) -> &GateChip<Fr> {
        self.gate()
    }

    fn assign_constant(&self, _: &mut Pool, point: G1Affine) -> LazyPoint {
        LazyPoint { constant: point, ..Default::default() }
    }

    fn assign_point(&self, pool: &mut Pool, point: G1Affine) -> LazyPoint {
        LazyPoint { units: vec![self.inner.assign_point(pool.main(), point)], ..Default::default() }
    }

    fn sum_with_const(
        &self,
        pool: &mut Pool,
        values: &[impl Deref<Target = LazyPoint>],
        constant: G1Affine,
    ) -> LazyPoint {
        let start = LazyPoint { constant, ..Default::default() };
        values.iter().fold(start, |sum, value| self.add(pool, sum, (**value).clone()))
    }

    fn fixed_base_msm(
        &mut self,
        pool: &mut Pool,
        pairs: &[(impl Deref<Target = Cell>, G1Affine)],
    ) -> LazyPoint {
        pairs.iter().filter(|(_, base)| !bool::from(base.is_identity())).fold(
            LazyPoint::default(),
            |sum, (scalar, base)| {
                let term = LazyPoint { fixed: vec![(**scalar, *base)], ..Default::default() };
                self.add(pool, sum, term)
            },
        )
    }

    fn variable_base_msm(
        &mut self,
        pool: &mut Pool,
        pairs: &[(impl Deref<Target = Cell>, impl Deref<Target = LazyPoint>)],
    ) -> LazyPoint {
        pairs.iter().fold(LazyPoint::default(), |sum, (scalar, point)| {
            let term = self.scale(pool, **scalar, point);
            self.add(pool, sum, term)
        })
    }

    fn assert_equal(&self, pool: &mut Pool, left: &LazyPoint, right: &LazyPoint) {
        let [left, right] = [left, right].map(|point| self.evaluate(pool, point.clone()));
        self.inner.assert_equal(pool.main(), left, right);
    }
}

impl NativeEncoding<G1Affine> for LazyEccChip<'_> {
    /// Coordinates modulo the scalar field's order, of points read from a proof only.
    fn encode(&self, _: &mut Pool, point: &LazyPoint) -> Result<Vec<Cell>, Error> {
        match (point.units.as_slice(), point.fixed.len() + point.variable.len()) {
            ([unit], 0) if bool::from(point.constant.is_identity()) => {
                Ok(vec![*unit.x().native(), *unit.y().native()])
            }
            _ => Err(Error::InvalidProtocol("a sum of points can't be absorbed unevaluated".into())),
        }
    }
}
