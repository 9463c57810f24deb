//! What passes between a slot and the chunk: imports from the slot before, outputs to the one after, and what is
//! published.

use halo2_proofs::halo2curves::bn256::Fr;

use crate::gadgets::babyjubjub::PointVars;
use crate::halo2::trace::{Cell, Var};
use crate::rollup::MAX_FEE_ACCOUNTS;

/// What a slot takes from the chunk and from the slot before it.
#[derive(Clone, Copy)]
pub struct SlotImports<T> {
    /// 0.
    pub zero: T,
    /// The rollup's domain.
    pub domain: T,
    /// The batch's timestamp.
    pub timestamp: T,
    /// The fee accounts' tokens, 2^32 where there is none.
    pub fee_tokens: [T; MAX_FEE_ACCOUNTS],
    /// Whether the slot before isn't padding; 1 for the first.
    pub enabled_before: T,
    /// Whether the slot before is an L1 operation; 1 for the first.
    pub operation_before: T,
    /// The running product that the slot before left; its value follows when everything else is written.
    pub product: T,
    /// The number of accounts that the slot before left.
    pub next_index: T,
    /// Fees so far.
    pub fees: [T; MAX_FEE_ACCOUNTS],
}

impl SlotImports<Var> {
    /// In the order in which a fragment numbers them.
    pub fn to_vec(self) -> Vec<Var> {
        let mut all = vec![self.zero, self.domain, self.timestamp, self.enabled_before];
        all.extend([self.operation_before, self.product, self.next_index]);
        all.extend(self.fee_tokens);
        all.extend(self.fees);
        all
    }
}

impl SlotImports<Fr> {
    pub(super) fn as_vars(&self) -> SlotImports<Var> {
        let var = |index: u8, value: Fr| Var { cell: Cell::import(index), value };
        SlotImports {
            zero: var(0, self.zero),
            domain: var(1, self.domain),
            timestamp: var(2, self.timestamp),
            enabled_before: var(3, self.enabled_before),
            operation_before: var(4, self.operation_before),
            product: var(5, self.product),
            next_index: var(6, self.next_index),
            fee_tokens: std::array::from_fn(|i| var(7 + i as u8, self.fee_tokens[i])),
            fees: std::array::from_fn(|i| var(7 + (MAX_FEE_ACCOUNTS + i) as u8, self.fees[i])),
        }
    }
}

/// What a slot publishes, and what decides whether it does.
#[derive(Clone, Copy)]
pub struct Published {
    /// 1 for a transaction.
    pub transaction: Var,
    /// 1 for an open.
    pub open: Var,
    /// 1 for a deposit.
    pub deposit: Var,
    /// 1 for a forced exit.
    pub forced_exit: Var,
    /// 1 if money leaves for L1: a withdraw, a refused deposit, a forced exit of something.
    pub withdrawal: Var,
    /// A transaction's record.
    pub record: Var,
    /// Token of the account named, below 2^32.
    pub token: Var,
    /// Owner of the account named, below 2^160.
    pub owner: Var,
    /// Key of the account named.
    pub key: PointVars,
    /// Bits 248 to 253 of the key's coordinates: below 64, and those of a canonical split where L1 checks it.
    pub key_high: [Var; 2],
    /// The index named.
    pub to: Var,
    /// The amount that goes to or leaves for L1, below 2^128.
    pub amount: Var,
    /// What the slot signs, which binds everything here but the amount and the flags.
    pub message: Var,
    /// Flags and high bits of the key, packed without ambiguity.
    pub flags: Var,
}

/// What a slot gives to the chunk.
#[derive(Clone, Copy)]
pub struct SlotOutputs {
    /// 0 for padding.
    pub enabled: Var,
    /// 1 for an L1 operation.
    pub operation: Var,
    /// The running product after it.
    pub product: Var,
    /// The number of accounts after it.
    pub next_index: Var,
    /// Fees so far.
    pub fees: [Var; MAX_FEE_ACCOUNTS],
    /// What it publishes.
    pub published: Published,
}

impl SlotOutputs {
    /// The outputs of a fragment appended at row `offset`.
    pub fn shifted(self, offset: u32) -> Self {
        let p = self.published;
        Self {
            enabled: self.enabled.shifted(offset),
            operation: self.operation.shifted(offset),
            product: self.product.shifted(offset),
            next_index: self.next_index.shifted(offset),
            fees: self.fees.map(|fee| fee.shifted(offset)),
            published: Published {
                transaction: p.transaction.shifted(offset),
                open: p.open.shifted(offset),
                deposit: p.deposit.shifted(offset),
                forced_exit: p.forced_exit.shifted(offset),
                withdrawal: p.withdrawal.shifted(offset),
                record: p.record.shifted(offset),
                token: p.token.shifted(offset),
                owner: p.owner.shifted(offset),
                key: PointVars { x: p.key.x.shifted(offset), y: p.key.y.shifted(offset) },
                key_high: p.key_high.map(|high| high.shifted(offset)),
                to: p.to.shifted(offset),
                amount: p.amount.shifted(offset),
                message: p.message.shifted(offset),
                flags: p.flags.shifted(offset),
            },
        }
    }
}
