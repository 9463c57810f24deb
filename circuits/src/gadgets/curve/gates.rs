//! The gates' constraints; [`super`] has their rows.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::plonk::Expression;

use super::layout;
use crate::gadgets::arithmetic::power;
use crate::gadgets::foreign::{
    ELEMENT_CHUNKS, HALF_BITS, LIMBS, RELATION_NAMES, Residues, difference, from_chunks, limbs_of_chunks,
    order, relation, to_field,
};
use crate::halo2::columns::{NamedConstraint, Window};

type Limbs = [Expression<Fr>; LIMBS];

/// The limbs in a row.
fn limbs(window: &mut Window<'_, '_>, rotation: i32) -> Limbs {
    window.cells(rotation, layout::LIMBS_AT)
}

/// The residues in a row.
fn residues(window: &mut Window<'_, '_>, rotation: i32) -> Residues<Expression<Fr>> {
    Residues::new(window.cells(rotation, layout::RESIDUES_AT))
}

/// The limbs of an element's chunks.
fn element(window: &mut Window<'_, '_>, first: usize) -> Limbs {
    limbs_of_chunks(&window.chunks(first, ELEMENT_CHUNKS))
}

/// The relation `sum = q·p` with quotient and carries from the chunks that begin there.
fn stated(
    window: &mut Window<'_, '_>,
    name: &str,
    sum: Residues<Expression<Fr>>,
    quotient: (usize, usize),
    carries: usize,
) -> Vec<NamedConstraint> {
    let quotient = window.chunks(quotient.0, quotient.1);
    let carries = window.chunks(carries, layout::CARRIES);
    let values = relation(sum, &quotient, &carries);
    RELATION_NAMES.iter().zip(values).map(|(part, value)| (format!("{name}: {part}"), value)).collect()
}

fn same_limbs(name: &str, left: &Limbs, right: &Limbs) -> Vec<NamedConstraint> {
    let pairs = left.iter().zip(right).enumerate();
    pairs.map(|(i, (l, r))| (format!("{name} {i}"), l.clone() - r.clone())).collect()
}

fn same_residues(
    name: &str,
    left: Residues<Expression<Fr>>,
    right: Residues<Expression<Fr>>,
) -> Vec<NamedConstraint> {
    let pairs = left.cells().into_iter().zip(right.cells());
    RELATION_NAMES.iter().zip(pairs).map(|(part, (l, r))| (format!("{name}: {part}"), l - r)).collect()
}

/// What sums and doublings share: the two relations, and the new point in the last row, on a line of this slope
/// through `through`.
fn slope(
    window: &mut Window<'_, '_>,
    slope_sum: impl FnOnce(&Limbs) -> Residues<Expression<Fr>>,
    old_x: impl FnOnce() -> Residues<Expression<Fr>>,
    through: (&Limbs, Residues<Expression<Fr>>),
) -> Vec<NamedConstraint> {
    let slope = element(window, layout::SLOPE);
    let (x, y) = (limbs(window, layout::RESULT), residues(window, layout::RESULT));
    let new_x = element(window, layout::NEW_X);
    let mut constraints = same_limbs("x limb", &x, &new_x);
    constraints.extend(stated(
        window,
        "slope",
        slope_sum(&slope),
        layout::SLOPE_QUOTIENT,
        layout::SLOPE_CARRIES,
    ));
    let sum = Residues::product(&slope, &slope).minus(old_x()).minus(Residues::of(&x));
    constraints.extend(stated(window, "x", sum, layout::X_QUOTIENT, layout::X_CARRIES));
    let line = Residues::product(&slope, &difference(through.0, &x)).minus(through.1);
    constraints.extend(same_residues("y", y, line));
    constraints
}

/// Constraints of a sum.
pub fn add(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let (ax, ay) = (limbs(window, -1), residues(window, -1));
    let (px, py) = (limbs(window, 0), residues(window, 0));
    let apart = difference(&px, &ax);
    let mut constraints = slope(
        window,
        |slope| Residues::product(slope, &apart).minus(py.clone()).plus(ay),
        || Residues::of(&ax).plus(Residues::of(&px)),
        (&px, py.clone()),
    );
    let digit = window.cell(0, layout::DIGIT);
    let [before, after, square, inverse] = window.cells(layout::EXTRAS, 0);
    let factor = window.constant(0, 1);
    constraints.push(("digit".into(), after - factor * before - digit));
    // Equal modulo p is a difference of k·p with |k| at most 2.
    let apart = Residues::of(&apart).native;
    let p = to_field(order());
    let multiple = |k: u64| Expression::Constant((p * Fr::from(k)).square());
    constraints.push(("squared difference".into(), square.clone() - apart.clone() * apart.clone()));
    let product = inverse * apart * (square.clone() - multiple(1)) * (square - multiple(2));
    constraints.push(("different x".into(), product - Expression::Constant(Fr::ONE)));
    constraints
}

/// Constraints of a doubling.
pub fn double(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let (y, x) = (limbs(window, -2), limbs(window, -1));
    slope(
        window,
        |slope| Residues::product(slope, &y).scaled(2).minus(Residues::product(&x, &x).scaled(3)),
        || Residues::of(&x).scaled(2),
        (&x, Residues::of(&y)),
    )
}

/// Constraints of a reduction of y.
pub fn normalize(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let (old_x, old_y) = (limbs(window, -1), residues(window, -1));
    let y = limbs(window, layout::NORMALIZED - 1);
    let (x, new_y) = (limbs(window, layout::NORMALIZED), residues(window, layout::NORMALIZED));
    let native_x = window.cell(layout::NORMALIZED, layout::NATIVE_X);
    let chunks = element(window, layout::NEW_Y);
    let mut constraints = same_limbs("y limb", &y, &chunks);
    let sum = old_y.minus(Residues::of(&y));
    constraints.extend(stated(window, "y", sum, layout::Y_QUOTIENT, layout::Y_CARRIES));
    constraints.extend(same_limbs("x limb", &x, &old_x));
    constraints.extend(same_residues("residue", new_y, Residues::of(&y)));
    constraints.push(("x modulo r".into(), native_x - Residues::of(&x).native));
    constraints
}

/// Constraints of new coordinates.
pub fn coordinates(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let y = limbs(window, layout::COORDINATES - 1);
    let (x, residues) = (limbs(window, layout::COORDINATES), residues(window, layout::COORDINATES));
    let native_x = window.cell(layout::COORDINATES, layout::NATIVE_X);
    let chunks = [0, ELEMENT_CHUNKS].map(|first| element(window, first));
    let mut constraints = same_limbs("x limb", &x, &chunks[0]);
    constraints.extend(same_limbs("y limb", &y, &chunks[1]));
    constraints.extend(same_residues("residue", residues, Residues::of(&y)));
    constraints.push(("x modulo r".into(), native_x - Residues::of(&x).native));
    constraints
}

/// Constraints of a point's equation.
pub fn equation(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let (y, x) = (limbs(window, 0), limbs(window, 1));
    let square = element(window, layout::SQUARE);
    let sum = Residues::product(&x, &x).minus(Residues::of(&square));
    let mut constraints = stated(window, "square", sum, layout::SQUARE_QUOTIENT, layout::SQUARE_CARRIES);
    let three = Expression::Constant(Fr::from(3));
    let three = Residues { native: three.clone(), low: three, high: Expression::Constant(Fr::ZERO) };
    let sum = Residues::product(&y, &y).minus(Residues::product(&x, &square)).minus(three);
    constraints.extend(stated(window, "equation", sum, layout::CURVE_QUOTIENT, layout::CURVE_CARRIES));
    constraints
}

/// Constraints of coordinates below p.
pub fn canonical(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let coordinates = [("x", limbs(window, 1)), ("y", limbs(window, 0))];
    let borrows: [_; 2] = window.cells(layout::BORROWS, 0);
    let largest = order() - 1_u8;
    let unit = num_bigint::BigUint::from(1_u8) << HALF_BITS;
    let (low_limit, high_limit) = (to_field(&(&largest % &unit)), to_field(&(&largest / &unit)));
    let mut constraints = Vec::new();
    for (i, ((name, limbs), borrow)) in coordinates.into_iter().zip(borrows).enumerate() {
        let rest = window.chunks(i * ELEMENT_CHUNKS, ELEMENT_CHUNKS);
        let (low, high) = rest.split_at(layout::HALF_CHUNKS);
        let value = Residues::of(&limbs);
        let low = value.low + from_chunks(low) - borrow.clone() * power(HALF_BITS);
        let high = value.high + from_chunks(high) + borrow.clone();
        let one = Expression::Constant(Fr::ONE);
        constraints.push((format!("{name}: borrow"), borrow.clone() * (one - borrow)));
        constraints.push((format!("{name}: lower half"), low - Expression::Constant(low_limit)));
        constraints.push((format!("{name}: upper half"), high - Expression::Constant(high_limit)));
    }
    constraints
}

/// Constraints of a pair of places.
pub fn table(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let digits = [0, 1].map(|rotation| window.cell(rotation, layout::DIGIT));
    let [digit, negative] = digits;
    let expected = window.constant(0, 1);
    let mut constraints = vec![
        ("digit".to_owned(), digit - expected.clone()),
        ("negative digit".to_owned(), negative + expected),
    ];
    let (x, y) = (limbs(window, 0), residues(window, 0));
    let (other_x, other_y) = (limbs(window, 1), residues(window, 1));
    constraints.extend(same_limbs("same x", &other_x, &x));
    let zero = || Expression::Constant(Fr::ZERO);
    let opposite = Residues { native: zero(), low: zero(), high: zero() }.minus(y);
    constraints.extend(same_residues("opposite y", other_y, opposite));
    constraints
}

/// Constraints of a pair of places of a constant.
pub fn constant(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let mut constraints = table(window);
    let (x, y) = (limbs(window, 0), residues(window, 0));
    let constants = std::array::from_fn(|i| window.constant(0, layout::CONSTANT_X + i));
    constraints.extend(same_limbs("constant x", &x, &constants));
    let constants = std::array::from_fn(|i| window.constant(1, layout::CONSTANT_Y + i));
    constraints.extend(same_residues("constant y", y, Residues::new(constants)));
    constraints
}
