//! Keys of the aggregation circuit.

use std::sync::Arc;

use halo2_base::gates::circuit::builder::BaseCircuitBuilder;
use halo2_proofs::halo2curves::bn256::Fr;
use sha2::{Digest, Sha256};

use super::{
    K,
    circuit::{self, AggregationLayout, LIMB_BITS, LIMBS, LeafVerifier, Purpose},
};
use crate::{
    halo2::{CircuitKeys, KeyError, KeyInfo, KeyName, KeyStore, LeafProof, prove::verify_leaf_proof},
    public_inputs::BATCH_PUBLIC_INPUTS,
    rollup::PROTOCOL_VERSION,
};

/// Keys of the circuit that verifies a number of leaf proofs, and what proving takes besides.
#[derive(Debug)]
pub struct AggregationKeys {
    circuit: CircuitKeys,
    layout: AggregationLayout,
    leaf: Arc<CircuitKeys>,
    verifier: LeafVerifier,
    padding: LeafProof,
    leaves: usize,
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
        if leaves < 2 {
            return Err(KeyError::TooFewLeaves(leaves));
        }
        verify_leaf_proof(&leaf, &padding).map_err(|source| {
            KeyError::Padding(Box::new(crate::halo2::ProveError::Leaf { index: 0, source }))
        })?;
        let srs = store.srs(K)?;
        if !srs.shares_secret_with(leaf.srs()) {
            return Err(KeyError::UnrelatedStrings { leaf: leaf.info().k, aggregation: K });
        }

        let name =
            KeyName { circuit: format!("aggregation-{leaves}"), class: leaf.info().class.clone(), k: K };
        let fingerprint = fingerprint(leaf.info(), leaves);
        let verifier = LeafVerifier::new(&leaf);
        let stored =
            store.load::<BaseCircuitBuilder<Fr>, AggregationLayout>(&name, fingerprint, |layout| {
                layout.params.clone()
            })?;
        let (circuit, layout) = match stored {
            Some(stored) => stored,
            None => {
                let proofs = vec![&padding; leaves];
                let builder = circuit::build(Purpose::Keys { k: K }, &verifier, &proofs, leaves)
                    .map_err(|error| KeyError::Aggregation(format!("{error:?}")))?;
                store.create(&name, fingerprint, &builder, || {
                    Ok(AggregationLayout {
                        params: builder.config_params.clone(),
                        break_points: builder.break_points(),
                    })
                })?
            }
        };
        Ok(Self { circuit, layout, leaf, verifier, padding, leaves })
    }

    /// What the keys are for.
    pub fn info(&self) -> &KeyInfo {
        self.circuit.info()
    }

    /// Keys of the aggregation circuit itself.
    pub fn circuit(&self) -> &CircuitKeys {
        &self.circuit
    }

    /// Keys of the leaf circuit.
    pub fn leaf(&self) -> &Arc<CircuitKeys> {
        &self.leaf
    }

    /// Number of leaf proofs that are verified, and of places for batches.
    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// Number of public inputs before the accumulator's limbs.
    pub fn batch_inputs(&self) -> usize {
        self.leaves * BATCH_PUBLIC_INPUTS
    }

    /// Shape of the aggregation circuit.
    pub fn layout(&self) -> &AggregationLayout {
        &self.layout
    }

    pub(super) fn verifier(&self) -> &LeafVerifier {
        &self.verifier
    }

    pub(super) fn padding(&self) -> &LeafProof {
        &self.padding
    }
}

/// Digest of all that the circuit depends on; laying it out to look at it would take long.
fn fingerprint(leaf: &KeyInfo, leaves: usize) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(format!(
        "{PROTOCOL_VERSION} aggregation {} of {leaves} x {} at k = {K}, limbs {LIMBS} x {LIMB_BITS}",
        circuit::REVISION,
        hex::encode(leaf.digest),
    ));
    hasher.finalize().into()
}
