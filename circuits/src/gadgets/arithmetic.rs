//! One equation a row, with coefficients from the constants:
//!
//! ```text
//! | c0 | c1 | c2 | c3 | c4 | c5 |      k0 c0 + k1 c1 + k2 c2 + k3 c3 + k4 c4 + k5 c5 + k6 c4 c5 + k7 = 0
//! ```
//!
//! Guarantees the equation, over the field: a caller that means integers bounds the operands.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;

use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::trace::{Gate, Trace, Var};

const TERMS: usize = 6;
const FIRST_FACTOR: usize = 4;
const SECOND_FACTOR: usize = 5;

/// 2^exponent.
pub fn power(exponent: u64) -> Fr {
    Fr::from(2).pow_vartime([exponent])
}

/// The gate's constraint.
pub fn constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let cells: [_; TERMS] = window.cells(0, 0);
    let product = window.constant(0, 6) * cells[FIRST_FACTOR].clone() * cells[SECOND_FACTOR].clone();
    let equation = cells
        .into_iter()
        .enumerate()
        .fold(product + window.constant(0, 7), |sum, (i, cell)| sum + window.constant(0, i) * cell);
    vec![("equation".into(), equation)]
}

/// An operand of an equation: a variable to copy, or a new cell with this value.
#[derive(Clone, Copy)]
pub enum Operand {
    /// Copies a variable.
    Old(Var),
    /// A cell of its own.
    New(Fr),
}

impl From<Var> for Operand {
    fn from(var: Var) -> Self {
        Self::Old(var)
    }
}

impl Operand {
    /// Writes the operand's cell.
    pub fn place(self, trace: &mut Trace, row: usize, column: usize) -> Var {
        match self {
            Self::Old(var) => trace.copy(row, column, var),
            Self::New(value) => trace.set(row, column, value),
        }
    }
}

/// Appends one equation: at most 4 linear terms, `product` as (coefficient, first, second), and a constant.
/// Returns the cells of the terms, in order, then those of the two factors when there is a product.
pub fn equation(
    trace: &mut Trace,
    terms: &[(Fr, Operand)],
    product: Option<(Fr, Operand, Operand)>,
    constant: Fr,
) -> Vec<Var> {
    debug_assert!(terms.len() <= if product.is_some() { FIRST_FACTOR } else { TERMS });
    let mut constants = [Fr::ZERO; 8];
    for (slot, (coefficient, _)) in constants.iter_mut().zip(terms) {
        *slot = *coefficient;
    }
    constants[6] = product.map_or(Fr::ZERO, |(coefficient, _, _)| coefficient);
    constants[7] = constant;
    let row = trace.push(Gate::Arithmetic, &constants);
    let mut vars: Vec<Var> = terms.iter().enumerate().map(|(i, (_, o))| o.place(trace, row, i)).collect();
    if let Some((_, first, second)) = product {
        vars.push(first.place(trace, row, FIRST_FACTOR));
        vars.push(second.place(trace, row, SECOND_FACTOR));
    }
    vars
}

/// `constant + Σ coefficient · variable`, of at most 5 variables, as a new cell.
pub fn linear(trace: &mut Trace, terms: &[(Fr, Var)], constant: Fr) -> Var {
    let value = terms.iter().fold(constant, |sum, (coefficient, var)| sum + coefficient * var.value);
    let mut row: Vec<(Fr, Operand)> = vec![(-Fr::ONE, Operand::New(value))];
    row.extend(terms.iter().map(|(coefficient, var)| (*coefficient, Operand::Old(*var))));
    equation(trace, &row, None, constant)[0]
}

/// `constant + coefficient · a · b + Σ coefficient · variable`, of at most 3 variables, as a new cell.
pub fn product(
    trace: &mut Trace,
    (coefficient, a, b): (Fr, Var, Var),
    terms: &[(Fr, Var)],
    constant: Fr,
) -> Var {
    let value = terms.iter().fold(constant + coefficient * a.value * b.value, |s, (k, v)| s + k * v.value);
    let mut row: Vec<(Fr, Operand)> = vec![(-Fr::ONE, Operand::New(value))];
    row.extend(terms.iter().map(|(k, v)| (*k, Operand::Old(*v))));
    equation(trace, &row, Some((coefficient, a.into(), b.into())), constant)[0]
}

/// `a · b` as a new cell.
pub fn multiply(trace: &mut Trace, a: Var, b: Var) -> Var {
    product(trace, (Fr::ONE, a, b), &[], Fr::ZERO)
}

/// A cell that nothing constrains yet.
pub fn free(trace: &mut Trace, value: Fr) -> Var {
    equation(trace, &[(Fr::ZERO, Operand::New(value))], None, Fr::ZERO)[0]
}

/// `constant` if `flag` is 1, `no` if it is 0, as a new cell.
pub fn select_constant(trace: &mut Trace, flag: Var, constant: Fr, no: Var) -> Var {
    product(trace, (-Fr::ONE, flag, no), &[(Fr::ONE, no), (constant, flag)], Fr::ZERO)
}

/// Constrains `a · b = 0`.
pub fn exclusive(trace: &mut Trace, a: Var, b: Var) {
    equation(trace, &[], Some((Fr::ONE, a.into(), b.into())), Fr::ZERO);
}

/// Constrains `b` to be 1 where `a` is 1: `a · (1 − b) = 0`.
pub fn implies(trace: &mut Trace, a: Var, b: Var) {
    equation(trace, &[(Fr::ONE, a.into())], Some((-Fr::ONE, a.into(), b.into())), Fr::ZERO);
}

/// A cell that can only hold `value`.
pub fn constant(trace: &mut Trace, value: Fr) -> Var {
    equation(trace, &[(Fr::ONE, Operand::New(value))], None, -value)[0]
}

/// A new cell constrained to 0 or 1, the first of its row. The value is a field element so that a forged one
/// reaches the checker.
pub fn boolean(trace: &mut Trace, value: Fr) -> Var {
    let bit = Operand::New(value);
    let cells = equation(trace, &[(-Fr::ONE, bit)], Some((Fr::ONE, bit, bit)), Fr::ZERO);
    trace.link(cells[0], cells[1]);
    trace.link(cells[0], cells[2]);
    cells[0]
}

/// Constrains a variable not to be 0.
pub fn nonzero(trace: &mut Trace, var: Var) {
    let inverse = var.value.invert().unwrap_or(Fr::ZERO);
    equation(trace, &[], Some((Fr::ONE, var.into(), Operand::New(inverse))), -Fr::ONE);
}

/// 1 if a variable is 0, else 0, as a new cell. Two rows: `1 − v·w = f` and `v·f = 0`.
pub fn is_zero(trace: &mut Trace, var: Var) -> Var {
    let inverse = var.value.invert().unwrap_or(Fr::ZERO);
    let flag = Fr::ONE - var.value * inverse;
    let cells = equation(
        trace,
        &[(-Fr::ONE, Operand::New(flag))],
        Some((-Fr::ONE, var.into(), Operand::New(inverse))),
        Fr::ONE,
    );
    equation(trace, &[], Some((Fr::ONE, var.into(), cells[0].into())), Fr::ZERO);
    cells[0]
}
