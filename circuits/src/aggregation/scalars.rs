//! Scalars of the verifier in the circuit: affine forms over cells, written down only where they have to be.
//!
//! snark-verifier walks the leaf circuit's constraints as trees, in which the same expression stands many times (an
//! S-box's output in every row of the matrix after it). Here a sum costs nothing until it is multiplied, and what has
//! been written once is not written again: [`Builder`] remembers the cell of every form and of every product. Two
//! forms are the same only if their cells are, so remembering changes no statement.

use std::{collections::HashMap, fmt, ops::Deref};

use halo2_proofs::{arithmetic::Field, halo2curves::bn256::Fr};
use snark_verifier::loader::halo2::IntegerInstructions;

use crate::{
    gadgets::arithmetic::{Operand, boolean, equation, linear, product},
    halo2::trace::{Cell, Trace, Var},
};

/// Variables of one row of [`linear`].
const LINEAR_TERMS: usize = 5;
/// Cells that a row for unconstrained cells holds.
const FREE_CELLS: usize = 6;

/// `constant + Σ coefficient · cell`, each cell once, in the order of the cells, no coefficient 0.
#[derive(Clone)]
pub(super) struct Form {
    constant: Fr,
    terms: Vec<(Fr, Var)>,
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("terms", &self.terms.len()).finish_non_exhaustive()
    }
}

impl From<Var> for Form {
    fn from(var: Var) -> Self {
        Self { constant: Fr::ZERO, terms: vec![(Fr::ONE, var)] }
    }
}

impl From<Fr> for Form {
    fn from(constant: Fr) -> Self {
        Self { constant, terms: Vec::new() }
    }
}

impl Form {
    /// `self + factor · other`.
    pub(super) fn plus(&self, factor: Fr, other: &Self) -> Self {
        let mut terms = Vec::with_capacity(self.terms.len() + other.terms.len());
        let mut push = |coefficient: Fr, var: Var| {
            if coefficient != Fr::ZERO {
                terms.push((coefficient, var));
            }
        };
        let (mut left, mut right) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some((l, a)), Some((r, b))) if a.cell == b.cell => {
                    push(*l + factor * r, *a);
                    left.next();
                    right.next();
                }
                (Some((l, a)), Some((_, b))) if a.cell < b.cell => {
                    push(*l, *a);
                    left.next();
                }
                (Some((l, a)), None) => {
                    push(*l, *a);
                    left.next();
                }
                (_, Some((r, b))) => {
                    push(factor * r, *b);
                    right.next();
                }
                (None, None) => break,
            }
        }
        Self { constant: self.constant + factor * other.constant, terms }
    }

    /// `factor · self`.
    pub(super) fn times(&self, factor: Fr) -> Self {
        Self::from(Fr::ZERO).plus(factor, self)
    }

    /// The value.
    pub(super) fn value(&self) -> Fr {
        self.terms.iter().fold(self.constant, |sum, (coefficient, var)| sum + coefficient * var.value)
    }

    fn key(&self) -> FormKey {
        (self.constant, self.terms.iter().map(|(coefficient, var)| (var.cell, *coefficient)).collect())
    }
}

type FormKey = (Fr, Vec<(Cell, Fr)>);
/// Two factors, each `coefficient · cell + constant`, the one with the lower cell first.
type ProductKey = [(Cell, Fr, Fr); 2];

/// A trace and what has been written to it so far.
#[derive(Clone, Default)]
pub(super) struct Builder {
    /// The rows.
    pub(super) trace: Trace,
    forms: HashMap<FormKey, Var>,
    products: HashMap<ProductKey, Var>,
    /// The row that takes unconstrained cells, with the next free column.
    free: Option<(usize, usize)>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("rows", &self.trace.rows()).finish_non_exhaustive()
    }
}

impl Builder {
    /// A cell that nothing constrains yet.
    pub(super) fn free(&mut self, value: Fr) -> Var {
        let (row, column) = match self.free {
            Some((row, column)) if column < FREE_CELLS => (row, column),
            _ => (self.trace.push(crate::halo2::trace::Gate::None, &[]), 0),
        };
        self.free = Some((row, column + 1));
        self.trace.set(row, column, value)
    }

    /// The cell of a form.
    pub(super) fn cell(&mut self, form: &Form) -> Var {
        if let ([(coefficient, var)], true) = (form.terms.as_slice(), form.constant == Fr::ZERO)
            && *coefficient == Fr::ONE
        {
            return *var;
        }
        let key = form.key();
        if let Some(var) = self.forms.get(&key) {
            return *var;
        }
        let (first, rest) = form.terms.split_at(form.terms.len().min(LINEAR_TERMS));
        let mut var = linear(&mut self.trace, first, form.constant);
        for terms in rest.chunks(LINEAR_TERMS - 1) {
            let mut terms = terms.to_vec();
            terms.push((Fr::ONE, var));
            var = linear(&mut self.trace, &terms, Fr::ZERO);
        }
        self.forms.insert(key, var);
        var
    }

    /// A form with at most one cell and the same value.
    fn affine(&mut self, form: &Form) -> (Fr, Var, Fr) {
        match form.terms.as_slice() {
            [(coefficient, var)] => (*coefficient, *var, form.constant),
            _ => (Fr::ONE, self.cell(form), Fr::ZERO),
        }
    }

    /// The product of two forms.
    pub(super) fn multiply(&mut self, left: &Form, right: &Form) -> Form {
        if left.terms.is_empty() {
            return right.times(left.constant);
        }
        if right.terms.is_empty() {
            return left.times(right.constant);
        }
        let mut factors = [self.affine(left), self.affine(right)];
        factors.sort_by_key(|(_, var, _)| var.cell);
        let key = factors.map(|(coefficient, var, constant)| (var.cell, coefficient, constant));
        let [(k, a, c), (l, b, d)] = factors;
        let var = match self.products.get(&key) {
            Some(var) => *var,
            None => {
                // (k a + c) (l b + d)
                let terms = [(k * d, a), (l * c, b)];
                let terms: Vec<_> = terms.into_iter().filter(|(k, _)| *k != Fr::ZERO).collect();
                let var = product(&mut self.trace, (k * l, a, b), &terms, c * d);
                self.products.insert(key, var);
                var
            }
        };
        var.into()
    }

    /// The inverse; no values satisfy the trace where a form is 0.
    pub(super) fn invert(&mut self, form: &Form) -> Form {
        let var = self.cell(form);
        let inverse = Operand::New(Option::from(var.value.invert()).unwrap_or(Fr::ZERO));
        let cells = equation(&mut self.trace, &[], Some((Fr::ONE, var.into(), inverse)), -Fr::ONE);
        cells.last().copied().unwrap_or(var).into()
    }

    /// Constrains a form to be 0.
    pub(super) fn assert_zero(&mut self, form: &Form) {
        let var = self.cell(form);
        equation(&mut self.trace, &[(Fr::ONE, var.into())], None, Fr::ZERO);
    }
}

/// The operations that snark-verifier asks for.
#[derive(Clone, Debug)]
pub(super) struct ScalarChip;

impl IntegerInstructions<Fr> for ScalarChip {
    type Context = Builder;
    type AssignedCell = Form;
    type AssignedInteger = Form;

    fn assign_integer(&self, builder: &mut Builder, value: Fr) -> Form {
        builder.free(value).into()
    }

    fn assign_constant(&self, _: &mut Builder, value: Fr) -> Form {
        value.into()
    }

    fn sum_with_coeff_and_const(
        &self,
        _: &mut Builder,
        values: &[(Fr, impl Deref<Target = Form>)],
        constant: Fr,
    ) -> Form {
        values.iter().fold(constant.into(), |sum: Form, (coefficient, value)| sum.plus(*coefficient, value))
    }

    fn sum_products_with_coeff_and_const(
        &self,
        builder: &mut Builder,
        values: &[(Fr, impl Deref<Target = Form>, impl Deref<Target = Form>)],
        constant: Fr,
    ) -> Form {
        values.iter().fold(constant.into(), |sum: Form, (coefficient, left, right)| {
            sum.plus(*coefficient, &builder.multiply(left, right))
        })
    }

    fn sub(&self, _: &mut Builder, left: &Form, right: &Form) -> Form {
        left.plus(-Fr::ONE, right)
    }

    fn neg(&self, _: &mut Builder, value: &Form) -> Form {
        value.times(-Fr::ONE)
    }

    fn invert(&self, builder: &mut Builder, value: &Form) -> Form {
        builder.invert(value)
    }

    fn assert_equal(&self, builder: &mut Builder, left: &Form, right: &Form) {
        builder.assert_zero(&left.plus(-Fr::ONE, right));
    }

    fn pow_var(&self, builder: &mut Builder, base: &Form, exponent: &Form, max_bits: usize) -> Form {
        let value = exponent.value();
        let bytes = value.to_bytes();
        let mut power = base.clone();
        let mut result = Form::from(Fr::ONE);
        let mut rest = exponent.clone();
        for i in 0..max_bits {
            let bit = bytes.get(i / 8).map_or(0, |byte| byte >> (i % 8) & 1);
            let bit = Form::from(boolean(&mut builder.trace, Fr::from(u64::from(bit))));
            rest = rest.plus(-Fr::from(2).pow_vartime([i as u64]), &bit);
            // result · (1 + bit · (power − 1))
            let factor = builder.multiply(&bit, &power.plus(-Fr::ONE, &Fr::ONE.into()));
            result = builder.multiply(&result, &factor.plus(Fr::ONE, &Fr::ONE.into()));
            power = builder.multiply(&power, &power);
        }
        builder.assert_zero(&rest);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::halo2::{checker::Checker, columns::GateSet};

    fn is_satisfied(builder: &Builder) -> bool {
        static CHECKER: OnceLock<Checker> = OnceLock::new();
        let checker = CHECKER.get_or_init(|| Checker::of(&GateSet::RECURSION));
        checker.check(&builder.trace, 16, &[], 1).is_empty()
    }

    #[test]
    fn any_sequence_of_operations_has_the_value_that_it_has_outside() {
        let mut random = ChaCha20Rng::seed_from_u64(1);
        for _ in 0..20 {
            let mut builder = Builder::default();
            let mut known: Vec<(Form, Fr)> = Vec::new();
            for _ in 0..4 {
                let value = Fr::from(random.gen_range(0..4_u64));
                known.push((builder.free(value).into(), value));
                known.push((value.into(), value));
            }
            for _ in 0..60 {
                let [(a, x), (b, y)] =
                    std::array::from_fn(|_| known[random.gen_range(0..known.len())].clone());
                let factor = Fr::from(random.gen_range(0..3_u64)) - Fr::ONE;
                let (form, value) = match random.gen_range(0..5) {
                    0 => (builder.multiply(&a, &b), x * y),
                    1 => (a.times(factor), x * factor),
                    2 if x != Fr::ZERO => (builder.invert(&a), x.invert().unwrap()),
                    _ => (a.plus(factor, &b), x + factor * y),
                };
                assert_eq!(form.value(), value);
                assert_eq!(builder.cell(&form).value, value);
                known.push((form, value));
            }
            assert!(is_satisfied(&builder));
            let (form, value) = known.last().unwrap();
            builder.assert_zero(&form.plus(-Fr::ONE, &Form::from(*value)));
            assert!(is_satisfied(&builder));
            builder.assert_zero(&form.plus(-Fr::ONE, &Form::from(*value + Fr::ONE)));
            assert!(!is_satisfied(&builder));
        }
    }

    #[test]
    fn what_was_written_is_not_written_again() {
        let mut builder = Builder::default();
        let [a, b] = [3, 4].map(|value| Form::from(builder.free(Fr::from(value))));
        let product = builder.multiply(&a, &b);
        let sum = builder.cell(&a.plus(Fr::ONE, &b));
        let rows = builder.trace.rows();
        assert_eq!(builder.multiply(&b, &a).key(), product.key());
        assert_eq!(builder.cell(&b.plus(Fr::ONE, &a)).cell, sum.cell);
        assert_eq!(builder.trace.rows(), rows);
        assert_ne!(builder.multiply(&a, &a).key(), product.key());
        assert!(builder.trace.rows() > rows);
    }

    #[test]
    fn zero_has_no_inverse() {
        let mut builder = Builder::default();
        let zero = Form::from(builder.free(Fr::ZERO));
        builder.invert(&zero);
        assert!(!is_satisfied(&builder));
    }

    #[test]
    fn powers_take_exponents_of_their_length_only() {
        for (exponent, bits, fits) in [(0, 4, true), (11, 4, true), (15, 4, true), (16, 4, false)] {
            let mut builder = Builder::default();
            let base = Form::from(builder.free(Fr::from(3)));
            let form = Form::from(builder.free(Fr::from(exponent)));
            let power = ScalarChip.pow_var(&mut builder, &base, &form, bits);
            assert_eq!(is_satisfied(&builder), fits);
            assert!(!fits || power.value() == Fr::from(3).pow_vartime([exponent]));
        }
    }
}
