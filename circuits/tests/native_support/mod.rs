//! Accounts, keys and signed transfers for tests.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

pub mod checks;

use tenon_circuits::rollup::{
    Account, Address, AmountCode, Batch, FeeCode, Fr, L1Operation, PrivateKey, Recipient, Signature, State,
    Transaction, domain,
    transaction::{KIND_OPEN, KIND_WITHDRAW},
};

/// Domain of all tests.
pub fn test_domain() -> Fr {
    domain(31337, Address([0xaa; 20]))
}

/// The key of a test account.
pub fn key(number: u8) -> PrivateKey {
    PrivateKey::from_seed([number; 32])
}

/// An account of a test key.
pub fn account(number: u8, token: u32, balance: u128) -> Account {
    Account { token, nonce: 0, balance, key: key(number).public_key(), owner: Address([number; 20]) }
}

/// Accounts 0 to 3 hold token 7, 4 and 5 token 9; 3 and 5 take the fees. Keys are numbered as the accounts + 1.
pub fn genesis() -> State {
    let tokens = [(7, 1_000_000), (7, 50_000), (7, 0), (7, 3), (9, 77_000), (9, 0)];
    let accounts: Vec<Account> = tokens
        .into_iter()
        .zip(1..)
        .map(|((token, balance), number)| account(number, token, balance))
        .collect();
    State::from_accounts(&accounts).unwrap()
}

/// A transfer that isn't signed yet.
pub fn transfer(from: u32, to: u32, token: u32, nonce: u64, amount: u128, fee: u128) -> Transaction {
    Transaction {
        kind: 1,
        from,
        to,
        token,
        nonce,
        amount: AmountCode::encode(amount).unwrap(),
        fee: FeeCode::encode(fee).unwrap(),
        valid_until: 2_000_000_000,
        opens: None,
        signature: Signature::default(),
    }
}

/// A withdrawal that isn't signed yet.
pub fn withdraw(from: u32, token: u32, nonce: u64, amount: u128, fee: u128) -> Transaction {
    Transaction { kind: KIND_WITHDRAW, ..transfer(from, 0, token, nonce, amount, fee) }
}

/// An open that isn't signed yet.
pub fn open(from: u32, nonce: u64, fee: u128, token: u32, opens: Recipient) -> Transaction {
    Transaction { kind: KIND_OPEN, opens: Some(opens), ..transfer(from, 0, token, nonce, 0, fee) }
}

/// A deposit for the key and the owner of a test account.
pub fn deposit(number: u8, token: u32, amount: u128, to: u32) -> L1Operation {
    L1Operation::Deposit { token, amount, recipient: account(number, token, 0).recipient(), to }
}

/// A forced exit asked for by the owner of a test account.
pub fn forced_exit(index: u32, number: u8) -> L1Operation {
    L1Operation::ForcedExit { index, owner: Address([number; 20]) }
}

/// Signs with the key of account `from` as [`genesis`] has it.
pub fn sign(state: &State, transaction: Transaction) -> Transaction {
    sign_with(state, &key(transaction.from as u8 + 1), transaction)
}

/// Signs with any key.
pub fn sign_with(state: &State, key: &PrivateKey, transaction: Transaction) -> Transaction {
    let recipient_of = |index| state.account(index).map(Account::recipient);
    transaction.signed(key, test_domain(), &transaction.message_recipient(recipient_of).unwrap())
}

/// A batch with fee accounts 3 (token 7) and 5 (token 9).
pub fn batch(transactions: Vec<Transaction>) -> Batch {
    Batch {
        number: 1,
        timestamp: 1_700_000_000,
        fee_accounts: vec![3, 5],
        l1_operations: vec![],
        transactions,
    }
}
