//! Accounts, keys and signed transfers for tests.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use tenon_circuits::rollup::{
    Account, Address, AmountCode, Batch, FeeCode, Fr, PrivateKey, Signature, State, Transaction, domain,
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

/// Signs with the key of account `from` as [`genesis`] has it.
pub fn sign(state: &State, transaction: Transaction) -> Transaction {
    sign_with(state, &key(transaction.from as u8 + 1), transaction)
}

/// Signs with any key.
pub fn sign_with(state: &State, key: &PrivateKey, transaction: Transaction) -> Transaction {
    transaction.signed(key, test_domain(), &state.account(transaction.to).unwrap().recipient())
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
