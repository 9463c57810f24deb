//! The Poseidon permutation with circomlib's parameters, widths 3, 5 and 6.
//!
//! Two full rounds make a *double*: from the state `s` before the round, `u = s + k` enters the S-boxes, `a = u⁴`
//! gives their outputs `u·a`, `v = M(u·a) + k'` enters the second round's, `b = v²` gives `v·b²`, and
//! `M(v·b²)` is the next state. So an S-box costs 1.5 cells and no constraint passes degree 5 with its selector.
//!
//! Partial rounds come in blocks. In a round the state is linear in the S-box outputs, so only every other S-box
//! input is a cell: the first round's input is the state's first cell, its helper `a = u⁴`; the second round's
//! input is an expression of degree 2, its helper `b = u²`; the input after it is a cell again, and replaces the
//! second output (of degree 4) in everything that follows. Round constants are pushed forward through the
//! matrix until only the S-box's own is left, so that a block needs one a round; the rest meets the next full
//! round's constants.
//!
//! ```text
//! width 5     | s0 .. s4            | a0 .. a4       |   double: anchored at its second row
//!             |  (5 free)           | b0 .. b4       |
//!             | s0 .. s4 | a1 b2 x3 a3 b4            |   10 partial rounds, anchored at the second row
//!             |   (free) | x5 a5 b6 x7 a7 b8 x9 a9 b10
//! width 6     | s0 .. s5            | a0 .. a3       |
//!             | (2 free) | a4 a5    | b0 .. b5       |
//!             | s0 .. s5 | 4 helpers |  /  10 helpers |
//! width 3     | s0 s1 s2 | a0 a1 a2 | b0 b1 b2 |         one row a double
//!             | s0 s1 s2 | a1 b2 x3 a3 |                 one row for 3 partial rounds
//! ```
//!
//! The row after the last double holds the final state; its first cell is the hash. Width 5, by far the most
//! used, has a gate of its own for the last double, which puts the hash into the second row's first cell and
//! saves that row. The caller guarantees
//! nothing; the gadget guarantees `output = H_n(inputs)`, the capacity being linked to a cell that is 0. A sponge
//! links the capacity to the permutation before instead; in widths without that gate every cell of the final state
//! can be copied.

use std::sync::OnceLock;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::plonk::Expression;

use super::arithmetic::Operand;
use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::to_circuit;
use crate::halo2::trace::{CONSTANT_COLUMNS, Gate, Trace, Var};
use crate::rollup::poseidon::parameters;

/// Where the cells of a width stand.
struct Layout {
    /// Rows of a double and of a block of partial rounds: 1 or 2.
    rows: usize,
    /// Partial rounds in a block.
    block: usize,
    full_gate: Gate,
    partial_gate: Gate,
    /// The gate of the last double, where it isn't an ordinary one.
    last_gate: Option<Gate>,
    /// Column of `a_i` and `b_i` of a double, with its row (0 or 1).
    first_helper: fn(usize) -> (usize, usize),
    second_helper: fn(usize) -> (usize, usize),
    /// Place of a block's helper number `i`.
    partial_helper: fn(usize) -> (usize, usize),
}

const WIDTH_3: Layout = Layout {
    rows: 1,
    block: 3,
    full_gate: Gate::Full3,
    partial_gate: Gate::Partial3,
    last_gate: None,
    first_helper: |i| (0, 3 + i),
    second_helper: |i| (0, 6 + i),
    partial_helper: |i| (0, 3 + i),
};
const WIDTH_5: Layout = Layout {
    rows: 2,
    block: 10,
    full_gate: Gate::Full5,
    partial_gate: Gate::Partial5,
    last_gate: Some(Gate::Last5),
    first_helper: |i| (0, 5 + i),
    second_helper: |i| (1, 5 + i),
    partial_helper: |i| if i < 5 { (0, 5 + i) } else { (1, i - 4) },
};
const WIDTH_6: Layout = Layout {
    rows: 2,
    block: 10,
    full_gate: Gate::Full6,
    partial_gate: Gate::Partial6,
    last_gate: None,
    first_helper: |i| if i < 4 { (0, 6 + i) } else { (1, i - 2) },
    second_helper: |i| (1, 4 + i),
    partial_helper: |i| if i < 4 { (0, 6 + i) } else { (1, i - 4) },
};

#[expect(clippy::panic, reason = "a width without gates is a mistake in the circuit, not in its input")]
const fn layout<const T: usize>() -> &'static Layout {
    match T {
        3 => &WIDTH_3,
        5 => &WIDTH_5,
        6 => &WIDTH_6,
        _ => panic!("only widths 3, 5 and 6 have gates"),
    }
}

/// Doubles before, and as many after, the partial rounds.
const DOUBLES: usize = 2;

/// A width's matrix and its constants by gate.
struct Tables {
    mds: Vec<Vec<Fr>>,
    mds00_inverse: Fr,
    /// Per double, the constants of its two rounds.
    doubles: Vec<[Vec<Fr>; 2]>,
    /// Per block, a constant a round.
    blocks: Vec<Vec<Fr>>,
}

fn tables<const T: usize>() -> &'static Tables {
    static TABLES: [OnceLock<Tables>; 7] = [const { OnceLock::new() }; 7];
    TABLES[T].get_or_init(|| make_tables(T, layout::<T>().block))
}

fn times_matrix(mds: &[Vec<Fr>], state: &[Fr]) -> Vec<Fr> {
    mds.iter().map(|row| row.iter().zip(state).map(|(m, s)| m * s).sum()).collect()
}

fn make_tables(t: usize, block: usize) -> Tables {
    let source = parameters(t);
    let mds: Vec<Vec<Fr>> =
        source.mds.iter().map(|row| row.iter().map(|value| to_circuit(*value)).collect()).collect();
    let round = |r: usize| -> Vec<Fr> {
        source.round_constants[r * t..(r + 1) * t].iter().map(|value| to_circuit(*value)).collect()
    };
    let add =
        |left: Vec<Fr>, right: &[Fr]| -> Vec<Fr> { left.iter().zip(right).map(|(l, r)| l + r).collect() };
    let before = source.full_rounds / 2;
    let mut carried = vec![Fr::ZERO; t];
    let mut partial = Vec::new();
    for r in before..before + source.partial_rounds {
        let mut constants = add(round(r), &carried);
        partial.push(constants[0]);
        constants[0] = Fr::ZERO;
        carried = times_matrix(&mds, &constants);
    }
    let after = before + source.partial_rounds;
    let first_after = add(round(after), &carried);
    let doubles = vec![
        [round(0), round(1)],
        [round(2), round(3)],
        [first_after, round(after + 1)],
        [round(after + 2), round(after + 3)],
    ];
    let blocks = partial.chunks(block).map(<[Fr]>::to_vec).collect();
    Tables { mds00_inverse: mds[0][0].invert().unwrap_or(Fr::ZERO), mds, doubles, blocks }
}

fn fourth<V: Clone + std::ops::Mul<Output = V>>(u: V) -> V {
    let square = u.clone() * u;
    square.clone() * square
}

/// Rotation of a gate's row 0 from its anchor, the gate's last row.
fn first_rotation(layout: &Layout) -> i32 {
    1 - layout.rows as i32
}

/// Constraints of a double.
pub fn full_constraints<const T: usize>(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let layout = layout::<T>();
    let next = (0..T).map(|i| window.cell(first_rotation(layout) + layout.rows as i32, i)).collect();
    double_constraints::<T>(window, next)
}

/// Constraints of the last double of a width that has a gate for it: only the hash is a cell.
pub fn last_constraints<const T: usize>(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let (row, column) = OUTPUT;
    let output = window.cell(first_rotation(layout::<T>()) + row as i32, column);
    double_constraints::<T>(window, vec![output])
}

/// Row and column of the hash in a last double.
const OUTPUT: (usize, usize) = (1, 0);

/// The S-boxes of a double and the first cells of the state after it.
fn double_constraints<const T: usize>(
    window: &mut Window<'_, '_>,
    next: Vec<Expression<Fr>>,
) -> Vec<NamedConstraint> {
    let layout = layout::<T>();
    let tables = tables::<T>();
    let origin = first_rotation(layout);
    let mut cell = |(row, column): (usize, usize)| window.cell(origin + row as i32, column);
    let state: Vec<_> = (0..T).map(|i| cell((0, i))).collect();
    let helpers_a: Vec<_> = (0..T).map(|i| cell((layout.first_helper)(i))).collect();
    let helpers_b: Vec<_> = (0..T).map(|i| cell((layout.second_helper)(i))).collect();
    let (second_row, second_column) = if layout.rows == 1 { (0, T) } else { (1, 0) };
    let first_constants: Vec<_> = (0..T).map(|i| window.constant(origin, i)).collect();
    let second_constants: Vec<_> =
        (0..T).map(|i| window.constant(origin + second_row, second_column + i)).collect();

    let mut constraints = Vec::new();
    let mut first = Vec::new();
    for i in 0..T {
        let u = state[i].clone() + first_constants[i].clone();
        constraints.push((format!("first s-box {i}"), helpers_a[i].clone() - fourth(u.clone())));
        first.push(u * helpers_a[i].clone());
    }
    let mut second = Vec::new();
    for i in 0..T {
        let v = mix(&tables.mds[i], &first) + second_constants[i].clone();
        constraints.push((format!("second s-box {i}"), helpers_b[i].clone() - v.clone() * v.clone()));
        second.push(v * helpers_b[i].clone() * helpers_b[i].clone());
    }
    for (i, next) in next.into_iter().enumerate() {
        constraints.push((format!("next state {i}"), next - mix(&tables.mds[i], &second)));
    }
    constraints
}

fn mix(row: &[Fr], values: &[Expression<Fr>]) -> Expression<Fr> {
    row.iter()
        .zip(values)
        .map(|(m, value)| value.clone() * *m)
        .reduce(|sum, term| sum + term)
        .unwrap_or(Expression::Constant(Fr::ZERO))
}

/// A linear form over a growing basis of expressions.
type Form = Vec<Fr>;

fn combine(mds: &[Vec<Fr>], state: &[Form]) -> Vec<Form> {
    let width = state.iter().map(Vec::len).max().unwrap_or(0);
    let at = |form: &Form, i: usize| form.get(i).copied().unwrap_or(Fr::ZERO);
    mds.iter()
        .map(|row| {
            (0..width).map(|i| row.iter().zip(state).map(|(m, form)| *m * at(form, i)).sum()).collect()
        })
        .collect()
}

fn evaluate(form: &Form, basis: &[Expression<Fr>]) -> Expression<Fr> {
    form.iter()
        .zip(basis)
        .filter(|(coefficient, _)| !bool::from(coefficient.is_zero()))
        .map(|(coefficient, term)| term.clone() * *coefficient)
        .reduce(|sum, term| sum + term)
        .unwrap_or(Expression::Constant(Fr::ZERO))
}

/// Constraints of a block of partial rounds.
pub fn partial_constraints<const T: usize>(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let layout = layout::<T>();
    let tables = tables::<T>();
    let origin = first_rotation(layout);
    let mut basis: Vec<Expression<Fr>> = (0..T).map(|i| window.cell(origin, i)).collect();
    let next: Vec<_> = (0..T).map(|i| window.cell(origin + layout.rows as i32, i)).collect();
    let mut helpers = 0;
    let mut helper = |window: &mut Window<'_, '_>| {
        let (row, column) = (layout.partial_helper)(helpers);
        helpers += 1;
        window.cell(origin + row as i32, column)
    };
    let unit = |i: usize| -> Form { (0..=i).map(|j| if i == j { Fr::ONE } else { Fr::ZERO }).collect() };
    let mut state: Vec<Form> = (0..T).map(unit).collect();
    let mut input = basis[0].clone();
    let mut constraints = Vec::new();
    for round in 0..layout.block {
        let constant = window.constant(origin + (round / CONSTANT_COLUMNS) as i32, round % CONSTANT_COLUMNS);
        let output = if round % 2 == 0 {
            let u = input.clone() + constant;
            let a = helper(window);
            constraints.push((format!("round {round}, fourth power"), a.clone() - fourth(u.clone())));
            basis.push(u * a);
            unit(basis.len() - 1)
        } else {
            let u = evaluate(&state[0], &basis) + constant;
            let b = helper(window);
            constraints.push((format!("round {round}, square"), b.clone() - u.clone() * u.clone()));
            let is_last = round + 1 == layout.block;
            input = if is_last { next[0].clone() } else { helper(window) };
            let mut others = state.clone();
            others[0] = Vec::new();
            let rest = &combine(&tables.mds, &others)[0];
            let expected = u * b.clone() * b * tables.mds[0][0] + evaluate(rest, &basis);
            constraints.push((format!("round {round}, next input"), input.clone() - expected));
            basis.push(input.clone());
            let mut output: Form = rest.iter().map(|c| -*c * tables.mds00_inverse).collect();
            output.resize(basis.len() - 1, Fr::ZERO);
            output.push(tables.mds00_inverse);
            output
        };
        state[0] = output;
        state = combine(&tables.mds, &state);
    }
    let known = usize::from(layout.block.is_multiple_of(2));
    for i in known..T {
        constraints.push((format!("next state {i}"), next[i].clone() - evaluate(&state[i], &basis)));
    }
    constraints
}

/// A permutation in the trace.
pub struct Permutation {
    /// Its first row.
    pub row: usize,
    /// Its inputs, without the capacity.
    pub inputs: Vec<Var>,
    /// The first element of the final state.
    pub output: Var,
    /// The final state's other elements; none in a width with a gate of its own for the last double.
    pub rest: Vec<Var>,
}

/// Writes `H_(T-1)(inputs)`. `zero` is a cell constrained to 0.
pub fn hash<const T: usize>(trace: &mut Trace, inputs: &[Operand], zero: Var) -> Permutation {
    permute::<T>(trace, zero, inputs)
}

/// Writes the permutation of the state that starts with `capacity`.
pub fn permute<const T: usize>(trace: &mut Trace, capacity: Var, inputs: &[Operand]) -> Permutation {
    debug_assert_eq!(inputs.len() + 1, T);
    let layout = layout::<T>();
    let tables = tables::<T>();
    let start = trace.rows();
    let mut state = vec![Fr::ZERO; T];
    state[0] = capacity.value;
    for (slot, operand) in state[1..].iter_mut().zip(inputs) {
        *slot = match operand {
            Operand::Old(var) => var.value,
            Operand::New(value) => *value,
        };
    }
    let mut cells = Vec::new();
    for (index, constants) in tables.doubles.iter().enumerate() {
        if index == DOUBLES {
            for constants in &tables.blocks {
                state = block(trace, layout, tables, constants, &state);
            }
        }
        let is_last = index + 1 == tables.doubles.len();
        let gate = layout.last_gate.filter(|_| is_last).unwrap_or(layout.full_gate);
        let row = push_rows(trace, layout, gate, &double_constants(layout, constants));
        if index == 0 {
            trace.copy(row, 0, capacity);
            cells = inputs.iter().enumerate().map(|(i, o)| o.place(trace, row, i + 1)).collect();
        } else {
            write_state(trace, row, &state);
        }
        state = double(trace, layout, tables, constants, row, &state);
    }
    let (output, rest) = if layout.last_gate.is_some() {
        let (row, column) = OUTPUT;
        (trace.set(trace.rows() - layout.rows + row, column, state[0]), Vec::new())
    } else {
        let row = trace.push(Gate::None, &[]);
        let rest = write_rest(trace, row, &state);
        (trace.set(row, 0, state[0]), rest)
    };
    Permutation { row: start, inputs: cells, output, rest }
}

fn write_state(trace: &mut Trace, row: usize, state: &[Fr]) {
    write_rest(trace, row, state);
    trace.set(row, 0, state[0]);
}

fn write_rest(trace: &mut Trace, row: usize, state: &[Fr]) -> Vec<Var> {
    state.iter().enumerate().skip(1).map(|(column, value)| trace.set(row, column, *value)).collect()
}

fn double_constants(layout: &Layout, [first, second]: &[Vec<Fr>; 2]) -> [Vec<Fr>; 2] {
    if layout.rows == 1 {
        [first.iter().chain(second).copied().collect(), Vec::new()]
    } else {
        [first.clone(), second.clone()]
    }
}

/// Pushes a gate's one or two rows, the last of which anchors it, and returns the first.
fn push_rows(trace: &mut Trace, layout: &Layout, gate: Gate, [first, second]: &[Vec<Fr>; 2]) -> usize {
    if layout.rows == 1 {
        return trace.push(gate, first);
    }
    let row = trace.push(Gate::None, first);
    trace.push(gate, second);
    row
}

fn double(
    trace: &mut Trace,
    layout: &Layout,
    tables: &Tables,
    [first, second]: &[Vec<Fr>; 2],
    row: usize,
    state: &[Fr],
) -> Vec<Fr> {
    let mut outputs = Vec::with_capacity(state.len());
    for (i, (s, k)) in state.iter().zip(first).enumerate() {
        let u = s + k;
        let a = fourth(u);
        let (offset, column) = (layout.first_helper)(i);
        trace.set(row + offset, column, a);
        outputs.push(u * a);
    }
    let mixed = times_matrix(&tables.mds, &outputs);
    outputs.clear();
    for (i, (s, k)) in mixed.iter().zip(second).enumerate() {
        let v = s + k;
        let b = v.square();
        let (offset, column) = (layout.second_helper)(i);
        trace.set(row + offset, column, b);
        outputs.push(v * b.square());
    }
    times_matrix(&tables.mds, &outputs)
}

fn block(trace: &mut Trace, layout: &Layout, tables: &Tables, constants: &[Fr], state: &[Fr]) -> Vec<Fr> {
    let (first, second) = constants.split_at(constants.len().min(CONSTANT_COLUMNS));
    let row = push_rows(trace, layout, layout.partial_gate, &[first.to_vec(), second.to_vec()]);
    write_state(trace, row, state);
    let mut helpers = 0;
    let mut helper = |trace: &mut Trace, value: Fr| {
        let (offset, column) = (layout.partial_helper)(helpers);
        helpers += 1;
        trace.set(row + offset, column, value);
    };
    let mut state = state.to_vec();
    for (round, constant) in constants.iter().enumerate() {
        let u = state[0] + constant;
        let even = round % 2 == 0;
        helper(trace, if even { fourth(u) } else { u.square() });
        state[0] = u * fourth(u);
        state = times_matrix(&tables.mds, &state);
        if !even && round + 1 < constants.len() {
            helper(trace, state[0]);
        }
    }
    state
}
