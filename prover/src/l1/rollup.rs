//! Asking the rollup contract, and the calls that move it.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolCall,
};
use tenon_circuits::{public_inputs::BatchPublicInputs, rollup::Fr};
use tenon_contracts::{
    bindings::rollup::{
        IRollup,
        ISettlement::{Batch, Header},
    },
    blob::Opening,
    calldata,
};

use super::{Chain, L1Error, chain::Message, from_word, to_word};

/// Where the contract stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The state after the last final batch.
    pub state: Fr,
    /// The last final batch.
    pub finalized: u64,
    /// The last committed batch, that of the last final one if none is unproven.
    pub committed: u64,
    /// Whether nothing settles any more.
    pub frozen: bool,
    /// Whether anybody may settle.
    pub open: bool,
}

/// A rollup contract.
#[derive(Clone, Copy, Debug)]
pub struct RollupContract<'a> {
    /// Its chain.
    pub chain: &'a dyn Chain,
    /// Its address.
    pub address: Address,
}

impl RollupContract<'_> {
    /// Where it stands.
    ///
    /// # Errors
    /// When there is no such contract or the chain can't be reached.
    pub async fn standing(&self) -> Result<Standing, L1Error> {
        Ok(Standing {
            state: from_word("state", self.read(IRollup::stateCall {}).await?)?,
            finalized: self.read(IRollup::lastFinalizedCall {}).await?,
            committed: self.read(IRollup::lastCommittedCall {}).await?,
            frozen: self.read(IRollup::isFrozenCall {}).await?,
            open: self.read(IRollup::isOpenCall {}).await?,
        })
    }

    /// The domain that it takes proofs for.
    ///
    /// # Errors
    /// When there is no such contract or the chain can't be reached.
    pub async fn domain(&self) -> Result<Fr, L1Error> {
        from_word("domain", self.read(IRollup::domainCall {}).await?)
    }

    /// The chained hash of an unproven batch, the hash of a final one's outcome.
    ///
    /// # Errors
    /// When there is no such contract or the chain can't be reached.
    pub async fn batch_hash(&self, number: u64) -> Result<B256, L1Error> {
        self.read(IRollup::batchHashCall { number }).await
    }

    /// Whether an account may commit and prove.
    ///
    /// # Errors
    /// When there is no such contract or the chain can't be reached.
    pub async fn is_operator(&self, operator: Address) -> Result<bool, L1Error> {
        self.read(IRollup::isOperatorCall { operator }).await
    }

    /// Calls a function that changes nothing.
    ///
    /// # Errors
    /// When there is no such contract or the chain can't be reached.
    pub async fn read<C: SolCall>(&self, call: C) -> Result<C::Return, L1Error> {
        let action = format!("asking {} for {}", self.address, C::SIGNATURE);
        let data = call.abi_encode().into();
        let message = Message { to: Some(self.address), data, ..Message::default() };
        let output = self.chain.call(&action, &message).await?;
        C::abi_decode_returns(&output).map_err(|error| L1Error::NotTheContract {
            address: self.address,
            expected: "rollup",
            reason: format!("{} answers {output}: {error}", C::SIGNATURE),
        })
    }
}

/// A batch with everything that the contract is told of it.
#[derive(Clone, Debug)]
pub struct SettledBatch {
    /// Its number.
    pub number: u64,
    /// Its time in Unix seconds.
    pub timestamp: u32,
    /// The state after it.
    pub state_out: Fr,
    /// The commitment to its data.
    pub commit: Fr,
    /// Its L1 stream.
    pub l1_words: Vec<Fr>,
    /// The versioned hashes of its blobs.
    pub blob_hashes: Vec<B256>,
}

impl SettledBatch {
    fn header(&self) -> Header {
        Header {
            timestamp: self.timestamp,
            stateOut: to_word(&self.state_out),
            commit: to_word(&self.commit),
            l1Hash: calldata::l1_hash(&self.words()),
            attestation: self.attestation(),
        }
    }

    fn proven(&self, openings: &[Opening]) -> Batch {
        Batch {
            timestamp: self.timestamp,
            stateOut: to_word(&self.state_out),
            commit: to_word(&self.commit),
            dataHash: calldata::data_hash(&self.blob_hashes),
            l1Words: self.words(),
            opening: calldata::blob_opening(openings),
        }
    }

    /// How many blobs are its own.
    fn attestation(&self) -> Bytes {
        calldata::blob_count(u8::try_from(self.blob_hashes.len()).unwrap_or(u8::MAX))
    }

    fn words(&self) -> Vec<U256> {
        self.l1_words.iter().map(to_word).collect()
    }

    /// Whether a proof's public inputs are about this batch.
    #[must_use]
    pub fn matches(&self, inputs: &BatchPublicInputs) -> bool {
        let [number, timestamp, ..] = *to_word(&inputs.batch).as_limbs();
        number == self.number
            && timestamp == u64::from(self.timestamp)
            && inputs.state_out == self.state_out
            && inputs.commit == self.commit
    }
}

/// The call that commits a run of batches, whose blobs its transaction carries.
#[must_use]
pub fn commit(first: u64, batches: &[SettledBatch]) -> Bytes {
    let headers: Vec<_> = batches.iter().map(SettledBatch::header).collect();
    calldata::commit(first, &headers)
}

/// The call that proves a run of committed batches. `previous` is the chained hash before the first one.
#[must_use]
pub fn prove(first: u64, previous: B256, batches: &[(SettledBatch, Vec<Opening>)], proof: &[u8]) -> Bytes {
    let batches: Vec<_> = batches.iter().map(|(batch, openings)| batch.proven(openings)).collect();
    calldata::prove(first, previous, &batches, proof)
}

/// The call that commits and proves a run of batches on top of the last final one.
#[must_use]
pub fn commit_and_prove(first: u64, batches: &[(SettledBatch, Vec<Opening>)], proof: &[u8]) -> Bytes {
    let attestations: Vec<_> = batches.iter().map(|(batch, _)| batch.attestation()).collect();
    let batches: Vec<_> = batches.iter().map(|(batch, openings)| batch.proven(openings)).collect();
    calldata::commit_and_prove(first, &batches, &attestations, proof)
}

/// The call that discards the committed, unproven batches from `first` on.
#[must_use]
pub fn revert_batches(first: u64) -> Bytes {
    IRollup::revertBatchesCall { first }.abi_encode().into()
}

/// The domain of a rollup contract.
///
/// # Errors
/// Never, but for a bug.
pub fn domain(chain_id: u64, rollup: Address) -> Result<Fr, L1Error> {
    from_word("domain", calldata::domain(chain_id, rollup))
}
