//! Every value that a prover chooses for a slot, changed on its own with everything that follows computed anew and
//! signed again: the chunk is refused, or proves the same, or the value is one that it publishes or the sender sets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use native_support::{genesis, key, test_domain};
use rayon::prelude::*;
use soundness_support::{
    Deposit, Forger, NONE, Pay, claims, fr, nearly_full, new_account, party, sign_slot, violations,
};
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::values::{AccessValues, ChunkValues, SlotValues};
use tenon_circuits::halo2::leaf::{SizeClass, chunk};
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::witness::padding_key;

type SlotField = fn(&mut SlotValues) -> &mut Fr;
type AccessField = fn(&mut AccessValues) -> &mut Fr;

const FIELDS: [(&str, SlotField); 18] = [
    ("enabled", |slot| &mut slot.enabled),
    ("withdraw", |slot| &mut slot.kind.withdraw),
    ("open", |slot| &mut slot.kind.open),
    ("deposit", |slot| &mut slot.kind.deposit),
    ("forced exit", |slot| &mut slot.kind.forced_exit),
    ("to", |slot| &mut slot.to),
    ("amount", |slot| &mut slot.amount.mantissa),
    ("amount's exponent", |slot| &mut slot.amount.exponent[2]),
    ("L1 amount", |slot| &mut slot.l1_amount),
    ("fee", |slot| &mut slot.fee.mantissa),
    ("fee's exponent", |slot| &mut slot.fee.exponent[2]),
    ("valid until", |slot| &mut slot.valid_until),
    ("fee to place 0", |slot| &mut slot.fee_to[0]),
    ("fee to place 2", |slot| &mut slot.fee_to[2]),
    ("party's token", |slot| &mut slot.party.token),
    ("party's x", |slot| &mut slot.party.key_x),
    ("party's y", |slot| &mut slot.party.key_y),
    ("party's owner", |slot| &mut slot.party.owner),
];

const HIGH_BITS: [(&str, SlotField); 2] = [
    ("high bits of x", |slot| &mut slot.party.key_high[0]),
    ("high bits of y", |slot| &mut slot.party.key_high[1]),
];

const ACCESS_FIELDS: [(&str, AccessField); 9] = [
    ("exists", |access| &mut access.exists),
    ("token", |access| &mut access.before.token),
    ("nonce", |access| &mut access.before.nonce),
    ("balance", |access| &mut access.before.balance),
    ("x", |access| &mut access.before.key_x),
    ("y", |access| &mut access.before.key_y),
    ("owner", |access| &mut access.before.owner),
    ("balance after", |access| &mut access.balance_after),
    ("sibling", |access| &mut access.siblings[3][1]),
];

/// A circuit of one slot.
const CLASS: SizeClass = SizeClass { slots: 1, opens: 1, l1_words: 6, ..SizeClass::SMALL };

/// Chunks of one slot each, with its signer; 0 is the key that everybody knows.
fn chunks() -> [(&'static str, ChunkValues, u8); 10] {
    let of = |make: &dyn Fn(&mut Forger)| {
        let mut forger = Forger::new(&genesis());
        make(&mut forger);
        forger.close()
    };
    let deposit = |number, amount, to| {
        of(&|forger| {
            forger.deposit(Deposit { party: party(number, 7), amount, to });
        })
    };
    let transfer = of(&|forger| {
        forger.pay(Pay::new(0, 1, 500, 10));
    });
    let withdraw = of(&|forger| {
        forger.withdraw(Pay::new(0, 0, 500, 10));
    });
    let open = of(&|forger| {
        forger.open(0, 10, new_account(20, 9));
    });
    let exit = of(&|forger| {
        forger.forced_exit(1, new_account(2, 0).owner);
    });
    let (state, first) = nearly_full(0);
    let mut full = Forger::new(&state);
    full.deposit(Deposit { party: party(20, 7), amount: fr(500), to: NONE });
    full.credit(0, first + 3, Fr::ZERO);
    [
        ("transfer", transfer, 1),
        ("withdraw", withdraw, 1),
        ("open", open, 1),
        ("credited", deposit(2, fr(500), 1), 0),
        ("opened", deposit(20, fr(500), NONE), 0),
        ("another's", deposit(2, fr(500), 0), 0),
        ("missing", deposit(2, fr(500), 77), 0),
        ("overflow", deposit(2, power(128) - fr(1), 1), 0),
        ("exit", exit, 0),
        ("full", full.chunk, 0),
    ]
}

/// All changes of a slot by name.
fn changed(slot: &SlotValues) -> Vec<(String, SlotValues)> {
    let mut all = Vec::new();
    for delta in [Fr::ONE, -Fr::ONE] {
        for (name, field) in FIELDS.into_iter().chain(HIGH_BITS) {
            let mut changed = slot.clone();
            *field(&mut changed) += delta;
            all.push((name.to_owned(), changed));
        }
        for (name, field) in ACCESS_FIELDS {
            let mut sender = slot.clone();
            *field(&mut sender.sender) += delta;
            all.push((format!("sender's {name}"), sender));
            let mut receiver = slot.clone();
            *field(&mut receiver.receiver) += delta;
            all.push((format!("receiver's {name}"), receiver));
        }
    }
    for index in [0, 1, 5, 6, 1 << 31, NONE, 1 << 32] {
        let (mut sender, mut receiver) = (slot.clone(), slot.clone());
        sender.sender.index = index;
        receiver.receiver.index = index;
        let is_other = |access: &AccessValues| access.index != index;
        all.extend(is_other(&slot.sender).then_some(("sender's index".to_owned(), sender)));
        all.extend(is_other(&slot.receiver).then_some(("receiver's index".to_owned(), receiver)));
    }
    all
}

/// What can be changed, by chunk: names of values after a change of which the chunk still satisfies the circuit.
/// A change that shows in the public inputs is marked.
fn accepted() -> BTreeSet<String> {
    chunks()
        .into_par_iter()
        .flat_map(|(name, mut values, signer)| {
            values.slots.truncate(CLASS.slots);
            let honest = chunk::trace(CLASS, &values);
            let stated = claims(&honest);
            assert_eq!(violations(&honest, &stated), [], "{name}");
            let signer = if signer == 0 { padding_key() } else { key(signer) };
            let accepted = changed(&values.slots[0]).into_iter().filter_map(|(field, mut slot)| {
                sign_slot(&mut slot, &signer, to_circuit(test_domain()));
                let mut values = values.clone();
                values.slots[0] = slot;
                let trace = chunk::trace(CLASS, &values);
                let claimed = claims(&trace);
                let shows = if claimed == stated { "" } else { ", published" };
                violations(&trace, &claimed).is_empty().then(|| format!("{name}: {field}{shows}"))
            });
            accepted.collect::<Vec<_>>()
        })
        .collect()
}

/// What can be changed for a reason.
fn free_for_a_reason() -> BTreeSet<String> {
    let mut free = BTreeSet::new();
    let mut add = |chunks: &[&str], fields: &[&str]| {
        for chunk in chunks {
            free.extend(fields.iter().map(|field| format!("{chunk}: {field}")));
        }
    };
    let transactions = ["transfer", "withdraw", "open"];
    let refunds = ["another's", "missing", "overflow", "full"];
    let deposits = [&["credited", "opened"][..], &refunds].concat();
    let operations = [&["exit"][..], &deposits].concat();
    // The sender says until when, and signs it; an operation has no such time.
    add(&transactions, &["valid until"]);
    add(&operations, &["valid until"]);
    // Where a fee of nothing goes, if the account has the fee account's token.
    add(&operations, &["fee to place 0"]);
    // Only a deposit publishes them, and only the contract checks that they are the queue's.
    let high_bits = ["high bits of x", "high bits of y"];
    add(&transactions, &high_bits);
    add(&["exit"], &high_bits);
    add(&deposits, &high_bits.map(|field| format!("{field}, published")).each_ref().map(String::as_str));
    // Another deposit is refunded as well. It is another one in the queue, too.
    let others = ["L1 amount", "party's token", "party's x", "party's y", "party's owner"];
    add(&refunds, &others.map(|field| format!("{field}, published")).each_ref().map(String::as_str));
    // What is beside the tree's ways the first access says that passes there, and that is the sender's.
    add(&transactions, &["receiver's sibling"]);
    add(&operations, &["receiver's sibling"]);
    free
}

#[test]
fn every_value_of_a_slot_is_determined_or_free_for_a_reason() {
    assert_eq!(accepted(), free_for_a_reason());
}
