//! Chunks with every kind of transaction and L1 operation: those that are valid satisfy the circuit and can be
//! replayed from what they publish.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use native_support::{
    account, batch, deposit, forced_exit, genesis, key, open, sign_with, test_domain, transfer, withdraw,
};
use soundness_support::{
    CLASS, Forger, POINTS, Pay, assert_accepted, claims, fr, honest_chunks, nearly_full, new_account, party,
    public_inputs, trace_of, violations,
};
use tenon_circuits::halo2::leaf::{LeafCircuit, values::ChunkValues};
use tenon_circuits::rollup::{
    Account, Batch, Execution, L1Operation, NO_ACCOUNT, State, Transaction, execute, pubdata::Withdrawal,
    replay::replay,
};
use tenon_circuits::witness::ChunkWitness;

/// Executes, requires of every chunk that it satisfies the circuit and has its shape, and replays.
#[track_caller]
fn accepted(state: &State, batch: &Batch) -> Execution {
    let execution = execute(state, test_domain(), batch, CLASS.capacity()).unwrap().with_points(POINTS);
    let empty = LeafCircuit::keygen(CLASS);
    let mut before: Option<&ChunkWitness> = None;
    for witness in &execution.chunks {
        let circuit = LeafCircuit::new(CLASS, witness);
        assert_eq!(violations(circuit.trace(), &public_inputs(witness)), []);
        assert!(circuit.trace().same_shape(empty.trace()));
        let inputs = witness.public_inputs();
        if let Some(before) = before.map(ChunkWitness::public_inputs) {
            assert_eq!((inputs.state_in, inputs.commit_in), (before.state_out, before.commit_out));
            assert_eq!(inputs.evaluations_in, before.evaluations_out);
        }
        before = Some(witness);
    }
    let last = before.unwrap().public_inputs();
    assert_eq!((last.state_out, last.commit_out), (execution.state_out, execution.commit));
    assert_eq!(last.evaluations_out, execution.public_inputs.evaluations);
    let replayed = replay(state, &execution.da_words, &batch.l1_operations).unwrap();
    assert_eq!(replayed.state, execution.state);
    assert_eq!(replayed.withdrawals, execution.withdrawals);
    execution
}

/// A batch of operations alone.
fn operations(l1_operations: Vec<L1Operation>) -> Batch {
    Batch { l1_operations, fee_accounts: Vec::new(), ..batch(Vec::new()) }
}

/// Signs with the key of account `from` as the genesis has it, for the accounts that there are after the batch's
/// operations.
fn signed(state: &State, transactions: Vec<Transaction>) -> Vec<Transaction> {
    let sign = |transaction: Transaction| sign_with(state, &key(transaction.from as u8 + 1), transaction);
    transactions.into_iter().map(sign).collect()
}

fn withdrawal(number: u8, token: u32, amount: u128) -> Withdrawal {
    Withdrawal { token, owner: account(number, token, 0).owner, amount }
}

fn balance(execution: &Execution, index: u32) -> u128 {
    execution.state.account(index).unwrap().balance
}

#[test]
fn every_kind_in_one_batch() {
    let state = genesis();
    let l1_operations = vec![
        deposit(20, 7, 5_000, NO_ACCOUNT),
        deposit(1, 7, 10, 0),
        deposit(2, 7, 11, 0),
        deposit(3, 9, 12, 77),
        deposit(1, 7, u128::MAX, 0),
        forced_exit(4, 5),
        forced_exit(4, 5),
        forced_exit(1, 5),
        forced_exit(1_000, 5),
        forced_exit(NO_ACCOUNT, 5),
    ];
    let after = execute(&state, test_domain(), &operations(l1_operations.clone()), 16).unwrap().state;
    let transactions = vec![
        withdraw(0, 7, 0, 100, 1),
        open(0, 1, 2, 9, account(30, 9, 0).recipient()),
        transfer(1, 6, 7, 0, 100, 1),
        transfer(1, 1, 7, 1, 100, 1),
        open(0, 2, 2, 7, account(31, 7, 0).recipient()),
        open(0, 3, 0, 7, account(31, 7, 0).recipient()),
        withdraw(1, 7, 2, 49_000, 1),
    ];
    let batch = Batch { number: 3, l1_operations, ..batch(signed(&after, transactions)) };
    let execution = accepted(&state, &batch);
    assert!(execution.chunks.len() >= 5);
    assert_eq!(
        execution.withdrawals,
        [
            withdrawal(2, 7, 11),
            withdrawal(3, 9, 12),
            withdrawal(1, 7, u128::MAX),
            withdrawal(5, 9, 77_000),
            withdrawal(1, 7, 100),
            withdrawal(2, 7, 49_000),
        ]
    );
}

#[test]
fn deposits_at_the_edge_of_a_balance() {
    let state = genesis();
    let room = u128::MAX - 1_000_000;
    let fits = accepted(&state, &operations(vec![deposit(1, 7, room, 0)]));
    assert_eq!((balance(&fits, 0), fits.withdrawals), (u128::MAX, vec![]));
    let passes = accepted(&state, &operations(vec![deposit(1, 7, room + 1, 0), deposit(1, 7, room, 0)]));
    assert_eq!(
        (balance(&passes, 0), &passes.withdrawals[..]),
        (u128::MAX, &[withdrawal(1, 7, room + 1)][..])
    );
    let most = accepted(&state, &operations(vec![deposit(9, 0, u128::MAX, NO_ACCOUNT)]));
    assert_eq!(balance(&most, 6), u128::MAX);
}

#[test]
fn deposits_that_find_another_account() {
    let state = genesis();
    let another_key = Account { key: key(50).public_key(), ..account(1, 7, 0) }.recipient();
    let another_owner = Account { owner: account(50, 7, 0).owner, ..account(1, 7, 0) }.recipient();
    let to_account_0 = |token, recipient| L1Operation::Deposit { token, amount: 5, recipient, to: 0 };
    let refused = vec![
        deposit(1, 8, 5, 0),
        to_account_0(7, another_key),
        to_account_0(7, another_owner),
        deposit(1, 7, 5, 6),
        deposit(1, 7, 5, NO_ACCOUNT - 1),
    ];
    let execution = accepted(&state, &operations(refused));
    assert_eq!(execution.withdrawals.len(), 5);
    assert_eq!(execution.state, state);
}

#[test]
fn a_tree_that_gets_full() {
    for room in 0..=2 {
        let (state, first) = nearly_full(room);
        let new = || deposit(9, 7, 5, NO_ACCOUNT);
        let execution = accepted(&state, &operations(vec![new(), new(), deposit(1, 7, 5, first as u32)]));
        assert_eq!(execution.state.next_index(), state.next_index().saturating_add(2));
        assert_eq!(execution.withdrawals, vec![withdrawal(9, 7, 5); 2 - room as usize]);
    }
    let (state, first) = nearly_full(1);
    let first = first as u32;
    let opens = |nonce| {
        let transaction = open(first, nonce, 0, 7, account(9, 7, 0).recipient());
        sign_with(&state, &key(1), transaction)
    };
    let of = |transactions| Batch { fee_accounts: Vec::new(), ..batch(transactions) };
    let execution = accepted(&state, &of(vec![opens(0)]));
    assert!(execution.state.account(NO_ACCOUNT - 1).is_some());
    assert!(execute(&state, test_domain(), &of(vec![opens(0), opens(1)]), CLASS.capacity()).is_err());
}

#[test]
fn forced_exits() {
    let state = genesis();
    let exits = [(0, 1), (0, 1), (2, 3), (1, 1), (6, 1), (NO_ACCOUNT, 1), (NO_ACCOUNT - 1, 1)];
    let exits = exits.map(|(index, number)| forced_exit(index, number)).to_vec();
    let execution = accepted(&state, &operations(exits));
    assert_eq!(execution.withdrawals, [withdrawal(1, 7, 1_000_000)]);
    assert_eq!((balance(&execution, 0), balance(&execution, 1)), (0, 50_000));

    // The nonce stays, even the last one; a key off the curve is no obstacle.
    let mut locked = account(1, 7, u128::MAX);
    locked.nonce = (1 << 40) - 1;
    let mut keyless = account(2, 9, 5);
    keyless.key.x = 0u64.into();
    let state = State::from_accounts(&[locked, keyless]).unwrap();
    let execution = accepted(&state, &operations(vec![forced_exit(0, 1), forced_exit(1, 2)]));
    assert_eq!(execution.withdrawals, [withdrawal(1, 7, u128::MAX), withdrawal(2, 9, 5)]);
    assert_eq!(execution.state.account(0).unwrap().nonce, (1 << 40) - 1);
}

#[test]
fn on_a_state_without_accounts() {
    let all = vec![forced_exit(0, 1), deposit(1, 7, 5, 0), deposit(1, 7, 5, NO_ACCOUNT), deposit(1, 7, 5, 0)];
    let execution = accepted(&State::new(), &operations(all));
    assert_eq!((balance(&execution, 0), execution.withdrawals), (10, vec![withdrawal(1, 7, 5)]));
}

#[test]
fn a_withdrawal_of_everything() {
    let state = genesis();
    let transactions = vec![withdraw(0, 7, 0, 999_990, 10), withdraw(4, 9, 0, 77_000, 0)];
    let execution = accepted(&state, &batch(signed(&state, transactions)));
    assert_eq!((balance(&execution, 0), balance(&execution, 3), balance(&execution, 4)), (0, 13, 0));
    assert_eq!(execution.withdrawals, [withdrawal(1, 7, 999_990), withdrawal(5, 9, 77_000)]);
}

#[test]
fn an_account_used_in_the_chunk_that_opens_it() {
    let state = genesis();
    let l1_operations = vec![deposit(20, 7, 100, NO_ACCOUNT)];
    let after = accepted(&state, &operations(l1_operations.clone())).state;
    let recipient = account(21, 7, 0).recipient();
    let opened = State::from_accounts(
        &[
            &after.accounts().copied().collect::<Vec<_>>()[..],
            &[Account { key: recipient.key, owner: recipient.owner, ..account(21, 7, 0) }],
        ]
        .concat(),
    )
    .unwrap();
    let transactions = vec![
        sign_with(&opened, &key(1), open(0, 0, 1, 7, recipient)),
        sign_with(&opened, &key(20), transfer(6, 7, 7, 0, 60, 0)),
        sign_with(&opened, &key(21), withdraw(7, 7, 0, 50, 3)),
    ];
    // The account that the deposit opens takes the fees, too.
    for fee_account in [3, 6, 7] {
        let fee_accounts = vec![fee_account];
        let batch =
            Batch { l1_operations: l1_operations.clone(), fee_accounts, ..batch(transactions.clone()) };
        let execution = accepted(&state, &batch);
        assert_eq!(execution.chunks.len(), 1);
        assert_eq!(balance(&execution, 6), 40 + if fee_account == 6 { 4 } else { 0 });
        assert_eq!(balance(&execution, 7), 7 + if fee_account == 7 { 4 } else { 0 });
    }
}

#[test]
fn fee_accounts_in_other_roles() {
    let state = genesis();
    let transactions = [
        transfer(0, 3, 7, 0, 5, 2),
        transfer(3, 3, 7, 0, 1, 2),
        transfer(3, 0, 7, 0, 1, 2),
        withdraw(3, 7, 0, 1, 2),
        open(3, 0, 2, 9, account(9, 9, 0).recipient()),
    ];
    for transaction in transactions {
        accepted(&state, &batch(signed(&state, vec![transaction])));
    }
    // Exits of the fee account itself, in the chunk that credits it.
    let exit = vec![forced_exit(3, 4)];
    let paid = Batch { l1_operations: exit, ..batch(signed(&state, vec![transfer(0, 1, 7, 0, 5, 2)])) };
    let execution = accepted(&state, &paid);
    assert_eq!((balance(&execution, 3), execution.withdrawals), (2, vec![withdrawal(4, 7, 3)]));
}

#[test]
fn every_mix_of_operations_and_records() {
    // From no to all slots of two chunks, with an odd and an even number of records in each.
    let state = genesis();
    for operations in 0..=5_u32 {
        for transactions in 0..=6_u64 {
            if operations == 0 && transactions == 0 || (operations + transactions as u32).is_multiple_of(2) {
                continue;
            }
            let l1_operations = (0..operations).map(|i| deposit(i as u8 + 1, 7, 5, i)).collect();
            let transactions = (0..transactions).map(|nonce| withdraw(0, 7, nonce, 5, 1)).collect();
            accepted(&state, &Batch { l1_operations, ..batch(signed(&state, transactions)) });
        }
    }
}

#[test]
fn the_forger_is_honest_by_default() {
    let state = genesis();
    let mut forger = Forger::new(&state);
    let deposited =
        soundness_support::Deposit { party: party(20, 7), amount: fr(100), to: soundness_support::NONE };
    forger.deposit(deposited);
    forger.forced_exit(1, new_account(2, 0).owner);
    forger.withdraw(Pay::new(0, 0, 70, 2));
    forger.open(4, 3, new_account(21, 8));
    let l1_operations = vec![deposit(20, 7, 100, NO_ACCOUNT), forced_exit(1, 2)];
    let transactions = vec![withdraw(0, 7, 0, 70, 2), open(4, 0, 3, 8, account(21, 8, 0).recipient())];
    let batch = Batch { l1_operations, ..batch(signed(&state, transactions)) };
    let execution = accepted(&state, &batch);
    let (trace, honest) =
        (trace_of(&forger.close()), trace_of(&ChunkValues::new(&execution.chunks[0], CLASS.slots)));
    assert_eq!(claims(&trace), claims(&honest));
    for row in 0..trace.rows() {
        for column in 0..10 {
            let label = trace.label_of(row);
            assert_eq!(
                trace.value(row, column),
                honest.value(row, column),
                "{label}, row {row} column {column}"
            );
        }
    }
    for chunk in honest_chunks() {
        assert_accepted(&chunk);
    }
}
