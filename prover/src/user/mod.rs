//! What users do on L1 without the operator's service: deposits, forced exits, claims, escapes, and settling in the
//! operator's place. Each is planned from what L1 says before anything is sent.

pub mod claims;
pub mod escape;
pub mod queue;
pub mod takeover;
pub mod tokens;
pub mod withdrawal_tree;

use alloy::{
    primitives::{Address, U256},
    rpc::types::Log,
    sol_types::SolEvent,
};
use tenon_circuits::rollup::{BatchError, field::FieldError, words::WordError};
use tenon_contracts::blob::BlobError;

use crate::{
    engine::EngineError,
    l1::{At, Chain, Inclusion, L1Error, rollup::RollupContract},
    settlement::{ArchiveError, rebuild::RebuildError},
};

pub use crate::l1::Sender;

/// Seconds that pass between an operation's deadline and the time from which anybody may freeze, and from a commit to
/// the time from which anybody may settle.
pub const DEADLINE: u64 = 7 * 24 * 3600;

/// What a user wants can't be done.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The chain refused or can't be reached.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The state can't be rebuilt.
    #[error("rebuilding the state: {0}")]
    Rebuild(#[from] RebuildError),
    /// An archive can't be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The contract isn't a rollup of this chain.
    #[error("{address} on chain {chain_id}: expected a rollup with the domain {expected}, got {actual}")]
    NotARollup {
        /// The address.
        address: Address,
        /// The chain.
        chain_id: u64,
        /// Of the address on the chain.
        expected: String,
        /// The contract's.
        actual: String,
    },
    /// There is no such token.
    #[error("expected a token with an id below {count}, got {actual}")]
    TokenUnknown {
        /// Ids given, ether's included.
        count: u32,
        /// The id asked for.
        actual: u32,
    },
    /// The account has too little.
    #[error("expected at least {expected} of token {token} in {account}, got {actual}")]
    Funds {
        /// The token.
        token: u32,
        /// Whose.
        account: Address,
        /// What is needed.
        expected: U256,
        /// What is there.
        actual: U256,
    },
    /// The contract emitted no such event.
    #[error("{action}: expected the event {expected} in the transaction, got none")]
    EventMissing {
        /// What was done.
        action: String,
        /// The event.
        expected: &'static str,
    },
    /// A final batch's words aren't what its outcome says.
    #[error("batch {number}: expected the {what} {expected}, got {actual}; the node is damaged or lies")]
    Inconsistent {
        /// The batch.
        number: u64,
        /// What differs.
        what: &'static str,
        /// The outcome's.
        expected: String,
        /// That of the words.
        actual: String,
    },
    /// A final batch's words can't be read.
    #[error("batch {number}: {error}")]
    Words {
        /// The batch.
        number: u64,
        /// What is wrong.
        error: WordError,
    },
    /// A final batch's word is no field element.
    #[error("batch {number}: {error}")]
    Word {
        /// The batch.
        number: u64,
        /// What is wrong.
        error: FieldError,
    },
    /// It isn't time yet.
    #[error("{what}: expected a time from {earliest} on, got {actual} (Unix seconds)")]
    TooEarly {
        /// What isn't allowed yet.
        what: &'static str,
        /// When it is.
        earliest: U256,
        /// The chain's time.
        actual: u64,
    },
    /// Nothing waits in the queue.
    #[error("{0}: expected an operation in the contract's queue, found none")]
    QueueEmpty(&'static str),
    /// The contract isn't frozen.
    #[error("the contract isn't frozen: accounts leave by forced exits, or after a freeze")]
    NotFrozen,
    /// The contract is frozen.
    #[error("the contract is frozen: nothing settles any more, accounts leave through escape")]
    Frozen,
    /// A contradiction is unresolved.
    #[error(
        "two proofs of batch {0} contradict each other: until that is resolved, nothing moves from there on"
    )]
    Contradicted(u64),
    /// Somebody settled meanwhile.
    #[error("expected batch {expected} to be the last final one, got {actual}: somebody settled, look again")]
    Settled {
        /// The batch of the rebuilt state.
        expected: u64,
        /// The contract's.
        actual: u64,
    },
    /// The operator is on time.
    #[error(
        "the contract isn't open: expected an operation past its deadline, or 7 days without settlement of \
         something committed, found neither"
    )]
    NotOpen,
    /// There is no such account, or it is somebody else's.
    #[error("account {index}: expected one that {owner} owns, got {actual}")]
    NotOwned {
        /// The account.
        index: u32,
        /// Who asks.
        owner: Address,
        /// Whose it is.
        actual: String,
    },
    /// One settlement would have to consume more than these keys can prove.
    #[error(
        "the contract demands {operations} operations in one settlement, which take {chunks} chunks: expected at \
         most {leaves}, the leaf proofs of an aggregation; use a larger size class or more leaves, if the \
         contract's verifier is for those"
    )]
    TooManyOperations {
        /// Operations that have to be consumed.
        operations: usize,
        /// Chunks that they take.
        chunks: usize,
        /// Chunks that can be proven at once.
        leaves: usize,
    },
    /// A committee keeps the data.
    #[error(
        "a committee keeps this rollup's data: a takeover needs its signatures, which this command can't get"
    )]
    Committee,
    /// The contract wants other proofs than these keys make.
    #[error("proofs: expected those of the verifying key {expected}, got keys for {actual}")]
    OtherKeys {
        /// The contract's.
        expected: String,
        /// The engine's.
        actual: String,
    },
    /// The contract wants proofs of several kinds.
    #[error("the contract wants {0} kinds of proofs: expected 1, the only kind that there is")]
    ProofKinds(usize),
    /// The operations can't be executed, which is a bug.
    #[error("executing the operations: {0}")]
    Execution(#[from] BatchError),
    /// The blobs can't be made.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Proving failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file of the data directory can't be written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// After the settlement the contract has another state.
    #[error("after the settlement: expected the state {expected}, got {actual}")]
    State {
        /// What was proven.
        expected: String,
        /// The contract's.
        actual: String,
    },
    /// The work was interrupted.
    #[error("stopped: {0}")]
    Interrupted(String),
}

/// Checks that a rollup contract is at its address, on its chain. Gives the chain's id.
///
/// # Errors
/// When it isn't, or the chain can't be reached.
pub async fn require_rollup(contract: &RollupContract<'_>) -> Result<u64, UserError> {
    let chain_id = contract.chain.chain_id().await?;
    let actual = contract.domain().await?;
    let expected = crate::l1::rollup::domain(chain_id, contract.address)?;
    if actual != expected {
        let [expected, actual] =
            [expected, actual].map(|value| tenon_circuits::rollup::field::to_hex(&value));
        return Err(UserError::NotARollup { address: contract.address, chain_id, expected, actual });
    }
    Ok(chain_id)
}

/// Number and time of the newest block.
async fn latest(chain: &dyn Chain) -> Result<(u64, u64), UserError> {
    Ok(chain.block(At::Latest).await?.map_or((0, 0), |block| (block.number, block.timestamp)))
}

/// The event that a transaction had the contract emit.
async fn event<E: SolEvent>(
    contract: &RollupContract<'_>,
    inclusion: &Inclusion,
    action: &str,
) -> Result<E, UserError> {
    let logs = contract.chain.logs(contract.address, inclusion.block, inclusion.block).await?;
    let is_own = |log: &&Log| log.transaction_hash == Some(inclusion.transaction);
    logs.iter()
        .filter(is_own)
        .find_map(|log| E::decode_log(&log.inner).ok())
        .map(|log| log.data)
        .ok_or_else(|| UserError::EventMissing { action: action.to_owned(), expected: E::SIGNATURE })
}
