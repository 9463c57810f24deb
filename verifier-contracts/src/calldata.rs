//! Call data for the contracts, and what they answer.

use alloy::{
    primitives::{Address, Bytes, U256, keccak256},
    sol_types::{SolCall, SolInterface, SolValue},
};

use crate::bindings::{IRollup, IVerifier};

/// The call that settles a run of batches.
#[must_use]
pub fn settle(batches: &[IRollup::Batch], proof: &[u8]) -> Bytes {
    IRollup::settleCall { batches: batches.to_vec(), proof: Bytes::copy_from_slice(proof) }
        .abi_encode()
        .into()
}

/// The call that checks a proof against public inputs, five for each batch place.
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
    format!("0x{}", hex::encode(data))
}
