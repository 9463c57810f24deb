//! What the service needs of the prover: an interface over the circuits, so that scheduling knows
//! nothing of them.

use tenon_circuits::{rollup::ChunkCapacity, witness::ChunkWitness};

pub use tenon_circuits::{aggregation::AggregateProof, halo2::LeafProof};

/// Makes and checks proofs. Every method may take minutes of all the threads of the rayon pool it
/// is called in.
pub trait Engine: Send + Sync {
    /// The circuits, their keys and capacities; fixed for the engine's lifetime.
    fn circuits(&self) -> &Circuits;

    /// Runs the trace checker: a witness that passes can be proven.
    ///
    /// # Errors
    /// [`EngineError::Rejected`] with what the witness violates.
    fn check(&self, witness: &ChunkWitness) -> Result<(), EngineError>;

    /// Proves one chunk.
    ///
    /// # Errors
    /// When the witness is rejected or proving fails.
    fn prove_leaf(&self, witness: &ChunkWitness) -> Result<LeafProof, EngineError>;

    /// Checks a leaf proof.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] when it doesn't hold.
    fn verify_leaf(&self, proof: &LeafProof) -> Result<(), EngineError>;

    /// Aggregates the leaf proofs of consecutive batches: 1 to [`Circuits::leaves`] of them.
    ///
    /// # Errors
    /// When a leaf is rejected or proving fails.
    fn prove_aggregate(&self, leaves: &[LeafProof]) -> Result<AggregateProof, EngineError>;

    /// Checks an aggregate proof.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] when it doesn't hold.
    fn verify_aggregate(&self, proof: &AggregateProof) -> Result<(), EngineError>;
}

/// The circuits in use.
#[derive(Clone, Debug)]
pub struct Circuits {
    /// Version of what is proven.
    pub protocol_version: String,
    /// All size classes known; one of them is active.
    pub size_classes: Vec<SizeClassInfo>,
    /// The size class in use.
    pub size_class: SizeClassInfo,
    /// The chunk circuit.
    pub leaf: CircuitInfo,
    /// The aggregation circuit.
    pub aggregation: CircuitInfo,
    /// Leaf proofs per aggregation.
    pub leaves: usize,
}

/// What chunks of one size class may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeClassInfo {
    /// The class's name.
    pub name: String,
    /// log2 of the leaf circuit's rows.
    pub k: u32,
    /// What a chunk holds.
    pub capacity: ChunkCapacity,
}

/// One circuit and its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitInfo {
    /// The circuit's name.
    pub name: String,
    /// log2 of its rows.
    pub k: u32,
    /// SHA-256 of its keys.
    pub key_digest: [u8; 32],
    /// `development` or `imported`.
    pub srs_source: String,
    /// SHA-256 of the set-up.
    pub srs_digest: [u8; 32],
    /// Memory in bytes that one proof is expected to take.
    pub memory_bytes: u64,
}

/// What goes wrong in the prover.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The keys or the set-up can't be used.
    #[error("keys: {0}")]
    Keys(String),
    /// The witness or the leaves don't satisfy the circuit: trying again won't help.
    #[error("rejected: {0}")]
    Rejected(String),
    /// Proving failed.
    #[error("proving failed: {0}")]
    Failed(String),
    /// A proof doesn't hold.
    #[error("invalid proof: {0}")]
    Invalid(String),
}
