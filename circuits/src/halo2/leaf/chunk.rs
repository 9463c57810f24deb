//! The whole chunk: header, slots, fee accounts, published words, public inputs.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use rayon::prelude::*;

use super::access::{TOKEN_BITS, power, select};
use super::transfer::{SlotImports, SlotOutputs, slot};
use super::values::{ChunkValues, TransferValues};
use super::{SizeClass, fees};
use crate::gadgets::arithmetic::{Operand, constant, equation, is_zero, linear};
use crate::gadgets::{poseidon, range};
use crate::halo2::trace::{Trace, Var};
use crate::halo2::{to_circuit, to_native};
use crate::rollup::pubdata::{DA_STREAM, RECORD_BITS};
use crate::rollup::{self, MAX_FEE_ACCOUNTS, NO_ACCOUNT};

const WORD_BITS: u64 = 248;
const NUMBER_BITS: usize = 64;
const TIMESTAMP_BITS: usize = 32;
const NEXT_INDEX_BITS: usize = 32;
const TAG_BATCH: u64 = 1;
const TAG_CHUNK: u64 = 2;
/// Variables that one linear equation adds to its result.
const TERMS: usize = 4;

/// What a slot leaves to the next, natively: the imports of all slots are known before any is written.
fn import_values(values: &ChunkValues) -> Vec<SlotImports<Fr>> {
    let fee_tokens = values.fees.each_ref().map(|fee| {
        let none = power(TOKEN_BITS as u64);
        none + fee.active * (fee.access.before.token - none)
    });
    let mut current = SlotImports {
        zero: Fr::ZERO,
        one: Fr::ONE,
        domain: values.domain,
        timestamp: values.timestamp,
        fee_tokens,
        enabled_before: Fr::ONE,
        root: values.root_in,
        fees: [Fr::ZERO; MAX_FEE_ACCOUNTS],
    };
    let roots: Vec<Fr> = values.transfers.par_iter().map(root_after).collect();
    let mut imports = Vec::with_capacity(values.transfers.len());
    for (transfer, root) in values.transfers.iter().zip(roots) {
        imports.push(current);
        let fee = float_value(&transfer.fee) * transfer.enabled;
        for (sum, flag) in current.fees.iter_mut().zip(transfer.fee_to) {
            *sum += flag * fee;
        }
        current.root += transfer.enabled * (root - current.root);
        current.enabled_before = transfer.enabled;
    }
    imports
}

fn float_value(float: &super::values::FloatValues) -> Fr {
    float.exponent.iter().enumerate().fold(float.mantissa, |value, (i, bit)| {
        value * (Fr::ONE + *bit * (Fr::from(10).pow_vartime([1 << i]) - Fr::ONE))
    })
}

/// The root that a transfer's receiver leaves, hashed natively.
fn root_after(transfer: &TransferValues) -> Fr {
    let access = &transfer.receiver;
    let before = &access.before;
    let token = transfer.sender.before.token;
    let meta = token + before.nonce * power(TOKEN_BITS as u64);
    let leaf = [meta, access.balance_after, before.key_x, before.key_y, before.owner].map(to_native);
    let siblings = access.siblings.map(|level| level.map(to_native));
    // An index past the tree ends in a path that the circuit rejects; its root is that of the index's low bits.
    let index = (access.index & u64::from(u32::MAX)) as u32;
    to_circuit(rollup::tree::root_of_path(index, rollup::poseidon::hash_5(leaf), &siblings))
}

/// Absorbs a word of the DA stream: `H_2(commit, word)`, the word's cell already holding the stream's number.
fn absorb(trace: &mut Trace, commit: Var, tagged_word: Var, zero: Var) -> Var {
    poseidon::hash::<3>(trace, &[commit.into(), tagged_word.into()], zero).output
}

/// The sum of variables, a few an equation.
fn sum(trace: &mut Trace, vars: &[Var], zero: Var) -> Var {
    vars.chunks(TERMS).fold(zero, |total, vars| {
        let mut terms = vec![(Fr::ONE, total)];
        terms.extend(vars.iter().map(|var| (Fr::ONE, *var)));
        linear(trace, &terms, Fr::ZERO)
    })
}

fn stream_tag() -> Fr {
    Fr::from(DA_STREAM) * power(WORD_BITS)
}

struct Header {
    domain: Var,
    number: Var,
    timestamp: Var,
    batch: Var,
    commit_in: Var,
    root_in: Var,
    next_index: Var,
}

fn free(trace: &mut Trace, value: Fr) -> Var {
    equation(trace, &[(Fr::ZERO, Operand::New(value))], None, Fr::ZERO)[0]
}

fn header(trace: &mut Trace, values: &ChunkValues, zero: Var) -> Header {
    trace.label("chunk: public values");
    let [domain, number, timestamp, commit_in, root_in, next_index] =
        [values.domain, values.number, values.timestamp, values.commit_in, values.root_in, values.next_index]
            .map(|value| free(trace, value));
    trace.label("chunk: batch number");
    range::check(trace, number, NUMBER_BITS, zero);
    trace.label("chunk: timestamp");
    range::check(trace, timestamp, TIMESTAMP_BITS, zero);
    trace.label("chunk: number of accounts");
    range::check(trace, next_index, NEXT_INDEX_BITS, zero);
    trace.label("chunk: batch");
    let batch = linear(trace, &[(Fr::ONE, number), (power(64), timestamp)], Fr::ZERO);
    Header { domain, number, timestamp, batch, commit_in, root_in, next_index }
}

/// The commitment after all words of the chunk.
fn published(
    trace: &mut Trace,
    header: &Header,
    declared: &[fees::FeeVars; MAX_FEE_ACCOUNTS],
    slots: &[SlotOutputs],
    zero: Var,
) -> Var {
    trace.label("published: batch header, in the first chunk");
    let first = is_zero(trace, header.commit_in);
    let word = linear(
        trace,
        &[(power(8), header.number), (power(72), header.timestamp)],
        Fr::from(TAG_BATCH) + stream_tag(),
    );
    let opened = absorb(trace, header.commit_in, word, zero);
    let mut commit = select(trace, first, opened, header.commit_in);

    trace.label("published: chunk header");
    let enabled: Vec<Var> = slots.iter().map(|slot| slot.enabled).collect();
    let count = sum(trace, &enabled, zero);
    let fee_headers: [(Fr, Var); MAX_FEE_ACCOUNTS] =
        std::array::from_fn(|i| (power(40 + 32 * i as u64), declared[i].header));
    let accounts = linear(trace, &fee_headers, Fr::from(TAG_CHUNK) + stream_tag());
    let word = linear(trace, &[(Fr::ONE, accounts), (power(24), count)], Fr::ZERO);
    commit = absorb(trace, commit, word, zero);

    trace.label("published: records");
    for pair in slots.chunks(2) {
        let mut terms = vec![(Fr::ONE, pair[0].record)];
        terms.extend(pair.get(1).map(|second| (power(RECORD_BITS), second.record)));
        let word = linear(trace, &terms, stream_tag());
        let absorbed = absorb(trace, commit, word, zero);
        commit = select(trace, pair[0].enabled, absorbed, commit);
    }
    commit
}

/// The trace of a chunk in a circuit of this class. Its shape depends on the class alone.
pub fn trace(class: SizeClass, values: &ChunkValues) -> Trace {
    debug_assert_eq!(values.transfers.len(), class.transactions);
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
        .transfers
        .par_iter()
        .zip(&imports)
        .map(|(transfer, imports)| slot(transfer, imports))
        .collect();
    let mut current = SlotImports {
        zero,
        one,
        domain: header.domain,
        timestamp: header.timestamp,
        fee_tokens: declared.map(|fee| fee.token),
        enabled_before: one,
        root: header.root_in,
        fees: [zero; MAX_FEE_ACCOUNTS],
    };
    let mut slots = Vec::with_capacity(fragments.len());
    for (fragment, outputs) in fragments {
        let outputs = outputs.shifted(trace.append(fragment, &current.to_vec()));
        current.enabled_before = outputs.enabled;
        current.root = outputs.root;
        current.fees = outputs.fees;
        slots.push(outputs);
    }

    let mut root = current.root;
    for ((fee, declared), sum) in values.fees.iter().zip(declared).zip(current.fees) {
        root = fees::credit(trace, fee, declared, (root, sum), (zero, no_account, no_token));
    }

    trace.label("chunk: state before");
    let state_in =
        poseidon::hash::<3>(trace, &[header.root_in.into(), header.next_index.into()], zero).output;
    trace.label("chunk: state after");
    let state_out = poseidon::hash::<3>(trace, &[root.into(), header.next_index.into()], zero).output;
    let commit_out = published(trace, &header, &declared, &slots, zero);
    let public = [header.domain, header.batch, state_in, state_out, header.commit_in, commit_out];
    for (index, var) in public.into_iter().enumerate() {
        trace.publish(var, index);
    }
    whole
}
