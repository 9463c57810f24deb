//! Forged withdraws and opens, and kinds that are confused: each differs from an honest chunk in one place and is
//! refused there. Attacks that every transaction knows are in `soundness_forgery`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use native_support::{genesis, key, test_domain};
use soundness_support::{
    Deposit, Effect, Forger, Lie, NONE, Pay, ROOT, STATE, TIMESTAMP, assert_accepted, assert_refused,
    assert_trace_refused, claims, fr, nearly_full, new_account, party, places, rows_of, sign_slot, tell,
    trace_of, violations,
};
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::values::{
    AccessValues, AccountValues, ChunkValues, FloatValues, KindValues, PartyValues, SlotValues,
};
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::witness::padding_key;

const SIGNATURE: &str = "signature equation";
const INDEX: &str = "receiver: index";
const BALANCE: &str = "receiver: balance after";

fn forger() -> Forger {
    Forger::new(&genesis())
}

fn domain() -> Fr {
    to_circuit(test_domain())
}

/// Account 0 withdraws 100 for a fee of 1.
fn withdraw(forger: &mut Forger) -> &mut SlotValues {
    forger.withdraw(Pay::new(0, 0, 100, 1))
}

/// Account 0 opens an account of token 9 for a fee of 1.
fn open(forger: &mut Forger) -> &mut SlotValues {
    forger.open(0, 1, new_account(20, 9))
}

fn transfer(forger: &mut Forger) -> &mut SlotValues {
    forger.pay(Pay::new(0, 1, 100, 1))
}

/// Every kind of transaction.
const TRANSACTIONS: [fn(&mut Forger) -> &mut SlotValues; 3] = [transfer, withdraw, open];

fn contains(values: &ChunkValues, place: &str) {
    let trace = trace_of(values);
    let places = places(&violations(&trace, &claims(&trace)));
    assert!(places.contains(place), "{places:?}");
}

/// A party in all parts another one than the receiver.
const OTHER_PARTIES: [fn(&mut PartyValues); 3] =
    [|party| party.token = fr(8), |party| party.key_x += Fr::ONE, |party| party.key_y += Fr::ONE];

// Every kind

#[test]
fn transactions_signed_by_the_key_that_everybody_knows() {
    for transaction in TRANSACTIONS {
        let mut forger = forger();
        sign_slot(transaction(&mut forger), &padding_key(), domain());
        assert_refused(&forger.close(), &[SIGNATURE]);
    }
}

#[test]
fn transactions_replayed() {
    for transaction in TRANSACTIONS {
        let mut forger = forger();
        let first = transaction(&mut forger).clone();
        let second = transaction(&mut forger);
        (second.r8, second.s) = (first.r8, first.s);
        assert_refused(&forger.close(), &[SIGNATURE]);
    }
}

#[test]
fn transactions_that_came_too_late() {
    for transaction in TRANSACTIONS {
        let mut forger = forger();
        let slot = transaction(&mut forger);
        slot.valid_until = fr(u64::from(TIMESTAMP) - 1);
        sign_slot(slot, &key(1), domain());
        assert_refused(&forger.close(), &["slot: valid until"]);
        let mut forger = self::forger();
        let slot = transaction(&mut forger);
        slot.valid_until = fr(u64::from(TIMESTAMP));
        sign_slot(slot, &key(1), domain());
        assert_accepted(&forger.close());
    }
}

#[test]
fn transactions_after_the_last_nonce() {
    for transaction in TRANSACTIONS {
        let of_nonce = |nonce| {
            let mut forger = forger().with_account(0, |account| account.nonce = fr(nonce));
            transaction(&mut forger);
            forger.close()
        };
        let trace = trace_of(&of_nonce((1 << 40) - 1));
        let mut places = places(&violations(&trace, &claims(&trace)));
        // A withdrawal sees the account again.
        places.remove("account: token");
        assert_eq!(places, ["sender: nonce after".to_owned()].into());
        assert_accepted(&of_nonce((1 << 40) - 2));
    }
}

#[test]
fn transactions_of_an_account_that_the_prover_denies() {
    for transaction in TRANSACTIONS {
        let mut forger = forger();
        transaction(&mut forger).sender.exists = Fr::ZERO;
        contains(&forger.close(), "sender: exists in a transaction");
    }
}

#[test]
fn money_from_an_account_that_does_not_exist() {
    let mut forger = forger();
    let missing = AccountValues { balance: fr(1_000), ..new_account(40, 7) };
    let sender = forger.ledger.look(1_000, missing);
    let untouched = forger.ledger.account(0);
    let slot = transfer(&mut forger).clone();
    // Account 0 had paid; it is the missing account that pays in its place.
    let mut forger = self::forger();
    let receiver = forger.ledger.access(1, fr(50_100), 0);
    let sender = AccessValues { balance_after: fr(899), ..sender };
    forger.push(SlotValues { sender, receiver, ..slot }, &key(40));
    assert_eq!(forger.ledger.account(0).balance, untouched.balance);
    forger.credit(0, 3, fr(1));
    forger.credit(1, 5, Fr::ZERO);
    assert_refused(&forger.chunk, &["sender: exists in a transaction"]);
}

#[test]
fn what_is_signed_for_one_kind_used_for_another() {
    // All three differ in their kind alone: account 0, nothing paid, its own token, key and owner.
    let own = forger().ledger.account(0);
    let same: [fn(&mut Forger, AccountValues) -> &mut SlotValues; 3] = [
        |forger, _| forger.pay(Pay::new(0, 0, 0, 1)),
        |forger, _| forger.withdraw(Pay::new(0, 0, 0, 1)),
        |forger, own| forger.open(0, 1, AccountValues { balance: Fr::ZERO, ..own }),
    ];
    let own = AccountValues { nonce: Fr::ZERO, ..own };
    for signed in same {
        let signed = signed(&mut forger(), own).clone();
        for used in same {
            let mut forger = forger();
            let slot = used(&mut forger, own);
            let kind = slot.kind;
            (slot.r8, slot.s) = (signed.r8, signed.s);
            let mut expected = BTreeSet::new();
            if kind.withdraw == Fr::ONE {
                expected.insert("withdrawal: emitted");
            }
            if (kind.withdraw, kind.open) != (signed.kind.withdraw, signed.kind.open) {
                expected.insert(SIGNATURE);
            }
            assert_refused(&forger.close(), &expected.into_iter().collect::<Vec<_>>());
        }
    }
    // Of an amount: a payment to oneself and a withdrawal.
    let signed = forger().pay(Pay::new(0, 0, 100, 1)).clone();
    let mut forger = forger();
    let slot = withdraw(&mut forger);
    (slot.r8, slot.s) = (signed.r8, signed.s);
    assert_refused(&forger.close(), &[SIGNATURE]);
}

#[test]
fn kinds_combined() {
    let flags: [fn(&mut KindValues); 4] = [
        |kind| kind.withdraw = Fr::ONE,
        |kind| kind.open = Fr::ONE,
        |kind| kind.deposit = Fr::ONE,
        |kind| kind.forced_exit = Fr::ONE,
    ];
    for first in flags {
        for second in flags {
            let mut kind = KindValues::default();
            first(&mut kind);
            second(&mut kind);
            if kind.withdraw + kind.open + kind.deposit + kind.forced_exit == Fr::ONE {
                continue;
            }
            let mut forger = forger();
            let slot = withdraw(&mut forger);
            slot.kind = kind;
            sign_slot(slot, &key(1), domain());
            contains(&forger.close(), "slot: kind");
        }
    }
    // Twice one kind, less another: the sum is that of one.
    for (withdraws, opens) in [(fr(2), -fr(1)), (fr(2), Fr::ZERO), (-fr(1), fr(2)), (-fr(1), fr(1))] {
        let mut forger = forger();
        let slot = withdraw(&mut forger);
        slot.kind = KindValues { withdraw: withdraws, open: opens, ..KindValues::default() };
        sign_slot(slot, &key(1), domain());
        contains(&forger.close(), "slot: kind");
    }
}

#[test]
fn padding_of_a_kind() {
    for transaction in [withdraw, open] {
        let mut forger = forger();
        let ledger = forger.ledger.clone();
        transaction(&mut forger).enabled = Fr::ZERO;
        forger.ledger = ledger;
        let fees = [Fr::ZERO; 2];
        forger.credit(0, 3, fees[0]);
        forger.credit(1, 5, fees[1]);
        assert_refused(&forger.chunk, &["slot: padding of no kind"]);
    }
}

#[test]
fn a_payment_that_moves_another_amount_than_is_signed() {
    // Credited or paid out on top of what the sender is debited.
    let mut credited = forger();
    let more = credited.ledger.account(1).balance + fr(105);
    let slot = transfer(&mut credited);
    (slot.l1_amount, slot.receiver.balance_after) = (fr(5), more);
    let account = credited.ledger.account(1);
    credited.ledger.put(1, soundness_support::with_balance(account, more));
    assert_refused(&credited.close(), &["slot: amount that moves"]);
    let mut paid_out = forger();
    withdraw(&mut paid_out).l1_amount = fr(5);
    assert_refused(&paid_out.close(), &["slot: amount that moves"]);
    let mut opened = forger();
    open(&mut opened).l1_amount = fr(5);
    assert_refused(&opened.close(), &["slot: amount that moves"]);
    // Less than that.
    let mut less = forger();
    withdraw(&mut less).l1_amount = -fr(5);
    assert_refused(&less.close(), &["slot: amount that moves"]);
}

#[test]
fn a_payment_to_an_account_that_does_not_exist() {
    let mut forger = forger();
    let missing = forger.ledger.look(1_000, new_account(40, 7));
    let slot = transfer(&mut forger).clone();
    let mut forger = self::forger();
    let left = forger.ledger.account(0).balance - fr(101);
    let sender = forger.ledger.access(0, left, 1);
    let receiver = forger.ledger.look(1_000, missing.before);
    let receiver = AccessValues { balance_after: fr(100), ..receiver };
    let party = PartyValues::of_account(&receiver.before);
    forger.push(SlotValues { to: fr(1_000), sender, receiver, party, ..slot }, &key(1));
    forger.credit(0, 3, fr(1));
    forger.credit(1, 5, Fr::ZERO);
    assert_refused(&forger.chunk, &["receiver: exists"]);
}

#[test]
fn an_index_that_the_signature_does_not_name() {
    // The receiver is the account after the one that is named, of the same key.
    let own = forger().ledger.account(1);
    let mut forger = forger().with_account(2, |account| *account = own);
    let slot = forger.pay(Pay::new(0, 2, 100, 1));
    slot.to = fr(1);
    sign_slot(slot, &key(1), domain());
    assert_refused(&forger.close(), &[INDEX]);
}

#[test]
fn a_party_that_is_not_the_receiver() {
    for change in OTHER_PARTIES {
        for transaction in [transfer, withdraw] {
            let mut forger = forger();
            let slot = transaction(&mut forger);
            change(&mut slot.party);
            sign_slot(slot, &key(1), domain());
            let place = "party: the receiver's token and key, but for a deposit";
            assert_refused(&forger.close(), &[place]);
        }
    }
    for transaction in [transfer, withdraw] {
        let mut forger = forger();
        let slot = transaction(&mut forger);
        slot.party.owner += Fr::ONE;
        sign_slot(slot, &key(1), domain());
        assert_refused(&forger.close(), &["party: the receiver's owner, but for an L1 operation"]);
    }
}

// Withdraws

#[test]
fn a_withdrawal_of_nothing() {
    let mut forger = forger();
    forger.withdraw(Pay::new(0, 0, 0, 1));
    assert_refused(&forger.close(), &["withdrawal: emitted"]);
}

#[test]
fn a_withdrawal_that_keeps_the_money() {
    // The second access to the sender gives back what the first one took.
    let mut forger = forger();
    let before = forger.ledger.account(0).balance;
    let slot = withdraw(&mut forger);
    slot.receiver.balance_after = before - fr(1);
    let account = forger.ledger.account(0);
    forger.ledger.put(0, soundness_support::with_balance(account, before - fr(1)));
    assert_refused(&forger.close(), &[BALANCE]);
}

#[test]
fn a_withdrawal_of_more_than_there_is() {
    let mut forger = forger();
    forger.withdraw(Pay::new(0, 0, 1_000_000, 1));
    // The second access sees what is left.
    assert_refused(&forger.close(), &["sender: balance after", "receiver: sum"]);
}

#[test]
fn a_withdrawal_to_another_accounts_owner() {
    for index in [1, 4] {
        let mut forger = forger();
        let slot = withdraw(&mut forger).clone();
        let receiver = forger.ledger.look(index, slot.sender.before);
        let slot = &mut forger.chunk.slots[0];
        slot.to = fr(index);
        slot.party = PartyValues::of_account(&receiver.before);
        slot.receiver = receiver;
        sign_slot(slot, &key(1), domain());
        assert_refused(&forger.close(), &["receiver: index"]);
    }
}

#[test]
fn a_withdrawal_from_an_account_that_the_prover_denies() {
    // After the debit the account would be gone.
    let mut forger = forger();
    withdraw(&mut forger).receiver.exists = Fr::ZERO;
    forger.ledger.remove(0);
    assert_refused(&forger.close(), &["receiver: exists", STATE]);
}

// Opens

#[test]
fn an_open_at_another_index() {
    for index in [7, 1_000, NONE] {
        let mut forger = forger();
        forger.open_at(index, Pay::new(0, NONE, 0, 1), new_account(20, 9));
        assert_refused(&forger.close(), &[INDEX]);
    }
    let mut over = forger();
    over.open_at(1, Pay::new(0, NONE, 0, 1), new_account(20, 7));
    assert_refused(&over.close(), &[INDEX, ROOT]);
}

#[test]
fn an_open_that_names_an_index() {
    let mut named = forger();
    named.open_at(6, Pay::new(0, 6, 0, 1), new_account(20, 9));
    let trace = trace_of(&named.chunk);
    let places = places(&violations(&trace, &claims(&trace)));
    assert!(places.contains("receiver: opened"), "{places:?}");
}

#[test]
fn an_open_in_a_full_tree() {
    let (state, first) = nearly_full(0);
    let mut forger = Forger::new(&state);
    let pay = Pay { signer: 1, ..Pay::new(first, NONE, 0, 0) };
    forger.open_at(NONE, pay, new_account(20, 9));
    forger.chunk.slots[0].fee_to = Default::default();
    // Nothing is opened there, so the account's leaf stays empty.
    assert_refused(&forger.chunk, &["receiver: opened"]);
}

#[test]
fn an_open_of_an_account_that_has_something() {
    let mut rich = forger();
    rich.open(0, 1, AccountValues { balance: fr(5), ..new_account(20, 9) });
    assert_refused(&rich.close(), &["receiver: opened with nothing"]);
    let mut experienced = forger();
    experienced.open(0, 1, AccountValues { nonce: fr(5), ..new_account(20, 9) });
    assert_refused(&experienced.close(), &["receiver: opened with nothing"]);
}

#[test]
fn an_open_with_an_amount() {
    let mut forger = forger();
    forger.open_at(6, Pay::new(0, NONE, 5, 1), new_account(20, 9));
    assert_refused(&forger.close(), &["slot: amount"]);
    // Or with one that arrives.
    let mut forger = self::forger();
    let slot = forger.open_at(6, Pay::new(0, NONE, 5, 1), new_account(20, 9));
    slot.receiver.balance_after = fr(5);
    let account = forger.ledger.account(6);
    forger.ledger.put(6, soundness_support::with_balance(account, fr(5)));
    assert_refused(&forger.close(), &["slot: amount", BALANCE]);
}

#[test]
fn an_open_of_another_account_than_is_signed() {
    for change in OTHER_PARTIES {
        let mut forger = forger();
        let slot = open(&mut forger);
        change(&mut slot.party);
        sign_slot(slot, &key(1), domain());
        let places = ["party: the receiver's token and key, but for a deposit", "party: an opened account's"];
        assert_refused(&forger.close(), &places);
    }
    let mut forger = forger();
    let slot = open(&mut forger);
    slot.party.owner += Fr::ONE;
    sign_slot(slot, &key(1), domain());
    let places = ["party: the receiver's owner, but for an L1 operation", "party: an opened account's"];
    assert_refused(&forger.close(), &places);
    // Signed for one account, opened for another.
    let signed = open(&mut self::forger()).clone();
    for other in
        [new_account(21, 9), new_account(20, 8), AccountValues { owner: fr(7), ..new_account(20, 9) }]
    {
        let mut forger = self::forger();
        let slot = forger.open(0, 1, other);
        (slot.r8, slot.s) = (signed.r8, signed.s);
        assert_refused(&forger.close(), &[SIGNATURE]);
    }
}

#[test]
fn an_open_without_owner_or_with_parts_out_of_range() {
    for owner in [Fr::ZERO, power(160)] {
        let mut forger = forger();
        forger.open(0, 1, AccountValues { owner, ..new_account(20, 9) });
        assert_refused(&forger.close(), &["party: owner"]);
    }
    let mut forger = forger();
    forger.open(0, 1, AccountValues { token: power(32), ..new_account(20, 9) });
    assert_refused(&forger.close(), &["party: token", "account: token"]);
}

#[test]
fn an_open_over_an_account() {
    // What the next index holds is said to be there, or not to be.
    let mut forger = forger();
    open(&mut forger).receiver.exists = Fr::ONE;
    contains(&forger.close(), "receiver: exists");
    let mut behind = self::forger();
    behind.chunk.next_index = fr(5);
    behind.next_index = 5;
    open(&mut behind);
    let mut honest = self::forger();
    open(&mut honest);
    let stated = claims(&trace_of(&honest.close()))[2];
    let trace = trace_of(&behind.close());
    let mut claimed = claims(&trace);
    claimed[2] = stated;
    let expected = [ROOT, "public input 2"].map(str::to_owned);
    assert_eq!(places(&violations(&trace, &claimed)), expected.into());
}

#[test]
fn a_fee_in_another_token_than_the_senders() {
    // The new account's token, whose fee account gets it; or the other way round.
    let mut forger = forger();
    open(&mut forger).fee_to = [fr(0), fr(1), fr(0), fr(0)];
    forger.credit(0, 3, fr(0));
    forger.credit(1, 5, fr(1));
    assert_refused(&forger.chunk, &["slot: fee credited"]);
    for transaction in [withdraw, open] {
        let mut forger = self::forger();
        transaction(&mut forger).fee_to = Default::default();
        forger.credit(0, 3, fr(0));
        assert_refused(&forger.chunk, &["slot: fee credited"]);
    }
}

// The number of accounts

#[test]
fn a_number_of_accounts_out_of_step() {
    // Another number than the state's: the account would lie behind a gap.
    let mut ahead = forger();
    ahead.chunk.next_index = fr(7);
    ahead.next_index = 7;
    open(&mut ahead);
    let values = ahead.close();
    assert_accepted(&values);
    let trace = trace_of(&values);
    let mut honest = forger();
    open(&mut honest);
    let mut claimed = claims(&trace);
    claimed[2] = claims(&trace_of(&honest.close()))[2];
    assert_eq!(places(&violations(&trace, &claimed)), ["public input 2".to_owned()].into());

    // Not raised by an open, or raised by a payment.
    for (transaction, next) in [(open as fn(&mut Forger) -> &mut SlotValues, 6), (transfer, 7)] {
        let mut forger = forger();
        transaction(&mut forger);
        let mut trace = trace_of(&forger.close());
        let label = "slot: number of accounts";
        tell(&mut trace, Lie { slot: 0, label, equation: 0, result: fr(next) });
        let next_slots = rows_of(&trace, label);
        assert_eq!(next_slots.len(), 4);
        let expected = [label, "receiver: index", "chunk: state after"];
        let places = places(&violations(&trace, &claims(&trace)));
        assert!(places.contains(label) && places.iter().all(|place| expected.contains(&place.as_str())));
    }
}

#[test]
fn two_accounts_at_one_index() {
    let mut forger = forger();
    forger.deposit_as(Deposit { party: party(20, 7), amount: fr(5), to: NONE }, 6, Effect::Open);
    forger.deposit_as(Deposit { party: party(21, 7), amount: fr(5), to: NONE }, 6, Effect::Open);
    assert_refused(&forger.close(), &[INDEX, STATE]);
}

#[test]
fn a_self_transfer_in_two_roles_of_one_float() {
    // What both sides of a payment to oneself use is one amount.
    let mut forger = forger();
    let slot = forger.pay(Pay::new(0, 0, 100, 1));
    slot.amount = FloatValues::new(101, 0);
    sign_slot(slot, &key(1), domain());
    assert_refused(&forger.close(), &["sender: balance after", BALANCE]);
}

#[test]
fn every_trace_here_has_one_shape() {
    let honest = trace_of(&forger().close());
    for transaction in TRANSACTIONS {
        let mut forger = forger();
        transaction(&mut forger);
        let trace = trace_of(&forger.close());
        assert!(trace.same_shape(&honest));
        assert_trace_refused(&trace, &[]);
    }
}
