//! Operations for the contract's queue: deposits and forced exits.

use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};
use tenon_circuits::rollup::Recipient;
use tenon_contracts::bindings::IRollup;

use super::{
    DEADLINE, Sender, UserError, event,
    tokens::{self, IErc20},
};
use crate::l1::{Inclusion, rollup::RollupContract, to_word};

/// A deposit to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// The token's id.
    pub token: u32,
    /// In the token's smallest unit.
    pub amount: u128,
    /// The account's key and owner.
    pub recipient: Recipient,
    /// The account to credit; [`NO_ACCOUNT`](tenon_circuits::rollup::NO_ACCOUNT) for a new one.
    pub to: u32,
}

/// What a deposit takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositPlan {
    /// The deposit.
    pub deposit: Deposit,
    /// The token's address; none for ether.
    pub token: Option<Address>,
    /// What the contract will be allowed to take, one transaction each.
    pub approvals: Vec<U256>,
}

/// An operation that was queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its place in the queue.
    pub position: u64,
    /// When it has to be consumed, in Unix seconds.
    pub deadline: u32,
    /// What a deposit was queued with: what arrived at the contract. 0 for an exit.
    pub amount: u128,
    /// The transactions, the operation's last.
    pub transactions: Vec<Inclusion>,
}

impl Queued {
    /// When anybody may freeze the contract, should the operation not be consumed by then.
    #[must_use]
    pub fn freeze_from(&self) -> u64 {
        u64::from(self.deadline) + DEADLINE + 1
    }
}

/// What a deposit would take.
///
/// # Errors
/// When there is no such token, the account has too little, or the chain can't be reached.
pub async fn plan_deposit(
    contract: &RollupContract<'_>,
    from: Address,
    deposit: Deposit,
) -> Result<DepositPlan, UserError> {
    let token = tokens::address(contract, deposit.token).await?;
    let (chain, expected) = (contract.chain, U256::from(deposit.amount));
    let actual = tokens::balance(chain, token, from).await?;
    if actual < expected {
        return Err(UserError::Funds { token: deposit.token, account: from, expected, actual });
    }
    let mut approvals = Vec::new();
    if let Some(address) = token {
        let call = IErc20::allowanceCall { owner: from, spender: contract.address };
        let allowed = tokens::read(chain, address, call).await?;
        if allowed < expected {
            // Some tokens let an allowance change from and to 0 only.
            if !allowed.is_zero() {
                approvals.push(U256::ZERO);
            }
            approvals.push(expected);
        }
    }
    Ok(DepositPlan { deposit, token, approvals })
}

/// Makes a deposit.
///
/// # Errors
/// When the contract refuses it or the chain can't be reached.
pub async fn deposit(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    plan: &DepositPlan,
) -> Result<Queued, UserError> {
    let mut transactions = Vec::new();
    if let Some(token) = plan.token {
        for amount in &plan.approvals {
            let call = IErc20::approveCall { spender: contract.address, amount: *amount };
            let message = sender.message(token, U256::ZERO, call.abi_encode().into());
            transactions.push(sender.send("approving the deposit", &message, None).await?);
        }
    }
    let Deposit { token, amount, recipient, to } = plan.deposit;
    let call = IRollup::depositCall {
        token,
        amount: U256::from(amount),
        ax: to_word(&recipient.key.x),
        ay: to_word(&recipient.key.y),
        owner: Address::from(recipient.owner.0),
        to,
    };
    let value = if plan.token.is_none() { U256::from(amount) } else { U256::ZERO };
    let message = sender.message(contract.address, value, call.abi_encode().into());
    let inclusion = sender.send("depositing", &message, None).await?;
    transactions.push(inclusion);
    let queued: IRollup::DepositQueued = event(contract, &inclusion, "depositing").await?;
    Ok(Queued {
        position: queued.index,
        deadline: queued.deadline,
        amount: queued.deposit.amount,
        transactions,
    })
}

/// What a forced exit costs, in wei.
///
/// # Errors
/// When the chain can't be reached.
pub async fn exit_fee(contract: &RollupContract<'_>) -> Result<U256, UserError> {
    Ok(contract.read(IRollup::exitFeeCall {}).await?)
}

/// Requests the exit of an account that the sender owns.
///
/// # Errors
/// When the contract refuses it or the chain can't be reached.
pub async fn exit(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    account: u32,
) -> Result<Queued, UserError> {
    let fee = exit_fee(contract).await?;
    let call = IRollup::requestExitCall { account };
    let message = sender.message(contract.address, fee, call.abi_encode().into());
    let inclusion = sender.send("requesting the exit", &message, None).await?;
    let queued: IRollup::ExitQueued = event(contract, &inclusion, "requesting the exit").await?;
    Ok(Queued { position: queued.index, deadline: queued.deadline, amount: 0, transactions: vec![inclusion] })
}
