//! What the generator supports, and the counts that tell one supported constraint system from another.

use std::collections::BTreeMap;

use alloy::primitives::{B256, keccak256};
use halo2_proofs::{
    arithmetic::Field,
    halo2curves::bn256::Fr,
    plonk::{Any, ConstraintSystem, Expression},
    poly::Rotation,
};

use super::{GeneratorError, data::HEADER_WORDS};

/// Public inputs of one batch: domain, batch, state before, state after, commitment, point and evaluation (two limbs) of
/// the DA stream, point and evaluation of the L1 stream.
pub const VALUES_PER_BATCH: usize = 10;
/// Instances of the accumulator: four coordinates of three limbs each.
pub const ACCUMULATOR_LIMBS: usize = 12;
/// The most batch places that the generator accepts.
pub(super) const MAX_BATCH_PLACES: usize = 16;
/// Degree of the constraint system: that of the lookup argument.
const DEGREE: usize = 4;
/// Columns in one product of the permutation argument.
const PERMUTATION_CHUNK: usize = DEGREE - 2;
/// Commitments to the quotient.
pub(super) const QUOTIENT_POINTS: usize = DEGREE - 1;
/// Rows at the end of each column that hold blinding values.
const BLINDING_ROWS: usize = 6;
/// The last row in use, counted from the end.
pub(super) const LAST_ROTATION: i32 = -(BLINDING_ROWS as i32 + 1);
/// Rows that a gate reads.
const GATE_ROTATIONS: i32 = 4;

/// A supported constraint system: one gate `q · (a + b·c − d)` on four consecutive rows of each gate column, one
/// lookup of each lookup column in one table, equality constraints on columns of constants, gate columns, lookup
/// columns and the instance column, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Gate columns, at least 2.
    pub gate_columns: usize,
    /// Lookup columns, at least 1.
    pub lookup_columns: usize,
    /// Columns of constants.
    pub constant_columns: usize,
    /// Batches that one proof has places for.
    pub batch_places: usize,
}

impl Shape {
    /// Public inputs that a caller of the contract gives.
    #[must_use]
    pub fn public_inputs(&self) -> usize {
        VALUES_PER_BATCH * self.batch_places
    }

    /// Values in the circuit's instance column.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.public_inputs() + ACCUMULATOR_LIMBS
    }

    /// Fixed columns: constants, the lookups' table, selectors of the gates.
    #[must_use]
    pub fn fixed_columns(&self) -> usize {
        self.constant_columns + 1 + self.gate_columns
    }

    /// Columns under the permutation argument.
    #[must_use]
    pub fn permutation_columns(&self) -> usize {
        self.constant_columns + self.gate_columns + self.lookup_columns + 1
    }

    /// Products of the permutation argument.
    #[must_use]
    pub fn permutation_products(&self) -> usize {
        self.permutation_columns().div_ceil(PERMUTATION_CHUNK)
    }

    /// Points in the transcript's part of the proof before its evaluations.
    #[must_use]
    pub fn proof_points(&self) -> usize {
        let advice = self.gate_columns + self.lookup_columns;
        let products = self.permutation_products() + self.lookup_columns;
        advice + 2 * self.lookup_columns + products + 1 + QUOTIENT_POINTS
    }

    /// Evaluations in the proof.
    #[must_use]
    pub fn proof_evaluations(&self) -> usize {
        let advice = 4 * self.gate_columns + self.lookup_columns;
        let products = 3 * self.permutation_products() - 1;
        advice + self.fixed_columns() + 1 + self.permutation_columns() + products + 5 * self.lookup_columns
    }

    /// Length in bytes of a proof as the contract takes it, accumulator first.
    #[must_use]
    pub fn proof_length(&self) -> usize {
        128 + 64 * (self.proof_points() + 2) + 32 * self.proof_evaluations()
    }

    /// Length in bytes of a verifying key.
    #[must_use]
    pub fn verifying_key_length(&self) -> usize {
        1 + 32 * (HEADER_WORDS + 2 * (self.fixed_columns() + self.permutation_columns()))
    }

    /// Names the shape and the verifying key's layout; stands at the start of every verifying key.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let columns = [self.gate_columns, self.lookup_columns, self.constant_columns];
        let counts = columns.into_iter().chain([self.batch_places, VALUES_PER_BATCH]).map(|n| n as u64);
        let mut bytes = b"tenon.v1.verifier".to_vec();
        bytes.extend(counts.flat_map(u64::to_be_bytes));
        keccak256(bytes)
    }

    /// Reads the counts off a constraint system, after its selectors became fixed columns.
    pub(super) fn of(cs: &ConstraintSystem<Fr>, batch_places: usize) -> Result<Self, GeneratorError> {
        if !(1..=MAX_BATCH_PLACES).contains(&batch_places) {
            return Err(GeneratorError::BatchPlaces { maximum: MAX_BATCH_PLACES, actual: batch_places });
        }
        require("number of instance columns", 1, cs.num_instance_columns())?;
        require("number of challenges", 0, cs.num_challenges())?;
        require(
            "phase of the last advice column",
            0,
            cs.advice_column_phase().into_iter().max().unwrap_or(0),
        )?;
        require("degree", DEGREE, cs.degree())?;
        require("blinding rows", BLINDING_ROWS, cs.blinding_factors())?;

        let gates: Vec<_> = cs.gates().iter().flat_map(|gate| gate.polynomials()).collect();
        let gate_columns = gates.len();
        let lookup_columns = cs.lookups().len();
        at_least("gate columns", 2, gate_columns)?;
        at_least("lookup columns", 1, lookup_columns)?;
        require("number of advice columns", gate_columns + lookup_columns, cs.num_advice_columns())?;

        at_least("fixed columns", gate_columns + 1, cs.num_fixed_columns())?;
        let constant_columns = cs.num_fixed_columns() - gate_columns - 1;
        let shape = Self { gate_columns, lookup_columns, constant_columns, batch_places };

        let expected: Vec<_> = shape.fixed_order().map(|column| (column, 0)).collect();
        let actual: Vec<_> =
            cs.fixed_queries().iter().map(|(column, rotation)| (column.index(), rotation.0)).collect();
        require("queries of fixed columns", expected, actual)?;
        shape.check_advice_queries(cs)?;
        shape.check_gates(&gates)?;
        shape.check_lookups(cs)?;
        shape.check_permutation(cs)?;
        let instance_queries: Vec<_> =
            cs.instance_queries().iter().map(|(column, rotation)| (column.index(), rotation.0)).collect();
        require("queries of the instance column", vec![(0, 0)], instance_queries)?;
        Ok(shape)
    }

    /// The fixed columns' numbers in the order of their evaluations: constants, table, selectors.
    pub(super) fn fixed_order(&self) -> impl Iterator<Item = usize> + use<> {
        let constants = 1..=self.constant_columns;
        let selectors = constants.end() + 1..self.fixed_columns();
        constants.chain([0]).chain(selectors)
    }

    fn check_advice_queries(&self, cs: &ConstraintSystem<Fr>) -> Result<(), GeneratorError> {
        let expected: Vec<_> = (0..self.gate_columns)
            .flat_map(|column| (0..GATE_ROTATIONS).map(move |rotation| (column, rotation)))
            .chain((0..self.lookup_columns).map(|column| (self.gate_columns + column, 0)))
            .collect();
        let actual: Vec<_> =
            cs.advice_queries().iter().map(|(column, rotation)| (column.index(), rotation.0)).collect();
        require("queries of advice columns", expected, actual)
    }

    fn check_gates(&self, gates: &[&Expression<Fr>]) -> Result<(), GeneratorError> {
        for (column, gate) in gates.iter().enumerate() {
            let selector = Cell::Fixed(self.constant_columns + 1 + column, 0);
            let [a, b, c, d] = [0, 1, 2, 3].map(|rotation| Cell::Advice(column, rotation));
            let expected = Polynomial::from([
                (sorted(vec![selector, a]), Fr::one()),
                (sorted(vec![selector, b, c]), Fr::one()),
                (sorted(vec![selector, d]), -Fr::one()),
            ]);
            require("gate", expected, normal_form(gate)?)?;
        }
        Ok(())
    }

    fn check_lookups(&self, cs: &ConstraintSystem<Fr>) -> Result<(), GeneratorError> {
        for (index, lookup) in cs.lookups().iter().enumerate() {
            let inputs = lookup.input_expressions().iter().map(normal_form).collect::<Result<Vec<_>, _>>()?;
            let expected = Polynomial::from([(vec![Cell::Advice(self.gate_columns + index, 0)], Fr::one())]);
            require("input of a lookup", vec![expected], inputs)?;
            let tables = lookup.table_expressions().iter().map(normal_form).collect::<Result<Vec<_>, _>>()?;
            let expected = Polynomial::from([(vec![Cell::Fixed(0, 0)], Fr::one())]);
            require("table of a lookup", vec![expected], tables)?;
        }
        Ok(())
    }

    fn check_permutation(&self, cs: &ConstraintSystem<Fr>) -> Result<(), GeneratorError> {
        let constants = (1..=self.constant_columns).map(|column| Cell::Fixed(column, 0));
        let advice = (0..self.gate_columns + self.lookup_columns).map(|column| Cell::Advice(column, 0));
        let expected: Vec<_> = constants.chain(advice).chain([Cell::Instance(0, 0)]).collect();
        let actual: Vec<_> = cs
            .permutation()
            .get_columns()
            .iter()
            .map(|column| match column.column_type() {
                Any::Fixed => Cell::Fixed(column.index(), 0),
                Any::Advice(_) => Cell::Advice(column.index(), 0),
                Any::Instance => Cell::Instance(column.index(), 0),
            })
            .collect();
        require("columns of the permutation", expected, actual)
    }
}

/// A column and a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Fixed(usize, i32),
    Advice(usize, i32),
    Instance(usize, i32),
}

/// A polynomial as its monomials (sorted factors) with their coefficients, none of them 0.
type Polynomial = BTreeMap<Vec<Cell>, Fr>;

fn sorted(mut factors: Vec<Cell>) -> Vec<Cell> {
    factors.sort();
    factors
}

fn add(mut left: Polynomial, right: Polynomial) -> Polynomial {
    for (monomial, coefficient) in right {
        *left.entry(monomial).or_insert(Fr::zero()) += coefficient;
    }
    left.retain(|_, coefficient| !bool::from(coefficient.is_zero()));
    left
}

fn multiply(left: &Polynomial, right: &Polynomial) -> Polynomial {
    let mut product = Polynomial::new();
    for (a, x) in left {
        for (b, y) in right {
            let factors = sorted(a.iter().chain(b).copied().collect());
            product = add(product, Polynomial::from([(factors, x * y)]));
        }
    }
    product
}

fn scale(polynomial: Polynomial, factor: Fr) -> Polynomial {
    polynomial.into_iter().map(|(monomial, coefficient)| (monomial, coefficient * factor)).collect()
}

/// An expression's normal form, which doesn't depend on how it was written.
fn normal_form(expression: &Expression<Fr>) -> Result<Polynomial, GeneratorError> {
    let cell = |cell: Cell| Ok(Polynomial::from([(vec![cell], Fr::one())]));
    let rotation = |rotation: Rotation| rotation.0;
    expression.evaluate(
        &|constant| Ok(add(Polynomial::new(), Polynomial::from([(vec![], constant)]))),
        &|_| Err(unsupported("selector", "a fixed column".to_owned(), "a virtual selector".to_owned())),
        &|query| cell(Cell::Fixed(query.column_index(), rotation(query.rotation()))),
        &|query| cell(Cell::Advice(query.column_index(), rotation(query.rotation()))),
        &|query| cell(Cell::Instance(query.column_index(), rotation(query.rotation()))),
        &|_| Err(unsupported("expression", "no challenge".to_owned(), "a challenge".to_owned())),
        &|a: Result<Polynomial, GeneratorError>| Ok(scale(a?, -Fr::one())),
        &|a, b| Ok(add(a?, b?)),
        &|a, b| Ok(multiply(&a?, &b?)),
        &|a, factor| Ok(add(Polynomial::new(), scale(a?, factor))),
    )
}

fn unsupported(what: &'static str, expected: String, actual: String) -> GeneratorError {
    GeneratorError::Unsupported { what, expected, actual }
}

fn require<T: PartialEq + std::fmt::Debug>(
    what: &'static str,
    expected: T,
    actual: T,
) -> Result<(), GeneratorError> {
    if expected == actual {
        return Ok(());
    }
    Err(unsupported(what, format!("{expected:?}"), format!("{actual:?}")))
}

fn at_least(what: &'static str, minimum: usize, actual: usize) -> Result<(), GeneratorError> {
    if actual >= minimum {
        return Ok(());
    }
    Err(unsupported(what, format!("at least {minimum}"), actual.to_string()))
}
