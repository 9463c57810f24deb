//! The leaf circuit accepts every kind of valid chunk, and its shape depends on the size class alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use native_support::{account, batch, genesis, sign, test_domain, transfer};
use soundness_support::{
    CLASS, Forger, POINTS, Pay, assert_accepted, checker, claims, fr, public_inputs, trace_of, violations,
};
use tenon_circuits::halo2::leaf::values::ChunkValues;
use tenon_circuits::halo2::leaf::{LeafCircuit, SizeClass, check_leaf};
use tenon_circuits::rollup::{AmountCode, Batch, Execution, FeeCode, State, Transaction, execute};
use tenon_circuits::witness::ChunkWitness;

/// Executes, and requires of every chunk that it satisfies the circuit and has its shape.
fn accepted(state: &State, batch: &Batch) -> Execution {
    let execution = execute(state, test_domain(), batch, CLASS.capacity()).unwrap().with_points(POINTS);
    let empty = LeafCircuit::keygen(CLASS);
    for witness in &execution.chunks {
        let circuit = LeafCircuit::new(CLASS, witness);
        assert_eq!(violations(circuit.trace(), &public_inputs(witness)), []);
        assert!(circuit.trace().same_shape(empty.trace()));
    }
    execution
}

fn signed(state: &State, transactions: Vec<Transaction>) -> Vec<Transaction> {
    transactions.into_iter().map(|transaction| sign(state, transaction)).collect()
}

#[test]
fn a_full_chunk() {
    let state = genesis();
    let transactions = signed(
        &state,
        vec![
            transfer(0, 1, 7, 0, 500, 10),
            transfer(4, 5, 9, 0, 76_000, 1000),
            transfer(1, 1, 7, 0, 50_000, 20),
            transfer(3, 2, 7, 0, 3, 0),
        ],
    );
    accepted(&state, &batch(transactions));
}

#[test]
fn a_second_chunk_of_a_batch() {
    let state = genesis();
    let transactions =
        (0..6).map(|nonce| sign(&state, transfer(0, nonce % 3, 7, u64::from(nonce), 11, 2))).collect();
    let execution = accepted(&state, &batch(transactions));
    assert_eq!(execution.chunks.len(), 2);
    assert_eq!(execution.chunks[1].commit_in, execution.chunks[0].public_inputs().commit_out);
    let last = execution.chunks[1].public_inputs();
    assert_eq!((last.state_out, last.commit_out), (execution.state_out, execution.commit));
}

#[test]
fn empty_chunks() {
    let empty = ChunkWitness::empty(test_domain(), 1, 0);
    check_leaf(CLASS, &empty).unwrap();
    check_leaf(CLASS, &ChunkWitness { number: u64::MAX, timestamp: u32::MAX, ..empty.clone() }).unwrap();
    check_leaf(CLASS, &ChunkWitness { commit_in: 5u64.into(), ..empty }).unwrap();
}

#[test]
fn accounts_in_several_roles() {
    let state = genesis();
    for (from, to) in [(0, 0), (3, 1), (0, 3), (3, 3)] {
        accepted(&state, &batch(signed(&state, vec![transfer(from, to, 7, 0, 1, 1)])));
    }
}

#[test]
fn amounts_at_the_edges() {
    let state = genesis();
    accepted(
        &state,
        &batch(signed(&state, vec![transfer(0, 1, 7, 0, 0, 0), transfer(0, 1, 7, 1, 1_000_000, 0)])),
    );

    let rich = State::from_accounts(&[account(1, 7, u128::MAX), account(2, 7, 0), account(3, 7, 0)]).unwrap();
    let fee = FeeCode(u16::MAX);
    let amount = AmountCode::encode_floor(u128::MAX - fee.value().unwrap());
    let largest = Transaction { amount, fee, ..transfer(0, 1, 7, 0, 0, 0) };
    let batch = Batch { fee_accounts: vec![2], ..batch(signed(&rich, vec![largest])) };
    let after = accepted(&rich, &batch).state;
    assert_eq!(after.account(1).unwrap().balance, amount.value().unwrap());

    let most = AmountCode::encode_floor(u128::MAX);
    let largest = Transaction { amount: most, ..transfer(0, 1, 7, 0, 0, 0) };
    let transactions = signed(&rich, vec![largest]);
    accepted(&rich, &Batch { fee_accounts: Vec::new(), transactions, ..batch });
}

#[test]
fn timestamps_and_nonces_at_the_edges() {
    let mut sender = account(1, 7, 10);
    sender.nonce = (1 << 40) - 2;
    let mut used_up = account(2, 7, 10);
    used_up.nonce = (1 << 40) - 1;
    let state = State::from_accounts(&[sender, used_up]).unwrap();
    let last = Transaction { valid_until: 1_700_000_000, ..transfer(0, 1, 7, (1 << 40) - 2, 5, 0) };
    accepted(&state, &Batch { fee_accounts: vec![1], ..batch(signed(&state, vec![last])) });
    let forever = Transaction { valid_until: u32::MAX, ..transfer(0, 0, 7, (1 << 40) - 2, 5, 1) };
    let batch = Batch {
        fee_accounts: vec![0],
        timestamp: u32::MAX,
        number: u64::MAX,
        l1_operations: Vec::new(),
        transactions: signed(&state, vec![forever]),
    };
    accepted(&state, &batch);
}

#[test]
fn every_number_of_fee_accounts() {
    let tokens = [7, 9, 0, u32::MAX];
    let accounts: Vec<_> = (1..).zip(tokens).map(|(number, token)| account(number, token, 1000)).collect();
    let state = State::from_accounts(&accounts).unwrap();
    for count in 0..=tokens.len() as u32 {
        let transactions: Vec<Transaction> = (0..4)
            .map(|i| transfer(i, i, tokens[i as usize], 0, 100, if i < count { 3 } else { 0 }))
            .collect();
        let batch = Batch { fee_accounts: (0..count).collect(), ..batch(signed(&state, transactions)) };
        accepted(&state, &batch);
    }
}

#[test]
fn fee_accounts_in_any_places() {
    // Account 3 takes fees in token 7, account 5 in token 9; places without an account may come first.
    for credits in [[(0, 3), (2, 5)], [(1, 5), (3, 3)], [(2, 5), (3, 3)]] {
        let mut forger = Forger::new(&genesis());
        forger.pay(Pay::new(0, 1, 5, 3));
        let mut fee_to = [fr(0); 4];
        for (place, index) in credits {
            let takes = fr(u64::from(index == 3));
            fee_to[place] = takes;
            forger.credit(place, index, takes * fr(3));
        }
        forger.chunk.slots[0].fee_to = fee_to;
        assert_accepted(&forger.chunk);
    }
}

#[test]
fn the_forger_is_honest_by_default() {
    let state = genesis();
    let mut forger = Forger::new(&state);
    forger.pay(Pay::new(0, 1, 500, 10));
    forger.pay(Pay::new(4, 5, 76_000, 1000));
    let values = forger.close();
    let transactions =
        signed(&state, vec![transfer(0, 1, 7, 0, 500, 10), transfer(4, 5, 9, 0, 76_000, 1000)]);
    let execution = accepted(&state, &batch(transactions));
    let trace = trace_of(&values);
    assert_eq!(claims(&trace), public_inputs(&execution.chunks[0]));
    let honest = trace_of(&ChunkValues::new(&execution.chunks[0], CLASS.slots));
    for row in 0..trace.rows() {
        for column in 0..10 {
            assert_eq!(trace.value(row, column), honest.value(row, column));
        }
    }
}

#[test]
fn every_class_has_one_shape_and_fits() {
    for class in SizeClass::ALL {
        let empty = LeafCircuit::keygen(class);
        let usable = checker().usable_rows(class.k);
        assert!(empty.trace().rows() < usable, "{}: {} rows of {usable}", class.name, empty.trace().rows());
        let state = genesis();
        let transactions = signed(&state, vec![transfer(0, 1, 7, 0, 500, 10)]);
        let execution = execute(&state, test_domain(), &batch(transactions), class.capacity()).unwrap();
        let circuit = LeafCircuit::new(class, &execution.chunks[0]);
        assert!(circuit.trace().same_shape(empty.trace()));
    }
}
