//! A digest of everything in a circuit that its keys depend on, without the cost of making keys: the
//! constraint system, fixed cells, selectors and copies.

use halo2_proofs::{
    circuit::Value,
    halo2curves::{bn256::Fr, ff::PrimeField},
    plonk::{
        Advice, Any, Assigned, Assignment, Challenge, Circuit, Column, ConstraintSystem, Error, Fixed,
        FloorPlanner, Instance, Selector,
    },
};
use sha2::{Digest, Sha256};

/// Digest of `circuit`; its witness doesn't enter.
///
/// # Errors
/// Those of the circuit's synthesis.
pub fn of_circuit<C: Circuit<Fr>>(circuit: &C) -> Result<[u8; 32], Error> {
    let mut constraints = ConstraintSystem::default();
    let config = C::configure_with_params(&mut constraints, circuit.params());
    let constants = constraints.constants().clone();
    let mut collector = Collector(Sha256::new());
    collector.0.update(format!("{:?}", constraints.pinned()));
    C::FloorPlanner::synthesize(&mut collector, circuit, config, constants)?;
    Ok(collector.0.finalize().into())
}

/// Hashes assignments in the order in which they are made.
struct Collector(Sha256);

impl Collector {
    fn record(&mut self, kind: u8, numbers: &[usize]) {
        self.0.update([kind]);
        for number in numbers {
            self.0.update((*number as u64).to_le_bytes());
        }
    }

    fn fixed(&mut self, column: Column<Fixed>, row: usize, value: Fr) {
        self.record(b'f', &[column.index(), row]);
        self.0.update(value.to_repr().as_ref());
    }
}

/// The column's index and a number for its kind.
fn describe(column: Column<Any>) -> [usize; 2] {
    let kind = match column.column_type() {
        Any::Advice(_) => 0,
        Any::Fixed => 1,
        Any::Instance => 2,
    };
    [kind, column.index()]
}

impl Assignment<Fr> for Collector {
    fn enter_region<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn annotate_column<A: FnOnce() -> AR, AR: Into<String>>(&mut self, _: A, _: Column<Any>) {}

    fn exit_region(&mut self) {}

    fn enable_selector<A: FnOnce() -> AR, AR: Into<String>>(
        &mut self,
        _: A,
        selector: &Selector,
        row: usize,
    ) -> Result<(), Error> {
        self.record(b's', &[selector.index(), row]);
        Ok(())
    }

    fn query_instance(&self, _: Column<Instance>, _: usize) -> Result<Value<Fr>, Error> {
        Ok(Value::unknown())
    }

    fn assign_advice<'v>(
        &mut self,
        _: Column<Advice>,
        _: usize,
        _: Value<Assigned<Fr>>,
    ) -> Value<&'v Assigned<Fr>> {
        Value::unknown()
    }

    fn assign_fixed(&mut self, column: Column<Fixed>, row: usize, to: Assigned<Fr>) {
        self.fixed(column, row, to.evaluate());
    }

    fn copy(&mut self, left: Column<Any>, left_row: usize, right: Column<Any>, right_row: usize) {
        let ([left_kind, left], [right_kind, right]) = (describe(left), describe(right));
        self.record(b'c', &[left_kind, left, left_row, right_kind, right, right_row]);
    }

    fn fill_from_row(
        &mut self,
        column: Column<Fixed>,
        row: usize,
        to: Value<Assigned<Fr>>,
    ) -> Result<(), Error> {
        to.map(|value| {
            self.record(b'r', &[]);
            self.fixed(column, row, value.evaluate());
        });
        Ok(())
    }

    fn get_challenge(&self, _: Challenge) -> Value<Fr> {
        Value::unknown()
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn pop_namespace(&mut self, _: Option<String>) {}
}
