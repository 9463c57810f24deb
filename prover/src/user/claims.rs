//! The withdrawals that final batches owe an address, from the contract's events alone.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    rpc::types::Log,
    sol_types::{SolCall, SolEventInterface},
};
use tenon_circuits::rollup::{Fr, L1Item, Withdrawal, field, words::parse_l1_stream};
use tenon_contracts::bindings::{
    IExits, IRollup,
    IRollup::{BatchFinalized, BatchesVoided, ContradictionResolved, IRollupEvents, L1Words},
    ISettlement,
};

use super::{Sender, UserError, latest, withdrawal_tree::WithdrawalTree};
use crate::l1::{Inclusion, Message, events, rollup::RollupContract};

/// Whether a withdrawal can be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimStatus {
    /// It was paid.
    Paid,
    /// It can be claimed.
    Ready,
    /// It can be claimed from this time on, in Unix seconds.
    From(u64),
    /// Its batch, or one before it, is contradicted.
    Contradicted,
}

/// A withdrawal with everything that a claim takes.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The withdrawal.
    pub withdrawal: IExits::Withdrawal,
    /// Its batch's outcome.
    pub outcome: ISettlement::Outcome,
    /// The siblings from its leaf up.
    pub path: Vec<B256>,
    /// Whether it can be claimed.
    pub status: ClaimStatus,
}

/// What became of a batch.
#[derive(Clone, Debug)]
struct Final {
    outcome: ISettlement::Outcome,
    words: Vec<U256>,
}

/// An owner's withdrawals, paid ones too, in the order of their batches.
///
/// # Errors
/// When the chain can't be reached, or a batch's words aren't those that its outcome tells of.
pub async fn find(
    contract: &RollupContract<'_>,
    owner: Address,
    first_block: u64,
) -> Result<Vec<Claim>, UserError> {
    let (block, now) = latest(contract.chain).await?;
    let delay: u64 = contract.read(IRollup::claimDelayCall {}).await?.saturating_to();
    let contradicted = contract.read(IRollup::contradictionCall {}).await?.number;
    let logs = events::logs(contract.chain, contract.address, first_block, block).await?;
    let mut claims = Vec::new();
    for (number, batch) in final_batches(&logs) {
        let withdrawals = withdrawals(number, &batch)?;
        if withdrawals.iter().all(|withdrawal| withdrawal.owner.0 != owner) {
            continue;
        }
        let tree = WithdrawalTree::new(number, &withdrawals);
        require(number, "root of the withdrawals", &batch.outcome.withdrawals, &tree.root())?;
        let from = u64::from(batch.outcome.finalizedAt) + delay;
        for (place, withdrawal) in withdrawals.iter().enumerate() {
            if withdrawal.owner.0 != owner {
                continue;
            }
            // A batch has 4,096 L1 words at most.
            let index = u32::try_from(place).unwrap_or(u32::MAX);
            let status = if contract.read(IRollup::isClaimedCall { number, index }).await? {
                ClaimStatus::Paid
            } else if contradicted != 0 && number >= contradicted {
                ClaimStatus::Contradicted
            } else if now < from {
                ClaimStatus::From(from)
            } else {
                ClaimStatus::Ready
            };
            let (token, amount) = (withdrawal.token, withdrawal.amount);
            claims.push(Claim {
                withdrawal: IExits::Withdrawal { number, index, token, owner, amount },
                outcome: batch.outcome.clone(),
                path: tree.path(place),
                status,
            });
        }
    }
    Ok(claims)
}

/// The message that claims a withdrawal for a recipient.
#[must_use]
pub fn message(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    claim: &Claim,
    recipient: Address,
) -> Message {
    let call = IRollup::claimCall {
        withdrawal: claim.withdrawal.clone(),
        outcome: claim.outcome.clone(),
        path: claim.path.clone(),
        recipient,
    };
    sender.message(contract.address, U256::ZERO, call.abi_encode().into())
}

/// Claims a withdrawal for a recipient: its owner, or anybody whom the owner, being the sender, names.
///
/// # Errors
/// When the contract refuses it or the chain can't be reached.
pub async fn claim(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    claim: &Claim,
    recipient: Address,
) -> Result<Inclusion, UserError> {
    let IExits::Withdrawal { number, index, .. } = claim.withdrawal;
    let action = format!("claiming withdrawal {index} of batch {number}");
    Ok(sender.send(&action, &message(contract, sender, claim, recipient), None).await?)
}

/// The final batches that events tell of.
fn final_batches(logs: &[Log]) -> BTreeMap<u64, Final> {
    let mut batches: BTreeMap<u64, Final> = BTreeMap::new();
    // A batch's words come right before what makes it final.
    let mut emitted = (0, Vec::new());
    for log in logs {
        let (topics, data) = (log.inner.data.topics(), &log.inner.data.data);
        let Ok(event) = IRollupEvents::decode_raw_log(topics, data) else { continue };
        match event {
            IRollupEvents::L1Words(L1Words { number, words }) => emitted = (number, words),
            IRollupEvents::BatchFinalized(BatchFinalized { number, outcome, .. }) => {
                let words = words_of(number, &mut emitted);
                batches.insert(number, Final { outcome, words });
            }
            IRollupEvents::ContradictionResolved(ContradictionResolved { number, outcome, .. }) => {
                batches.retain(|kept, _| *kept < number);
                let words = words_of(number, &mut emitted);
                batches.insert(number, Final { outcome, words });
            }
            IRollupEvents::BatchesVoided(BatchesVoided { number, .. }) => {
                batches.retain(|kept, _| *kept < number);
            }
            _ => {}
        }
    }
    batches
}

fn words_of(number: u64, (emitted, words): &mut (u64, Vec<U256>)) -> Vec<U256> {
    if *emitted == number { std::mem::take(words) } else { Vec::new() }
}

fn withdrawals(number: u64, batch: &Final) -> Result<Vec<Withdrawal>, UserError> {
    let bytes: Vec<[u8; 32]> = batch.words.iter().map(U256::to_be_bytes).collect();
    require(number, "hash of the L1 words", &batch.outcome.l1Hash, &keccak256(bytes.concat()))?;
    let words: Vec<Fr> = bytes
        .iter()
        .map(field::from_bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| UserError::Word { number, error })?;
    let items = parse_l1_stream(&words).map_err(|error| UserError::Words { number, error })?;
    let withdrawal = |item: L1Item| match item {
        L1Item::Withdrawal(withdrawal) => Some(withdrawal),
        L1Item::Operation(_) => None,
    };
    Ok(items.into_iter().filter_map(withdrawal).collect())
}

fn require(number: u64, what: &'static str, expected: &B256, actual: &B256) -> Result<(), UserError> {
    if expected == actual {
        return Ok(());
    }
    let [expected, actual] = [expected, actual].map(ToString::to_string);
    Err(UserError::Inconsistent { number, what, expected, actual })
}
