//! The whole chunk: header, slots, fee accounts, published words, public inputs.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use rayon::prelude::*;

use super::access::{TOKEN_BITS, When, fee_time, power, slot_times};
use super::slot::{SlotImports, SlotOutputs, slot};
use super::state::{self, StateValues};
use super::streams::{self, Content, Word, absorb, sum};
use super::values::{ChunkValues, FeeValues, FloatValues, SlotValues};
use super::{SizeClass, fees};
use crate::gadgets::arithmetic::{constant, free, is_zero, linear, multiply};
use crate::gadgets::{da_field, poseidon, products, range};
use crate::halo2::trace::{Challenges, Trace, Var};
use crate::public_inputs::LEAF_PUBLIC_INPUTS;
use crate::rollup::pubdata::{DA_STREAM, TAG_BATCH, TAG_CHUNK};
use crate::rollup::{MAX_FEE_ACCOUNTS, NO_ACCOUNT};

const NUMBER_BITS: usize = 64;
const TIMESTAMP_BITS: usize = 32;
const NEXT_INDEX_BITS: usize = 32;

/// What a slot leaves to the next, natively: the imports of all slots are known before any is written.
fn import_values(values: &ChunkValues) -> Vec<SlotImports<Fr>> {
    let mut current = SlotImports {
        zero: Fr::ZERO,
        domain: values.domain,
        timestamp: values.timestamp,
        fee_tokens: values.fees.each_ref().map(FeeValues::token),
        enabled_before: Fr::ONE,
        operation_before: Fr::ONE,
        product: Fr::ZERO,
        next_index: values.next_index,
        fees: [Fr::ZERO; MAX_FEE_ACCOUNTS],
    };
    let next_indices = values.next_indices();
    let mut imports = Vec::with_capacity(values.slots.len());
    for (slot, next_index) in values.slots.iter().zip(next_indices.into_iter().skip(1)) {
        imports.push(current);
        let fee = float_value(&slot.fee) * slot.enabled;
        for (sum, flag) in current.fees.iter_mut().zip(slot.fee_to) {
            *sum += flag * fee;
        }
        current.next_index = next_index;
        current.enabled_before = slot.enabled;
        current.operation_before = slot.kind.deposit + slot.kind.forced_exit;
    }
    imports
}

fn float_value(float: &FloatValues) -> Fr {
    float.exponent.iter().enumerate().fold(float.mantissa, |value, (i, bit)| {
        value * (Fr::ONE + *bit * (Fr::from(10).pow_vartime([1 << i]) - Fr::ONE))
    })
}

struct Header {
    domain: Var,
    number: Var,
    timestamp: Var,
    batch: Var,
    commit_in: Var,
    root_in: Var,
    next_index: Var,
    z_l: Var,
    y_l_in: Var,
    z_d: da_field::Point,
    y_d_in: da_field::Element,
    y_d_in_limbs: [Var; 2],
}

fn header(trace: &mut Trace, values: &ChunkValues, zero: Var) -> Header {
    trace.label("chunk: public values");
    let [domain, number, timestamp, commit_in, root_in, next_index] =
        [values.domain, values.number, values.timestamp, values.commit_in, values.root_in, values.next_index]
            .map(|value| free(trace, value));
    let [z_l, y_l_in] = [values.z_l, values.y_l_in].map(|value| free(trace, value));
    trace.label("chunk: batch number");
    range::check(trace, number, NUMBER_BITS, zero);
    trace.label("chunk: timestamp");
    range::check(trace, timestamp, TIMESTAMP_BITS, zero);
    trace.label("chunk: number of accounts");
    range::check(trace, next_index, NEXT_INDEX_BITS, zero);
    trace.label("chunk: batch");
    let batch = linear(trace, &[(Fr::ONE, number), (power(64), timestamp)], Fr::ZERO);
    trace.label("chunk: point of the DA stream");
    let z_d = da_field::point(trace, values.z_d, zero);
    trace.label("chunk: evaluation of the DA stream before");
    let (y_d_in, y_d_in_limbs) = da_field::from_limbs(trace, values.y_d_in, zero);
    Header {
        domain,
        number,
        timestamp,
        batch,
        commit_in,
        root_in,
        next_index,
        z_l,
        y_l_in,
        z_d,
        y_d_in,
        y_d_in_limbs,
    }
}

/// The batch's header, in its first chunk, and the chunk's, with the commitment after them.
fn headers(
    trace: &mut Trace,
    header: &Header,
    declared: &[fees::FeeVars; MAX_FEE_ACCOUNTS],
    slots: &[SlotOutputs],
    (zero, one): (Var, Var),
) -> (Vec<Word>, Var) {
    trace.label("published: batch header, in the first chunk");
    let active = is_zero(trace, header.commit_in);
    let parts = [(power(8), header.number), (power(72), header.timestamp)];
    let word = linear(trace, &parts, Fr::from(u64::from(TAG_BATCH)));
    let word = multiply(trace, active, word);
    let batch = Word { active, word };
    let commit = absorb(trace, header.commit_in, word, DA_STREAM, Some(active), zero);

    trace.label("published: chunk header");
    let flags = |flag: fn(&SlotOutputs) -> Var| slots.iter().map(flag).collect::<Vec<_>>();
    let operations = sum(trace, &flags(|slot| slot.operation), zero);
    let transactions = sum(trace, &flags(|slot| slot.published.transaction), zero);
    let fee_headers: [(Fr, Var); MAX_FEE_ACCOUNTS] =
        std::array::from_fn(|i| (power(40 + 32 * i as u64), declared[i].header));
    let accounts = linear(trace, &fee_headers, Fr::from(u64::from(TAG_CHUNK)));
    let parts = [(Fr::ONE, accounts), (power(8), operations), (power(24), transactions)];
    let word = linear(trace, &parts, Fr::ZERO);
    let commit = absorb(trace, commit, word, DA_STREAM, None, zero);
    (vec![batch, Word { active: one, word }], commit)
}

/// The trace of a chunk in a circuit of this class. Its shape depends on the class alone.
pub fn trace(class: SizeClass, values: &ChunkValues) -> Trace {
    trace_changed(class, values, |_| {}, |_| {})
}

/// [`trace`] by a prover that publishes something else than what the slots emit.
pub fn trace_publishing(class: SizeClass, values: &ChunkValues, change: impl FnOnce(&mut Content)) -> Trace {
    trace_changed(class, values, |_| {}, change)
}

/// [`trace`] by a prover that says something else of the state than what follows from the accesses, or publishes
/// something else than what the slots emit.
pub fn trace_changed(
    class: SizeClass,
    values: &ChunkValues,
    change_state: impl FnOnce(&mut StateValues),
    change_content: impl FnOnce(&mut Content),
) -> Trace {
    debug_assert_eq!(values.slots.len(), class.slots);
    let mut state = StateValues::new(values, class);
    change_state(&mut state);
    let mut whole = Trace::new();
    let trace = &mut whole;
    trace.label("constants");
    let zero = constant(trace, Fr::ZERO);
    let one = constant(trace, Fr::ONE);
    let no_account = constant(trace, Fr::from(u64::from(NO_ACCOUNT)));
    let no_token = constant(trace, power(TOKEN_BITS as u64));
    let header = header(trace, values, zero);
    let declared = fees::declare(trace, &values.fees);

    let imports = import_values(values);
    let fragments: Vec<(Trace, SlotOutputs)> = values
        .slots
        .par_iter()
        .zip(&imports)
        .enumerate()
        .map(|(i, (values, imports)): (_, (&SlotValues, _))| {
            let ages = state.ages.get(i).copied().unwrap_or_default();
            let [first, second] = slot_times(i);
            let when = [When { time: first, age: ages[0] }, When { time: second, age: ages[1] }];
            slot(values, when, imports)
        })
        .collect();
    let mut current = SlotImports {
        zero,
        domain: header.domain,
        timestamp: header.timestamp,
        fee_tokens: declared.map(|fee| fee.token),
        enabled_before: one,
        operation_before: one,
        product: one,
        next_index: header.next_index,
        fees: [zero; MAX_FEE_ACCOUNTS],
    };
    let mut slots = Vec::with_capacity(fragments.len());
    for (fragment, outputs) in fragments {
        let outputs = outputs.shifted(trace.append(fragment, &current.to_vec()));
        current.enabled_before = outputs.enabled;
        current.operation_before = outputs.operation;
        current.product = outputs.product;
        current.next_index = outputs.next_index;
        current.fees = outputs.fees;
        slots.push(outputs);
    }

    let mut product = current.product;
    let fee_accounts = values.fees.iter().zip(state.fee_ages).zip(declared).zip(current.fees);
    for (place, (((fee, age), declared), sum)) in fee_accounts.enumerate() {
        let when = When { time: fee_time(class.slots, place), age };
        product = fees::credit(trace, (fee, when), declared, (product, sum), (zero, no_account, no_token));
    }
    let root = state::write(trace, &state, (header.root_in, product), zero);

    trace.label("chunk: state before");
    let state_in =
        poseidon::hash::<3>(trace, &[header.root_in.into(), header.next_index.into()], zero).output;
    trace.label("chunk: state after");
    let state_out = poseidon::hash::<3>(trace, &[root.into(), current.next_index.into()], zero).output;
    let (mut da_words, commit) = headers(trace, &header, &declared, &slots, (zero, one));
    let mut content = Content::emitted(&slots);
    change_content(&mut content);
    let places = (class.places(), &content);
    let streams = streams::publish(trace, places, &slots, (header.commit_in, commit), (zero, one));
    da_words.extend(streams.da_words);
    let y_d_out = streams::evaluate_da(trace, &da_words, (&header.z_d, header.y_d_in), zero);
    trace.label("chunk: evaluation of the DA stream after");
    let y_d_out = da_field::to_limbs(trace, &y_d_out, zero);
    let y_l_out = streams::evaluate_l1(trace, &streams.l1_words, (header.z_l, header.y_l_in));
    let [y_d_in_low, y_d_in_high] = header.y_d_in_limbs;
    let [y_d_out_low, y_d_out_high] = y_d_out;
    let public: [Var; LEAF_PUBLIC_INPUTS] = [
        header.domain,
        header.batch,
        state_in,
        state_out,
        header.commit_in,
        streams.commit,
        header.z_d.value,
        y_d_in_low,
        y_d_in_high,
        y_d_out_low,
        y_d_out_high,
        header.z_l,
        header.y_l_in,
        y_l_out,
    ];
    for (index, var) in public.into_iter().enumerate() {
        trace.publish(var, index);
    }
    products::fill(trace, Challenges::of_checker());
    whole
}
