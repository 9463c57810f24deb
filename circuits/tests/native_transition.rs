//! Execution of batches: effects, witnesses, and one test for every reason to refuse.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;

use ark_ff::BigInteger;
use native_support::{
    account, batch,
    checks::{check_execution, only, rejections},
    genesis, key, sign, sign_with, test_domain, transfer,
};
use tenon_circuits::{
    rollup::{
        Account, AmountCode, Batch, BatchError, Execution, FeeCode, Fr, NO_ACCOUNT, NONCE_LIMIT, ReasonCode,
        State, Transaction, babyjubjub::SUBGROUP_ORDER, execute, json, pubdata,
    },
    witness::{AccountAccess, ChunkWitness},
};

fn run(state: &State, transactions: Vec<Transaction>) -> Result<Execution, BatchError> {
    execute(state, test_domain(), &batch(transactions), 4)
}

fn rejected(state: &State, transactions: Vec<Transaction>) -> Vec<(Option<usize>, String, ReasonCode)> {
    rejections(run(state, transactions))
}

fn balances(state: &State) -> Vec<u128> {
    state.accounts().map(|account| account.balance).collect()
}

#[test]
fn transfers_and_fees() {
    let state = genesis();
    let transactions = vec![
        sign(&state, transfer(0, 1, 7, 0, 500, 10)),
        sign(&state, transfer(1, 2, 7, 0, 50_500, 0)),
        sign(&state, transfer(4, 5, 9, 0, 1000, 20)),
        sign(&state, transfer(0, 2, 7, 1, 0, 1)),
        sign(&state, transfer(2, 0, 7, 0, 100, 5)),
    ];
    let execution = run(&state, transactions).unwrap();
    check_execution(&state, &execution);
    assert_eq!(execution.chunks.len(), 2);
    assert_eq!(
        balances(&execution.state),
        [1_000_000 - 510 - 1 + 100, 0, 50_500 - 105, 3 + 16, 77_000 - 1020, 1020]
    );
    let nonces: Vec<u64> = execution.state.accounts().map(|account| account.nonce).collect();
    assert_eq!(nonces, [2, 1, 1, 0, 1, 0]);
    assert_eq!(balances(&state), balances(&genesis()), "the state before stays as it was");
}

#[test]
fn self_transfer_costs_fee_and_nonce() {
    let state = genesis();
    let execution = run(&state, vec![sign(&state, transfer(0, 0, 7, 0, 900_000, 100))]).unwrap();
    check_execution(&state, &execution);
    let account = execution.state.account(0).unwrap();
    assert_eq!((account.balance, account.nonce), (999_900, 1));
    // Amount and fee together must be there, though the amount comes back.
    let too_much = sign(&state, transfer(0, 0, 7, 0, 1_000_000, 1));
    assert_eq!(rejected(&state, vec![too_much]), only(0, "amount", ReasonCode::BalanceInsufficient));
}

#[test]
fn fee_account_as_sender_and_receiver() {
    let state = genesis();
    // 3 gets 90,000 and passes 20,000 on; its fees come at the end of the chunk.
    let transactions = vec![
        sign(&state, transfer(0, 3, 7, 0, 90_000, 10)),
        sign(&state, transfer(3, 1, 7, 0, 20_000, 7)),
        sign(&state, transfer(3, 3, 7, 1, 1, 3)),
    ];
    let execution = run(&state, transactions).unwrap();
    check_execution(&state, &execution);
    assert_eq!(execution.state.account(3).unwrap().balance, 3 + 90_000 - 20_007 - 3 + 20);
    // Fees of the same chunk can't be spent in it, those of an earlier chunk can.
    let earn = |nonce| sign(&state, transfer(0, 1, 7, nonce, 1, 2000));
    let spend = sign(&state, transfer(3, 1, 7, 0, 1500, 0));
    let early = vec![earn(0), spend];
    assert_eq!(rejected(&state, early), only(1, "amount", ReasonCode::BalanceInsufficient));
    let late = vec![earn(0), earn(1), earn(2), earn(3), spend];
    check_execution(&state, &run(&state, late).unwrap());
}

#[test]
fn fee_accounts_are_proven_even_when_credited_nothing() {
    let state = genesis();
    let execution = run(&state, vec![sign(&state, transfer(0, 1, 7, 0, 5, 0))]).unwrap();
    let indices = |chunk: &ChunkWitness| chunk.fees.each_ref().map(|fee| fee.as_ref().map(|fee| fee.index));
    assert_eq!(indices(&execution.chunks[0]), [Some(3), Some(5), None, None]);
    assert!(execution.chunks[0].fees.iter().flatten().all(|fee| fee.before == fee.after));
    assert_eq!(execution.chunks[0].fee_accounts(), [3, 5, NO_ACCOUNT, NO_ACCOUNT]);
    // The order is the batch's, not the tokens'.
    let reversed =
        Batch { fee_accounts: vec![5, 3], ..batch(vec![sign(&state, transfer(0, 1, 7, 0, 5, 6))]) };
    let execution = execute(&state, test_domain(), &reversed, 4).unwrap();
    assert_eq!(indices(&execution.chunks[0]), [Some(5), Some(3), None, None]);
    check_execution(&state, &execution);
}

#[test]
fn no_fee_account_no_fee() {
    let state = genesis();
    let free = Batch { fee_accounts: vec![], ..batch(vec![sign(&state, transfer(0, 1, 7, 0, 5, 0))]) };
    check_execution(&state, &execute(&state, test_domain(), &free, 4).unwrap());
    let paid = Batch { fee_accounts: vec![5], ..batch(vec![sign(&state, transfer(0, 1, 7, 0, 5, 1))]) };
    assert_eq!(
        rejections(execute(&state, test_domain(), &paid, 4)),
        only(0, "fee", ReasonCode::FeeAccountMissing)
    );
}

#[test]
fn refuses_wrong_signatures() {
    let state = genesis();
    let good = sign(&state, transfer(0, 1, 7, 0, 5, 1));
    assert!(run(&state, vec![good]).is_ok());
    let wrong_key = sign_with(&state, &key(2), good);
    let wrong_field = Transaction { amount: AmountCode(6), ..good };
    let mut malleable = good;
    malleable.signature.s.add_with_carry(&SUBGROUP_ORDER);
    for transaction in [wrong_key, wrong_field, malleable] {
        assert_eq!(rejected(&state, vec![transaction]), only(0, "signature", ReasonCode::SignatureInvalid));
    }
    let elsewhere = execute(&state, Fr::from(5u64), &batch(vec![good]), 4);
    assert_eq!(rejections(elsewhere), only(0, "signature", ReasonCode::SignatureInvalid));
}

#[test]
fn a_signature_is_for_the_receivers_key_and_owner() {
    let state = genesis();
    let good = sign(&state, transfer(0, 1, 7, 0, 5, 1));
    let accounts: Vec<Account> = state.accounts().copied().collect();
    for change in [
        |account: &mut Account| account.owner.0[0] ^= 1,
        |account: &mut Account| account.key = key(99).public_key(),
    ] {
        let mut accounts = accounts.clone();
        change(&mut accounts[1]);
        let reassigned = State::from_accounts(&accounts).unwrap();
        assert_eq!(rejected(&reassigned, vec![good]), only(0, "signature", ReasonCode::SignatureInvalid));
    }
}

#[test]
fn refuses_wrong_nonces() {
    let state = genesis();
    for nonce in [1, NONCE_LIMIT, u64::MAX] {
        let transaction = sign(&state, transfer(0, 1, 7, nonce, 5, 1));
        assert_eq!(rejected(&state, vec![transaction]), only(0, "nonce", ReasonCode::NonceMismatch));
    }
    let replayed = sign(&state, transfer(0, 1, 7, 0, 5, 1));
    assert_eq!(rejected(&state, vec![replayed, replayed]), only(1, "nonce", ReasonCode::NonceMismatch));
    let used_up = Account { nonce: NONCE_LIMIT, ..account(1, 7, 100) };
    let state = State::from_accounts(&[used_up, account(2, 7, 0)]).unwrap();
    let last =
        Batch { fee_accounts: vec![], ..batch(vec![sign(&state, transfer(0, 1, 7, NONCE_LIMIT, 5, 0))]) };
    assert_eq!(
        rejections(execute(&state, test_domain(), &last, 4)),
        only(0, "nonce", ReasonCode::NonceExhausted)
    );
}

#[test]
fn refuses_unknown_accounts() {
    let state = genesis();
    let good = sign(&state, transfer(0, 1, 7, 0, 5, 1));
    for index in [6, NO_ACCOUNT] {
        let from = Transaction { from: index, ..good };
        assert_eq!(rejected(&state, vec![from]), only(0, "from", ReasonCode::AccountUnknown));
        let to = Transaction { to: index, ..good };
        assert_eq!(rejected(&state, vec![to]), only(0, "to", ReasonCode::AccountUnknown));
    }
}

#[test]
fn refuses_other_tokens() {
    let state = genesis();
    let receiver = sign(&state, transfer(0, 4, 7, 0, 5, 1));
    assert_eq!(rejected(&state, vec![receiver]), only(0, "to", ReasonCode::TokenMismatch));
    let sender = sign(&state, transfer(0, 4, 9, 0, 5, 1));
    assert_eq!(rejected(&state, vec![sender]), only(0, "from", ReasonCode::TokenMismatch));
}

#[test]
fn refuses_overdrafts_and_overflows() {
    let state = genesis();
    for (amount, fee) in [(1_000_000, 1), (1_000_001, 0), (10u128.pow(38), 2047 * 10u128.pow(31))] {
        let transaction = sign(&state, transfer(0, 1, 7, 0, amount, fee));
        assert_eq!(rejected(&state, vec![transaction]), only(0, "amount", ReasonCode::BalanceInsufficient));
    }
    let state =
        State::from_accounts(&[account(1, 7, 100), account(2, 7, u128::MAX - 4), account(3, 7, 50)]).unwrap();
    let batch =
        |fee_account, transaction| Batch { fee_accounts: vec![fee_account], ..batch(vec![transaction]) };
    let over = batch(2, sign(&state, transfer(0, 1, 7, 0, 5, 0)));
    assert_eq!(
        rejections(execute(&state, test_domain(), &over, 4)),
        only(0, "amount", ReasonCode::BalanceOverflow)
    );
    let fits = batch(2, sign(&state, transfer(0, 1, 7, 0, 4, 0)));
    check_execution(&state, &execute(&state, test_domain(), &fits, 4).unwrap());
    let fee_over = batch(1, sign(&state, transfer(0, 2, 7, 0, 1, 5)));
    assert_eq!(
        rejections(execute(&state, test_domain(), &fee_over, 4)),
        [(None, "fee_accounts[0]".to_owned(), ReasonCode::FeeOverflow)]
    );
    let to_itself = batch(2, sign(&state, transfer(1, 1, 7, 0, 10u128.pow(38), 0)));
    check_execution(&state, &execute(&state, test_domain(), &to_itself, 4).unwrap());
}

#[test]
fn refuses_wrong_floats() {
    let state = genesis();
    let good = transfer(0, 1, 7, 0, 5, 0);
    let cases = [
        (AmountCode(5 | 1 << 35), FeeCode(0), "amount", ReasonCode::FloatNotCanonical),
        (AmountCode(1 << 40), FeeCode(0), "amount", ReasonCode::FloatOutOfRange),
        (AmountCode((1 << 40) - 1), FeeCode(0), "amount", ReasonCode::FloatOutOfRange),
        (AmountCode(5), FeeCode(1 << 11), "fee", ReasonCode::FloatNotCanonical),
    ];
    for (amount, fee, field, reason) in cases {
        let transaction = sign(&state, Transaction { amount, fee, ..good });
        assert_eq!(rejected(&state, vec![transaction]), only(0, field, reason));
    }
}

#[test]
fn refuses_expired_transactions_and_unknown_kinds() {
    let state = genesis();
    let last_second = Transaction { valid_until: 1_700_000_000, ..transfer(0, 1, 7, 0, 5, 1) };
    assert!(run(&state, vec![sign(&state, last_second)]).is_ok());
    let expired = sign(&state, Transaction { valid_until: 1_699_999_999, ..last_second });
    assert_eq!(rejected(&state, vec![expired]), only(0, "valid_until", ReasonCode::Expired));
    for kind in [0, 4, 17, 255] {
        let transaction = sign(&state, Transaction { kind, ..last_second });
        assert_eq!(rejected(&state, vec![transaction]), only(0, "kind", ReasonCode::KindUnknown));
    }
}

#[test]
fn refuses_wrong_batches() {
    let state = genesis();
    let good = sign(&state, transfer(0, 1, 7, 0, 5, 1));
    let of_batch = |batch: Batch| rejections(execute(&state, test_domain(), &batch, 4));
    let one = |field: &str, reason| vec![(None, field.to_owned(), reason)];
    assert_eq!(of_batch(batch(vec![])), one("transactions", ReasonCode::BatchEmpty));
    assert_eq!(
        of_batch(Batch { number: 0, ..batch(vec![good]) }),
        one("number", ReasonCode::BatchNumberInvalid)
    );
    assert_eq!(
        of_batch(Batch { fee_accounts: vec![3, 5, 6], ..batch(vec![good]) }),
        one("fee_accounts[2]", ReasonCode::FeeAccountUnknown)
    );
    assert_eq!(
        of_batch(Batch { fee_accounts: vec![3, 5, 2], ..batch(vec![good]) }),
        one("fee_accounts[2]", ReasonCode::FeeAccountDuplicate)
    );
    let accounts: Vec<Account> = (1..=5).map(|number| account(number, u32::from(number), 10)).collect();
    let state = State::from_accounts(&accounts).unwrap();
    let good = sign(&state, transfer(0, 0, 1, 0, 5, 1));
    let five = Batch { fee_accounts: vec![0, 1, 2, 3, 4], ..batch(vec![good]) };
    assert_eq!(
        rejections(execute(&state, test_domain(), &five, 4)),
        one("fee_accounts", ReasonCode::FeeAccountTooMany)
    );
    let four = Batch { fee_accounts: vec![3, 2, 1, 0], ..batch(vec![good]) };
    check_execution(&state, &execute(&state, test_domain(), &four, 4).unwrap());
}

#[test]
fn refuses_too_large_batches_without_executing_them() {
    let state = genesis();
    let transaction = transfer(0, 1, 7, 0, 5, 1);
    let batch = batch(vec![transaction; 60_000]);
    assert_eq!(
        rejections(execute(&state, test_domain(), &batch, 128)),
        [(None, "transactions".to_owned(), ReasonCode::BatchTooLarge)]
    );
}

#[test]
fn refuses_other_domains() {
    assert!(json::check_domain(test_domain(), test_domain()).is_ok());
    let error = json::check_domain(test_domain(), Fr::from(1u64)).unwrap_err();
    assert_eq!(error.rejections[0].reason, ReasonCode::DomainMismatch);
    assert_eq!(error.rejections[0].field, "domain");
}

#[test]
fn reports_everything_at_once() {
    let state = genesis();
    let transactions = vec![
        sign(&state, Transaction { valid_until: 1, ..transfer(0, 1, 7, 3, 2_000_000, 1) }),
        sign(&state, transfer(0, 1, 7, 0, 5, 1)),
        sign_with(&state, &key(50), transfer(1, 4, 7, 0, 50_000, 6)),
        sign(&state, transfer(0, 1, 7, 1, 5, 1)),
    ];
    let batch = Batch { fee_accounts: vec![3, 88], ..batch(transactions) };
    let error = execute(&state, test_domain(), &batch, 4).unwrap_err();
    let text = error.to_string();
    let expected = [
        (None, "fee_accounts[1]", ReasonCode::FeeAccountUnknown),
        (Some(0), "valid_until", ReasonCode::Expired),
        (Some(0), "nonce", ReasonCode::NonceMismatch),
        (Some(0), "amount", ReasonCode::BalanceInsufficient),
        (Some(2), "to", ReasonCode::TokenMismatch),
        (Some(2), "amount", ReasonCode::BalanceInsufficient),
        (Some(2), "signature", ReasonCode::SignatureInvalid),
    ];
    assert_eq!(
        rejections(Err(error)),
        expected.map(|(index, field, reason)| (index, field.to_owned(), reason))
    );
    assert!(text.contains("transactions[2].signature: SIGNATURE_INVALID"), "{text}");
    assert!(text.contains("transactions[0].nonce: NONCE_MISMATCH: expected 0, got 3"), "{text}");
}

#[test]
fn reason_codes_have_stable_names() {
    for reason in ReasonCode::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        assert_eq!(reason.to_string(), reason.as_str());
    }
}

#[test]
fn state_goes_through_a_checkpoint() {
    let state = genesis();
    let first = batch(vec![sign(&state, transfer(0, 1, 7, 0, 500, 10))]);
    let second = Batch { number: 2, ..batch(vec![sign(&state, transfer(1, 0, 7, 0, 50_400, 10))]) };
    let after = execute(&state, test_domain(), &first, 4).unwrap().state;
    let after = execute(&after, test_domain(), &second, 4).unwrap().state;
    let text = serde_json::to_string(&after).unwrap();
    let restored: State = serde_json::from_str(&text).unwrap();
    assert_eq!(restored.commitment(), after.commitment());
    assert!(restored.accounts().eq(after.accounts()));
    let ownerless = text.replace(&account(1, 7, 0).owner.to_string(), &format!("0x{}", "0".repeat(40)));
    assert!(serde_json::from_str::<State>(&ownerless).unwrap_err().to_string().contains("owner"));
}

#[test]
fn clones_are_independent() {
    let state = genesis();
    let mut copy = state.clone();
    let changed = Account { balance: 1, ..*copy.account(0).unwrap() };
    let AccountAccess { before, after, .. } = copy.update(0, changed).unwrap();
    assert_eq!((before.balance, after.balance), (1_000_000, 1));
    assert_eq!(state.account(0).unwrap().balance, 1_000_000);
    assert_ne!(state.root(), copy.root());
    assert_eq!(copy.update(6, changed), None);
}

#[test]
fn the_empty_chunk_and_padding() {
    let chunk = ChunkWitness::empty(test_domain(), 3, 99);
    let public = chunk.public_inputs();
    assert_eq!(public.state_in, State::new().commitment());
    assert_eq!(public.state_out, public.state_in);
    let words = [pubdata::batch_header(3, 99), pubdata::chunk_header(0, 0, [NO_ACCOUNT; 4])];
    assert_eq!(chunk.da_words(), words);
    assert_eq!(public.commit_out, pubdata::absorb_all(Fr::default(), &words));

    let padding = ChunkWitness::padding_transaction(test_domain());
    let (transaction, sender, receiver) = (padding.transaction, padding.sender, padding.receiver);
    let message = transaction.message(test_domain(), &receiver.before.recipient());
    assert_eq!(sender.before.key.verify(message, &transaction.signature), Ok(()));
    assert_eq!(sender.after, Account { nonce: sender.before.nonce + 1, ..sender.before });
    assert_eq!(receiver.before, receiver.after);
    assert_eq!(sender.root_after(), receiver.root_before());
}
