//! The state part attacked: accounts and nodes that aren't what the accesses and the roots say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use native_support::{account, batch, genesis, sign, test_domain, transfer};
use soundness_support::{
    CLASS, Forger, POINTS, Pay, ROOT, STATE, assert_accepted, assert_refused, assert_trace_refused, checker,
    fr, places, public_inputs, rows_of, trace_of,
};
use tenon_circuits::gadgets::products;
use tenon_circuits::halo2::leaf::state::StateValues;
use tenon_circuits::halo2::leaf::values::ChunkValues;
use tenon_circuits::halo2::leaf::{LeafCircuit, SizeClass, chunk};
use tenon_circuits::halo2::trace::{Challenges, PRODUCT_COLUMN, Trace};
use tenon_circuits::rollup::{State, execute};

const NODE: &str = "tree: node";

/// Two payments between accounts 0, 1 and 2, with fees for account 3.
fn payments() -> ChunkValues {
    let mut forger = Forger::new(&genesis());
    forger.pay(Pay::new(0, 1, 500, 10));
    forger.pay(Pay::new(0, 2, 30, 10));
    forger.close()
}

fn changed(values: &ChunkValues, change: impl FnOnce(&mut StateValues)) -> Trace {
    chunk::trace_changed(CLASS, values, change, |_| {})
}

/// Asserts that the payments are refused, with other accounts and nodes, at exactly these places.
#[track_caller]
fn refused(expected: &[&str], change: impl FnOnce(&mut StateValues)) {
    assert_trace_refused(&changed(&payments(), change), expected);
}

/// The entry of an account.
fn entry(state: &StateValues, index: u64) -> usize {
    state.entries.iter().position(|entry| entry.active == Fr::ONE && entry.before.index == fr(index)).unwrap()
}

/// The first node of a height.
fn node(state: &StateValues, height: u64) -> usize {
    state.nodes.iter().position(|node| node.height == fr(height)).unwrap()
}

/// The first place that isn't used.
fn free_node(state: &StateValues) -> usize {
    state.nodes.iter().skip(1).position(|node| node.height == Fr::ZERO).unwrap() + 1
}

#[test]
fn the_payments_are_accepted_in_any_order_of_accounts_and_nodes() {
    refused(&[], |_| {});
    refused(&[], |state| {
        state.entries.swap(0, 2);
        state.entries.reverse();
        state.nodes[1..].reverse();
    });
}

#[test]
fn a_node_left_out() {
    for height in 1..16 {
        refused(&[STATE], |state| {
            let node = node(state, height);
            state.nodes[node] = Default::default();
        });
    }
    refused(&[STATE], |state| {
        let entry = entry(state, 1);
        state.entries[entry] = Default::default();
    });
}

#[test]
fn a_child_left_out() {
    // The child is taken as it was, and what changes it hangs in the air.
    refused(&[NODE, STATE], |state| {
        let node = node(state, 1);
        state.nodes[node].flags[1] = Fr::ZERO;
    });
    refused(&[STATE], |state| {
        let node = node(state, 1);
        let node = &mut state.nodes[node];
        node.flags[1] = Fr::ZERO;
        node.news[1] = node.olds[1];
    });
}

#[test]
fn a_child_that_nothing_changes() {
    refused(&[NODE, STATE], |state| {
        let node = node(state, 2);
        state.nodes[node].news[3] += Fr::ONE;
    });
    refused(&[STATE], |state| {
        let node = node(state, 2);
        let node = &mut state.nodes[node];
        node.flags[3] = Fr::ONE;
        node.news[3] += Fr::ONE;
    });
}

#[test]
fn a_sibling_that_is_not_in_the_tree() {
    // Everything above follows from it.
    let mut values = payments();
    values.slots[0].sender.siblings[4][1] += Fr::ONE;
    assert_refused(&values, &[ROOT]);
    refused(&[STATE], |state| {
        let node = node(state, 5);
        let node = &mut state.nodes[node];
        node.olds[3] += Fr::ONE;
        node.news[3] += Fr::ONE;
    });
}

#[test]
fn two_accounts_indices_exchanged() {
    refused(&[STATE], |state| {
        let (first, second) = (entry(state, 1), entry(state, 2));
        let index = state.entries[first].before.index;
        state.entries[first].before.index = state.entries[second].before.index;
        state.entries[second].before.index = index;
    });
}

#[test]
fn an_account_found_as_it_was_before_the_last_access() {
    // The second payment finds the sender as the first one did.
    let mut values = payments();
    let first = values.slots[0].sender.clone();
    let mut stale = values.slots[1].clone();
    stale.sender.before = first.before;
    stale.sender.balance_after = first.before.balance - fr(40);
    soundness_support::sign_slot(&mut stale, &native_support::key(1), values.domain);
    values.slots[1] = stale;
    assert_trace_refused(&changed(&values, |_| {}), &[STATE]);
    // It says that nothing happened since the start.
    assert_trace_refused(&changed(&values, |state| state.ages[1][0] += fr(2)), &[STATE]);
}

#[test]
fn an_access_that_finds_itself_or_a_later_one() {
    for age in [-Fr::ONE, -fr(2), fr(1 << 16)] {
        refused(&["sender: found", STATE], |state| state.ages[0][0] = age);
    }
}

#[test]
fn a_loop_of_accesses() {
    // Two accesses of an account that find each other's content, apart from what it had: the first would have to find
    // a later one.
    let mut values = payments();
    let gift = fr(1_000_000);
    for slot in &mut values.slots[..2] {
        let access = &mut slot.sender;
        access.before.balance += gift;
        access.balance_after += gift;
    }
    let trace = changed(&values, |state| {
        let account = entry(state, 0);
        let honest = StateValues::new(&payments(), CLASS).entries[entry(state, 0)];
        state.entries[account].before = honest.before;
        state.ages[0][0] = -fr(3);
    });
    let violations = soundness_support::violations(&trace, &soundness_support::claims(&trace));
    assert!(places(&violations).contains("sender: found"), "{violations:?}");
}

#[test]
fn a_change_that_is_lost() {
    // The account ends as the first payment left it, or as it was.
    refused(&[STATE], |state| {
        let honest = payments();
        let account = entry(state, 0);
        let entry = &mut state.entries[account];
        entry.last = fr(1);
        entry.balance_after = honest.slots[0].sender.balance_after;
        entry.nonce_after = fr(1);
    });
    refused(&[STATE], |state| {
        let account = entry(state, 0);
        let entry = &mut state.entries[account];
        entry.last = Fr::ZERO;
        (entry.balance_after, entry.nonce_after) = (entry.before.balance, entry.before.nonce);
    });
    refused(&[STATE], |state| {
        let account = entry(state, 2);
        state.entries[account].balance_after += Fr::ONE;
    });
}

/// A chunk in which the second payment starts from the sender as it was at first, with two entries for it: one for
/// each payment.
fn two_entries(state: &mut StateValues, values: &ChunkValues) {
    let first = entry(state, 0);
    let mut second = state.entries[first];
    let [one, two] = [&values.slots[0].sender, &values.slots[1].sender];
    let account = &mut state.entries[first];
    (account.last, account.balance_after, account.nonce_after) = (fr(1), one.balance_after, fr(1));
    (second.last, second.balance_after, second.nonce_after) = (fr(3), two.balance_after, fr(1));
    state.ages[1][0] = fr(2);
    let free = state.entries.iter().position(|entry| entry.active == Fr::ZERO).unwrap();
    state.entries[free] = second;
}

#[test]
fn two_entries_of_one_account() {
    let mut values = payments();
    let first = values.slots[0].sender.clone();
    let slot = &mut values.slots[1];
    slot.sender.before = first.before;
    slot.sender.balance_after = first.before.balance - fr(40);
    soundness_support::sign_slot(slot, &native_support::key(1), values.domain);
    assert_trace_refused(&changed(&values, |state| two_entries(state, &values)), &[STATE]);
    // Each with its own way to the root.
    let with_nodes = |state: &mut StateValues| {
        two_entries(state, &values);
        for height in 1..16 {
            let (from, to) = (node(state, height), free_node(state));
            state.nodes[to] = state.nodes[from];
        }
    };
    assert_trace_refused(&changed(&values, with_nodes), &[STATE]);
}

#[test]
fn a_node_at_another_level_or_place() {
    for height in 1..16 {
        refused(&[STATE], |state| {
            let node = node(state, height);
            let node = &mut state.nodes[node];
            node.height += Fr::ONE;
            node.inverse = node.height.invert().unwrap();
        });
        refused(&[STATE], |state| {
            let node = node(state, height);
            state.nodes[node].position += Fr::ONE;
        });
    }
    // Children in other places.
    refused(&[STATE], |state| {
        let node = node(state, 3);
        let node = &mut state.nodes[node];
        (node.olds, node.news) = (rotated(node.olds), rotated(node.news));
        node.flags = rotated(node.flags);
    });
}

fn rotated(mut values: [Fr; 4]) -> [Fr; 4] {
    values.rotate_left(1);
    values
}

#[test]
fn a_node_in_a_leafs_place() {
    // A node of height 0 would make a leaf's tuple without an account.
    refused(&[NODE, STATE], |state| {
        let node = node(state, 1);
        (state.nodes[node].height, state.nodes[node].inverse) = (Fr::ZERO, Fr::ONE);
    });
}

#[test]
fn nodes_and_accounts_beside_the_tree() {
    // An account that isn't in the tree, with money; a payment from it finds it.
    let mut forger = Forger::new(&genesis());
    forger.ledger.put(1_000, forger.ledger.account(0));
    forger.pay(Pay { signer: 1, ..Pay::new(1_000, 1, 500, 10) });
    let values = forger.close();
    assert_refused(&values, &[ROOT]);
    // Its way to the root is left out, but for the nodes that others have.
    let honest = StateValues::new(&payments(), CLASS);
    let beside = |state: &mut StateValues| {
        for height in 1..16 {
            while let Some(node) =
                state.nodes.iter().position(|node| node.height == fr(height) && node.position != Fr::ZERO)
            {
                state.nodes[node] = Default::default();
            }
        }
        state.nodes[0] = honest.nodes[0];
    };
    let trace = changed(&values, beside);
    let violations = soundness_support::violations(&trace, &soundness_support::claims(&trace));
    assert!(places(&violations).contains(STATE), "{violations:?}");
    // A node that uses children up without being used up itself: it would have to be touched.
    refused(&[NODE, STATE], |state| {
        let node = node(state, 4);
        state.nodes[node].inverse = Fr::ZERO;
    });
    // A root that isn't touched.
    let untouched = |state: &mut StateValues| state.nodes[0].inverse = Fr::ZERO;
    let trace = changed(&payments(), untouched);
    assert_trace_refused(&trace, &["tree: root"]);
    refused(&["tree: root", "tree: touched", ROOT], |state| {
        state.nodes[0].inverse = state.nodes[0].inverse.double();
        state.nodes[0].olds[3] += Fr::ONE;
        state.nodes[0].news[3] += Fr::ONE;
    });
}

#[test]
fn flags_that_are_no_bits() {
    refused(&[NODE, STATE], |state| {
        let node = node(state, 2);
        state.nodes[node].flags[2] = fr(2);
    });
    refused(&[NODE, STATE], |state| {
        let node = node(state, 2);
        let inverse = state.nodes[node].inverse;
        state.nodes[node].inverse += inverse;
    });
    refused(&["account: before and after", STATE], |state| {
        let account = entry(state, 1);
        state.entries[account].active = fr(2);
    });
}

#[test]
fn a_token_or_a_nonce_out_of_range_in_an_unused_account() {
    refused(&["account: token", "account: nonce"], |state| {
        let free = state.entries.iter().position(|entry| entry.active == Fr::ZERO).unwrap();
        state.entries[free].before.token = -Fr::ONE;
        state.entries[free].before.nonce = -Fr::ONE;
    });
}

#[test]
fn an_account_that_no_access_finds() {
    // Nobody says that it changes: it is harmless as it is, and can't be changed.
    let looked = |change: Fr| {
        let mut forger = Forger::new(&genesis());
        forger.pay(Pay::new(0, 1, 500, 10));
        let values = forger.close();
        changed(&values, |state| {
            let other = StateValues::new(&payments(), CLASS);
            let mut account = other.entries[entry(&other, 2)];
            (account.balance_after, account.last) = (account.before.balance + change, Fr::ZERO);
            let free = state.entries.iter().position(|entry| entry.active == Fr::ZERO).unwrap();
            state.entries[free] = account;
        })
    };
    // Its parent doesn't say that it is touched.
    assert_trace_refused(&looked(Fr::ZERO), &[STATE]);
    assert_trace_refused(&looked(fr(5)), &[STATE]);
}

#[test]
fn the_product_itself() {
    let honest = trace_of(&payments());
    // A last product of 1 whatever came before.
    let mut trace = changed(&payments(), |state| {
        let account = entry(state, 2);
        state.entries[account].balance_after += Fr::ONE;
    });
    let last = rows_of(&trace, STATE)[0] - 1;
    let last = (0..=last).rev().find(|row| trace.is_assigned(*row, PRODUCT_COLUMN)).unwrap();
    trace.forge(last, PRODUCT_COLUMN, Fr::ONE);
    assert_trace_refused(&trace, &[NODE]);
    // Computed with other challenges, the honest product ends at 1 as well, and fits no gate.
    let mut other = honest.clone();
    products::fill(&mut other, Challenges { alpha: fr(3), beta: fr(1 << 40) });
    assert_eq!(other.value(last, PRODUCT_COLUMN), Fr::ONE);
    assert!(!soundness_support::violations(&other, &soundness_support::claims(&other)).is_empty());
}

/// Chunks are cut where accounts or nodes end, and each satisfies the circuit.
#[test]
fn chunks_are_cut_by_accounts_and_nodes() {
    let accounts: Vec<_> = (1..=40).map(|number| account(number, 7, 1_000)).collect();
    let state = State::from_accounts(&accounts).unwrap();
    let transactions: Vec<_> =
        (0..8).map(|i| sign(&state, transfer(4 * i, 4 * i + 1, 7, 0, 10, 1))).collect();
    let batch = tenon_circuits::rollup::Batch { fee_accounts: vec![39], ..batch(transactions) };
    let class = SizeClass { slots: 8, ..CLASS };
    let cuts = [(17, 181, 1), (8, 181, 3), (181, 91, 1), (0, 0, 4)];
    for (accounts, nodes, chunks) in cuts {
        let class = SizeClass { k: 15, accounts, nodes, ..class };
        let execution = execute(&state, test_domain(), &batch, class.capacity()).unwrap().with_points(POINTS);
        assert_eq!(execution.chunks.len(), chunks, "{accounts} accounts, {nodes} nodes");
        // What a class must at least have.
        let class = SizeClass { accounts: accounts.max(6), nodes: nodes.max(91), ..class };
        for witness in &execution.chunks {
            let circuit = LeafCircuit::new(class, witness);
            assert_eq!(checker().check(circuit.trace(), class.k, &public_inputs(witness), 8), []);
        }
    }
}

#[test]
fn an_empty_chunk_leaves_the_root_whatever_it_is() {
    let mut values = ChunkValues::new(
        &tenon_circuits::witness::ChunkWitness::empty(test_domain(), 1, soundness_support::TIMESTAMP),
        CLASS.slots,
    );
    values.root_in = fr(12_345);
    assert_accepted(&values);
    // It can't be another one after.
    let trace = changed(&values, |state| {
        state.nodes[0].news[0] += Fr::ONE;
        state.nodes[0].flags[0] = Fr::ONE;
    });
    assert_trace_refused(&trace, &["tree: root", STATE]);
}
