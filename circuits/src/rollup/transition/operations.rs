//! L1 operations. None can make a batch invalid: what can't be done is refunded or does nothing.

use super::{ReasonCode, Run, chunks::Need};
use crate::{
    rollup::{Account, Address, Fr, L1Operation, NO_ACCOUNT, PublicKey, Recipient, State, pubdata},
    witness::OperationWitness,
};

/// What an operation does to the state as it is.
pub(in crate::rollup) enum Effect {
    /// A new account.
    Open(Account),
    /// Another content of the account.
    Update(u32, Account),
    /// Nothing, said of this index; what stands for the account where there is none.
    None(u32, Account),
}

impl Run<'_> {
    /// Executes an operation.
    pub(super) fn operation(&mut self, index: usize, operation: &L1Operation) {
        let (effect, l1_words) = match operation {
            L1Operation::Deposit { token, amount, recipient, to } => {
                let effect = deposit(&self.state, *token, *amount, recipient, *to);
                let refund = if matches!(effect, Effect::None(..)) { pubdata::WITHDRAWAL_WORDS } else { 0 };
                (effect, pubdata::DEPOSIT_WORDS + refund)
            }
            L1Operation::ForcedExit { index, owner } => {
                let effect = forced_exit(&self.state, *index, owner);
                let paid = if matches!(effect, Effect::Update(..)) { pubdata::WITHDRAWAL_WORDS } else { 0 };
                (effect, pubdata::FORCED_EXIT_WORDS + paid)
            }
        };
        // The effect stays what it is: fees are credited only after a chunk's transactions, of which there are
        // none yet.
        let touched = match &effect {
            Effect::Open(_) => self.state.next_index(),
            Effect::Update(index, _) | Effect::None(index, _) => *index,
        };
        self.reserve(Need { opens: 0, l1_words, accounts: [touched; 2] });
        let account = match effect {
            Effect::Open(account) => self.state.open(account),
            Effect::Update(index, account) => self.state.update(index, account),
            Effect::None(index, filler) => Some(self.state.look(index, filler)),
        };
        match account {
            Some(account) => self.chunk.operations.push(OperationWitness { operation: *operation, account }),
            None => {
                let message = "expected an account to change, got none".to_owned();
                let field = format!("l1_operations[{index}]");
                self.reject(&field, ReasonCode::L1OperationInvalid, message);
            }
        }
    }
}

pub(in crate::rollup) fn deposit(
    state: &State,
    token: u32,
    amount: u128,
    recipient: &Recipient,
    to: u32,
) -> Effect {
    let Recipient { key, owner } = *recipient;
    let empty = Account { token, nonce: 0, balance: 0, key, owner };
    if to == NO_ACCOUNT {
        if state.next_index() == NO_ACCOUNT {
            return Effect::None(NO_ACCOUNT, empty);
        }
        return Effect::Open(Account { balance: amount, ..empty });
    }
    let credited = state
        .account(to)
        .filter(|account| account.token == token && account.recipient() == *recipient)
        .and_then(|account| Some(Account { balance: account.balance.checked_add(amount)?, ..*account }));
    credited.map_or(Effect::None(to, empty), |account| Effect::Update(to, account))
}

pub(in crate::rollup) fn forced_exit(state: &State, index: u32, owner: &Address) -> Effect {
    let emptied = state
        .account(index)
        .filter(|account| account.owner == *owner && account.balance > 0)
        .map(|account| Account { balance: 0, ..*account });
    let key = PublicKey { x: Fr::default(), y: Fr::from(1u64) };
    let filler = Account { token: 0, nonce: 0, balance: 0, key, owner: *owner };
    emptied.map_or(Effect::None(index, filler), |account| Effect::Update(index, account))
}
