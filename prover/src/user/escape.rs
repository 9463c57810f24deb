//! Leaving a frozen contract: accounts by their Merkle path, deposits that nothing consumed by a refund.

use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};
use tenon_circuits::rollup::{L1Operation, State};
use tenon_contracts::bindings::{IExits, IQueue, IRollup};

use super::{DEADLINE, Sender, UserError, latest};
use crate::l1::{Inclusion, Message, rollup::RollupContract, to_word};

/// Whether accounts can leave through escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EscapeStatus {
    /// Nothing is frozen and nobody may freeze yet. `from` is the earliest time for it, in Unix seconds, if the
    /// queue's first operation isn't consumed by then; none with an empty queue.
    Live {
        /// The earliest time.
        from: Option<u64>,
    },
    /// Anybody may freeze.
    Freezable,
    /// Escapes open at a time in Unix seconds.
    Opens(u64),
    /// Escapes are open.
    Open,
    /// A contradiction is unresolved.
    Contradicted(u64),
}

/// Whether accounts can leave through escape now.
///
/// # Errors
/// When the chain can't be reached.
pub async fn status(contract: &RollupContract<'_>) -> Result<EscapeStatus, UserError> {
    let contradicted = contract.read(IRollup::contradictionCall {}).await?.number;
    if contradicted != 0 {
        return Ok(EscapeStatus::Contradicted(contradicted));
    }
    let (_, now) = latest(contract.chain).await?;
    if contract.read(IRollup::isFrozenCall {}).await? {
        let opens: u64 = contract.read(IRollup::escapeOpensAtCall {}).await?.saturating_to();
        return Ok(if now < opens { EscapeStatus::Opens(opens) } else { EscapeStatus::Open });
    }
    let head = contract.read(IRollup::queueHeadCall {}).await?;
    if head == contract.read(IRollup::queueTailCall {}).await? {
        return Ok(EscapeStatus::Live { from: None });
    }
    let deadline = contract.read(IRollup::queueEntryCall { index: head }).await?.deadline;
    let from = u64::from(deadline) + DEADLINE + 1;
    Ok(if now < from { EscapeStatus::Live { from: Some(from) } } else { EscapeStatus::Freezable })
}

/// The message that freezes the contract.
#[must_use]
pub fn freeze_message(contract: &RollupContract<'_>, sender: &Sender<'_>) -> Message {
    sender.message(contract.address, U256::ZERO, IRollup::freezeCall {}.abi_encode().into())
}

/// Freezes the contract, for ever.
///
/// # Errors
/// When the contract refuses it or the chain can't be reached.
pub async fn freeze(contract: &RollupContract<'_>, sender: &Sender<'_>) -> Result<Inclusion, UserError> {
    Ok(sender.send("freezing", &freeze_message(contract, sender), None).await?)
}

/// The accounts of a state that an owner can still leave with; or the given one, which has to be the owner's.
///
/// # Errors
/// When there is no such account of the owner's, or the chain can't be reached.
pub async fn accounts(
    contract: &RollupContract<'_>,
    state: &State,
    owner: Address,
    only: Option<u32>,
) -> Result<Vec<IExits::Account>, UserError> {
    if let Some(index) = only {
        let found = state.account(index).map(|account| Address::from(account.owner.0));
        if found != Some(owner) {
            let actual = found.map_or_else(|| "no account".to_owned(), |found| format!("one of {found}"));
            return Err(UserError::NotOwned { index, owner, actual });
        }
    }
    let mut left = Vec::new();
    for (index, account) in (0..).zip(state.accounts()) {
        if account.owner.0 != owner || account.balance == 0 || only.is_some_and(|only| only != index) {
            continue;
        }
        if !contract.read(IRollup::isEscapedCall { index }).await? {
            left.extend(path(state, index));
        }
    }
    Ok(left)
}

/// An account with its path; none where there is none.
fn path(state: &State, index: u32) -> Option<IExits::Account> {
    let account = state.account(index)?;
    Some(IExits::Account {
        index,
        token: account.token,
        nonce: U256::from(account.nonce),
        balance: U256::from(account.balance),
        ax: to_word(&account.key.x),
        ay: to_word(&account.key.y),
        owner: Address::from(account.owner.0),
        nextIndex: state.next_index(),
        root: to_word(&state.root()),
        siblings: state.tree().path(index).map(|level| level.map(|sibling| to_word(&sibling))),
    })
}

/// Pays an account to a recipient: its owner, or anybody whom the owner, being the sender, names.
///
/// # Errors
/// When the contract refuses it or the chain can't be reached.
pub async fn escape(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    account: &IExits::Account,
    recipient: Address,
) -> Result<Inclusion, UserError> {
    let action = format!("escaping with account {}", account.index);
    let call = IRollup::escapeCall { account: account.clone(), recipient };
    let message = sender.message(contract.address, U256::ZERO, call.abi_encode().into());
    Ok(sender.send(&action, &message, None).await?)
}

/// A deposit that no final batch consumed.
#[derive(Clone, Debug)]
pub struct Refund {
    /// Its place in the queue.
    pub operation: u64,
    /// The deposit.
    pub deposit: IQueue::Deposit,
}

/// An owner's deposits among the operations of the queue that no final batch has consumed, the first of which is at
/// `head`; those paid back already aren't among them.
///
/// # Errors
/// When the chain can't be reached.
pub async fn refunds(
    contract: &RollupContract<'_>,
    head: u64,
    waiting: &[L1Operation],
    owner: Address,
) -> Result<Vec<Refund>, UserError> {
    let mut refunds = Vec::new();
    for (operation, queued) in (head..).zip(waiting) {
        let L1Operation::Deposit { token, amount, recipient, to } = queued else { continue };
        if recipient.owner.0 != owner {
            continue;
        }
        let entry = contract.read(IRollup::queueEntryCall { index: operation }).await?;
        if entry.deadline == 0 {
            continue;
        }
        let deposit = IQueue::Deposit {
            token: *token,
            to: *to,
            amount: *amount,
            ax: to_word(&recipient.key.x),
            ay: to_word(&recipient.key.y),
            owner,
        };
        refunds.push(Refund { operation, deposit });
    }
    Ok(refunds)
}

/// Pays a deposit back to a recipient: its owner, or anybody whom the owner, being the sender, names.
///
/// # Errors
/// When the contract refuses it or the chain can't be reached.
pub async fn refund(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    refund: &Refund,
    recipient: Address,
) -> Result<Inclusion, UserError> {
    let action = format!("refunding operation {}", refund.operation);
    let call =
        IRollup::refundCall { operation: refund.operation, deposit: refund.deposit.clone(), recipient };
    let message = sender.message(contract.address, U256::ZERO, call.abi_encode().into());
    Ok(sender.send(&action, &message, None).await?)
}
