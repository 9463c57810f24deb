//! All keys that one deployment proves with.

use std::sync::Arc;

use crate::aggregation::AggregationKeys;
use crate::halo2::leaf::{LeafKeys, SizeClass};
use crate::halo2::{KeyError, KeyStore};

/// Keys of a size class's leaf circuit and of the aggregation over it.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// The leaf circuit's keys.
    pub leaf: Arc<LeafKeys>,
    /// The aggregation circuit's keys.
    pub aggregation: Arc<AggregationKeys>,
}

impl KeySet {
    /// Reads the keys from `store`, or makes and stores what is missing: set-up strings, both circuits' keys
    /// and the proof of an empty chunk that fills unused places. `leaves` is how many leaf proofs an aggregation
    /// takes, at least 2.
    ///
    /// # Errors
    /// When stored keys can't be trusted or are for something else, or when none can be made or stored.
    pub fn load_or_create(store: &KeyStore, class: SizeClass, leaves: usize) -> Result<Self, KeyError> {
        Ok(Self { leaf: store.leaf(class)?, aggregation: store.aggregation(class, leaves)? })
    }
}
