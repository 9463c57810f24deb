//! Published words: what a chunk publishes is what its slots emit, in order, once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gadget_support;
mod native_support;
mod stream_support;

use gadget_support::{fr, rows_of};
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use native_support::{batch, deposit, forced_exit, genesis, open, test_domain, transfer};
use num_bigint::BigUint;
use stream_support::{
    CLASS, POINTS, assert_refused, every_stream, executed, modulus, one_chunk, recipient, refused, set,
    to_field, to_integer, trace, two_opens, values,
};
use tenon_circuits::gadgets::canonical::Parts;
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::chunk::{self, trace_publishing};
use tenon_circuits::halo2::leaf::streams::Content;
use tenon_circuits::halo2::leaf::values::SlotValues;
use tenon_circuits::halo2::leaf::{SizeClass, check_leaf};
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::halo2::trace::{Gate, Trace};
use tenon_circuits::rollup::evaluation::{DaScalar, Evaluations, Points};
use tenon_circuits::rollup::{self, Batch, execute, replay::replay};
use tenon_circuits::witness::ChunkWitness;

#[test]
fn every_number_of_words_is_accepted() {
    let pay = |nonce| transfer(0, 1, 7, nonce, 5, 1);
    let new = |nonce| open(0, nonce, 1, 9, recipient(40 + nonce as u8));
    let refused = |amount| deposit(9, 7, amount, 0);
    let mut chunks = vec![
        one_chunk(vec![refused(1), refused(2), refused(3), refused(4)], vec![]),
        one_chunk(vec![forced_exit(1_000, 9)], vec![]),
        one_chunk(vec![deposit(1, 7, 1, 0)], vec![pay(0), pay(1), new(2)]),
        one_chunk(vec![], (0..4).map(new).collect()),
        every_stream(),
        two_opens(),
    ];
    chunks.extend((1..=4).map(|count| one_chunk(vec![], (0..count).map(pay).collect())));
    assert_eq!(chunks[0].l1_words().len(), CLASS.l1_words);
    assert_eq!(chunks[3].da_words().len(), 4 + 3 * CLASS.opens);
    chunks.push(ChunkWitness { points: POINTS, ..ChunkWitness::empty(test_domain(), 1, 1_700_000_000) });
    let commit_in = rollup::Fr::from(5u64);
    let evaluations_in = Evaluations { y_d: -DaScalar::from(1u64), y_l: -rollup::Fr::from(1u64) };
    for chunk in chunks {
        check_leaf(CLASS, &chunk).unwrap();
        let later = ChunkWitness { commit_in, evaluations_in, ..chunk };
        for (z_d, z_l) in [(0, 0), (1, 1), (u128::MAX, u128::MAX), (1 << 68, 1 << 127)] {
            check_leaf(CLASS, &ChunkWitness { points: Points { z_d, z_l }, ..later.clone() }).unwrap();
        }
    }
}

/// A proof of one chunk doesn't know those before it, so the state must be one that the data rebuilds.
#[test]
fn operations_after_transactions_can_be_proven_and_are_replayed() {
    let state = genesis();
    let first = executed(vec![], vec![transfer(0, 1, 7, 0, 500, 10)]);
    let operation = deposit(1, 7, 5_000, 0);
    let second = Batch { l1_operations: vec![operation], ..batch(vec![]) };
    let second = execute(&first.state, test_domain(), &second, CLASS.capacity()).unwrap();
    let chunk = ChunkWitness {
        commit_in: first.commit,
        points: POINTS,
        evaluations_in: first.public_inputs.evaluations,
        ..second.chunks[0].clone()
    };
    assert_eq!(chunk.public_inputs().state_in, first.chunks[0].public_inputs().state_out);
    assert_eq!(chunk.public_inputs().commit_in, first.chunks[0].public_inputs().commit_out);
    check_leaf(CLASS, &first.chunks[0]).unwrap();
    check_leaf(CLASS, &chunk).unwrap();
    let words = [first.da_words, chunk.da_words()].concat();
    assert_eq!(replay(&state, &words, &[operation]).unwrap().state, second.state);
}

#[test]
fn l1_words_are_those_of_the_slots() {
    let chunk = every_stream();
    let tie = ["L1 words: sum"];
    let words = chunk.l1_words().len();
    assert_eq!(words, 9);
    // A withdrawal missing: the transaction's, the forced exit's.
    assert_refused(&chunk, &tie, |content| content.l1_words.truncate(7));
    assert_refused(&chunk, &tie, |content| drop(content.l1_words.drain(5..7)));
    // Twice.
    assert_refused(&chunk, &tie, |content| content.l1_words.extend_from_within(7..));
    assert_refused(&chunk, &tie, |content| {
        let exit = content.l1_words[5..7].to_vec();
        drop(content.l1_words.splice(5..5, exit));
    });
    // A deposit missing, twice, after the forced exit.
    assert_refused(&chunk, &tie, |content| drop(content.l1_words.drain(..4)));
    assert_refused(&chunk, &tie, |content| {
        let words = content.l1_words[..4].to_vec();
        drop(content.l1_words.splice(..0, words));
    });
    assert_refused(&chunk, &tie, |content| content.l1_words[..7].rotate_left(4));
    // Every word changed, or in another's place.
    for i in 0..words {
        for difference in [Fr::ONE, power(40), -power(248)] {
            assert_refused(&chunk, &tie, |content| content.l1_words[i].1 += difference);
        }
        assert_refused(&chunk, &tie, |content| content.l1_words.swap(i, (i + 1) % words));
    }
    // A word of 0 before, between and after, which would leave the evaluation's polynomial or its number alone.
    for i in [0, 4, words] {
        assert_refused(&chunk, &tie, |content| content.l1_words.insert(i, (true, Fr::ZERO)));
    }
    assert_refused(&chunk, &tie, |content| content.l1_words.clear());
}

#[test]
fn records_are_those_of_the_slots() {
    let pay = |nonce| transfer(0, 1, 7, nonce, 5 + u128::from(nonce), 1);
    let tie = ["records: sum"];
    for count in [3, 4] {
        let chunk = one_chunk(vec![], (0..count).map(pay).collect());
        for i in 0..2 {
            for difference in [Fr::ONE, power(4), power(36), power(68), power(108), power(124)] {
                assert_refused(&chunk, &tie, |content| content.records[i].1 += difference);
            }
        }
        assert_refused(&chunk, &tie, |content| content.records.swap(0, 1));
        assert_refused(&chunk, &tie, |content| content.records.truncate(1));
        assert_refused(&chunk, &tie, |content| drop(content.records.drain(..1)));
        assert_refused(&chunk, &tie, |content| content.records.clear());
        // The two records of a word, swapped.
        assert_refused(&chunk, &tie, |content| {
            let word = to_integer(content.records[0].1);
            let low = &word & ((BigUint::from(1_u8) << 124) - 1_u8);
            content.records[0].1 = to_field(&((word >> 124_u32) + (low << 124_u32)));
        });
    }
    // Two places for at most four records, of which two are full.
    let chunk = one_chunk(vec![], vec![pay(0), pay(1)]);
    for word in [Fr::ZERO, Fr::ONE] {
        assert_refused(&chunk, &tie, |content| content.records.insert(0, (true, word)));
        assert_refused(&chunk, &tie, |content| content.records.push((true, word)));
    }
    assert_refused(&chunk, &tie, |content| content.records.extend_from_within(..));
    let chunk = one_chunk(vec![deposit(1, 7, 1, 0)], vec![]);
    assert_refused(&chunk, &tie, |content| content.records.push((true, Fr::ZERO)));
    // A word past 2^248 isn't one for the evaluation, either.
    let chunk = every_stream();
    let labels = ["records: sum", "DA words: evaluated"];
    assert_refused(&chunk, &labels, |content| content.records[0].1 = power(253));
}

#[test]
fn opens_are_those_of_the_slots() {
    let chunk = two_opens();
    let tie = ["opens: sum"];
    for i in 0..2 {
        for difference in [Fr::ONE, power(31), power(32), power(191)] {
            assert_refused(&chunk, &tie, |content| content.opens[i].1.named += difference);
        }
        assert_refused(&chunk, &tie, |content| content.opens[i].1.x.low[0] += Fr::ONE);
        assert_refused(&chunk, &tie, |content| content.opens[i].1.y.low[1] += Fr::ONE);
        assert_refused(&chunk, &tie, |content| content.opens[i].1.x.high += Fr::ONE);
        assert_refused(&chunk, &tie, |content| {
            let open = &mut content.opens[i].1;
            std::mem::swap(&mut open.x, &mut open.y);
        });
        // The same words, for another owner and another key.
        assert_refused(&chunk, &tie, |content| {
            let open = &mut content.opens[i].1;
            (open.x.high, open.named) = (open.x.high + Fr::ONE, open.named - power(192));
        });
    }
    assert_refused(&chunk, &tie, |content| content.opens.swap(0, 1));
    assert_refused(&chunk, &tie, |content| content.opens.truncate(1));
    assert_refused(&chunk, &tie, |content| drop(content.opens.drain(..1)));
    assert_refused(&chunk, &tie, |content| content.opens.extend_from_within(..1));
    assert_refused(&chunk, &tie, |content| content.opens.insert(0, (true, Default::default())));
    assert_refused(&chunk, &tie, |content| content.opens.push((true, Default::default())));
}

/// A coordinate with r more is the same element and another word.
#[test]
fn an_opened_key_with_the_modulus_more_is_refused() {
    let with_modulus = |parts: Parts| {
        let integer = to_integer(parts.value()) + modulus();
        let mask = (BigUint::from(1_u8) << 124) - 1_u8;
        let low = [&integer & &mask, (&integer >> 124_u32) & mask].map(|part| to_field(&part));
        Parts { low, high: to_field(&(integer >> 248_u32)) }
    };
    for chunk in [every_stream(), two_opens()] {
        assert_refused(&chunk, &["open: first coordinate"], |content| {
            let open = &mut content.opens.last_mut().unwrap().1;
            open.x = with_modulus(open.x);
        });
        assert_refused(&chunk, &["open: second coordinate"], |content| {
            let open = &mut content.opens.last_mut().unwrap().1;
            open.y = with_modulus(open.y);
        });
    }
    // A word past 2^248 for the same element.
    assert_refused(&two_opens(), &["open: first coordinate", "DA words: evaluated"], |content| {
        let open = &mut content.opens[0].1;
        open.x.high -= fr(40);
        open.x.low[1] += power(124) * fr(40);
    });
}

#[test]
fn places_are_used_from_the_first_on_and_are_empty_else() {
    let chunk = every_stream();
    let hole = |content: &mut Vec<(bool, Fr)>, at: usize| content.insert(at, (false, Fr::ZERO));
    assert_refused(&chunk, &["records: places"], |content| hole(&mut content.records, 0));
    for at in [0, 3, 8] {
        assert_refused(&chunk, &["L1 words: places"], |content| hole(&mut content.l1_words, at));
    }
    let unused = (false, Default::default());
    assert_refused(&chunk, &["open: place"], |content| content.opens.insert(0, unused));
    assert_refused(&two_opens(), &["open: place"], |content| content.opens.insert(1, unused));
    // Something in a place that isn't used.
    let labels = ["records: places", "records: sum", "DA words: evaluated"];
    assert_refused(&chunk, &labels[..2], |content| content.records.push((false, Fr::ONE)));
    assert_refused(&chunk, &labels, |content| content.records.push((false, power(253))));
    let labels = ["L1 words: places", "L1 words: sum"];
    assert_refused(&chunk, &labels, |content| content.l1_words.push((false, Fr::ONE)));
    // Of an open there it doesn't matter: its words are 0.
    assert_refused(&chunk, &[], |content| {
        let open = content.opens[0].1;
        content.opens.push((false, open));
    });
}

#[test]
fn a_chunk_without_places_for_its_words_is_refused() {
    let refused_deposits = (1..5).map(|amount| deposit(9, 7, amount, 0)).collect();
    let opens = (0..4).map(|nonce| open(0, nonce, 1, 9, recipient(40 + nonce as u8))).collect();
    let few_words = SizeClass { l1_words: 23, ..CLASS };
    let few_opens = SizeClass { opens: 3, ..CLASS };
    for (class, chunk, label) in [
        (few_words, one_chunk(refused_deposits, vec![]), "L1 words: sum"),
        (few_opens, one_chunk(vec![], opens), "opens: sum"),
    ] {
        assert_eq!(refused(&chunk::trace(class, &values(&chunk))), set(&[label]));
    }
}

/// The challenge: what the trace multiplies the sums by.
fn gamma(trace: &Trace) -> Fr {
    let rows = rows_of(trace, "challenge");
    let row = rows.into_iter().find(|row| trace.gate(*row) == Gate::Arithmetic).unwrap();
    trace.value(row, 1)
}

/// Whatever the places hold, the challenge comes after it.
#[test]
fn the_challenge_depends_on_everything_in_the_places() {
    let chunk = two_opens();
    let honest = gamma(&trace(&chunk));
    let moved = |change: &dyn Fn(&mut Content)| {
        gamma(&trace_publishing(CLASS, &values(&chunk), |content| change(content))) != honest
    };
    assert!(!moved(&|_| {}));
    assert!(moved(&|content| content.records[1].1 += Fr::ONE));
    assert!(moved(&|content| content.records.truncate(1)));
    assert!(moved(&|content| content.l1_words.push((true, Fr::ZERO))));
    assert!(moved(&|content| content.opens.push((true, Default::default()))));
    for i in 0..2 {
        assert!(moved(&|content| content.opens[i].1.named += Fr::ONE));
        assert!(moved(&|content| content.opens[i].1.x.low[0] += Fr::ONE));
        // The same words, standing for something else.
        assert!(moved(&|content| {
            let open = &mut content.opens[i].1;
            (open.x.high, open.named) = (open.x.high - Fr::ONE, open.named + power(192));
        }));
        assert!(moved(&|content| {
            let open = &mut content.opens[i].1;
            (open.y.high, open.named) = (open.y.high - Fr::ONE, open.named + power(198));
        }));
    }
    // A word more in one stream and one less in another.
    assert!(moved(&|content| {
        let word = content.records.pop().unwrap();
        content.l1_words.push(word);
    }));
}

/// Whatever the slots emit, the challenge comes after it, even if the places stay the same.
#[test]
fn the_challenge_depends_on_everything_that_slots_emit() {
    let chunk = every_stream();
    let mut content = Content::default();
    let honest = gamma(&trace_publishing(CLASS, &values(&chunk), |honest| content = honest.clone()));
    let with = |slot: usize, change: &dyn Fn(&mut SlotValues)| {
        let mut values = values(&chunk);
        change(&mut values.slots[slot]);
        gamma(&trace_publishing(CLASS, &values, |other| *other = content.clone()))
    };
    for slot in 0..4 {
        assert_eq!(with(slot, &|_| {}), honest);
        let changes: [&dyn Fn(&mut SlotValues); 12] = [
            &|slot| slot.enabled = Fr::ONE - slot.enabled,
            &|slot| slot.party.token += Fr::ONE,
            &|slot| slot.party.owner += Fr::ONE,
            &|slot| slot.party.key_x += Fr::ONE,
            &|slot| slot.party.key_y += Fr::ONE,
            &|slot| slot.party.key_high[0] += Fr::ONE,
            &|slot| slot.party.key_high[1] += Fr::ONE,
            &|slot| slot.amount.mantissa += Fr::ONE,
            &|slot| slot.l1_amount += Fr::ONE,
            &|slot| slot.fee.mantissa += Fr::ONE,
            &|slot| slot.sender.index += 1,
            &|slot| slot.sender.before.nonce += Fr::ONE,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_ne!(with(slot, change), honest, "slot {slot}, change {number}");
        }
        let kinds: [&dyn Fn(&mut SlotValues) -> &mut Fr; 4] = [
            &|slot| &mut slot.kind.withdraw,
            &|slot| &mut slot.kind.open,
            &|slot| &mut slot.kind.deposit,
            &|slot| &mut slot.kind.forced_exit,
        ];
        for kind in kinds {
            let flipped = with(slot, &|slot| {
                let flag = kind(slot);
                *flag = Fr::ONE - *flag;
            });
            assert_ne!(flipped, honest, "slot {slot}");
        }
    }
    // The index named, where it is published.
    for slot in 0..2 {
        assert_ne!(with(slot, &|slot| slot.to += Fr::ONE), honest);
    }
    // Whether money leaves: a deposit that is credited, and one that isn't.
    let refused = with(0, &|slot| slot.receiver.before.token += Fr::ONE);
    assert_ne!(refused, honest);
}

/// The circuit takes any high bits of a deposit's key below 64; L1 compares the words with the queue's, of which
/// only the true ones make such words.
#[test]
fn high_bits_of_a_deposits_key_show_in_its_words() {
    let chunk = every_stream();
    let honest = chunk.l1_words();
    for high in (0..64).map(fr) {
        let mut values = values(&chunk);
        let slot = &mut values.slots[0].party;
        let is_true = high == slot.key_high[0];
        slot.key_high[0] = high;
        let mut words = Vec::new();
        let trace = trace_publishing(CLASS, &values, |content| words = content.l1_words.clone());
        assert_eq!(refused(&trace), set(&[]));
        assert_eq!(words[1].1 == to_circuit(honest[1]), is_true);
        assert_eq!(words[2].1 == to_circuit(honest[2]), is_true);
    }
    let mut values = values(&chunk);
    values.slots[0].party.key_high[1] = fr(64);
    assert_eq!(refused(&chunk::trace(CLASS, &values)), set(&["party: high bits of the key"]));
}
