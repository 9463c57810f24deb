//! L1 operations: their effects, and that none of them stops a batch.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;

use native_support::{
    account, batch,
    checks::{check_execution, rejections},
    deposit, forced_exit, genesis, key, sign, test_domain, transfer,
};
use tenon_circuits::rollup::{
    Account, Address, Batch, ChunkCapacity, Execution, Fr, L1Operation, NO_ACCOUNT, PublicKey, ReasonCode,
    Recipient, State, Withdrawal, execute,
};

fn run(state: &State, l1_operations: Vec<L1Operation>) -> Execution {
    let batch = Batch { l1_operations, fee_accounts: vec![], ..batch(vec![]) };
    let execution = execute(state, test_domain(), &batch, 4).unwrap();
    check_execution(state, &execution);
    execution
}

fn paid(token: u32, number: u8, amount: u128) -> Withdrawal {
    Withdrawal { token, owner: Address([number; 20]), amount }
}

#[test]
fn deposits_open_and_credit() {
    let state = genesis();
    let execution =
        run(&state, vec![deposit(61, 70, 500, NO_ACCOUNT), deposit(2, 7, 11, 1), deposit(61, 70, 5, 6)]);
    assert!(execution.withdrawals.is_empty());
    assert_eq!(execution.state.account(6), Some(&account(61, 70, 505)));
    assert_eq!(execution.state.account(1).unwrap().balance, 50_011);
    // The same key, owner and token open another account.
    let again = run(&execution.state, vec![deposit(61, 70, 1, NO_ACCOUNT)]);
    assert_eq!(again.state.account(7), Some(&account(61, 70, 1)));
}

#[test]
fn deposits_that_fit_no_account_go_back() {
    let state = genesis();
    let L1Operation::Deposit { recipient, .. } = deposit(2, 7, 11, 1) else { panic!("a deposit") };
    let to_second = |recipient| L1Operation::Deposit { token: 7, amount: 11, recipient, to: 1 };
    let other_key = Recipient { key: key(3).public_key(), ..recipient };
    let other_owner = Recipient { owner: Address([3; 20]), ..recipient };
    let cases = [
        (deposit(2, 9, 11, 1), paid(9, 2, 11)),
        (to_second(other_key), paid(7, 2, 11)),
        (to_second(other_owner), paid(7, 3, 11)),
        (deposit(2, 7, 11, 6), paid(7, 2, 11)),
        (deposit(2, 7, 11, NO_ACCOUNT - 1), paid(7, 2, 11)),
    ];
    for (operation, withdrawal) in cases {
        let execution = run(&state, vec![operation]);
        assert_eq!(execution.withdrawals, [withdrawal]);
        assert_eq!(execution.state_out, execution.state_in);
        let access = &execution.chunks[0].operations[0].account;
        assert_eq!((access.before, access.exists_before), (access.after, access.exists_after));
    }
    let all = run(&state, cases.map(|(operation, _)| operation).to_vec());
    assert_eq!(all.withdrawals, cases.map(|(_, withdrawal)| withdrawal));
}

#[test]
fn a_deposit_that_overflows_goes_back() {
    let state = State::from_accounts(&[account(1, 7, u128::MAX - 9)]).unwrap();
    let execution = run(&state, vec![deposit(1, 7, 10, 0), deposit(1, 7, 9, 0), deposit(1, 7, 1, 0)]);
    assert_eq!(execution.withdrawals, [paid(7, 1, 10), paid(7, 1, 1)]);
    assert_eq!(execution.state.account(0).unwrap().balance, u128::MAX);
}

#[test]
fn a_deposit_that_finds_the_tree_full_goes_back() {
    let first = NO_ACCOUNT - 2;
    let state = State::sparse(first, &[account(1, 7, 5)]).unwrap();
    let new = deposit(61, 8, 50, NO_ACCOUNT);
    let execution = run(&state, vec![new, new, deposit(1, 7, 5, first)]);
    assert_eq!(execution.state.next_index(), NO_ACCOUNT);
    assert_eq!(execution.state.account(NO_ACCOUNT - 1), Some(&account(61, 8, 50)));
    assert_eq!(execution.withdrawals, [paid(8, 61, 50)]);
    assert_eq!(execution.state.account(first).unwrap().balance, 10);
    let access = &execution.chunks[0].operations[1].account;
    assert_eq!((access.index, access.exists_before, access.exists_after), (NO_ACCOUNT, false, false));
}

#[test]
fn deposits_take_any_key() {
    // Off the curve, and the largest coordinates: money that its owner gets back by a forced exit only.
    let largest = -Fr::from(1u64);
    let recipient = Recipient { key: PublicKey { x: largest, y: largest }, owner: Address([0xff; 20]) };
    let huge = L1Operation::Deposit { token: u32::MAX, amount: u128::MAX, recipient, to: NO_ACCOUNT };
    let execution =
        run(&State::new(), vec![huge, L1Operation::ForcedExit { index: 0, owner: recipient.owner }]);
    let withdrawal = Withdrawal { token: u32::MAX, owner: recipient.owner, amount: u128::MAX };
    assert_eq!(execution.withdrawals, [withdrawal]);
}

#[test]
fn forced_exits_pay_everything_and_keep_the_nonce() {
    let moved =
        execute(&genesis(), test_domain(), &batch(vec![sign(&genesis(), transfer(0, 1, 7, 0, 500, 10))]), 4);
    let state = moved.unwrap().state;
    let execution = run(&state, vec![forced_exit(0, 1), forced_exit(0, 1)]);
    assert_eq!(execution.withdrawals, [paid(7, 1, 999_490)]);
    let account = execution.state.account(0).unwrap();
    assert_eq!((account.balance, account.nonce), (0, 1));
}

#[test]
fn forced_exits_of_nothing_do_nothing() {
    let state = genesis();
    // Another's account, one without balance, none, and the index that is none.
    let operations = [forced_exit(0, 2), forced_exit(2, 3), forced_exit(6, 1), forced_exit(NO_ACCOUNT, 1)];
    let execution = run(&state, operations.to_vec());
    assert!(execution.withdrawals.is_empty());
    assert_eq!(execution.state_out, execution.state_in);
    assert_eq!(execution.l1_words.len(), 4);
}

#[test]
fn operations_come_before_transactions() {
    let state = genesis();
    // The exit takes what the transfer would have spent.
    let transfers: Vec<_> = (0..3).map(|nonce| sign(&state, transfer(0, 1, 7, nonce, 5, 1))).collect();
    let exits = Batch { l1_operations: vec![forced_exit(0, 1)], ..batch(transfers[..1].to_vec()) };
    let refused = rejections(execute(&state, test_domain(), &exits, 4));
    assert_eq!(refused, [(Some(0), "amount".to_owned(), ReasonCode::BalanceInsufficient)]);
    let l1_operations = vec![deposit(61, 7, 5, NO_ACCOUNT); 5];
    let mixed = Batch { l1_operations, ..batch(transfers) };
    for (slots, cut) in [(3, vec![(3, 0), (2, 1), (0, 2)]), (5, vec![(5, 0), (0, 3)]), (8, vec![(5, 3)])] {
        let execution = execute(&state, test_domain(), &mixed, slots).unwrap();
        check_execution(&state, &execution);
        let counts = |chunk: &tenon_circuits::witness::ChunkWitness| {
            (chunk.operations.len(), chunk.transactions.len())
        };
        assert_eq!(execution.chunks.iter().map(counts).collect::<Vec<_>>(), cut);
    }
}

#[test]
fn the_cut_counts_refunds() {
    let state = genesis();
    let capacity = ChunkCapacity::of_words(10, 0, 12);
    // 6 + 6, then 4 + 4 + 1 + 3, then 4.
    let refund = deposit(2, 9, 11, 1);
    let good = deposit(2, 7, 11, 1);
    let l1_operations = vec![refund, refund, good, good, forced_exit(0, 2), forced_exit(0, 1), good];
    let batch = Batch { l1_operations, fee_accounts: vec![], ..batch(vec![]) };
    let execution = execute(&state, test_domain(), &batch, capacity).unwrap();
    check_execution(&state, &execution);
    let words: Vec<_> = execution.chunks.iter().map(|chunk| chunk.l1_words().len()).collect();
    assert_eq!(words, [12, 12, 4]);
}

#[test]
fn refuses_operations_that_no_queue_holds() {
    let state = genesis();
    let empty = deposit(2, 7, 0, 1);
    let ownerless = L1Operation::ForcedExit { index: 0, owner: Address([0; 20]) };
    let l1_operations = vec![deposit(2, 7, 1, 1), empty, ownerless];
    let found = rejections(execute(&state, test_domain(), &Batch { l1_operations, ..batch(vec![]) }, 4));
    let invalid = |index| (None, format!("l1_operations[{index}]"), ReasonCode::L1OperationInvalid);
    assert_eq!(found, [invalid(1), invalid(2)]);
}

#[test]
fn states_clone_when_accounts_are_opened() {
    // Over the border of a page of accounts.
    let accounts: Vec<Account> = (0..64).map(|_| account(1, 7, 5)).collect();
    let state = State::from_accounts(&accounts).unwrap();
    let mut copy = state.clone();
    copy.open(account(2, 7, 1)).unwrap();
    copy.open(account(3, 7, 1)).unwrap();
    assert_eq!((state.next_index(), copy.next_index()), (64, 66));
    assert_eq!((state.account(64), copy.account(65)), (None, Some(&account(3, 7, 1))));
    let all: Vec<Account> = copy.accounts().copied().collect();
    assert_eq!(State::from_accounts(&all).unwrap().commitment(), copy.commitment());
}
