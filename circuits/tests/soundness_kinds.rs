//! Chunks with every kind of transaction and L1 operation.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;

use native_support::{genesis, key, test_domain, transfer};
use tenon_circuits::halo2::leaf::{SizeClass, check_leaf};
use tenon_circuits::rollup::{
    Account, Address, Batch, L1Operation, NO_ACCOUNT, Recipient, State, Transaction,
    evaluation::Points,
    execute,
    transaction::{KIND_OPEN, KIND_WITHDRAW},
};

fn recipient(number: u8) -> Recipient {
    Recipient { key: key(number).public_key(), owner: Address([number; 20]) }
}

fn sign(state: &State, transaction: Transaction) -> Transaction {
    let recipient = match transaction.kind {
        KIND_WITHDRAW => state.account(transaction.from).map(Account::recipient).unwrap(),
        KIND_OPEN => transaction.opens.unwrap(),
        _ => state.account(transaction.to).map_or(recipient(20), Account::recipient),
    };
    transaction.signed(&key(transaction.from as u8 + 1), test_domain(), &recipient)
}

fn batch(state: &State) -> Batch {
    let deposit = |token, amount, recipient, to| L1Operation::Deposit { token, amount, recipient, to };
    let l1_operations = vec![
        deposit(7, 5_000, recipient(20), NO_ACCOUNT),
        deposit(7, 10, recipient(1), 0),
        deposit(7, 11, recipient(2), 0),
        deposit(9, 12, recipient(3), 77),
        deposit(7, u128::MAX, recipient(1), 0),
        L1Operation::ForcedExit { index: 4, owner: Address([5; 20]) },
        L1Operation::ForcedExit { index: 4, owner: Address([5; 20]) },
        L1Operation::ForcedExit { index: 1, owner: Address([5; 20]) },
        L1Operation::ForcedExit { index: 1_000, owner: Address([5; 20]) },
        L1Operation::ForcedExit { index: NO_ACCOUNT, owner: Address([5; 20]) },
    ];
    let transactions = [
        Transaction { kind: KIND_WITHDRAW, ..transfer(0, 0, 7, 0, 100, 1) },
        Transaction { kind: KIND_OPEN, opens: Some(recipient(30)), ..transfer(0, 0, 9, 1, 0, 2) },
        transfer(1, 6, 7, 0, 100, 1),
        transfer(1, 1, 7, 1, 100, 1),
        Transaction { kind: KIND_OPEN, opens: Some(recipient(31)), ..transfer(0, 0, 7, 2, 0, 2) },
        Transaction { kind: KIND_OPEN, opens: Some(recipient(31)), ..transfer(0, 0, 7, 3, 0, 0) },
        Transaction { kind: KIND_WITHDRAW, ..transfer(1, 0, 7, 2, 49_000, 1) },
    ];
    let transactions = transactions.into_iter().map(|transaction| sign(state, transaction)).collect();
    Batch { number: 3, timestamp: 1_700_000_000, fee_accounts: vec![3, 5], l1_operations, transactions }
}

#[test]
fn every_kind_satisfies_the_circuit() {
    let state = genesis();
    let class = SizeClass::SMALL;
    let points = Points { z_d: u128::MAX - 5, z_l: 1 << 100 | 77 };
    let execution = execute(&state, test_domain(), &batch(&state), class.capacity()).unwrap();
    let execution = execution.with_points(points);
    assert!(execution.chunks.len() >= 5);
    for (index, chunk) in execution.chunks.iter().enumerate() {
        check_leaf(class, chunk).unwrap_or_else(|error| panic!("chunk {index}: {error}"));
    }
}
