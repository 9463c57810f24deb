//! The constraint system as the contract needs it: which polynomials there are, where they are opened, and what has to
//! hold of their values.

use alloy::primitives::B256;
use halo2_proofs::{
    arithmetic::Field,
    halo2curves::{bn256::Fr, ff::PrimeField},
    plonk::{Any, ConstraintSystem, Expression},
};

use super::{
    GeneratorError,
    expression::{Graph, Id, Value},
};

/// Public inputs of one batch: domain, batch, state before, state after, commitment, point and evaluation (two limbs) of
/// the DA stream, point and evaluation of the L1 stream.
pub const VALUES_PER_BATCH: usize = 10;
/// Instances of the accumulator: four coordinates of three limbs each.
pub const ACCUMULATOR_LIMBS: usize = 12;
/// The most batch places that the generator accepts.
pub(super) const MAX_BATCH_PLACES: usize = 16;

/// A committed polynomial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polynomial {
    /// Of the verifying key: fixed columns, then the permutation's.
    Key(usize),
    /// Of the proof, by the commitment's position.
    Proof(usize),
    /// The quotient, joined from its parts.
    Quotient,
}

/// Polynomials that are opened at the same rotations of x.
#[derive(Clone, Debug)]
pub(super) struct OpeningSet {
    /// Positions among [`System::rotations`].
    pub(super) rotations: Vec<usize>,
    /// Each polynomial with its evaluations by rotation; none for the quotient, whose evaluation is computed.
    pub(super) polynomials: Vec<(Polynomial, Vec<Option<usize>>)>,
}

/// A constraint system with its counts.
pub(super) struct System {
    pub(super) batch_places: usize,
    pub(super) fixed: usize,
    pub(super) permuted: usize,
    /// Commitments of the proof up to each challenge that follows some: theta, beta, y, x.
    pub(super) rounds: [usize; 4],
    pub(super) evaluations: usize,
    pub(super) blinding_rows: usize,
    /// Rotations at which anything is opened; the first is 0.
    pub(super) rotations: Vec<i32>,
    pub(super) sets: Vec<OpeningSet>,
    pub(super) graph: Graph,
    pub(super) constraints: Vec<Id>,
}

/// What is known of a verifier without its verifying key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Batches that one proof has places for.
    pub batch_places: usize,
    /// Points in the proof, opening included, without the accumulator's.
    pub points: usize,
    /// Scalars in the proof.
    pub scalars: usize,
    /// Length in bytes of a verifying key.
    pub verifying_key_length: usize,
    /// Names the constraint system and the verifying key's layout; stands at the start of every verifying key.
    pub digest: B256,
}

impl Shape {
    /// Public inputs that a caller of the contract gives.
    #[must_use]
    pub fn public_inputs(&self) -> usize {
        VALUES_PER_BATCH * self.batch_places
    }

    /// Length in bytes of a proof as the contract takes it, accumulator first.
    #[must_use]
    pub fn proof_length(&self) -> usize {
        128 + 64 * self.points + 32 * self.scalars
    }
}

impl System {
    pub(super) fn public_inputs(&self) -> usize {
        VALUES_PER_BATCH * self.batch_places
    }

    /// Values in the circuit's instance column.
    pub(super) fn instances(&self) -> usize {
        self.public_inputs() + ACCUMULATOR_LIMBS
    }

    /// The last row in use, counted from the end.
    pub(super) fn last_rotation(&self) -> i32 {
        last_rotation(self.blinding_rows)
    }

    /// Commitments of the proof, without the openings'.
    pub(super) fn commitments(&self) -> usize {
        self.rounds[3]
    }

    /// Reads a constraint system, after its selectors became fixed columns.
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
        let degree = cs.degree();
        if degree < 3 {
            return Err(unsupported("degree", "at least 3".into(), degree.to_string()));
        }
        let mut builder = Reader::new(cs);
        let constraints = builder.constraints()?;
        let queries = builder.openings();
        let (rotations, sets) = opening_sets(&queries);
        let Reader { graph, layout, .. } = builder;
        Ok(Self {
            batch_places,
            fixed: cs.num_fixed_columns(),
            permuted: cs.permutation().get_columns().len(),
            rounds: layout.rounds,
            evaluations: layout.evaluations,
            blinding_rows: cs.blinding_factors(),
            rotations,
            sets,
            graph,
            constraints,
        })
    }
}

fn last_rotation(blinding_rows: usize) -> i32 {
    -(blinding_rows as i32 + 1)
}

/// An opened polynomial, the rotation, and the evaluation's position.
type Opening = (Polynomial, i32, Option<usize>);

/// A rotation and the evaluation's position there.
type Place = (i32, Option<usize>);

/// Groups openings as SHPLONK does: polynomials in the order in which they come first, by their sets of rotations.
fn opening_sets(openings: &[Opening]) -> (Vec<i32>, Vec<OpeningSet>) {
    let mut rotations = vec![0];
    let mut polynomials: Vec<(Polynomial, Vec<Place>)> = Vec::new();
    for (polynomial, rotation, evaluation) in openings {
        if !rotations.contains(rotation) {
            rotations.push(*rotation);
        }
        match polynomials.iter_mut().find(|(known, _)| known == polynomial) {
            Some((_, places)) => places.push((*rotation, *evaluation)),
            None => polynomials.push((*polynomial, vec![(*rotation, *evaluation)])),
        }
    }
    let mut sets: Vec<(Vec<i32>, OpeningSet)> = Vec::new();
    for (polynomial, places) in polynomials {
        let same = |set: &Vec<i32>| {
            set.len() == places.len() && places.iter().all(|(rotation, _)| set.contains(rotation))
        };
        let index = sets.iter().position(|(set, _)| same(set)).unwrap_or_else(|| {
            let set: Vec<_> = places.iter().map(|(rotation, _)| *rotation).collect();
            let positions =
                set.iter().filter_map(|r| rotations.iter().position(|known| known == r)).collect();
            sets.push((set, OpeningSet { rotations: positions, polynomials: Vec::new() }));
            sets.len() - 1
        });
        let (set, opening) = &mut sets[index];
        let at = |rotation: &i32| {
            places.iter().find(|(r, _)| r == rotation).and_then(|(_, evaluation)| *evaluation)
        };
        opening.polynomials.push((polynomial, set.iter().map(at).collect()));
    }
    (rotations, sets.into_iter().map(|(_, set)| set).collect())
}

/// Where a proof's parts start, in commitments and in evaluations.
struct Layout {
    rounds: [usize; 4],
    lookups_permuted: usize,
    products: usize,
    lookup_products: usize,
    random: usize,
    fixed_evaluations: usize,
    random_evaluation: usize,
    permutation_evaluations: usize,
    product_evaluations: usize,
    lookup_evaluations: usize,
    evaluations: usize,
}

struct Reader<'c> {
    cs: &'c ConstraintSystem<Fr>,
    graph: Graph,
    layout: Layout,
    chunk: usize,
    chunks: usize,
}

impl<'c> Reader<'c> {
    fn new(cs: &'c ConstraintSystem<Fr>) -> Self {
        let chunk = cs.degree() - 2;
        let permuted = cs.permutation().get_columns().len();
        let chunks = permuted.div_ceil(chunk);
        let lookups = cs.lookups().len();
        let lookups_permuted = cs.num_advice_columns();
        let products = lookups_permuted + 2 * lookups;
        let lookup_products = products + chunks;
        let random = lookup_products + lookups;
        let fixed_evaluations = cs.advice_queries().len();
        let random_evaluation = fixed_evaluations + cs.fixed_queries().len();
        let permutation_evaluations = random_evaluation + 1;
        let product_evaluations = permutation_evaluations + permuted;
        let lookup_evaluations = product_evaluations + (3 * chunks).saturating_sub(1);
        let rounds = [lookups_permuted, products, random + 1, random + cs.degree()];
        let layout = Layout {
            rounds,
            lookups_permuted,
            products,
            lookup_products,
            random,
            fixed_evaluations,
            random_evaluation,
            permutation_evaluations,
            product_evaluations,
            lookup_evaluations,
            evaluations: lookup_evaluations + 5 * lookups,
        };
        Self { cs, graph: Graph::default(), layout, chunk, chunks }
    }

    /// What is opened, in the order of the opening argument.
    fn openings(&self) -> Vec<Opening> {
        let Self { cs, layout, .. } = self;
        let mut openings = Vec::new();
        for (position, (column, rotation)) in cs.advice_queries().iter().enumerate() {
            openings.push((Polynomial::Proof(column.index()), rotation.0, Some(position)));
        }
        let product = |i: usize| (Polynomial::Proof(layout.products + i), layout.product_evaluations + 3 * i);
        for i in 0..self.chunks {
            let (polynomial, evaluation) = product(i);
            openings.extend([(polynomial, 0, Some(evaluation)), (polynomial, 1, Some(evaluation + 1))]);
        }
        for i in (0..self.chunks).rev().skip(1) {
            let (polynomial, evaluation) = product(i);
            openings.push((polynomial, last_rotation(cs.blinding_factors()), Some(evaluation + 2)));
        }
        for i in 0..cs.lookups().len() {
            let input = Polynomial::Proof(layout.lookups_permuted + 2 * i);
            let table = Polynomial::Proof(layout.lookups_permuted + 2 * i + 1);
            let product = Polynomial::Proof(layout.lookup_products + i);
            let first = layout.lookup_evaluations + 5 * i;
            let at = |evaluation: usize| Some(first + evaluation);
            openings.extend([
                (product, 0, at(0)),
                (input, 0, at(2)),
                (table, 0, at(4)),
                (input, -1, at(3)),
                (product, 1, at(1)),
            ]);
        }
        for (position, (column, rotation)) in cs.fixed_queries().iter().enumerate() {
            let evaluation = Some(layout.fixed_evaluations + position);
            openings.push((Polynomial::Key(column.index()), rotation.0, evaluation));
        }
        for i in 0..cs.permutation().get_columns().len() {
            let evaluation = Some(layout.permutation_evaluations + i);
            openings.push((Polynomial::Key(cs.num_fixed_columns() + i), 0, evaluation));
        }
        openings.push((Polynomial::Quotient, 0, None));
        openings.push((Polynomial::Proof(layout.random), 0, Some(layout.random_evaluation)));
        openings
    }

    fn evaluation(&mut self, position: usize) -> Id {
        self.graph.load(Value::Evaluation(position))
    }

    /// Every constraint, in the proof system's order.
    fn constraints(&mut self) -> Result<Vec<Id>, GeneratorError> {
        let cs = self.cs;
        let mut constraints = Vec::new();
        for polynomial in cs.gates().iter().flat_map(|gate| gate.polynomials()) {
            constraints.push(self.expression(polynomial)?);
        }
        let one = self.graph.constant(Fr::ONE);
        let [l_first, l_last, l_blinding] =
            [Value::LagrangeFirst, Value::LagrangeLast, Value::LagrangeBlinding]
                .map(|value| self.graph.load(value));
        let inactive = self.graph.add(l_last, l_blinding);
        let l_active = self.graph.subtract(one, inactive);
        self.permutation(&mut constraints, l_first, l_last, l_active)?;
        self.lookups(&mut constraints, l_first, l_last, l_active)?;
        Ok(constraints)
    }

    /// A product argument's start, `l_first · (1 − z)`.
    fn start(&mut self, l_first: Id, z: Id) -> Id {
        let one = self.graph.constant(Fr::ONE);
        let difference = self.graph.subtract(one, z);
        self.graph.multiply(l_first, difference)
    }

    /// And its end, `l_last · (z² − z)`.
    fn end(&mut self, l_last: Id, z: Id) -> Id {
        let square = self.graph.multiply(z, z);
        let difference = self.graph.subtract(square, z);
        self.graph.multiply(l_last, difference)
    }

    fn permutation(
        &mut self,
        constraints: &mut Vec<Id>,
        l_first: Id,
        l_last: Id,
        l_active: Id,
    ) -> Result<(), GeneratorError> {
        let first = self.layout.product_evaluations;
        if self.chunks == 0 {
            return Ok(());
        }
        let z = self.evaluation(first);
        constraints.push(self.start(l_first, z));
        let z = self.evaluation(first + 3 * (self.chunks - 1));
        constraints.push(self.end(l_last, z));
        for i in 1..self.chunks {
            let [z, before] = [first + 3 * i, first + 3 * i - 1].map(|position| self.evaluation(position));
            let difference = self.graph.subtract(z, before);
            constraints.push(self.graph.multiply(l_first, difference));
        }
        let [beta, gamma, x] = [Value::Beta, Value::Gamma, Value::X].map(|value| self.graph.load(value));
        let beta_x = self.graph.multiply(beta, x);
        let columns = self.cs.permutation().get_columns();
        for (i, chunk) in columns.chunks(self.chunk).enumerate() {
            let mut left = self.evaluation(first + 3 * i + 1);
            let mut right = self.evaluation(first + 3 * i);
            for (j, column) in chunk.iter().enumerate() {
                let index = i * self.chunk + j;
                let value = match column.column_type() {
                    Any::Advice(_) => self.advice(column.index(), 0)?,
                    Any::Fixed => self.fixed(column.index(), 0)?,
                    Any::Instance => self.graph.load(Value::Instance),
                };
                let value = self.graph.add(value, gamma);
                let sigma = self.evaluation(self.layout.permutation_evaluations + index);
                let sigma = self.graph.multiply(beta, sigma);
                let factor = self.graph.add(value, sigma);
                left = self.graph.multiply(left, factor);
                let shift = self.graph.constant(Fr::DELTA.pow_vartime([index as u64]));
                let identity = self.graph.multiply(beta_x, shift);
                let factor = self.graph.add(value, identity);
                right = self.graph.multiply(right, factor);
            }
            let difference = self.graph.subtract(left, right);
            constraints.push(self.graph.multiply(l_active, difference));
        }
        Ok(())
    }

    fn lookups(
        &mut self,
        constraints: &mut Vec<Id>,
        l_first: Id,
        l_last: Id,
        l_active: Id,
    ) -> Result<(), GeneratorError> {
        let cs = self.cs;
        let [beta, gamma] = [Value::Beta, Value::Gamma].map(|value| self.graph.load(value));
        for (i, lookup) in cs.lookups().iter().enumerate() {
            let first = self.layout.lookup_evaluations + 5 * i;
            let [z, z_next, input, input_before, table] =
                [0, 1, 2, 3, 4].map(|position| self.evaluation(first + position));
            constraints.push(self.start(l_first, z));
            constraints.push(self.end(l_last, z));
            let inputs = self.joined(lookup.input_expressions())?;
            let tables = self.joined(lookup.table_expressions())?;
            let [a, b, c, d] = [(input, beta), (table, gamma), (inputs, beta), (tables, gamma)]
                .map(|(value, challenge)| self.graph.add(value, challenge));
            let left = self.graph.multiply(z_next, a);
            let left = self.graph.multiply(left, b);
            let right = self.graph.multiply(z, c);
            let right = self.graph.multiply(right, d);
            let difference = self.graph.subtract(left, right);
            constraints.push(self.graph.multiply(l_active, difference));
            let difference = self.graph.subtract(input, table);
            constraints.push(self.graph.multiply(l_first, difference));
            let step = self.graph.subtract(input, input_before);
            let product = self.graph.multiply(difference, step);
            constraints.push(self.graph.multiply(l_active, product));
        }
        Ok(())
    }

    /// A lookup's expressions, joined by powers of theta.
    fn joined(&mut self, expressions: &[Expression<Fr>]) -> Result<Id, GeneratorError> {
        let theta = self.graph.load(Value::Theta);
        let mut sum = self.graph.constant(Fr::ZERO);
        for expression in expressions {
            let value = self.expression(expression)?;
            sum = self.graph.multiply(sum, theta);
            sum = self.graph.add(sum, value);
        }
        Ok(sum)
    }

    /// The evaluation of an advice column.
    fn advice(&mut self, column: usize, rotation: i32) -> Result<Id, GeneratorError> {
        let mut queries = self.cs.advice_queries().iter().map(|(c, r)| (c.index(), r.0));
        let position = queries.position(|query| query == (column, rotation));
        self.queried("advice", position, (column, rotation))
    }

    /// The evaluation of a fixed column.
    fn fixed(&mut self, column: usize, rotation: i32) -> Result<Id, GeneratorError> {
        let mut queries = self.cs.fixed_queries().iter().map(|(c, r)| (c.index(), r.0));
        let position = queries.position(|query| query == (column, rotation));
        self.queried("fixed", position.map(|i| self.layout.fixed_evaluations + i), (column, rotation))
    }

    fn queried(
        &mut self,
        what: &str,
        evaluation: Option<usize>,
        (column, rotation): (usize, i32),
    ) -> Result<Id, GeneratorError> {
        let evaluation = evaluation.ok_or_else(|| {
            unsupported("query", format!("{what} column {column} at rotation {rotation}"), "none".into())
        })?;
        Ok(self.evaluation(evaluation))
    }

    fn expression(&mut self, expression: &Expression<Fr>) -> Result<Id, GeneratorError> {
        Ok(match expression {
            Expression::Constant(value) => self.graph.constant(*value),
            Expression::Selector(_) => {
                return Err(unsupported("selector", "a fixed column".into(), "a virtual selector".into()));
            }
            Expression::Challenge(_) => {
                return Err(unsupported("expression", "no challenge".into(), "a challenge".into()));
            }
            Expression::Fixed(query) => self.fixed(query.column_index(), query.rotation().0)?,
            Expression::Advice(query) => self.advice(query.column_index(), query.rotation().0)?,
            Expression::Instance(query) => {
                require("rotation of the instance column", 0, query.rotation().0)?;
                self.graph.load(Value::Instance)
            }
            Expression::Negated(a) => {
                let a = self.expression(a)?;
                self.graph.negate(a)
            }
            Expression::Sum(a, b) => {
                let (a, b) = (self.expression(a)?, self.expression(b)?);
                self.graph.add(a, b)
            }
            Expression::Product(a, b) => {
                let (a, b) = (self.expression(a)?, self.expression(b)?);
                self.graph.multiply(a, b)
            }
            Expression::Scaled(a, factor) => {
                let a = self.expression(a)?;
                let factor = self.graph.constant(*factor);
                self.graph.multiply(a, factor)
            }
        })
    }
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
