//! Keys and proofs of the leaf circuit.

use std::sync::{Arc, OnceLock};

use super::{LeafCircuit, SizeClass};
use crate::halo2::checker::{Checker, Violation};
use crate::halo2::prove::{create_leaf_proof, verify_leaf_proof};
use crate::halo2::{
    CircuitKeys, KeyError, KeyInfo, KeyName, KeyStore, LeafProof, ProveError, VerifyError, to_circuit,
};
use crate::witness::ChunkWitness;

/// Violations that an error names; the first ones say what is wrong.
const REPORTED_VIOLATIONS: usize = 8;

/// Keys of the leaf circuit of one size class.
#[derive(Clone, Debug)]
pub struct LeafKeys {
    class: SizeClass,
    circuit: Arc<CircuitKeys>,
}

impl LeafKeys {
    /// Reads the keys of a class from `store`, or makes and stores them.
    ///
    /// # Errors
    /// When stored keys can't be trusted or are for something else, or when none can be made or stored.
    pub fn load_or_create(store: &KeyStore, class: SizeClass) -> Result<Self, KeyError> {
        let name = KeyName { circuit: "leaf".into(), class: class.name.into(), k: class.k };
        Ok(Self { class, circuit: store.circuit(&name, &LeafCircuit::keygen(class))? })
    }

    /// The size class.
    pub fn class(&self) -> SizeClass {
        self.class
    }

    /// The proof system's keys.
    pub fn circuit(&self) -> &Arc<CircuitKeys> {
        &self.circuit
    }

    /// What the keys are for.
    pub fn info(&self) -> &KeyInfo {
        self.circuit.info()
    }
}

fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(Checker::new)
}

/// The trace of a witness, once it has passed the checker.
fn checked(class: SizeClass, witness: &ChunkWitness) -> Result<LeafCircuit, ProveError> {
    let actual = witness.operations.len() + witness.transactions.len();
    if actual > class.slots {
        return Err(ProveError::ChunkTooLarge { max: class.slots, actual });
    }
    let circuit = LeafCircuit::new(class, witness);
    let public_inputs = witness.public_inputs().to_array().map(to_circuit);
    let violations = checker().check(circuit.trace(), class.k, &public_inputs, REPORTED_VIOLATIONS);
    if violations.is_empty() { Ok(circuit) } else { Err(ProveError::Witness(Violations(violations))) }
}

/// What a refused witness violates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

impl std::fmt::Display for Violations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            write!(f, "{}{violation}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Runs the checker on a witness: one that passes can be proven.
///
/// # Errors
/// [`ProveError::ChunkTooLarge`] or [`ProveError::Witness`] with what it violates.
pub fn check_leaf(class: SizeClass, witness: &ChunkWitness) -> Result<(), ProveError> {
    checked(class, witness).map(drop)
}

/// Checks a witness, proves it and verifies the proof.
///
/// # Errors
/// As [`check_leaf`], and when the proof can't be made.
pub fn prove_leaf(keys: &LeafKeys, witness: &ChunkWitness) -> Result<LeafProof, ProveError> {
    let circuit = checked(keys.class, witness)?;
    create_leaf_proof(&keys.circuit, circuit, witness.public_inputs())
}

/// Verifies a proof made by [`prove_leaf`] under the same keys.
///
/// # Errors
/// When the proof isn't valid, or not exactly as long as it should be.
pub fn verify_leaf(keys: &LeafKeys, proof: &LeafProof) -> Result<(), VerifyError> {
    verify_leaf_proof(&keys.circuit, proof)
}
