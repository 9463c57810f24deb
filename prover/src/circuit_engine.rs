//! The real prover behind [`Engine`]: the circuits with their keys.

use std::path::Path;

use tenon_circuits::{
    KeySet,
    aggregation::{self, AggregateProof},
    halo2::{
        KeyError, KeyInfo, KeyStore, LeafProof, ProveError, SrsSource, VerifyError,
        leaf::{self, SizeClass},
    },
    rollup::PROTOCOL_VERSION,
    witness::ChunkWitness,
};

use crate::engine::{CircuitInfo, Circuits, Engine, EngineError, SizeClassInfo};

/// Memory that one row of a circuit takes at most while it is proven, for leaf circuits and for aggregations:
/// estimates above the observed peaks.
const LEAF_BYTES_PER_ROW: u64 = 6 << 10;
const AGGREGATE_BYTES_PER_ROW: u64 = 7 << 10;

/// The engine's keys can't be had.
#[derive(Debug, thiserror::Error)]
pub enum EngineStartError {
    /// No size class has this name.
    #[error("size class: expected one of {expected}, found {actual:?}")]
    SizeClass {
        /// The names known.
        expected: String,
        /// The name asked for.
        actual: String,
    },
    /// The number of leaf proofs isn't supported.
    #[error("aggregation leaves: expected 2 to 16, found {0}")]
    Leaves(usize),
    /// The keys can't be read or made.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// The size class of this name.
///
/// # Errors
/// When there is none.
pub fn size_class(name: &str) -> Result<SizeClass, EngineStartError> {
    SizeClass::by_name(name).ok_or_else(|| EngineStartError::SizeClass {
        expected: SizeClass::ALL.map(|class| class.name).join(", "),
        actual: name.to_owned(),
    })
}

/// Memory in bytes that an aggregation of this many leaf proofs is expected to take.
#[must_use]
pub fn aggregate_memory_bytes(leaves: usize) -> u64 {
    AGGREGATE_BYTES_PER_ROW << aggregation::k(leaves)
}

/// Makes and checks proofs with the circuits of one size class.
#[derive(Debug)]
pub struct CircuitEngine {
    keys: KeySet,
    circuits: Circuits,
}

impl CircuitEngine {
    /// Reads the keys in a directory, or makes and stores what is missing, which takes minutes.
    ///
    /// # Errors
    /// When there is no such size class, stored keys can't be trusted, or none can be made or stored.
    pub fn open(directory: &Path, class: &str, leaves: usize) -> Result<Self, EngineStartError> {
        let class = size_class(class)?;
        if !(2..=16).contains(&leaves) {
            return Err(EngineStartError::Leaves(leaves));
        }
        let store = KeyStore::open(directory)?;
        Ok(Self::new(KeySet::load_or_create(&store, class, leaves)?))
    }

    /// An engine with these keys.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        let class = keys.leaf.class();
        let circuits = Circuits {
            protocol_version: PROTOCOL_VERSION.to_owned(),
            size_classes: SizeClass::ALL.map(class_info).to_vec(),
            size_class: class_info(class),
            leaf: circuit_info(keys.leaf.info(), LEAF_BYTES_PER_ROW),
            aggregation: circuit_info(keys.aggregation.info(), AGGREGATE_BYTES_PER_ROW),
            leaves: keys.aggregation.leaves(),
        };
        Self { keys, circuits }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Whether the keys are for a development set-up, whose secret is known.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        [self.keys.leaf.info(), self.keys.aggregation.info()]
            .iter()
            .any(|info| info.srs_source == SrsSource::Development)
    }
}

impl Engine for CircuitEngine {
    fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    fn check(&self, witness: &ChunkWitness) -> Result<(), EngineError> {
        leaf::check_leaf(self.keys.leaf.class(), witness).map_err(proving)
    }

    fn prove_leaf(&self, witness: &ChunkWitness) -> Result<LeafProof, EngineError> {
        leaf::prove_leaf(&self.keys.leaf, witness).map_err(proving)
    }

    fn verify_leaf(&self, proof: &LeafProof) -> Result<(), EngineError> {
        leaf::verify_leaf(&self.keys.leaf, proof).map_err(verifying)
    }

    fn prove_aggregate(&self, leaves: &[LeafProof]) -> Result<AggregateProof, EngineError> {
        aggregation::prove_aggregate(&self.keys.aggregation, leaves).map_err(proving)
    }

    fn verify_aggregate(&self, proof: &AggregateProof) -> Result<(), EngineError> {
        aggregation::verify_aggregate(self.keys.aggregation.verifier(), proof).map_err(verifying)
    }
}

fn class_info(class: SizeClass) -> SizeClassInfo {
    SizeClassInfo { name: class.name.to_owned(), k: class.k, capacity: class.capacity() }
}

fn circuit_info(info: &KeyInfo, bytes_per_row: u64) -> CircuitInfo {
    CircuitInfo {
        name: format!("{}-{}", info.name, info.class),
        k: info.k,
        key_digest: info.digest,
        srs_source: match info.srs_source {
            SrsSource::Development => "development".to_owned(),
            SrsSource::Imported => "imported".to_owned(),
        },
        srs_digest: info.srs_digest,
        memory_bytes: bytes_per_row << info.k,
    }
}

fn proving(error: ProveError) -> EngineError {
    let message = error.to_string();
    match error {
        ProveError::Key(_) => EngineError::Keys(message),
        ProveError::Circuit(_) | ProveError::Recursion(_) => EngineError::Failed(message),
        ProveError::ChunkTooLarge { .. }
        | ProveError::Witness(_)
        | ProveError::Unsound(_)
        | ProveError::LeafCount { .. }
        | ProveError::Leaf { .. }
        | ProveError::Chain(_) => EngineError::Rejected(message),
    }
}

fn verifying(error: VerifyError) -> EngineError {
    match error {
        VerifyError::Key(error) => EngineError::Keys(error.to_string()),
        other => EngineError::Invalid(other.to_string()),
    }
}
