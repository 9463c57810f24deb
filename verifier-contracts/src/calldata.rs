//! Call data for the contracts, and what they answer.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolCall, SolInterface, SolValue},
};
use ark_ff::PrimeField;
use tenon_circuits::rollup::field;

use crate::{
    bindings::{IDataAvailability, IRollup, ISettlement, IVerifier},
    blob::Opening,
};

/// The call that commits a run of batches, the first of which has the given number.
#[must_use]
pub fn commit(first: u64, headers: &[ISettlement::Header]) -> Bytes {
    IRollup::commitCall { first, headers: headers.to_vec() }.abi_encode().into()
}

/// The call that proves a run of committed batches with one proof of the only kind.
#[must_use]
pub fn prove(first: u64, previous: B256, batches: &[ISettlement::Batch], proof: &[u8]) -> Bytes {
    let proofs = vec![Bytes::copy_from_slice(proof)];
    IRollup::proveCall { first, previous, batches: batches.to_vec(), proofs }.abi_encode().into()
}

/// The call that commits and proves a run of batches in one, with their attestations (see [`blob_count`]).
#[must_use]
pub fn commit_and_prove(
    first: u64,
    batches: &[ISettlement::Batch],
    attestations: &[Bytes],
    proof: &[u8],
) -> Bytes {
    let (batches, attestations) = (batches.to_vec(), attestations.to_vec());
    let proofs = vec![Bytes::copy_from_slice(proof)];
    IRollup::commitAndProveCall { first, batches, attestations, proofs }.abi_encode().into()
}

/// A batch's attestation where its data is in blobs: their number.
#[must_use]
pub fn blob_count(blobs: u8) -> Bytes {
    Bytes::copy_from_slice(&[blobs])
}

/// A batch's opening where its data is in blobs: value, commitment and proof of each.
#[must_use]
pub fn blob_opening(openings: &[Opening]) -> Bytes {
    let parts = openings.iter().flat_map(|opening| {
        let value = field::bigint_to_bytes(&opening.y.into_bigint());
        value.into_iter().chain(opening.commitment.0).chain(opening.proof.0)
    });
    parts.collect()
}

/// The hash of a batch's blobs, from their versioned hashes.
#[must_use]
pub fn data_hash(blob_hashes: &[B256]) -> B256 {
    keccak256(blob_hashes.iter().flat_map(|hash| hash.0).collect::<Vec<_>>())
}

/// The hash of a batch's L1 words.
#[must_use]
pub fn l1_hash(words: &[U256]) -> B256 {
    keccak256(words.iter().flat_map(|word| word.to_be_bytes::<32>()).collect::<Vec<_>>())
}

/// The call that checks a proof against public inputs, ten for each batch place.
#[must_use]
pub fn verify(public_inputs: &[U256], proof: &[u8]) -> Bytes {
    let call =
        IVerifier::verifyCall { publicInputs: public_inputs.to_vec(), proof: Bytes::copy_from_slice(proof) };
    call.abi_encode().into()
}

/// The domain of a rollup contract, as the contract computes it.
#[must_use]
pub fn domain(chain_id: u64, rollup: Address) -> U256 {
    let encoded = ("tenon.v1", U256::from(chain_id), rollup).abi_encode_params();
    U256::from_be_bytes(keccak256(encoded).0) >> 8
}

/// Says in words what a contract reverted with; hexadecimal if it isn't one of the contracts' errors.
#[must_use]
pub fn describe_error(data: &[u8]) -> String {
    if let Ok(error) = IRollup::IRollupErrors::abi_decode(data) {
        return format!("{error:?}");
    }
    if let Ok(error) = IVerifier::IVerifierErrors::abi_decode(data) {
        return format!("{error:?}");
    }
    if let Ok(error) = IDataAvailability::IDataAvailabilityErrors::abi_decode(data) {
        return format!("{error:?}");
    }
    format!("0x{}", hex::encode(data))
}
