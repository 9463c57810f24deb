//! The chain that the rollup contract is on: deploying the contracts, settling batches with their proofs, and
//! asking where the contract stands.

pub mod beacon;
pub mod chain;
pub mod deployment;
pub mod events;
mod http;
pub mod local;
pub mod node;
pub mod rollup;
pub mod sender;
pub mod signer;

use std::time::{SystemTime, UNIX_EPOCH};

use alloy::primitives::{Address, B256, U256, keccak256};
use tenon_circuits::{
    aggregation::AggregationVerifier,
    halo2::SrsSource,
    public_inputs::BATCH_PLACES,
    rollup::{Fr, field},
};
use tenon_contracts::{
    deployment::DeploymentError,
    generator::{self, GeneratedVerifier, GeneratorError, SrsOrigin},
};

pub use chain::{At, Block, Chain, Inclusion, Message};
pub use deployment::{Deployed, Position, deploy, position};
pub use local::LocalNode;
pub use node::Node;
pub use sender::Sender;
pub use signer::{Bid, KEY_VARIABLE, L1Key, SignedTransaction, Unsigned};

/// Chains of development nodes: nothing on them is worth anything, and nobody else takes blocks back.
pub const DEVELOPMENT_CHAINS: [u64; 2] = [31337, 1337];

/// The chain didn't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum L1Error {
    /// The contract refused.
    #[error("{action}: the contract reverted with {reason}")]
    Reverted {
        /// What was attempted.
        action: String,
        /// The contract's error in words.
        reason: String,
    },
    /// The transaction failed without the contract's refusal: out of gas, nonce, funds.
    #[error("{action}: {reason}")]
    Failed {
        /// What was attempted.
        action: String,
        /// Why it failed.
        reason: String,
    },
    /// Another transaction of the account has the nonce.
    #[error("another transaction has the nonce {nonce}")]
    NonceUsed {
        /// The nonce.
        nonce: u64,
    },
    /// The transaction pays less than the node wants, or no more than the one that it is to replace.
    #[error("the transaction pays too little: {reason}")]
    Underpriced {
        /// What the node says.
        reason: String,
    },
    /// The chain can't be reached or doesn't answer as a chain does.
    #[error("L1 at {url}: {reason}")]
    Unreachable {
        /// The chain.
        url: String,
        /// What happened.
        reason: String,
    },
    /// A contract answered with something else than its interface says.
    #[error("the contract at {address} doesn't answer as a {expected} does: {reason}")]
    NotTheContract {
        /// The address.
        address: Address,
        /// The contract that should be there.
        expected: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// The contracts came to be elsewhere than planned.
    #[error("the {name} was created at {actual}, not at {expected}: another transaction came between")]
    Moved {
        /// The contract.
        name: &'static str,
        /// Where it was planned.
        expected: Address,
        /// Where it is.
        actual: Address,
    },
    /// The contracts can't be made for these keys.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// No verifier can be generated for these keys.
    #[error("verifier contract: {0}")]
    Generator(#[from] GeneratorError),
    /// A contract's number isn't a field element.
    #[error("the contract's {what} {value} is no field element")]
    NotAnElement {
        /// The value's name.
        what: &'static str,
        /// The value.
        value: U256,
    },
    /// The signer's key can't be used.
    #[error("L1 key: {0}")]
    Key(String),
}

/// The verifier contract for aggregate proofs.
///
/// # Errors
/// When the proofs are of a kind that no contract is there for.
pub fn verifier(aggregates: &AggregationVerifier) -> Result<GeneratedVerifier, L1Error> {
    let circuit = aggregates.circuit();
    let origin = match circuit.srs().source() {
        SrsSource::Development => SrsOrigin::Development,
        SrsSource::Imported => SrsOrigin::Imported,
    };
    Ok(generator::generate(circuit.verifying_key(), circuit.srs().params(), origin, BATCH_PLACES)?)
}

/// The hash by which a verifier contract knows its verifying key.
#[must_use]
pub fn verifying_key_hash(verifier: &GeneratedVerifier) -> B256 {
    keccak256(&verifier.verifying_key)
}

/// A field element as a word of the EVM.
#[must_use]
pub fn to_word(value: &Fr) -> U256 {
    U256::from_be_bytes(field::to_bytes(value))
}

fn from_word(what: &'static str, value: U256) -> Result<Fr, L1Error> {
    field::from_bytes(&value.to_be_bytes()).map_err(|_| L1Error::NotAnElement { what, value })
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
