//! A small circuit of the leaf circuit's shape: 10 advice columns, degree 5, its public inputs, no lookups.
//! All that it states is `state_out = state_in + 1`.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use halo2_proofs::{
    arithmetic::Field,
    circuit::{Layouter, SimpleFloorPlanner, Value},
    halo2curves::bn256::Fr,
    plonk::{Advice, Assigned, Circuit, Column, ConstraintSystem, Error, Expression, Fixed, Instance},
    poly::Rotation,
};
use tenon_circuits::{
    halo2::{CircuitKeys, KeyName, KeyStore, LeafProof, prove::create_leaf_proof, to_circuit},
    public_inputs::{LEAF_PUBLIC_INPUTS, LeafPublicInputs},
    rollup::{
        self,
        evaluation::{DaScalar, Evaluations, Points},
    },
};

const ADVICE: usize = 10;
const ROWS: usize = 200;
/// Rows that the public inputs take, from the first one on.
const INPUT_ROWS: usize = LEAF_PUBLIC_INPUTS.div_ceil(ADVICE);

#[derive(Clone, Debug)]
pub struct ToyLeaf {
    pub public_inputs: [Fr; LEAF_PUBLIC_INPUTS],
    /// A constant of the circuit: another variant has other keys.
    pub variant: u64,
}

#[derive(Clone, Debug)]
pub struct ToyConfig {
    advice: [Column<Advice>; ADVICE],
    q_step: Column<Fixed>,
    q_power: Column<Fixed>,
    constant: Column<Fixed>,
    instance: Column<Instance>,
}

impl Circuit<Fr> for ToyLeaf {
    type Config = ToyConfig;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = ();

    fn without_witnesses(&self) -> Self {
        self.clone()
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> ToyConfig {
        let advice = [(); ADVICE].map(|()| meta.advice_column());
        let [q_step, q_power, constant] = [(); 3].map(|()| meta.fixed_column());
        let instance = meta.instance_column();
        for column in advice {
            meta.enable_equality(column);
        }
        meta.enable_equality(instance);
        meta.create_gate("state_out = state_in + 1", |meta| {
            let q = meta.query_fixed(q_step, Rotation::cur());
            let [state_in, state_out] =
                [advice[2], advice[3]].map(|column| meta.query_advice(column, Rotation::cur()));
            [q * (state_out - state_in - Expression::Constant(Fr::ONE))]
        });
        meta.create_gate("the next cell is the fourth power, rotated", |meta| {
            let [q, constant] = [q_power, constant].map(|column| meta.query_fixed(column, Rotation::cur()));
            (0..ADVICE - 1)
                .map(|i| {
                    let cell = meta.query_advice(advice[i], Rotation::cur());
                    let next = meta.query_advice(advice[i + 1], Rotation::next());
                    let square: Expression<Fr> = cell.clone() * cell;
                    q.clone() * (next - square.clone() * square - constant.clone())
                })
                .collect::<Vec<_>>()
        });
        ToyConfig { advice, q_step, q_power, constant, instance }
    }

    fn synthesize(&self, config: ToyConfig, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        let cells = layouter.assign_region(
            || "toy leaf",
            |mut region| {
                let variant = Fr::from(self.variant);
                let trivial = Assigned::Trivial;
                region.assign_fixed(config.q_step, 0, trivial(Fr::ONE));
                let mut cells = Vec::new();
                for i in 0..INPUT_ROWS * ADVICE {
                    let value = self.public_inputs.get(i).copied().unwrap_or(Fr::ZERO);
                    let (column, row) = (config.advice[i % ADVICE], i / ADVICE);
                    cells.push(region.assign_advice(column, row, Value::known(trivial(value))).cell());
                }
                cells.truncate(LEAF_PUBLIC_INPUTS);
                let mut row_values = [(); ADVICE].map(|()| Fr::from(3));
                for row in INPUT_ROWS..ROWS {
                    for (column, value) in config.advice.iter().zip(row_values) {
                        region.assign_advice(*column, row, Value::known(trivial(value)));
                    }
                    if row + 1 < ROWS {
                        region.assign_fixed(config.q_power, row, trivial(Fr::ONE));
                        region.assign_fixed(config.constant, row, trivial(variant));
                    }
                    let powers = row_values.map(|value| value.square().square() + variant);
                    row_values[1..].copy_from_slice(&powers[..ADVICE - 1]);
                }
                Ok(cells)
            },
        )?;
        for (row, cell) in cells.into_iter().enumerate() {
            layouter.constrain_instance(cell, config.instance, row);
        }
        Ok(())
    }
}

pub fn toy_name(k: u32) -> KeyName {
    KeyName { circuit: "leaf".into(), class: "toy".into(), k }
}

pub fn toy_keys(store: &KeyStore, k: u32, variant: u64) -> std::sync::Arc<CircuitKeys> {
    let circuit = ToyLeaf { public_inputs: Default::default(), variant };
    store.circuit(&KeyName { circuit: format!("leaf-{variant}"), ..toy_name(k) }, &circuit).unwrap()
}

/// Public inputs of a chunk from small numbers; `state_out` is `state_in + 1`, points follow from the batch, evaluations
/// from the commitments, 0 from 0.
pub fn chunk(batch: u64, state_in: u64, commit_in: u64, commit_out: u64) -> LeafPublicInputs {
    let evaluations = |commit: u64| Evaluations {
        // Large, so that no limb of it is 0.
        y_d: -DaScalar::from(commit),
        y_l: -rollup::Fr::from(commit),
    };
    LeafPublicInputs {
        domain: 77.into(),
        batch: batch.into(),
        state_in: state_in.into(),
        state_out: (state_in + 1).into(),
        commit_in: commit_in.into(),
        commit_out: commit_out.into(),
        points: Points { z_d: u128::MAX - u128::from(batch), z_l: u128::from(batch) << 64 | 3 },
        evaluations_in: evaluations(commit_in),
        evaluations_out: evaluations(commit_out),
    }
}

pub fn toy_proof(keys: &CircuitKeys, public_inputs: LeafPublicInputs, variant: u64) -> LeafProof {
    let circuit = ToyLeaf { public_inputs: public_inputs.to_array().map(to_circuit), variant };
    create_leaf_proof(keys, circuit, public_inputs).unwrap()
}
