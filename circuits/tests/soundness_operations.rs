//! Forged L1 operations: each differs from an honest chunk in one place and is refused there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use native_support::{genesis, key, test_domain};
use soundness_support::{
    CLASS, Deposit, Effect, Forger, Lie, NONE, Pay, ROOT, STATE, assert_accepted, assert_refused,
    assert_trace_refused, binds_data, claims, claims_of_words, fr, nearly_full, new_account, party, places,
    sign_slot, splice, tell, trace_of, violations,
};
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::chunk;
use tenon_circuits::halo2::leaf::state::StateValues;
use tenon_circuits::halo2::leaf::values::{AccountValues, ChunkValues, FloatValues, PartyValues, SlotValues};
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::halo2::trace::Trace;
use tenon_circuits::rollup::pubdata::{self, L1Item, Withdrawal};
use tenon_circuits::rollup::{self, Address};
use tenon_circuits::witness::padding_key;

const INDEX: &str = "receiver: index";
const BALANCE: &str = "receiver: balance after";
const WHOLE: &str = "forced exit: the whole balance, or nothing";

fn forger() -> Forger {
    Forger::new(&genesis())
}

/// A deposit of 500 of token 7 for the key and owner of a test account.
fn deposit(number: u8, to: u64) -> Deposit {
    Deposit { party: party(number, 7), amount: fr(500), to }
}

fn owner(number: u8) -> Fr {
    new_account(number, 0).owner
}

fn domain() -> Fr {
    to_circuit(test_domain())
}

/// DA words of a chunk without transactions and with the forger's fee accounts.
fn header_words(operations: u16) -> Vec<rollup::Fr> {
    let chunk = pubdata::chunk_header(operations, 0, [3, 5, u32::MAX, u32::MAX]);
    vec![pubdata::batch_header(1, soundness_support::TIMESTAMP), chunk]
}

fn words(items: &[L1Item]) -> Vec<rollup::Fr> {
    items.iter().flat_map(L1Item::words).collect()
}

fn deposit_item(number: u8, to: u32) -> L1Item {
    L1Item::Operation(native_support::deposit(number, 7, 500, to))
}

fn withdrawal_item(number: u8, amount: u128) -> L1Item {
    L1Item::Withdrawal(Withdrawal { token: 7, owner: Address([number; 20]), amount })
}

/// Asserts that a chunk publishes these items and can't claim others.
#[track_caller]
fn assert_publishes(values: &ChunkValues, items: &[L1Item], not: &[&[L1Item]]) {
    let trace = trace_of(values);
    let operations = items.iter().filter(|item| matches!(item, L1Item::Operation(_))).count();
    let header = header_words(operations as u16);
    assert_eq!(violations(&trace, &claims_of_words(&trace, &header, &words(items))), []);
    for other in not {
        let claimed = claims_of_words(&trace, &header, &words(other));
        let expected: BTreeSet<String> = [5, 13].map(|index| format!("public input {index}")).into();
        assert_eq!(places(&violations(&trace, &claimed)), expected);
    }
}

#[test]
fn what_an_operation_publishes() {
    let mut credited = forger();
    credited.deposit(deposit(2, 1));
    let (item, refund) = (deposit_item(2, 1), withdrawal_item(2, 500));
    let other = |item: L1Item| [item];
    assert_publishes(
        &credited.close(),
        &[item],
        &[
            &[],
            &[item, refund],
            &[item, item],
            &other(deposit_item(2, 0)),
            &other(deposit_item(3, 1)),
            &other(L1Item::Operation(native_support::deposit(2, 7, 501, 1))),
            &other(L1Item::Operation(native_support::deposit(2, 8, 500, 1))),
        ],
    );
    let mut refunded = forger();
    refunded.deposit(deposit(2, 0));
    let (item, of_another) = (deposit_item(2, 0), withdrawal_item(1, 500));
    let twice: &[L1Item] = &[item, refund, refund];
    let more: &[L1Item] = &[item, withdrawal_item(2, 501)];
    assert_publishes(
        &refunded.close(),
        &[item, refund],
        &[&[item], &[refund, item], twice, more, &[item, of_another]],
    );
    let mut exit = forger();
    exit.forced_exit(1, owner(2));
    let item = L1Item::Operation(native_support::forced_exit(1, 2));
    let anothers = L1Item::Operation(native_support::forced_exit(1, 1));
    let paid = withdrawal_item(2, 50_000);
    assert_publishes(
        &exit.close(),
        &[item, paid],
        &[&[item], &[anothers, paid], &[item, paid, paid], &[paid]],
    );
    let mut nothing = forger();
    nothing.forced_exit(1, owner(1));
    nothing.forced_exit(2, owner(3));
    let empty = L1Item::Operation(native_support::forced_exit(2, 3));
    let zero: &[L1Item] = &[anothers, empty, withdrawal_item(3, 0)];
    assert_publishes(
        &nothing.close(),
        &[anothers, empty],
        &[&[empty, anothers], &[anothers, paid, empty], zero],
    );
}

#[test]
fn operations_left_out_or_counted_twice() {
    let mut forger = forger();
    forger.forced_exit(1, owner(2));
    let trace = trace_of(&forger.close());
    let item = L1Item::Operation(native_support::forced_exit(1, 2));
    let items = words(&[item, withdrawal_item(2, 50_000)]);
    assert_eq!(violations(&trace, &claims_of_words(&trace, &header_words(1), &items)), []);
    for count in [0, 2] {
        let claimed = claims_of_words(&trace, &header_words(count), &items);
        let expected: BTreeSet<String> = [5, 9].map(|index| format!("public input {index}")).into();
        assert_eq!(places(&violations(&trace, &claimed)), expected);
    }
}

/// Makes somebody else's account of one, in one value.
const OTHER_PARTIES: [fn(&mut AccountValues); 4] = [
    |account| account.token = fr(8),
    |account| account.key_x += Fr::ONE,
    |account| account.key_y += Fr::ONE,
    |account| account.owner += Fr::ONE,
];

// Deposits

#[test]
fn a_deposit_credited_to_somebody_elses_account() {
    for other in OTHER_PARTIES {
        let mut forger = forger().with_account(1, other);
        forger.deposit_as(deposit(2, 1), 1, Effect::Credit);
        assert_refused(&forger.close(), &[BALANCE]);
    }
}

#[test]
fn a_deposit_credited_at_another_index() {
    // To an account of the same token, key and owner.
    let own = forger().ledger.account(1);
    let mut forger = forger().with_account(2, |account| *account = own);
    forger.deposit_as(deposit(2, 1), 2, Effect::Credit);
    assert_refused(&forger.close(), &[INDEX]);
}

#[test]
fn a_deposit_not_credited_though_it_matches() {
    let mut forger = forger();
    forger.deposit_as(deposit(2, 1), 1, Effect::Refund);
    assert_refused(&forger.close(), &[BALANCE]);
}

#[test]
fn a_deposit_credited_with_another_amount() {
    for amount in [fr(499), fr(501), Fr::ZERO, -fr(1)] {
        let mut forger = forger();
        let slot = forger.deposit_as(Deposit { amount, ..deposit(2, 1) }, 1, Effect::Credit);
        slot.l1_amount = fr(500);
        assert_refused(&forger.close(), &[BALANCE]);
    }
}

#[test]
fn a_deposit_of_an_amount_out_of_range() {
    // Half of it leaves the account with what it had, less 500.
    let mut forger = forger();
    let slot = forger.deposit_as(Deposit { amount: -fr(500), ..deposit(2, 1) }, 1, Effect::Credit);
    assert_eq!(slot.receiver.balance_after, fr(49_500));
    assert_refused(&forger.close(), &["slot: amount that moves"]);
}

#[test]
fn an_overflowing_deposit_that_is_credited() {
    for balance_after in [power(128), Fr::ZERO] {
        let mut forger = forger().with_account(1, |account| account.balance = power(128) - fr(500));
        let slot = forger.deposit_as(deposit(2, 1), 1, Effect::Credit);
        slot.receiver.balance_after = balance_after;
        let account = forger.ledger.account(1);
        forger.ledger.put(1, soundness_support::with_balance(account, balance_after));
        assert_refused(&forger.close(), &[BALANCE]);
    }
}

#[test]
fn a_new_account_at_another_index() {
    for at in [7, 100, NONE] {
        let mut forger = forger();
        forger.deposit_as(deposit(20, NONE), at, Effect::Open);
        assert_refused(&forger.close(), &[INDEX]);
    }
    // Over an account that there is.
    let mut forger = forger();
    forger.deposit_as(deposit(20, NONE), 1, Effect::Open);
    assert_refused(&forger.close(), &[INDEX, STATE]);
}

#[test]
fn a_new_account_for_a_deposit_that_names_an_index() {
    // Index 6 is the next one; the deposit meant an account that isn't there.
    let mut forger = forger();
    forger.deposit_as(deposit(20, 6), 6, Effect::Open);
    let trace = trace_of(&forger.chunk);
    assert_refused(&forger.chunk, &[BALANCE]);
    // Number of accounts and tree stay as they are.
    let mut honest = self::forger();
    honest.deposit(deposit(20, 6));
    assert_eq!(claims(&trace)[2..4], claims(&trace_of(&honest.chunk))[2..4]);
}

#[test]
fn a_new_account_that_is_not_opened() {
    // The leaf follows from there being room: it is written whatever the prover says.
    let mut forger = forger();
    let slot = forger.deposit_as(deposit(20, NONE), 6, Effect::Open);
    slot.receiver.balance_after = Fr::ZERO;
    let account = forger.ledger.account(6);
    forger.ledger.put(6, soundness_support::with_balance(account, Fr::ZERO));
    assert_refused(&forger.close(), &[BALANCE]);
}

#[test]
fn a_new_account_for_another_party() {
    for other in OTHER_PARTIES {
        let mut forger = forger();
        let slot = forger.deposit_as(deposit(20, NONE), 6, Effect::Open);
        other(&mut slot.receiver.before);
        slot.sender.before = slot.receiver.before;
        let account = AccountValues { balance: fr(500), ..slot.receiver.before };
        forger.ledger.put(6, account);
        assert_refused(&forger.close(), &["party: an opened account's"]);
    }
}

#[test]
fn a_new_account_with_a_balance_or_a_nonce() {
    let starts: [fn(&mut AccountValues); 2] =
        [|account| account.balance = fr(5), |account| account.nonce = fr(5)];
    for start in starts {
        let mut forger = forger();
        let slot = forger.deposit_as(deposit(20, NONE), 6, Effect::Open);
        start(&mut slot.receiver.before);
        slot.receiver.balance_after = slot.receiver.before.balance + fr(500);
        slot.sender.before = slot.receiver.before;
        slot.sender.balance_after = slot.receiver.before.balance;
        sign_slot(slot, &padding_key(), domain());
        let account = AccountValues { balance: slot.receiver.balance_after, ..slot.receiver.before };
        forger.ledger.put(6, account);
        assert_refused(&forger.close(), &["receiver: opened with nothing"]);
    }
}

#[test]
fn a_new_account_in_a_full_tree() {
    let (state, _) = nearly_full(0);
    let mut forger = Forger::new(&state);
    forger.deposit_as(deposit(20, NONE), NONE, Effect::Open);
    // The index that is never used stays empty: nothing is opened, and nothing credited.
    assert_refused(&forger.chunk, &[BALANCE]);
    let mut forger = Forger::new(&state);
    forger.deposit_as(deposit(20, NONE), 0, Effect::Open);
    assert_refused(&forger.chunk, &[INDEX, BALANCE]);
}

// Whether an account exists

#[test]
fn an_account_denied() {
    // The prover says that the account isn't there: the deposit would go back, the exit pay nothing, and the
    // account be gone.
    let deposits: fn(&mut Forger) -> &mut SlotValues =
        |forger| forger.deposit_as(deposit(2, 1), 1, Effect::Refund);
    let exits: fn(&mut Forger) -> &mut SlotValues =
        |forger| forger.forced_exit_as(1, owner(2), Fr::ZERO, Fr::ZERO);
    for operation in [deposits, exits] {
        let mut forger = forger();
        operation(&mut forger).receiver.exists = Fr::ZERO;
        forger.ledger.remove(1);
        assert_refused(&forger.close(), &[STATE]);
        // The account stays.
        let mut forger = self::forger();
        operation(&mut forger).receiver.exists = Fr::ZERO;
        assert_refused(&forger.close(), &[STATE]);
        // Neither access finds it.
        let mut forger = self::forger();
        let slot = operation(&mut forger);
        (slot.sender.exists, slot.receiver.exists) = (Fr::ZERO, Fr::ZERO);
        assert_refused(&forger.close(), &[ROOT]);
    }
}

#[test]
fn an_account_made_up() {
    let mut credited = forger();
    let slot = credited.deposit_as(deposit(20, 77), 77, Effect::Open);
    slot.receiver.exists = Fr::ONE;
    assert_refused(&credited.close(), &[STATE]);

    let mut paid = forger();
    let slot = paid.forced_exit_as(77, owner(20), fr(1_000), fr(1_000));
    slot.receiver.exists = Fr::ONE;
    slot.receiver.before.balance = fr(1_000);
    slot.receiver.balance_after = Fr::ZERO;
    let account = slot.receiver.before;
    paid.ledger.put(77, soundness_support::with_balance(account, Fr::ZERO));
    assert_refused(&paid.close(), &[STATE]);
}

#[test]
fn an_account_that_exists_by_half() {
    for exists in [fr(2), -Fr::ONE, fr(2).invert().unwrap()] {
        let mut forger = forger();
        forger.deposit(deposit(2, 1)).receiver.exists = exists;
        let trace = trace_of(&forger.close());
        assert!(places(&violations(&trace, &claims(&trace))).contains(STATE));
        let mut forger = self::forger();
        let slot = forger.deposit(deposit(2, 1));
        (slot.sender.exists, slot.receiver.exists) = (exists, exists);
        let trace = trace_of(&forger.close());
        assert!(places(&violations(&trace, &claims(&trace))).contains("account: before and after"));
    }
}

// Forced exits

#[test]
fn a_forced_exit_of_somebody_elses_account() {
    for taken in [fr(50_000), Fr::ZERO] {
        let mut forger = forger();
        forger.forced_exit_as(1, owner(1), fr(50_000), taken);
        let kept = taken == Fr::ZERO;
        assert_refused(&forger.close(), if kept { &[WHOLE, BALANCE] } else { &[WHOLE] });
    }
}

#[test]
fn a_forced_exit_of_another_index() {
    // The queue names account 0, which the same owner has; account 1 is emptied.
    let mut forger = forger().with_account(1, |account| account.owner = owner(1));
    forger.forced_exit(1, owner(1)).to = Fr::ZERO;
    let slot = &mut forger.chunk.slots[0];
    sign_slot(slot, &padding_key(), domain());
    assert_refused(&forger.close(), &[INDEX]);
}

#[test]
fn a_forced_exit_of_part_of_the_balance_or_of_more() {
    for amount in [fr(49_999), fr(50_001), fr(1), Fr::ZERO] {
        let mut forger = forger();
        forger.forced_exit_as(1, owner(2), amount, amount);
        assert_refused(&forger.close(), &[WHOLE]);
    }
    let mut negative = forger();
    negative.forced_exit_as(1, owner(2), -fr(1), -fr(1));
    assert_refused(&negative.close(), &[WHOLE, "slot: amount that moves"]);
}

#[test]
fn a_forced_exit_that_leaves_the_balance_or_burns_it() {
    let mut keeps = forger();
    keeps.forced_exit_as(1, owner(2), fr(50_000), Fr::ZERO);
    assert_refused(&keeps.close(), &[BALANCE]);
    let mut burns = forger();
    burns.forced_exit_as(1, owner(2), Fr::ZERO, fr(50_000));
    assert_refused(&burns.close(), &[WHOLE, BALANCE]);
}

#[test]
fn a_forced_exit_paid_in_another_token_or_for_another_key() {
    // The token is what the withdrawal names; the key is only signed.
    let changes: [fn(&mut PartyValues); 3] =
        [|party| party.token = fr(9), |party| party.key_x += Fr::ONE, |party| party.key_y += Fr::ONE];
    for change in changes {
        let mut forger = forger();
        let slot = forger.forced_exit(1, owner(2));
        change(&mut slot.party);
        sign_slot(slot, &padding_key(), domain());
        let expected = ["party: the receiver's token and key, but for a deposit", WHOLE];
        assert_refused(&forger.close(), &expected);
    }
}

#[test]
fn an_owner_out_of_range() {
    for (number, outside) in [(2, power(160)), (2, Fr::ZERO)] {
        let mut forger = forger().with_account(1, |account| account.owner = outside);
        forger.forced_exit_as(1, outside, fr(50_000), fr(50_000));
        assert_refused(&forger.close(), &["party: owner"]);
        let mut forger = self::forger();
        let party = PartyValues { owner: outside, ..party(number, 7) };
        forger.deposit(Deposit { party, ..deposit(number, NONE) });
        assert_refused(&forger.close(), &["party: owner"]);
    }
    let mut forger = forger();
    let party = PartyValues { token: power(32), ..party(2, 7) };
    forger.deposit(Deposit { party, ..deposit(2, 1) });
    assert_refused(&forger.close(), &["party: token"]);
}

// What an operation must not do besides

#[test]
fn an_operation_that_changes_another_account() {
    // Its sender may be any account, and stays as it is.
    let mut forger = forger();
    let untouched = forger.ledger.look(0, new_account(1, 7));
    forger.deposit(deposit(2, 1)).sender = untouched;
    sign_slot(&mut forger.chunk.slots[0], &padding_key(), domain());
    assert_accepted(&forger.close());

    for change in [fr(10), -fr(10)] {
        let mut forger = self::forger();
        let balance = forger.ledger.account(0).balance + change;
        let sender = forger.ledger.access(0, balance, 0);
        forger.deposit(deposit(2, 1)).sender = sender;
        sign_slot(&mut forger.chunk.slots[0], &padding_key(), domain());
        assert_refused(&forger.close(), &["sender: balance after"]);
    }
    // Its nonce raised, so that what its holder signed is void.
    let mut forger = self::forger();
    let balance = forger.ledger.account(0).balance;
    let sender = forger.ledger.access(0, balance, 1);
    forger.deposit(deposit(2, 1)).sender = sender;
    sign_slot(&mut forger.chunk.slots[0], &padding_key(), domain());
    let raised = |state: &mut StateValues| state.entries[0].nonce_after += Fr::ONE;
    assert_trace_refused(&chunk::trace_changed(CLASS, &forger.close(), raised, |_| {}), &[STATE]);
}

#[test]
fn an_operation_with_a_fee_or_an_amount() {
    let ten = FloatValues::new(10, 0);
    let mut fee = forger();
    let left = fee.ledger.account(0).balance - fr(10);
    let sender = fee.ledger.access(0, left, 0);
    let slot = fee.deposit(deposit(2, 1));
    (slot.sender, slot.fee, slot.fee_to[0]) = (sender, ten, Fr::ONE);
    sign_slot(slot, &padding_key(), domain());
    fee.credit(0, 3, fr(10));
    fee.credit(1, 5, Fr::ZERO);
    assert_refused(&fee.chunk, &["slot: fee"]);

    let mut amount = forger();
    let sender = amount.ledger.access(0, left, 0);
    let slot = amount.deposit_as(Deposit { amount: fr(510), ..deposit(2, 1) }, 1, Effect::Credit);
    (slot.sender, slot.amount, slot.l1_amount) = (sender, ten, fr(500));
    sign_slot(slot, &padding_key(), domain());
    assert_refused(&amount.close(), &["slot: amount"]);
}

#[test]
fn an_operation_signed_by_another_key() {
    let mut forger = forger();
    let slot = forger.deposit(deposit(2, 1));
    sign_slot(slot, &key(2), domain());
    assert_refused(&forger.close(), &["signature equation"]);
}

#[test]
fn operations_out_of_order() {
    let mut late = forger();
    late.pay(Pay::new(0, 1, 5, 0));
    late.deposit(deposit(2, 1));
    assert_refused(&late.close(), &["slot: L1 operations first"]);
    let mut after_padding = forger();
    after_padding.skip();
    after_padding.forced_exit(1, owner(2));
    let expected = ["slot: L1 operations first", "slot: enabled, never after padding"];
    assert_refused(&after_padding.close(), &expected);
}

#[test]
fn operations_in_padding() {
    // They have no effect on accounts, and count as less than no transaction.
    let operations: [fn(&mut Forger) -> &mut SlotValues; 3] = [
        |forger| forger.deposit(deposit(2, 1)),
        |forger| forger.deposit(deposit(20, NONE)),
        |forger| forger.forced_exit(1, owner(2)),
    ];
    for operation in operations {
        let mut forger = forger();
        let ledger = forger.ledger.clone();
        operation(&mut forger).enabled = Fr::ZERO;
        forger.ledger = ledger;
        assert_refused(&forger.close(), &["slot: padding of no kind", "records: sum"]);
    }
}

// Lies about what follows from the accounts, with everything that follows from the lie

/// A chunk of one deposit of 500 for account 1 on a changed state, with this effect.
fn one_deposit(change: impl FnOnce(&mut AccountValues), effect: Effect) -> Trace {
    let mut forger = forger().with_account(1, change);
    forger.deposit_as(deposit(2, 1), 1, effect);
    trace_of(&forger.close())
}

fn nearly_full_balance(account: &mut AccountValues) {
    account.balance = power(128) - fr(1);
}

fn lie(label: &'static str, equation: usize, result: u64) -> Lie {
    Lie { slot: 0, label, equation, result: fr(result) }
}

/// The trace with the lie, publishing what a chunk publishes in which the lie is the truth.
fn told(mut trace: Trace, lie: Lie, where_true: &Trace) -> Trace {
    tell(&mut trace, lie);
    splice(&mut trace, where_true, binds_data);
    trace
}

#[test]
fn lies_about_an_overflow() {
    const OVERFLOW: usize = 2;
    let label = "receiver: sum";
    // Money that fits is paid back; money that doesn't is credited.
    let refund = one_deposit(nearly_full_balance, Effect::Refund);
    let credit = one_deposit(|_| {}, Effect::Credit);
    for honest in [&refund, &credit] {
        assert_trace_refused(honest, &[]);
    }
    let refused = told(one_deposit(|_| {}, Effect::Refund), lie(label, OVERFLOW, 1), &refund);
    assert_trace_refused(&refused, &[label]);
    let credited = told(one_deposit(nearly_full_balance, Effect::Credit), lie(label, OVERFLOW, 0), &credit);
    assert_trace_refused(&credited, &[label]);

    let payment = |change: fn(&mut AccountValues)| {
        let mut forger = forger().with_account(1, change);
        forger.pay(Pay::new(0, 1, 500, 10));
        trace_of(&forger.close())
    };
    let paid = told(payment(nearly_full_balance), lie(label, OVERFLOW, 0), &payment(|_| {}));
    assert_trace_refused(&paid, &[label]);
}

#[test]
fn lies_about_whose_account_it_is() {
    let label = "party: equal to the receiver";
    // Token, first and second coordinate, owner: a difference, its flag, the flag's check.
    let changes: [fn(&mut AccountValues); 4] = [
        |account| account.token = fr(8),
        |account| account.key_x += Fr::ONE,
        |account| account.key_y += Fr::ONE,
        |account| account.owner += Fr::ONE,
    ];
    let credit = one_deposit(|_| {}, Effect::Credit);
    for (part, change) in changes.into_iter().enumerate() {
        let flag = 3 * part + 1;
        let refund = one_deposit(change, Effect::Refund);
        assert_trace_refused(&refund, &[]);
        let credited = told(one_deposit(change, Effect::Credit), lie(label, flag, 1), &credit);
        assert_trace_refused(&credited, &[label]);
        let refused = told(one_deposit(|_| {}, Effect::Refund), lie(label, flag, 0), &refund);
        assert_trace_refused(&refused, &[label]);
    }
}

#[test]
fn lies_about_a_refund() {
    const WITHDRAWAL: usize = 4;
    let label = "withdrawal: emitted";
    let credit = one_deposit(|_| {}, Effect::Credit);
    let refund = one_deposit(nearly_full_balance, Effect::Refund);
    let both = told(credit.clone(), lie(label, WITHDRAWAL, 1), &refund);
    assert_trace_refused(&both, &[label]);
    let neither = told(refund, lie(label, WITHDRAWAL, 0), &credit);
    assert_trace_refused(&neither, &[label]);
}

#[test]
fn a_lie_about_a_full_tree() {
    const FULL: usize = 0;
    let (state, first) = nearly_full(0);
    let mut forger = Forger::new(&state);
    let sender = forger.ledger.look(first, new_account(1, 7));
    forger.deposit_as(deposit(20, NONE), NONE, Effect::Open).sender = sender;
    sign_slot(&mut forger.chunk.slots[0], &padding_key(), domain());
    let mut trace = trace_of(&forger.chunk);
    tell(&mut trace, lie("receiver: opened", FULL, 0));
    let places = places(&violations(&trace, &claims(&trace)));
    assert!(places.contains("receiver: opened"), "{places:?}");
}
