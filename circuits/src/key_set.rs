//! All keys that one deployment proves with.

use std::path::PathBuf;

use crate::aggregation::AggregationKeys;
use crate::halo2::leaf::{LeafKeys, SizeClass, prove_leaf, verify_leaf};
use crate::halo2::sealed;
use crate::halo2::{KeyError, KeyStore, LeafProof};
use crate::witness::ChunkWitness;

const PADDING_MAGIC: [u8; 8] = *b"tenonpad";

/// Keys of a size class's leaf circuit and of the aggregation over it.
#[derive(Debug)]
pub struct KeySet {
    /// The leaf circuit's keys.
    pub leaf: LeafKeys,
    /// The aggregation circuit's keys.
    pub aggregation: AggregationKeys,
}

impl KeySet {
    /// Reads the keys from `store`, or makes and stores what is missing: set-up strings, both circuits' keys
    /// and the proof of an empty chunk that fills unused places. `leaves` is how many leaf proofs an aggregation
    /// takes, at least 2.
    ///
    /// # Errors
    /// When stored keys can't be trusted or are for something else, or when none can be made or stored.
    pub fn load_or_create(store: &KeyStore, class: SizeClass, leaves: usize) -> Result<Self, KeyError> {
        let leaf = LeafKeys::load_or_create(store, class)?;
        let padding = padding(store, &leaf)?;
        let circuit = leaf.circuit().clone();
        let aggregation = AggregationKeys::load_or_create(store, circuit, padding, leaves)?;
        Ok(Self { leaf, aggregation })
    }
}

/// The cached proof of an empty chunk. One that is missing, damaged or of other keys is made again: it holds
/// nothing that isn't derived from the keys.
fn padding(store: &KeyStore, leaf: &LeafKeys) -> Result<LeafProof, KeyError> {
    let path: PathBuf = store.directory().join(format!("empty-chunk-{}.proof", leaf.class().name));
    let stored = sealed::read(&path, PADDING_MAGIC).ok().flatten();
    let stored = stored.and_then(|file| serde_json::from_slice::<LeafProof>(file.body()).ok());
    if let Some(proof) = stored.filter(|proof| verify_leaf(leaf, proof).is_ok()) {
        return Ok(proof);
    }
    let witness = ChunkWitness::empty(Default::default(), 1, 0);
    let proof = prove_leaf(leaf, &witness).map_err(|error| KeyError::Padding(Box::new(error)))?;
    let body = serde_json::to_vec(&proof).map_err(std::io::Error::from)?;
    sealed::write(&path, PADDING_MAGIC, &[&body])?;
    Ok(proof)
}
