//! The one running product that compares what the state part writes and reads.
//!
//! Tuples of field elements become factors `β + Σ α^i part_i`, with two challenges that are drawn when everything but
//! the products themselves is committed. Gates of [`super::memory`] and [`super::node`] multiply by the factors of what
//! appears and divide by those of what is used up; the product starts and ends at 1, so that, but for an accident of
//! the challenges, the two are the same tuples, each as often. With n tuples of at most ten parts that is an accident
//! of probability below `10 n / r`, some 2^-233 for the largest chunk. The first part tells the two kinds of tuples
//! apart.
//!
//! A gate has a cell of [`PRODUCT_COLUMN`] in each of two or more adjacent rows: the product before, and after each of
//! its steps. The first is linked to the last of the gate before it in the trace.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{BatchInvert, Field};
use halo2_proofs::plonk::Expression;
use rayon::prelude::*;

use super::{memory, node};
use crate::halo2::columns::NamedConstraint;
use crate::halo2::trace::{Challenges, Gate, Trace, Var};

/// First part of a tuple of [`super::memory`].
pub const MEMORY: u64 = 1;
/// First part of a tuple of [`super::node`].
pub const TREE: u64 = 0;

/// A factor, natively.
pub fn factor(challenges: &Challenges, parts: &[Fr]) -> Fr {
    challenges.beta + parts.iter().rev().fold(Fr::ZERO, |sum, part| sum * challenges.alpha + part)
}

/// `factor` where `flag` is 1, and 1 where it is 0.
pub fn switched(flag: &Expression<Fr>, factor: Expression<Fr>) -> Expression<Fr> {
    let one = || Expression::Constant(Fr::ONE);
    one() + flag.clone() * (factor - one())
}

/// The constraint of one step: `after · divisor = before · multiplier`.
pub fn step(
    name: &str,
    [before, after]: [Expression<Fr>; 2],
    multiplier: Expression<Fr>,
    divisor: Expression<Fr>,
) -> NamedConstraint {
    (name.to_owned(), after * divisor - before * multiplier)
}

/// `factor` switched by a flag, natively.
pub(super) fn switched_value(flag: Fr, factor: Fr) -> Fr {
    Fr::ONE + flag * (factor - Fr::ONE)
}

/// The steps of the gate that a row anchors: the row of the product before, and each step's multiplier and divisor.
type Steps = (usize, Vec<[Fr; 2]>);

fn steps(trace: &Trace, row: usize, challenges: &Challenges) -> Option<Steps> {
    match trace.gate(row) {
        Gate::Access => Some((row, memory::access_steps(trace, row, challenges))),
        Gate::Entry => Some((row - 1, memory::entry_steps(trace, row, challenges))),
        Gate::Node => Some((row - node::ROWS_ABOVE, node::steps(trace, row, challenges))),
        _ => None,
    }
}

/// The products by row, computed from everything else.
pub fn compute(trace: &Trace, challenges: Challenges) -> Vec<Fr> {
    let all: Vec<Steps> =
        (0..trace.rows()).into_par_iter().filter_map(|row| steps(trace, row, &challenges)).collect();
    let mut inverses: Vec<Fr> =
        all.iter().flat_map(|(_, steps)| steps.iter().map(|[_, divisor]| *divisor)).collect();
    inverses.iter_mut().batch_invert();
    let mut inverses = inverses.into_iter();
    let mut products = vec![Fr::ZERO; trace.rows()];
    let mut product = Fr::ONE;
    for (first, steps) in all {
        products[first] = product;
        for (row, [multiplier, _]) in (first + 1..).zip(steps) {
            product *= multiplier * inverses.next().unwrap_or(Fr::ZERO);
            products[row] = product;
        }
    }
    products
}

/// Writes the products into the trace.
pub fn fill(trace: &mut Trace, challenges: Challenges) {
    for (row, product) in compute(trace, challenges).into_iter().enumerate() {
        if trace.is_assigned(row, crate::halo2::trace::PRODUCT_COLUMN) {
            trace.set_product(row, product);
        }
    }
}

/// Reserves the cells of a gate's products, `count` from row `first` on, links the first to `before` and returns the
/// last.
pub(super) fn reserve(trace: &mut Trace, first: usize, count: usize, before: Var) -> Var {
    let [start, end] = trace.reserve_products(first, count);
    trace.link(before, start);
    end
}
