//! One test an attack: a dishonest prover's chunk, wrong in one place and otherwise consistent, is refused in that
//! place.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use std::collections::BTreeSet;

use ark_ff::{BigInteger, Field as _, PrimeField as _};
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use native_support::{batch, genesis, key, sign, test_domain, transfer};
use soundness_support::{
    CLASS, Forger, POINTS, Pay, ROOT, STATE, TIMESTAMP, assert_accepted, assert_refused,
    assert_trace_refused, attach, binds_data, claims, claims_of_words, fr, message, places, public_inputs,
    rows_of, sign_slot, splice, trace_of, violations,
};
use tenon_circuits::gadgets::products;
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::values::{AccountValues, ChunkValues, FloatValues};
use tenon_circuits::halo2::trace::Challenges;
use tenon_circuits::halo2::{to_circuit, to_native};
use tenon_circuits::public_inputs::batch_input;
use tenon_circuits::rollup::babyjubjub::{BASE, D, SUBGROUP_ORDER};
use tenon_circuits::rollup::signature::challenge;
use tenon_circuits::rollup::{self, PublicKey, Signature, babyjubjub, execute, pubdata};
use tenon_circuits::witness::ChunkWitness;

const SIGNATURE: &str = "signature equation";
const LAST_INDEX: u64 = u32::MAX as u64;

fn forger() -> Forger {
    Forger::new(&genesis())
}

/// The public inputs that other DA words than those published would have.
fn data_inputs() -> BTreeSet<String> {
    [5, 9, 10].map(|index| format!("public input {index}")).into()
}

/// An honest chunk of one payment and its credit.
fn one_payment() -> ChunkValues {
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 10));
    forger.close()
}

#[test]
fn the_honest_chunk_is_accepted() {
    assert_accepted(&one_payment());
}

// Nonces

#[test]
fn a_replayed_payment() {
    let mut forger = forger();
    let first = forger.pay(Pay::new(0, 1, 500, 0)).clone();
    let second = forger.pay(Pay::new(0, 1, 500, 0));
    // The same signature again; the account's nonce has risen.
    (second.r8, second.s) = (first.r8, first.s);
    assert_refused(&forger.close(), &[SIGNATURE]);
}

#[test]
fn a_replayed_nonce() {
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 0));
    // The second payment claims that the account still has nonce 0, and is signed for it.
    let second = forger.pay(Pay::new(0, 1, 500, 0));
    second.sender.before.nonce = Fr::ZERO;
    sign_slot(second, &key(1), to_circuit(test_domain()));
    assert_refused(&forger.close(), &[STATE]);
}

#[test]
fn a_nonce_lowered_into_the_token() {
    // token + 2^32 nonce is the same for (7, 1) and (7 + 2^32, 0): only the parts' ranges tell them apart.
    let mut forger = forger().with_account(0, |account| account.nonce = fr(1)).with_account(1, |account| {
        account.nonce = fr(1);
    });
    let slot = forger.pay(Pay::new(0, 1, 500, 0));
    slot.fee_to = Default::default();
    for access in [&mut slot.sender, &mut slot.receiver] {
        access.before.token += power(32);
        access.before.nonce -= Fr::ONE;
    }
    slot.party.token += power(32);
    sign_slot(slot, &key(1), to_circuit(test_domain()));
    let places = ["account: token", "party: token"];
    assert_refused(&forger.close(), &places);
}

#[test]
fn the_last_nonce() {
    let last = fr((1 << 40) - 1);
    let mut forger = forger().with_account(0, |account| account.nonce = last);
    forger.pay(Pay::new(0, 1, 500, 0));
    assert_refused(&forger.close(), &["sender: nonce after"]);
}

// Amounts

#[test]
fn an_overdraft_by_field_wrap() {
    let mut forger = forger();
    forger.pay(Pay::new(2, 1, 1, 0));
    assert_refused(&forger.close(), &["sender: balance after"]);
}

#[test]
fn an_overdraft_by_wrap_at_128_bits() {
    let mut forger = forger();
    let left = power(128) - fr(1);
    forger.pay(Pay::new(2, 1, 1, 0)).sender.balance_after = left;
    // The balance after isn't the one before less the amount; nothing follows from the account that it leaves.
    let trace = trace_of(&forger.close());
    let violations = violations(&trace, &claims(&trace));
    assert!(places(&violations).contains("sender: balance after"), "{violations:?}");
}

#[test]
fn amount_and_fee_whose_sum_wraps() {
    // amount + fee = 0 in the field, so the sender keeps its balance and the fee account gains.
    let mut forger = forger();
    let amount = FloatValues { mantissa: -fr(10), exponent: Default::default() };
    forger.pay_floats(Pay::new(0, 0, 0, 10), amount, FloatValues::new(10, 0));
    assert_refused(&forger.close(), &["slot: amount", "slot: amount that moves"]);
}

#[test]
fn a_fee_that_wraps() {
    let mut forger = forger();
    let fee = FloatValues { mantissa: -fr(10), exponent: Default::default() };
    forger.pay_floats(Pay::new(0, 1, 10, 0), FloatValues::new(10, 0), fee);
    // Its record is no word of 248 bits, either.
    let places = ["slot: fee", "fee account: balance after", "DA words: evaluated"];
    assert_refused(&forger.close(), &places);
}

#[test]
fn a_mantissa_of_one_bit_more() {
    let mut forger = forger().with_account(0, |account| account.balance = power(100));
    let amount = FloatValues::new(1 << 35, 0);
    forger.pay_floats(Pay::new(0, 1, 0, 0), amount, FloatValues::new(0, 0));
    assert_refused(&forger.close(), &["slot: amount"]);
}

#[test]
fn an_exponent_that_is_no_bit() {
    let mut forger = forger();
    let amount = FloatValues { mantissa: fr(5), exponent: [fr(2), fr(0), fr(0), fr(0), fr(0)] };
    // 1 + 9 * 2 = 19 times the mantissa, an exponent of 2 in the code.
    let mut pay = Pay::new(0, 1, 0, 0);
    pay.amount = (95, 0);
    let slot = forger.pay(pay);
    slot.amount = amount;
    sign_slot(slot, &key(1), to_circuit(test_domain()));
    assert_refused(&forger.close(), &["slot: amount"]);
}

#[test]
fn floats_that_are_not_canonical() {
    for exponent in [1, 5, 31] {
        let mut forger = forger().with_account(0, |account| account.balance = power(127));
        forger.pay(Pay { amount: (5, exponent), ..Pay::new(0, 1, 0, 0) });
        assert_refused(&forger.close(), &["slot: amount"]);
    }
    // The largest mantissas that an exponent doesn't go with.
    let mut amount = forger().with_account(0, |account| account.balance = power(127));
    amount.pay(Pay { amount: (3_435_973_836, 1), ..Pay::new(0, 1, 0, 0) });
    assert_refused(&amount.close(), &["slot: amount"]);
    let mut fee = forger();
    fee.pay(Pay { fee: (204, 1), ..Pay::new(0, 1, 0, 0) });
    assert_refused(&fee.close(), &["slot: fee"]);
    let mut fee = forger();
    fee.pay(Pay { fee: (205, 1), ..Pay::new(0, 1, 0, 0) });
    assert_accepted(&fee.close());
}

#[test]
fn a_receivers_overflow() {
    let mut forger = forger().with_account(1, |account| account.balance = power(128) - fr(1));
    forger.pay(Pay::new(0, 1, 1, 0));
    assert_refused(&forger.close(), &["receiver: no overflow in a transfer"]);
}

#[test]
fn a_self_transfer_that_mints() {
    // The receiver's side starts from the account as it was before the debit.
    let mut forger = forger();
    let before = forger.ledger.account(0);
    let slot = forger.pay(Pay::new(0, 0, 500, 0));
    slot.receiver.before = before;
    slot.receiver.balance_after = before.balance + fr(500);
    let credited = slot.receiver.balance_after;
    forger.ledger.put(0, soundness_support::with_balance(before, credited));
    assert_refused(&forger.close(), &[STATE]);
}

// Signatures

#[test]
fn a_payment_signed_by_another_key() {
    let mut forger = forger();
    forger.pay(Pay { signer: 2, ..Pay::new(0, 1, 500, 10) });
    assert_refused(&forger.close(), &[SIGNATURE]);
}

#[test]
fn a_payment_with_the_signers_key_in_the_account() {
    // The account is claimed to hold the forger's key; its leaf doesn't.
    let mut forger = forger();
    let forgers = key(2).public_key();
    let slot = forger.pay(Pay { signer: 2, ..Pay::new(0, 1, 500, 10) });
    slot.sender.before.key_x = to_circuit(forgers.x);
    slot.sender.before.key_y = to_circuit(forgers.y);
    sign_slot(slot, &key(2), to_circuit(test_domain()));
    assert_refused(&forger.close(), &[ROOT]);
}

#[test]
fn the_scalar_plus_the_subgroup_order() {
    let mut values = one_payment();
    let slot = &mut values.slots[0];
    let mut carry = 0;
    for (byte, other) in slot.s.iter_mut().zip(SUBGROUP_ORDER.to_bytes_le()) {
        let sum = u16::from(*byte) + u16::from(other) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_refused(&values, &["scalar below the subgroup order"]);
}

/// A key of small order and a signature that holds for every message: `R8 = S B8`.
fn small_order_signature() -> (Vec<PublicKey>, Signature) {
    let s = ark_ff::BigInt::from(77_u64);
    let point = BASE.multiply(&s).to_affine();
    let order_4 = babyjubjub::A.inverse().unwrap().sqrt().unwrap();
    let (zero, one) = (rollup::Fr::from(0u64), rollup::Fr::from(1u64));
    let keys = [(zero, one), (zero, -one), (order_4, zero), (-order_4, zero)];
    let keys = keys.into_iter().map(|(x, y)| PublicKey { x, y }).collect();
    (keys, Signature { r8x: point.x, r8y: point.y, s })
}

#[test]
fn keys_of_small_order() {
    let (keys, signature) = small_order_signature();
    for small in keys {
        let mut forger = forger().with_account(0, |account| {
            (account.key_x, account.key_y) = (to_circuit(small.x), to_circuit(small.y));
        });
        attach(forger.pay(Pay::new(0, 1, 500, 10)), &signature);
        assert_refused(&forger.close(), &["key not of small order", "challenge times key"]);
    }
}

#[test]
fn a_key_off_the_curve() {
    let mut forger = forger().with_account(0, |account| account.key_x += Fr::ONE);
    forger.pay(Pay::new(0, 1, 500, 10));
    let trace = trace_of(&forger.close());
    assert!(places(&violations(&trace, &claims(&trace))).contains("key on the curve"));
}

#[test]
fn a_signature_point_off_the_curve() {
    let mut values = one_payment();
    values.slots[0].r8.0 += Fr::ONE;
    let trace = trace_of(&values);
    assert!(places(&violations(&trace, &claims(&trace))).contains("signature point on the curve"));
}

#[test]
fn signature_points_with_x_0() {
    // The signer itself can make R8 the neutral element: S = 8 h a.
    let mut forger = forger();
    let secret = ark_ff::BigInt::from(12_345_u64);
    let public = BASE.multiply(&secret).to_affine();
    forger = forger.with_account(0, |account| {
        (account.key_x, account.key_y) = (to_circuit(public.x), to_circuit(public.y));
    });
    let slot = forger.pay(Pay::new(0, 1, 500, 10));
    let message = message(slot, to_circuit(test_domain()));
    let mut signature = Signature { r8x: 0u64.into(), r8y: 1u64.into(), s: ark_ff::BigInt::default() };
    let hash = challenge(&PublicKey { x: public.x, y: public.y }, &signature, message).into_bigint();
    let order = num_bigint::BigUint::from(SUBGROUP_ORDER);
    let s = num_bigint::BigUint::from(hash) * num_bigint::BigUint::from(secret) * 8_u32 % order;
    signature.s = s.try_into().unwrap();
    attach(slot, &signature);
    assert_refused(&forger.close(), &["signature point not of x = 0"]);
}

#[test]
fn a_payment_signed_for_another_domain() {
    let mut forger = forger();
    let slot = forger.pay(Pay::new(0, 1, 500, 10));
    sign_slot(slot, &key(1), to_circuit(test_domain()) + Fr::ONE);
    assert_refused(&forger.close(), &[SIGNATURE]);
}

#[test]
fn a_payment_to_a_reassigned_index() {
    // The sender signed for the key and owner that index 1 had; another account is there now.
    let slot_then = one_payment().slots[0].clone();
    for change in [(|account| account.owner += Fr::ONE) as fn(&mut AccountValues), |account| {
        let other = key(77).public_key();
        (account.key_x, account.key_y) = (to_circuit(other.x), to_circuit(other.y));
    }] {
        let mut forger = forger().with_account(1, change);
        let slot = forger.pay(Pay::new(0, 1, 500, 10));
        (slot.r8, slot.s) = (slot_then.r8, slot_then.s);
        assert_refused(&forger.close(), &[SIGNATURE]);
    }
}

#[test]
fn a_payment_with_another_amount_than_signed() {
    let signed = one_payment().slots[0].clone();
    for pay in [Pay::new(0, 1, 501, 10), Pay::new(0, 1, 500, 11), Pay::new(0, 2, 500, 10)] {
        let mut forger = forger();
        let slot = forger.pay(pay);
        (slot.r8, slot.s) = (signed.r8, signed.s);
        assert_refused(&forger.close(), &[SIGNATURE]);
    }
}

// Indices

#[test]
fn a_path_of_another_index() {
    // Account 0's path under the name of account 1, signed by the latter's key holder.
    let mut forger = forger();
    let slot = forger.pay(Pay::new(0, 2, 500, 10));
    slot.sender.index = 1;
    sign_slot(slot, &key(1), to_circuit(test_domain()));
    assert_refused(&forger.close(), &[ROOT]);
}

#[test]
fn an_index_that_is_not_the_paths() {
    // The index cell says 1, the position bits say 0, word and record follow the index cell.
    let mut forger = forger();
    let slot = forger.pay(Pay::new(0, 2, 500, 10));
    let honest = slot.clone();
    slot.sender.index = 1;
    sign_slot(slot, &key(1), to_circuit(test_domain()));
    let (r8, s) = (slot.r8, slot.s);
    let mut values = forger.close();
    let claimed = trace_of(&values);
    values.slots[0] = honest;
    (values.slots[0].r8, values.slots[0].s) = (r8, s);
    let mut trace = trace_of(&values);
    splice(&mut trace, &claimed, |label| {
        let names_sender = ["receiver: index", "slot: signed word", "slot: message", "slot: record"];
        binds_data(label)
            || label.starts_with("signature")
            || names_sender.contains(&label)
            || ["challenge times key", "challenge below the modulus", "scalar below the subgroup order"]
                .contains(&label)
    });
    trace.forge(rows_of(&trace, "sender: found")[0], 0, Fr::ONE);
    assert_trace_refused(&trace, &["sender: found"]);
    products::fill(&mut trace, Challenges::of_checker());
    assert_trace_refused(&trace, &[STATE]);
}

#[test]
fn an_index_above_32_bits() {
    // Signed as it is, so that only the path can tell.
    for (sender, receiver) in [(1 << 32, 0), (0, 1 << 32)] {
        let mut forger = forger();
        let mut pay = Pay::new(0, 1, 500, 10);
        (pay.from, pay.to) = (pay.from + sender, pay.to + receiver);
        forger.pay(pay);
        assert_refused(&forger.close(), &[STATE]);
    }
    let mut forger = forger();
    forger.credit(0, 3 + (1 << 32), Fr::ZERO);
    assert_refused(&forger.chunk, &[STATE]);
}

#[test]
fn an_account_that_does_not_exist() {
    let mut forger = forger();
    forger.ledger.put(1000, forger.ledger.account(0));
    forger.ledger.put(LAST_INDEX, forger.ledger.account(0));
    // The root before the chunk is still the one without these accounts.
    for index in [1000, LAST_INDEX] {
        let mut forger = forger.clone();
        forger.pay(Pay { signer: 1, ..Pay::new(index, 1, 500, 10) });
        let values = forger.close();
        assert_refused(&values, &[ROOT]);
    }
}

#[test]
fn a_receiver_of_another_token() {
    let mut forger = forger();
    forger.pay(Pay::new(0, 4, 500, 10));
    assert_refused(&forger.close(), &["receiver: the sender's token in a transfer"]);
}

// Time

#[test]
fn an_expired_payment() {
    let mut forger = forger();
    forger.pay(Pay { valid_until: u64::from(TIMESTAMP) - 1, ..Pay::new(0, 1, 500, 10) });
    assert_refused(&forger.close(), &["slot: valid until"]);
}

#[test]
fn a_last_timestamp_above_32_bits() {
    let mut forger = forger();
    let slot = forger.pay(Pay::new(0, 1, 500, 10));
    slot.valid_until = power(32);
    sign_slot(slot, &key(1), to_circuit(test_domain()));
    assert_refused(&forger.close(), &["slot: valid until"]);
}

#[test]
fn another_number_or_timestamp_than_the_public_one() {
    let values = one_payment();
    let honest = trace_of(&values);
    let mut claimed = claims(&honest);
    claimed[1] = to_circuit(batch_input(2, TIMESTAMP));
    assert_eq!(places(&violations(&honest, &claimed)), ["public input 1".to_owned()].into());

    // The same public input with a carry from the number into the timestamp.
    let carried = ChunkValues {
        number: values.number + power(64),
        timestamp: values.timestamp - Fr::ONE,
        ..values.clone()
    };
    let trace = trace_of(&carried);
    assert_eq!(claims(&trace)[1], claims(&honest)[1]);
    assert_refused(&carried, &["chunk: batch number"]);
    let late = ChunkValues { timestamp: power(32), ..values };
    let trace = trace_of(&late);
    assert!(places(&violations(&trace, &claims(&trace))).contains("chunk: timestamp"));
}

#[test]
fn a_number_of_accounts_above_32_bits() {
    assert_refused(&ChunkValues { next_index: power(32), ..one_payment() }, &["chunk: number of accounts"]);
}

// Padding, records, order

#[test]
fn padding_with_effects_on_accounts() {
    // The slot says that it is padding, the next access goes on from its effects.
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 0)).enabled = Fr::ZERO;
    assert_refused(&forger.close(), &[ROOT]);
}

#[test]
fn padding_with_a_fee() {
    // Nothing is debited, and yet a fee is credited.
    let mut forger = forger();
    let slot = &mut forger.chunk.slots[0];
    slot.fee = FloatValues::new(10, 0);
    slot.sender.before.token = fr(7);
    slot.fee_to[0] = Fr::ONE;
    forger.credit(0, 3, fr(10));
    let trace = trace_of(&forger.chunk);
    assert!(places(&violations(&trace, &claims(&trace))).contains("fee account: balance after"));
}

#[test]
fn a_payment_after_padding() {
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 0));
    let mut values = forger.close();
    values.slots.swap(0, 1);
    assert_refused(&values, &["slot: enabled, never after padding"]);
}

#[test]
fn a_slot_that_is_enabled_by_half() {
    for enabled in [fr(2), fr(2).invert().unwrap(), -Fr::ONE] {
        let mut values = one_payment();
        values.slots[0].enabled = enabled;
        let trace = trace_of(&values);
        assert!(places(&violations(&trace, &claims(&trace))).contains("slot: enabled, never after padding"));
    }
}

#[test]
fn effects_without_a_record() {
    let trace = trace_of(&one_payment());
    let header = pubdata::batch_header(1, TIMESTAMP);
    let none = [3, 5, u32::MAX, u32::MAX];
    for count in [0, 1] {
        let words = [header, pubdata::chunk_header(0, count, none)];
        let claimed = claims_of_words(&trace, &words, &[]);
        assert_eq!(places(&violations(&trace, &claimed)), data_inputs());
    }

    // The record's cell is 0, and everything published follows from that.
    let mut values = one_payment();
    values.slots[0].enabled = Fr::ZERO;
    let without = trace_of(&values);
    let mut trace = trace.clone();
    splice(&mut trace, &without, |label| label == "slot: record" || binds_data(label));
    assert_trace_refused(&trace, &["slot: record", "slot: flags"]);
}

#[test]
fn transactions_published_in_another_order() {
    let state = genesis();
    let transactions = [transfer(0, 1, 7, 0, 500, 10), transfer(1, 2, 7, 0, 7, 1)].map(|t| sign(&state, t));
    let run = |transactions: Vec<_>| {
        let execution = execute(&state, test_domain(), &batch(transactions), CLASS.capacity()).unwrap();
        execution.with_points(POINTS).chunks.remove(0)
    };
    let [first, second] = transactions;
    let (witness, swapped) = (run(vec![first, second]), run(vec![second, first]));
    let trace = trace_of(&ChunkValues::new(&witness, CLASS.slots));
    assert_eq!(public_inputs(&witness), claims(&trace));
    let claimed = claims_of_words(&trace, &swapped.da_words(), &[]);
    assert_eq!(places(&violations(&trace, &claimed)), data_inputs());
}

#[test]
fn transactions_executed_in_another_order() {
    let mut forger = forger();
    let first = forger.pay(Pay::new(0, 1, 500, 0)).clone();
    let second = forger.pay(Pay::new(0, 2, 30, 0)).clone();
    let honest = forger.close();
    assert_accepted(&honest);
    // The slots as they are, the other way round.
    let mut values = honest.clone();
    values.slots.swap(0, 1);
    assert_refused(&values, &[STATE, ROOT]);
    // Executed the other way round, with the signatures that there are.
    let mut forger = Forger::new(&genesis());
    for (pay, signed) in [(Pay::new(0, 2, 30, 0), &second), (Pay::new(0, 1, 500, 0), &first)] {
        let slot = forger.pay(pay);
        (slot.r8, slot.s) = (signed.r8, signed.s);
    }
    assert_refused(&forger.close(), &[SIGNATURE]);
}

// Chunks of a batch

#[test]
fn a_first_chunk_without_the_batchs_header_and_the_reverse() {
    let witness = ChunkWitness { points: POINTS, ..ChunkWitness::empty(test_domain(), 1, TIMESTAMP) };
    for commit_in in [0u64, 5] {
        let witness = ChunkWitness { commit_in: commit_in.into(), ..witness.clone() };
        let trace = trace_of(&ChunkValues::new(&witness, CLASS.slots));
        let mut words = witness.da_words();
        if commit_in == 0 {
            words.remove(0);
        } else {
            words.insert(0, pubdata::batch_header(1, TIMESTAMP));
        }
        assert_eq!(public_inputs(&witness), claims(&trace));
        let claimed = claims_of_words(&trace, &words, &[]);
        assert_eq!(places(&violations(&trace, &claimed)), data_inputs());
    }
}

#[test]
fn a_chunk_on_another_state() {
    let mut values = one_payment();
    values.root_in += Fr::ONE;
    assert_refused(&values, &[ROOT]);
    let values = one_payment();
    let trace = trace_of(&values);
    for index in 0..claims(&trace).len() {
        let mut claimed = claims(&trace);
        claimed[index] += Fr::ONE;
        let expected = format!("public input {index}");
        assert_eq!(places(&violations(&trace, &claimed)), [expected].into());
    }
}

// Fees

#[test]
fn a_fee_credited_to_another_account_than_the_headers() {
    // Account 2 holds the same token as account 3, which the header names.
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 10));
    let named = trace_of(&forger.clone().close());
    forger.credit(0, 2, fr(10));
    forger.credit(1, 5, Fr::ZERO);
    let mut trace = trace_of(&forger.chunk);
    let mut claimed = claims(&named);
    claimed[3] = claims(&trace)[3];
    assert_eq!(places(&violations(&trace, &claimed)), data_inputs());
    // The header's cell says 3, and everything published follows from that.
    splice(&mut trace, &named, |label| binds_data(label) || label == "fee accounts: distinct tokens");
    assert_trace_refused(&trace, &["fee account: index in the header"]);
}

#[test]
fn a_fee_credited_twice() {
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 10));
    forger.credit(0, 3, fr(20));
    assert_refused(&forger.chunk, &["fee account: balance after"]);
}

#[test]
fn two_fee_accounts_of_one_token() {
    for indices in [[3, 2], [3, 3]] {
        let mut forger = forger();
        forger.pay(Pay::new(0, 1, 500, 10));
        for (place, index) in indices.into_iter().enumerate() {
            forger.credit(place, index, fr(10));
        }
        // The fee goes to both.
        let mut both = forger.chunk.clone();
        both.slots[0].fee_to = [fr(1), fr(1), fr(0), fr(0)];
        assert_refused(&both, &["fee accounts: distinct tokens", "slot: fee credited"]);
    }
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 10));
    forger.credit(0, 3, fr(10));
    forger.credit(1, 2, fr(0));
    assert_refused(&forger.chunk, &["fee accounts: distinct tokens"]);
}

#[test]
fn a_fee_credited_to_an_account_of_another_token() {
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 10)).fee_to = [fr(0), fr(1), fr(0), fr(0)];
    forger.credit(0, 3, fr(0));
    forger.credit(1, 5, fr(10));
    assert_refused(&forger.chunk, &["slot: fee credited"]);
}

#[test]
fn a_fee_without_a_fee_account() {
    // To none; to a place without an account.
    for fee_to in [[fr(0); 4], [fr(0), fr(0), fr(1), fr(0)]] {
        let mut forger = forger();
        forger.pay(Pay::new(0, 1, 500, 10)).fee_to = fee_to;
        forger.credit(0, 3, fr(0));
        // What would be credited to the place without an account fits it.
        forger.chunk.fees[2].access.balance_after += fee_to[2] * fr(10);
        assert_refused(&forger.chunk, &["slot: fee credited"]);
    }
}

#[test]
fn a_fee_shared_out() {
    // Twice and minus once is once, but not to one account.
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 10)).fee_to = [fr(2), -fr(1), fr(0), fr(0)];
    forger.credit(0, 3, fr(20));
    forger.credit(1, 5, -fr(10));
    assert_refused(&forger.chunk, &["slot: fee credited", "fee account: balance after"]);
}

#[test]
fn a_fee_account_that_overflows() {
    let mut forger = forger().with_account(3, |account| account.balance = power(128) - fr(10));
    forger.pay(Pay::new(0, 1, 500, 10));
    assert_refused(&forger.close(), &["fee account: balance after"]);
}

#[test]
fn a_fee_account_that_is_neither_there_nor_not() {
    let mut values = one_payment();
    values.fees[0].active = fr(2);
    let trace = trace_of(&values);
    assert!(places(&violations(&trace, &claims(&trace))).contains("fee accounts: active"));
}

#[test]
fn an_inactive_fee_account_that_is_credited() {
    // The header names no account in its first place, the next access goes on from a credit there.
    let mut forger = forger();
    forger.pay(Pay::new(0, 1, 500, 0)).fee_to = [fr(0); 4];
    forger.credit(0, 3, fr(1000));
    forger.credit(1, 5, fr(0));
    forger.chunk.fees[0].active = fr(0);
    assert_refused(&forger.chunk, &["fee account: balance after"]);
}

#[test]
fn curve_constants_are_those_of_the_complete_law() {
    // a is a square and d is none: no exceptional case of the addition law exists on the curve.
    assert!(babyjubjub::A.sqrt().is_some() && D.sqrt().is_none());
    assert_eq!(to_native(fr(168_696)), D);
}
