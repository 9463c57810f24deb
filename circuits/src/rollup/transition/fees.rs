//! Fees: collected by token, credited at the end of their chunk.

use std::collections::BTreeMap;

use super::{ReasonCode, Rejection, Run};
use crate::{
    rollup::{Account, MAX_FEE_ACCOUNTS},
    witness::AccountAccess,
};

/// A chunk's fees in one token.
pub(super) struct TokenFees {
    /// `None` past 2^128.
    sum: Option<u128>,
    /// The transactions that pay them.
    payers: Vec<usize>,
}

impl Run<'_> {
    /// Notes the fee of a transaction, for the end of its chunk.
    pub(super) fn collect_fee(&mut self, index: usize, token: u32, fee: u128) {
        if fee == 0 {
            return;
        }
        let fees = self.chunk.fees.entry(token).or_insert(TokenFees { sum: Some(0), payers: Vec::new() });
        fees.sum = fees.sum.and_then(|sum| sum.checked_add(fee));
        fees.payers.push(index);
    }

    /// The batch's fee accounts that exist now, as (place in the batch, index), without those of a token that
    /// another one before holds.
    fn fee_accounts(&self) -> Vec<(usize, u32)> {
        let mut tokens = Vec::new();
        let mut accounts = Vec::new();
        for (place, index) in self.batch.fee_accounts.iter().copied().enumerate().take(MAX_FEE_ACCOUNTS) {
            if let Some(account) = self.state.account(index)
                && !tokens.contains(&account.token)
            {
                tokens.push(account.token);
                accounts.push((place, index));
            }
        }
        accounts
    }

    /// Credits the fees of the chunk at its end, to each fee account that exists then, in the batch's order.
    pub(super) fn credit_fees(&mut self) -> [Option<AccountAccess>; MAX_FEE_ACCOUNTS] {
        let mut accesses = [const { None }; MAX_FEE_ACCOUNTS];
        let mut fees = std::mem::take(&mut self.chunk.fees);
        for (slot, (place, index)) in accesses.iter_mut().zip(self.fee_accounts()) {
            let Some(account) = self.state.account(index).copied() else { continue };
            let fees = fees.remove(&account.token).map_or(Some(0), |fees| fees.sum);
            let Some(balance) = fees.and_then(|fees| account.balance.checked_add(fees)) else {
                let message = format!(
                    "expected a balance of account {index} below 2^128, got {} and the fees of a chunk",
                    account.balance
                );
                self.reject(&format!("fee_accounts[{place}]"), ReasonCode::FeeOverflow, message);
                continue;
            };
            *slot = self.state.update(index, Account { balance, ..account });
        }
        for (token, fees) in fees {
            for payer in fees.payers {
                let message = format!("expected a fee account for token {token} or no fee, got none");
                let reason = ReasonCode::FeeAccountMissing;
                self.rejections.push(Rejection::of_transaction(payer, "fee", reason, message));
            }
        }
        accesses
    }

    /// Checks at the batch's end that all its fee accounts exist, with distinct tokens.
    pub(super) fn check_fee_accounts(&mut self) {
        let mut accounts = BTreeMap::new();
        for (place, index) in self.batch.fee_accounts.iter().copied().enumerate().take(MAX_FEE_ACCOUNTS) {
            let field = format!("fee_accounts[{place}]");
            let Some(token) = self.state.account(index).map(|account| account.token) else {
                let message = self.unknown_account(index);
                self.reject(&field, ReasonCode::FeeAccountUnknown, message);
                continue;
            };
            if let Some(other) = accounts.get(&token) {
                let message =
                    format!("expected distinct tokens, got token {token} in accounts {other} and {index}");
                self.reject(&field, ReasonCode::FeeAccountDuplicate, message);
            } else {
                accounts.insert(token, index);
            }
        }
    }
}
