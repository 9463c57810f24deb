//! An engine for services that settle.

use std::sync::Arc;

use tenon_circuits::witness::ChunkWitness;
use tenon_prover::engine::{AggregateProof, Circuits, Engine, EngineError, LeafProof};

use crate::{common::TestEngine, l1_common::rollup::proof_of};

/// Makes aggregate proofs that the test's verifier contract takes.
pub struct ContractEngine(pub Arc<TestEngine>);

impl Engine for ContractEngine {
    fn circuits(&self) -> &Circuits {
        self.0.circuits()
    }

    fn check(&self, witness: &ChunkWitness) -> Result<(), EngineError> {
        self.0.check(witness)
    }

    fn prove_leaf(&self, witness: &ChunkWitness) -> Result<LeafProof, EngineError> {
        self.0.prove_leaf(witness)
    }

    fn verify_leaf(&self, proof: &LeafProof) -> Result<(), EngineError> {
        self.0.verify_leaf(proof)
    }

    fn prove_aggregate(&self, leaves: &[LeafProof]) -> Result<AggregateProof, EngineError> {
        let batches = self.0.prove_aggregate(leaves)?.batches;
        Ok(AggregateProof { proof: proof_of(&batches), batches })
    }

    fn verify_aggregate(&self, proof: &AggregateProof) -> Result<(), EngineError> {
        if proof.proof == proof_of(&proof.batches) {
            return Ok(());
        }
        Err(EngineError::Invalid("wrong hash".to_owned()))
    }
}
