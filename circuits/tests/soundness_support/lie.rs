//! Lies about single equations of a slot.

use std::collections::BTreeMap;
use std::ops::Range;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use tenon_circuits::halo2::trace::{Cell, Gate, Trace};

use super::rows_of;

/// The rows of a slot.
fn rows_of_slot(trace: &Trace, slot: usize) -> Range<usize> {
    let starts = |row: &usize| trace.label_of(*row) == "slot: enabled, never after padding";
    let mut starts = (0..trace.rows()).filter(|row| starts(row) && !starts(&(row - 1)));
    let start = starts.nth(slot).unwrap();
    let end = starts.next().unwrap_or_else(|| rows_of(trace, "fee account: found")[0]);
    start..end
}

/// A lie about what an equation of a slot gives: its number among those of a label, and the result claimed.
#[derive(Clone, Copy)]
pub struct Lie {
    /// The slot.
    pub slot: usize,
    /// The label.
    pub label: &'static str,
    /// The equation's number.
    pub equation: usize,
    /// What its first cell is made to hold.
    pub result: Fr,
}

/// Makes a trace hold a lie, and computes anew every equation of the slot that follows from it.
pub fn tell(trace: &mut Trace, lie: Lie) {
    let rows = rows_of_slot(trace, lie.slot);
    let is_equation = |row: &usize| trace.gate(*row) == Gate::Arithmetic && trace.label_of(*row) == lie.label;
    let told = rows.clone().filter(is_equation).nth(lie.equation).unwrap();
    let place = |cell: &Cell| (cell.row as usize, usize::from(cell.column));
    let copies = trace.copies().iter().map(|(left, right)| (place(left), place(right)));
    let sources: BTreeMap<_, _> =
        copies.filter(|(left, right)| left < right).map(|(left, right)| (right, left)).collect();
    trace.forge(told, 0, lie.result);
    for row in rows.filter(|row| *row >= told) {
        if trace.gate(row) != Gate::Arithmetic {
            continue;
        }
        for column in 0..6 {
            if let Some((from, of)) = sources.get(&(row, column)) {
                trace.forge(row, column, trace.value(*from, *of));
            }
        }
        let is_result = trace.constant(row, 0) == -Fr::ONE && !sources.contains_key(&(row, 0));
        let is_boolean = sources.get(&(row, 4)) == Some(&(row, 0));
        if row == told || !is_result || is_boolean {
            continue;
        }
        let [k4, k5, k6, k7] = [4, 5, 6, 7].map(|column| trace.constant(row, column));
        let (c4, mut c5) = (trace.value(row, 4), trace.value(row, 5));
        if (k6, k7) == (-Fr::ONE, Fr::ONE) && !sources.contains_key(&(row, 5)) {
            c5 = c4.invert().unwrap_or(Fr::ZERO);
            trace.forge(row, 5, c5);
        }
        let linear = (1..4).map(|column| trace.constant(row, column) * trace.value(row, column));
        let result = linear.sum::<Fr>() + k4 * c4 + k5 * c5 + k6 * c4 * c5 + k7;
        trace.forge(row, 0, result);
    }
}
