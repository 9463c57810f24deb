//! Keys of the aggregation circuit.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{
    circuit::{self, LIMB_BITS, LIMBS, LeafVerifier},
    k,
};
use crate::{
    halo2::{
        CircuitKeys, CircuitVerifier, KeyError, KeyInfo, KeyName, KeyStore, LeafProof,
        circuit::RecursionCircuit, columns::GateSet, prove::verify_leaf_proof,
    },
    public_inputs::BATCH_PLACES,
    rollup::PROTOCOL_VERSION,
};

/// What verifies aggregate proofs of a number of leaf proofs.
#[derive(Clone, Debug)]
pub struct AggregationVerifier {
    circuit: Arc<CircuitVerifier>,
    leaves: usize,
}

impl AggregationVerifier {
    /// Reads what verifies aggregates of `leaves` proofs that `leaf` verifies from `store`; none where it isn't there.
    ///
    /// # Errors
    /// When what is stored can't be trusted or is for something else.
    pub fn load(store: &KeyStore, leaf: &CircuitVerifier, leaves: usize) -> Result<Option<Self>, KeyError> {
        check(store, leaf, leaves)?;
        let circuit = store.load_verifier::<RecursionCircuit, ()>(
            &KeyName::aggregation(&leaf.info().class, leaves),
            fingerprint(leaf.info(), leaves),
            |()| Ok(()),
        )?;
        Ok(circuit.map(|circuit| Self { circuit, leaves }))
    }

    /// What the key is for.
    pub fn info(&self) -> &KeyInfo {
        self.circuit.info()
    }

    /// What verifies the circuit's proofs, up to the accumulator.
    pub fn circuit(&self) -> &CircuitVerifier {
        &self.circuit
    }

    /// Number of leaf proofs that are verified.
    pub fn leaves(&self) -> usize {
        self.leaves
    }
}

/// Keys of the circuit that verifies a number of leaf proofs, and what proving takes besides.
#[derive(Debug)]
pub struct AggregationKeys {
    circuit: CircuitKeys,
    verifier: AggregationVerifier,
    leaf: Arc<CircuitKeys>,
    leaf_verifier: LeafVerifier,
    padding: LeafProof,
}

impl AggregationKeys {
    /// Reads the keys that aggregate `leaves` proofs under `leaf` from `store`, or makes and stores them.
    /// `padding` is any valid proof under `leaf`; it fills places that no chunk takes.
    ///
    /// # Errors
    /// When stored keys can't be trusted or are for something else, when the padding isn't valid, or when
    /// none can be made or stored.
    pub fn load_or_create(
        store: &KeyStore,
        leaf: Arc<CircuitKeys>,
        padding: LeafProof,
        leaves: usize,
    ) -> Result<Self, KeyError> {
        check(store, leaf.verifier(), leaves)?;
        verify_leaf_proof(&leaf, &padding).map_err(|source| {
            KeyError::Padding(Box::new(crate::halo2::ProveError::Leaf { index: 0, source }))
        })?;

        let name = KeyName::aggregation(&leaf.info().class, leaves);
        let fingerprint = fingerprint(leaf.info(), leaves);
        let leaf_verifier = LeafVerifier::new(&leaf);
        let stored = store.load::<RecursionCircuit, ()>(&name, fingerprint, |()| Ok(()))?;
        let (circuit, ()) = match stored {
            Some(stored) => stored,
            None => {
                let proofs = vec![&padding; leaves];
                let circuit = circuit::build(&leaf_verifier, &proofs, leaves)
                    .map_err(|error| KeyError::Aggregation(format!("{error:?}")))?;
                store.create(&name, fingerprint, &RecursionCircuit::new(circuit.trace), || Ok(()))?
            }
        };
        let verifier = AggregationVerifier { circuit: Arc::clone(circuit.verifier()), leaves };
        Ok(Self { circuit, verifier, leaf, leaf_verifier, padding })
    }

    /// What the keys are for.
    pub fn info(&self) -> &KeyInfo {
        self.circuit.info()
    }

    /// Keys of the aggregation circuit itself.
    pub fn circuit(&self) -> &CircuitKeys {
        &self.circuit
    }

    /// The part of the keys that verifying takes.
    pub fn verifier(&self) -> &AggregationVerifier {
        &self.verifier
    }

    /// Keys of the leaf circuit.
    pub fn leaf(&self) -> &Arc<CircuitKeys> {
        &self.leaf
    }

    /// Number of leaf proofs that are verified.
    pub fn leaves(&self) -> usize {
        self.verifier.leaves
    }

    pub(super) fn leaf_verifier(&self) -> &LeafVerifier {
        &self.leaf_verifier
    }

    pub(super) fn padding(&self) -> &LeafProof {
        &self.padding
    }
}

/// Refuses what no aggregation can be: too few leaves, or reference strings that don't belong together.
fn check(store: &KeyStore, leaf: &CircuitVerifier, leaves: usize) -> Result<(), KeyError> {
    if leaves < 2 {
        return Err(KeyError::TooFewLeaves(leaves));
    }
    let k = k(leaves);
    if !store.srs(k)?.shares_secret_with(leaf.srs()) {
        return Err(KeyError::UnrelatedStrings { leaf: leaf.info().k, aggregation: k });
    }
    Ok(())
}

/// Digest of all that the circuit depends on; laying it out to look at it would take long.
fn fingerprint(leaf: &KeyInfo, leaves: usize) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(format!(
        "{PROTOCOL_VERSION} aggregation {} of {leaves} x {} in {BATCH_PLACES} places at k = {}, fold {}, limbs {LIMBS} x \
         {LIMB_BITS}",
        circuit::REVISION,
        hex::encode(leaf.digest),
        k(leaves),
        GateSet::RECURSION.fold,
    ));
    hasher.finalize().into()
}
