//! Withdraw and open: effects, and one test for every reason to refuse them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;

use native_support::{
    account, batch,
    checks::{check_execution, only, rejections},
    deposit, genesis, key, open, sign, sign_with, test_domain, transfer, withdraw,
};
use tenon_circuits::rollup::{
    Account, Address, AmountCode, Batch, BatchError, ChunkCapacity, Execution, NO_ACCOUNT, ReasonCode,
    Recipient, State, Transaction, Withdrawal, execute,
};

fn run(state: &State, transactions: Vec<Transaction>) -> Result<Execution, BatchError> {
    execute(state, test_domain(), &batch(transactions), 4)
}

fn recipient(number: u8) -> Recipient {
    account(number, 0, 0).recipient()
}

#[test]
fn withdraw_pays_the_owner_on_l1() {
    let state = genesis();
    let transactions =
        vec![sign(&state, withdraw(0, 7, 0, 900_000, 10)), sign(&state, withdraw(4, 9, 0, 77_000, 0))];
    let execution = run(&state, transactions).unwrap();
    check_execution(&state, &execution);
    let paid = |token, number, amount| Withdrawal { token, owner: Address([number; 20]), amount };
    assert_eq!(execution.withdrawals, [paid(7, 1, 900_000), paid(9, 5, 77_000)]);
    assert_eq!(execution.state.account(0).unwrap().balance, 99_990);
    assert_eq!(execution.state.account(4).unwrap().balance, 0);
    assert_eq!(execution.state.account(3).unwrap().balance, 13);
    let [witness, _] = &execution.chunks[0].transactions[..] else { panic!("two transactions") };
    assert_eq!(witness.receiver.index, 0);
    assert_eq!(
        (witness.receiver.before, witness.receiver.after),
        (witness.sender.after, witness.sender.after)
    );
}

#[test]
fn open_makes_an_account_in_any_token() {
    let state = genesis();
    let execution = run(&state, vec![sign(&state, open(0, 0, 25, 1234, recipient(77)))]).unwrap();
    check_execution(&state, &execution);
    assert_eq!(execution.state.next_index(), 7);
    assert_eq!(execution.state.account(6), Some(&account(77, 1234, 0)));
    let sender = execution.state.account(0).unwrap();
    assert_eq!((sender.balance, sender.nonce), (1_000_000 - 25, 1));
    assert_eq!(execution.state.account(3).unwrap().balance, 28);
    let opened = &execution.chunks[0].transactions[0].receiver;
    assert!(opened.exists_after && !opened.exists_before);
    assert_eq!((opened.index, opened.before), (6, account(77, 1234, 0)));
}

#[test]
fn an_account_opened_in_the_batch_works_in_it() {
    let state = genesis();
    let opened = |transaction| transaction_signed(transaction, recipient(2));
    fn transaction_signed(transaction: Transaction, recipient: Recipient) -> Transaction {
        transaction.signed(&key(61), test_domain(), &recipient)
    }
    let to_new = transfer(0, 6, 7, 1, 5000, 1).signed(&key(1), test_domain(), &recipient(61));
    let from_new = opened(transfer(6, 1, 7, 0, 1000, 1));
    let withdrawn = transaction_signed(withdraw(6, 7, 1, 500, 1), recipient(61));
    let again = transaction_signed(open(6, 2, 3, 9, recipient(62)), recipient(62));
    let to_second = transfer(4, 7, 9, 0, 44, 0).signed(&key(5), test_domain(), &recipient(62));
    let transactions =
        vec![sign(&state, open(0, 0, 2, 7, recipient(61))), to_new, from_new, withdrawn, again, to_second];
    for capacity in 1..=7 {
        let execution = execute(&state, test_domain(), &batch(transactions.clone()), capacity).unwrap();
        check_execution(&state, &execution);
        assert_eq!(execution.state.account(6).unwrap().balance, 5000 - 1001 - 501 - 3);
        assert_eq!(execution.state.account(7).unwrap().balance, 44);
    }
    // Not before it is there.
    let mut early = transactions;
    early.swap(0, 1);
    let found = rejections(run(&state, early));
    assert!(found.contains(&(Some(0), "to".to_owned(), ReasonCode::AccountUnknown)), "{found:?}");
}

#[test]
fn an_account_deposited_in_the_batch_works_in_it() {
    let state = genesis();
    let spent = transfer(6, 1, 7, 0, 400, 1).signed(&key(61), test_domain(), &recipient(2));
    let batch = Batch { l1_operations: vec![deposit(61, 7, 1000, NO_ACCOUNT)], ..batch(vec![spent]) };
    let execution = execute(&state, test_domain(), &batch, 4).unwrap();
    check_execution(&state, &execution);
    assert_eq!(execution.state.account(6).unwrap().balance, 599);
}

#[test]
fn a_signature_for_another_new_account_is_refused() {
    // Two opens swapped: the payment to index 6 was meant for the other one.
    let state = genesis();
    let first = sign(&state, open(0, 0, 0, 7, recipient(61)));
    let second = sign(&state, open(1, 0, 0, 7, recipient(62)));
    let payment = transfer(0, 6, 7, 1, 5, 0).signed(&key(1), test_domain(), &recipient(61));
    assert!(run(&state, vec![first, second, payment]).is_ok());
    let swapped = rejections(run(&state, vec![second, first, payment]));
    assert_eq!(swapped, only(2, "signature", ReasonCode::SignatureInvalid));
    // An open that is refused doesn't take its index: the next one does, and the payment is for the wrong account.
    let broken = Transaction { valid_until: 1, ..first };
    let broken = sign(&state, broken);
    let payment = transfer(0, 6, 7, 0, 5, 0).signed(&key(1), test_domain(), &recipient(61));
    let found = rejections(run(&state, vec![broken, second, payment]));
    let expected =
        [(Some(0), "valid_until", ReasonCode::Expired), (Some(2), "signature", ReasonCode::SignatureInvalid)];
    assert_eq!(found, expected.map(|(index, field, reason)| (index, field.to_owned(), reason)));
}

#[test]
fn signatures_name_the_right_recipient() {
    let state = genesis();
    for transaction in [withdraw(0, 7, 0, 5, 1), open(0, 0, 1, 7, recipient(61))] {
        let wrong = transaction.signed(&key(1), test_domain(), &recipient(9));
        assert_eq!(rejections(run(&state, vec![wrong])), only(0, "signature", ReasonCode::SignatureInvalid));
        let forged = sign_with(&state, &key(2), transaction);
        assert_eq!(rejections(run(&state, vec![forged])), only(0, "signature", ReasonCode::SignatureInvalid));
    }
    let good = sign(&state, open(0, 0, 1, 7, recipient(61)));
    let redirected =
        Transaction { opens: Some(Recipient { owner: Address([1; 20]), ..recipient(61) }), ..good };
    assert_eq!(rejections(run(&state, vec![redirected])), only(0, "signature", ReasonCode::SignatureInvalid));
}

#[test]
fn refuses_fields_of_other_kinds() {
    let state = genesis();
    let withdrawal = withdraw(0, 7, 0, 5, 1);
    let opening = open(0, 0, 1, 9, recipient(61));
    let ownerless = Recipient { owner: Address([0; 20]), ..recipient(61) };
    let unused = ReasonCode::FieldNotUsed;
    let cases = [
        (Transaction { to: 1, ..withdrawal }, "to", unused),
        (Transaction { opens: Some(recipient(61)), ..withdrawal }, "opens", unused),
        (Transaction { amount: AmountCode(0), ..withdrawal }, "amount", ReasonCode::AmountZero),
        (Transaction { token: 9, ..withdrawal }, "from", ReasonCode::TokenMismatch),
        (Transaction { to: 1, ..opening }, "to", unused),
        (Transaction { amount: AmountCode(1), ..opening }, "amount", unused),
        (Transaction { opens: Some(ownerless), ..opening }, "opens.owner", ReasonCode::OwnerZero),
        (Transaction { opens: Some(recipient(61)), ..transfer(0, 1, 7, 0, 5, 1) }, "opens", unused),
        (open(0, 0, 200_000, 9, recipient(61)), "fee", ReasonCode::FeeAccountMissing),
    ];
    let (last, cases) = cases.split_last().unwrap();
    for (transaction, field, reason) in cases {
        assert_eq!(rejections(run(&state, vec![sign(&state, *transaction)])), only(0, field, *reason));
    }
    // The fee is in the sender's token, not the new account's.
    let (transaction, field, reason) = last;
    let only_nine = Batch { fee_accounts: vec![5], ..batch(vec![sign(&state, *transaction)]) };
    assert_eq!(rejections(execute(&state, test_domain(), &only_nine, 4)), only(0, field, *reason));
    let without = Transaction { opens: None, ..sign(&state, opening) };
    assert_eq!(rejections(run(&state, vec![without])), only(0, "opens", ReasonCode::OpensMissing));
}

#[test]
fn refuses_overdrafts() {
    let state = genesis();
    for transaction in [withdraw(0, 7, 0, 999_999, 2), open(3, 0, 4, 7, recipient(61))] {
        let found = rejections(run(&state, vec![sign(&state, transaction)]));
        assert_eq!(found, only(0, "amount", ReasonCode::BalanceInsufficient));
    }
    let found = rejections(run(&state, vec![sign(&state, withdraw(0, 7, 1, 5, 1))]));
    assert_eq!(found, only(0, "nonce", ReasonCode::NonceMismatch));
}

#[test]
fn the_last_index_is_never_used() {
    let accounts: Vec<Account> = (1..=3).map(|number| account(number, 7, 1000)).collect();
    let first = NO_ACCOUNT - 4;
    let state = State::sparse(first, &accounts).unwrap();
    let number_of = |from: u32| (from - first) as u8 + 1;
    let sign = |transaction: Transaction| sign_with(&state, &key(number_of(transaction.from)), transaction);
    let batch = |transactions| Batch { fee_accounts: vec![], ..batch(transactions) };
    let last = sign(open(first, 0, 0, 7, recipient(61)));
    let execution = execute(&state, test_domain(), &batch(vec![last]), 4).unwrap();
    check_execution(&state, &execution);
    assert_eq!(execution.state.next_index(), NO_ACCOUNT);
    assert!(execution.state.account(NO_ACCOUNT - 1).is_some());
    let one_more = sign(open(first + 1, 0, 0, 7, recipient(62)));
    let full = rejections(execute(&state, test_domain(), &batch(vec![last, one_more]), 4));
    assert_eq!(full, only(1, "opens", ReasonCode::TreeFull));
}

#[test]
fn fee_accounts_need_to_exist_only_at_their_chunks_end() {
    let state = genesis();
    // The fee account is opened after the fee is paid, and credited in the same chunk.
    let pay = |nonce| sign(&state, transfer(0, 1, 7, nonce, 1, 5));
    let opening = sign(&state, open(1, 0, 0, 7, recipient(61)));
    let late = Batch { fee_accounts: vec![6], ..batch(vec![pay(0), opening, pay(1)]) };
    let execution = execute(&state, test_domain(), &late, 3).unwrap();
    check_execution(&state, &execution);
    assert_eq!(execution.state.account(6).unwrap().balance, 10);
    // In a chunk before there is none.
    let found = rejections(execute(&state, test_domain(), &late, 1));
    assert_eq!(found, only(0, "fee", ReasonCode::FeeAccountMissing));
    // Chunks without it name no fee account, and the others keep their order.
    let free = sign(&state, transfer(0, 1, 7, 0, 1, 0));
    let mixed = Batch { fee_accounts: vec![6, 5], ..batch(vec![free, opening, pay(1)]) };
    let execution = execute(&state, test_domain(), &mixed, 1).unwrap();
    check_execution(&state, &execution);
    let named: Vec<_> = execution.chunks.iter().map(|chunk| chunk.fee_accounts()).collect();
    let none = NO_ACCOUNT;
    assert_eq!(named, [[5, none, none, none], [6, 5, none, none], [6, 5, none, none]]);
    // One that never comes to be is refused, as are two of the same token.
    let never = Batch { fee_accounts: vec![7], ..batch(vec![opening]) };
    let found = rejections(execute(&state, test_domain(), &never, 4));
    assert_eq!(found, [(None, "fee_accounts[0]".to_owned(), ReasonCode::FeeAccountUnknown)]);
    let double = Batch { fee_accounts: vec![6, 3], ..batch(vec![opening]) };
    let found = rejections(execute(&state, test_domain(), &double, 4));
    assert_eq!(found, [(None, "fee_accounts[1]".to_owned(), ReasonCode::FeeAccountDuplicate)]);
}

#[test]
fn the_cut_keeps_to_the_capacity() {
    let state = genesis();
    let mut transactions: Vec<_> =
        (0..5).map(|n| sign(&state, open(0, n, 0, 7, recipient(60 + n as u8)))).collect();
    transactions.insert(2, sign(&state, transfer(1, 0, 7, 0, 1, 0)));
    let capacity = ChunkCapacity::of_words(100, 2, 100);
    let execution = execute(&state, test_domain(), &batch(transactions), capacity).unwrap();
    check_execution(&state, &execution);
    let counts: Vec<_> = execution.chunks.iter().map(|chunk| chunk.transactions.len()).collect();
    assert_eq!(counts, [3, 2, 1]);

    let withdrawals: Vec<_> = (0..9).map(|n| sign(&state, withdraw(0, 7, n, 1, 0))).collect();
    let capacity = ChunkCapacity::of_words(100, 0, 7);
    let execution = execute(&state, test_domain(), &batch(withdrawals), capacity).unwrap();
    check_execution(&state, &execution);
    assert!(execution.chunks.iter().all(|chunk| chunk.l1_words().len() == 6));

    // Whatever the capacity, a slot finds room.
    let nothing = ChunkCapacity::of_words(0, 0, 0);
    let one_each = vec![sign(&state, withdraw(0, 7, 0, 1, 0)), sign(&state, open(0, 1, 0, 7, recipient(61)))];
    let execution = execute(&state, test_domain(), &batch(one_each), nothing).unwrap();
    check_execution(&state, &execution);
    assert_eq!(execution.chunks.len(), 2);
}

#[test]
fn refuses_too_many_words() {
    let state = genesis();
    let too_large = vec![(None, "transactions".to_owned(), ReasonCode::BatchTooLarge)];
    let one = open(0, 0, 0, 7, recipient(61));
    assert_eq!(rejections(run(&state, vec![one; 7100])), too_large);
    assert_eq!(rejections(run(&state, vec![withdraw(0, 7, 0, 1, 0); 2049])), too_large);
    let deposits = Batch { l1_operations: vec![deposit(61, 7, 1, NO_ACCOUNT); 1025], ..batch(vec![]) };
    assert_eq!(rejections(execute(&state, test_domain(), &deposits, 100)), too_large);
    let most = Batch { l1_operations: vec![deposit(61, 7, 1, NO_ACCOUNT); 1024], ..batch(vec![]) };
    assert_eq!(execute(&state, test_domain(), &most, 100).unwrap().l1_words.len(), 4096);
    // Refunds and the headers of the chunks count too; that shows only in the execution.
    let refunded = Batch { l1_operations: vec![deposit(61, 7, 1, 0); 700], ..batch(vec![]) };
    assert_eq!(rejections(execute(&state, test_domain(), &refunded, 100)), too_large);
}
