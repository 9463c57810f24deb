//! Traces in the proof system.

use halo2_proofs::circuit::{Cell as ProofCell, Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::plonk::{Any, Circuit, Column, ConstraintSystem, Error};

use super::columns::{Columns, GateSet, RANGE_ROWS, configure, lookups_of};
use super::trace::{
    ADVICE_COLUMNS, CHUNK_COLUMNS, CONSTANT_COLUMNS, Cell, Challenges, PRODUCT_COLUMN, Trace,
};
use crate::gadgets::products;

/// A circuit of [`GateSet::RECURSION`] with its trace.
#[derive(Clone, Default)]
pub struct RecursionCircuit {
    trace: Trace,
}

impl RecursionCircuit {
    /// The circuit of a trace.
    pub fn new(trace: Trace) -> Self {
        Self { trace }
    }

    /// The trace.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

impl Circuit<Fr> for RecursionCircuit {
    type Config = Columns;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = ();

    fn without_witnesses(&self) -> Self {
        self.clone()
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Columns {
        configure(meta, &GateSet::RECURSION, GateSet::RECURSION.fold)
    }

    fn synthesize(&self, columns: Columns, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        write(&self.trace, &columns, &GateSet::RECURSION, &mut layouter)
    }
}

fn in_proof(cell: Cell, columns: &Columns) -> ProofCell {
    let (column, row) = columns.advice_place(usize::from(cell.column));
    ProofCell { row_offset: cell.row as usize * columns.fold + row, column: Column::<Any>::from(column) }
}

/// Writes a trace into one region and exposes its public cells. Running products come last, when everything else is
/// committed.
///
/// # Errors
/// When the proof system has fewer rows.
pub fn write(
    trace: &Trace,
    columns: &Columns,
    set: &GateSet,
    layouter: &mut impl Layouter<Fr>,
) -> Result<(), Error> {
    layouter.assign_region(
        || "trace",
        |mut region| {
            let fold = columns.fold;
            let width = ADVICE_COLUMNS + if columns.lookups.is_some() { CHUNK_COLUMNS } else { 0 };
            for row in 0..trace.rows() {
                for column in (0..width).filter(|column| trace.is_assigned(row, *column)) {
                    let value = Value::known(trace.value(row, column));
                    let (column, offset) = columns.advice_place(column);
                    region.assign_advice(column, row * fold + offset, value);
                }
                for column in 0..CONSTANT_COLUMNS {
                    let value = trace.constant(row, column);
                    let (column, offset) = columns.constant_place(column);
                    region.assign_fixed(column, row * fold + offset, value);
                }
                if let Some((column, value)) = set.selector_of(trace.gate(row)) {
                    region.assign_fixed(columns.selectors[column], row * fold, Fr::from(value));
                }
            }
            if let Some(lookups) = columns.lookups {
                for row in 0..trace.rows() {
                    let (looks_up, table) = lookups_of(trace, row);
                    region.assign_fixed(lookups.looks_up, row * fold, Fr::from(u64::from(looks_up)));
                    region.assign_fixed(lookups.table, row * fold, table);
                }
                for value in 0..RANGE_ROWS {
                    region.assign_fixed(lookups.range, value, Fr::from(value as u64));
                }
            }
            if let Some(of) = columns.products {
                region.next_phase();
                let [alpha, beta] = of.challenges.map(|challenge| region.get_challenge(challenge));
                let challenges = alpha.zip(beta).map(|(alpha, beta)| Challenges { alpha, beta });
                let values = challenges.map(|challenges| products::compute(trace, challenges));
                for row in (0..trace.rows()).filter(|row| trace.is_assigned(*row, PRODUCT_COLUMN)) {
                    let value = values.as_ref().map(|values| values.get(row).copied().unwrap_or_default());
                    region.assign_advice(of.column, row * fold, value);
                }
            }
            for (left, right) in trace.copies() {
                region.constrain_equal(in_proof(*left, columns), in_proof(*right, columns));
            }
            Ok(())
        },
    )?;
    for (cell, index) in trace.public() {
        layouter.constrain_instance(in_proof(*cell, columns), columns.instance, *index);
    }
    Ok(())
}
