//! The chain that the rollup contract is on: deploying the contracts, settling batches with their proofs, and
//! asking where the contract stands.

pub mod beacon;
pub mod chain;
pub mod embedded;
pub mod events;
pub mod local;
pub mod node;
pub mod rollup;
pub mod rpc;
pub mod signer;

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolCall,
};
use async_trait::async_trait;
use tenon_circuits::{
    aggregation::AggregationVerifier,
    halo2::SrsSource,
    public_inputs::BatchPublicInputs,
    rollup::{Fr, field},
};
use tenon_contracts::{
    bindings::{IRollup, ISettlement, IVerifier},
    calldata,
    deployment::{Deployment, DeploymentError, Parameters},
    generator::{self, GeneratedVerifier, GeneratorError, SrsOrigin},
};

pub use chain::{At, Block, Chain, Inclusion, Message};
pub use embedded::EmbeddedL1;
pub use local::LocalNode;
pub use node::Node;
pub use rpc::RpcL1;
pub use signer::{Bid, L1Key, SignedTransaction, Unsigned};

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

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1Receipt {
    /// The transaction's hash, where the chain has such.
    pub transaction: Option<B256>,
    /// Gas used, that of the call data included.
    pub gas_used: u64,
    /// The created contract.
    pub created: Option<Address>,
    /// The block's time in Unix seconds.
    pub block_timestamp: u64,
}

/// The contracts and what deploying them took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The contract whose code is the verifying key.
    pub verifying_key: Address,
    /// The verifier.
    pub verifier: Address,
    /// The rollup.
    pub rollup: Address,
    /// The chain's id.
    pub chain_id: u64,
    /// What transactions and proofs for this rollup carry.
    pub domain: Fr,
    /// Gas of all transactions.
    pub gas_used: u64,
}

/// Batches that L1 accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The transaction's hash, where the chain has such.
    pub transaction: Option<B256>,
    /// Gas used, that of the call data included.
    pub gas_used: u64,
    /// The block's time in Unix seconds.
    pub block_timestamp: u64,
    /// The rollup's state after it, as the contract says.
    pub state: Fr,
}

/// Where a rollup contract stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its state.
    pub state: Fr,
    /// The number of the last settled batch; 0 for none.
    pub last_batch: u64,
    /// That batch's time in Unix seconds.
    pub last_timestamp: u32,
    /// The domain that it takes proofs for.
    pub domain: Fr,
    /// The verifier that it asks.
    pub verifier: Address,
    /// Hash of the verifying key that this verifier takes.
    pub verifying_key_hash: B256,
}

/// A chain with an account that pays for transactions.
#[async_trait]
pub trait L1: fmt::Debug + Send + Sync {
    /// The chain's name in reports: `revm`, or the URL.
    fn name(&self) -> String;

    /// The account that sends the transactions.
    fn sender(&self) -> Address;

    /// The chain's id.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn chain_id(&self) -> Result<u64, L1Error>;

    /// Number of transactions that the sender has sent.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn nonce(&self) -> Result<u64, L1Error>;

    /// Sends a transaction and waits until it is in a block. Without `to` it creates a contract.
    /// `action` names it in errors.
    ///
    /// # Errors
    /// When it reverts or can't be sent.
    async fn transact(&self, action: &str, to: Option<Address>, data: Bytes) -> Result<L1Receipt, L1Error>;

    /// Asks a contract without changing anything.
    ///
    /// # Errors
    /// When it reverts or the chain can't be reached.
    async fn call(&self, action: &str, to: Address, data: Bytes) -> Result<Bytes, L1Error>;

    /// Deploys verifier and rollup, with the sender as its operator.
    ///
    /// # Errors
    /// When one of the transactions fails.
    async fn deploy(&self, verifier: &GeneratedVerifier, genesis_state: Fr) -> Result<Deployed, L1Error> {
        let chain_id = self.chain_id().await?;
        let parameters = Parameters::demonstration(self.sender(), to_word(&genesis_state));
        let plan = Deployment::plan(self.sender(), self.nonce().await?, verifier, &parameters)?;
        let mut gas_used = 0;
        for creation in plan.creations() {
            let action = format!("deploying the {}", creation.name);
            let receipt = self.transact(&action, None, creation.init_code.clone()).await?;
            gas_used += receipt.gas_used;
            match receipt.created {
                Some(actual) if actual == creation.address => {}
                Some(actual) => {
                    return Err(L1Error::Moved { name: creation.name, expected: creation.address, actual });
                }
                None => return Err(L1Error::Failed { action, reason: "no contract was created".into() }),
            }
        }
        let domain = from_word("domain", plan.domain(chain_id))?;
        Ok(Deployed {
            verifying_key: plan.verifying_key.address,
            verifier: plan.verifier.address,
            rollup: plan.rollup.address,
            chain_id,
            domain,
            gas_used,
        })
    }

    /// Settles a run of batches with their proof.
    ///
    /// # Errors
    /// When the contract refuses them or the chain can't be reached.
    async fn settle(
        &self,
        rollup: Address,
        batches: &[BatchPublicInputs],
        proof: &[u8],
    ) -> Result<Settlement, L1Error> {
        let receipt = self.transact("settling", Some(rollup), settlement(batches, proof)).await?;
        let state = read(self, rollup, IRollup::stateCall {}).await?;
        Ok(Settlement {
            transaction: receipt.transaction,
            gas_used: receipt.gas_used,
            block_timestamp: receipt.block_timestamp,
            state: from_word("state", state)?,
        })
    }

    /// Asks a rollup contract and its verifier where they stand.
    ///
    /// # Errors
    /// When there is no such contract or the chain can't be reached.
    async fn position(&self, rollup: Address) -> Result<Position, L1Error> {
        let state = from_word("state", read(self, rollup, IRollup::stateCall {}).await?)?;
        let last_batch = read(self, rollup, IRollup::lastFinalizedCall {}).await?;
        let last_timestamp = read(self, rollup, IRollup::lastFinalizedTimestampCall {}).await?;
        let domain = from_word("domain", read(self, rollup, IRollup::domainCall {}).await?)?;
        let version = read(self, rollup, IRollup::policyVersionCall {}).await?;
        let policy = read(self, rollup, IRollup::policyCall { version }).await?;
        let verifier = policy.kinds.first().map(|kind| kind.verifier).unwrap_or_default();
        let verifying_key_hash = read(self, verifier, IVerifier::verifyingKeyHashCall {}).await?;
        Ok(Position { state, last_batch, last_timestamp, domain, verifier, verifying_key_hash })
    }
}

/// Calls a function of a contract that changes nothing.
async fn read<C: SolCall, T: L1 + ?Sized>(l1: &T, address: Address, call: C) -> Result<C::Return, L1Error> {
    let action = format!("asking {address} for {}", C::SIGNATURE);
    let output = l1.call(&action, address, call.abi_encode().into()).await?;
    C::abi_decode_returns(&output).map_err(|error| L1Error::NotTheContract {
        address,
        expected: "Tenon contract",
        reason: format!("{} answers {output}: {error}", C::SIGNATURE),
    })
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
    Ok(generator::generate(circuit.verifying_key(), circuit.srs().params(), origin, aggregates.leaves())?)
}

/// The hash by which a verifier contract knows its verifying key.
#[must_use]
pub fn verifying_key_hash(verifier: &GeneratedVerifier) -> B256 {
    keccak256(&verifier.verifying_key)
}

/// The call that commits and proves a run of batches that publish nothing, which only a rollup whose data a committee
/// keeps can take.
#[must_use]
pub fn settlement(batches: &[BatchPublicInputs], proof: &[u8]) -> Bytes {
    // The lowest 64 bits are the number and the next 32 the timestamp.
    let first = batches.first().map_or(0, |batch| to_word(&batch.batch).as_limbs()[0]);
    let attestations = vec![Bytes::new(); batches.len()];
    let batches: Vec<_> = batches.iter().map(settled_batch).collect();
    calldata::commit_and_prove(first, &batches, &attestations, proof)
}

fn settled_batch(batch: &BatchPublicInputs) -> ISettlement::Batch {
    let [_, timestamp, ..] = *to_word(&batch.batch).as_limbs();
    ISettlement::Batch {
        timestamp: timestamp as u32,
        stateOut: to_word(&batch.state_out),
        commit: to_word(&batch.commit),
        dataHash: calldata::data_hash(&[]),
        l1Words: Vec::new(),
        opening: Bytes::new(),
    }
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
