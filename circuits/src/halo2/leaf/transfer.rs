//! One transaction slot: a transfer, or padding without effect.
//!
//! A slot is a fragment of its own, so that slots are written in parallel; what it needs of the chunk arrives as
//! [`SlotImports`]. Every equation holds for padding too, which is a valid transfer of nothing; `enabled` decides
//! whether its roots, fee and record count.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;

use super::access::{self, NONCE_BITS, link_root, power};
use super::values::{FloatValues, TransferValues};
use crate::gadgets::arithmetic::{self, Operand, boolean, equation, linear, multiply, product};
use crate::gadgets::babyjubjub::{self, SignatureInputs};
use crate::gadgets::{poseidon, range};
use crate::halo2::trace::{Cell, Trace, Var};
use crate::rollup::MAX_FEE_ACCOUNTS;

const AMOUNT_MANTISSA_BITS: usize = 35;
const FEE_MANTISSA_BITS: usize = 11;
/// `10 · mantissa − 2^bits` is below `2^(bits + 4)`.
const CANONICAL_EXTRA_BITS: usize = 4;
const TIME_BITS: usize = 32;

/// What a slot takes from the chunk and from the slot before it.
#[derive(Clone, Copy)]
pub struct SlotImports<T> {
    /// 0.
    pub zero: T,
    /// 1.
    pub one: T,
    /// The rollup's domain.
    pub domain: T,
    /// The batch's timestamp.
    pub timestamp: T,
    /// The fee accounts' tokens, 2^32 where there is none.
    pub fee_tokens: [T; MAX_FEE_ACCOUNTS],
    /// Whether the slot before is a transaction; 1 for the first.
    pub enabled_before: T,
    /// The root that the slot before left.
    pub root: T,
    /// Fees so far.
    pub fees: [T; MAX_FEE_ACCOUNTS],
}

impl SlotImports<Var> {
    /// In the order in which a fragment numbers them.
    pub fn to_vec(self) -> Vec<Var> {
        let mut all = vec![self.zero, self.one, self.domain, self.timestamp, self.enabled_before, self.root];
        all.extend(self.fee_tokens);
        all.extend(self.fees);
        all
    }
}

impl SlotImports<Fr> {
    fn as_vars(&self) -> SlotImports<Var> {
        let var = |index: u8, value: Fr| Var { cell: Cell::import(index), value };
        SlotImports {
            zero: var(0, self.zero),
            one: var(1, self.one),
            domain: var(2, self.domain),
            timestamp: var(3, self.timestamp),
            enabled_before: var(4, self.enabled_before),
            root: var(5, self.root),
            fee_tokens: std::array::from_fn(|i| var(6 + i as u8, self.fee_tokens[i])),
            fees: std::array::from_fn(|i| var(10 + i as u8, self.fees[i])),
        }
    }
}

/// What a slot gives to the chunk.
#[derive(Clone, Copy)]
pub struct SlotOutputs {
    /// 1 for a transaction, 0 for padding.
    pub enabled: Var,
    /// The root after it.
    pub root: Var,
    /// Fees so far.
    pub fees: [Var; MAX_FEE_ACCOUNTS],
    /// Its record, 0 for padding.
    pub record: Var,
}

impl SlotOutputs {
    /// The outputs of a fragment appended at row `offset`.
    pub fn shifted(self, offset: u32) -> Self {
        Self {
            enabled: self.enabled.shifted(offset),
            root: self.root.shifted(offset),
            fees: self.fees.map(|fee| fee.shifted(offset)),
            record: self.record.shifted(offset),
        }
    }
}

struct FloatVars {
    code: Var,
    value: Var,
}

/// A canonical float: `value = mantissa · 10^exponent`, `exponent = 0` or `10 · mantissa ≥ 2^bits`.
fn float(trace: &mut Trace, values: &FloatValues, bits: usize, zero: Var) -> FloatVars {
    let exponent_bits = values.exponent.map(|bit| boolean(trace, bit));
    let weights: Vec<(Fr, Var)> =
        exponent_bits.iter().enumerate().map(|(i, bit)| (Fr::from(1 << i), *bit)).collect();
    let exponent = linear(trace, &weights, Fr::ZERO);
    let mut scale = linear(trace, &[(Fr::from(9), exponent_bits[0])], Fr::ONE);
    for (i, bit) in exponent_bits.iter().enumerate().skip(1) {
        let factor = Fr::from(10).pow_vartime([1 << i]) - Fr::ONE;
        scale = product(trace, (factor, *bit, scale), &[(Fr::ONE, scale)], Fr::ZERO);
    }
    let code_value = values.mantissa + exponent.value * power(bits as u64);
    let cells = equation(
        trace,
        &[
            (-Fr::ONE, Operand::New(code_value)),
            (Fr::ONE, Operand::New(values.mantissa)),
            (power(bits as u64), exponent.into()),
        ],
        None,
        Fr::ZERO,
    );
    let (code, mantissa) = (cells[0], cells[1]);
    range::check(trace, mantissa, bits, zero);
    let value = multiply(trace, scale, mantissa);
    let plain = arithmetic::is_zero(trace, exponent);
    let excess = linear(trace, &[(Fr::from(10), mantissa)], -power(bits as u64));
    let canonical = product(trace, (-Fr::ONE, plain, excess), &[(Fr::ONE, excess)], Fr::ZERO);
    range::check(trace, canonical, bits + CANONICAL_EXTRA_BITS, zero);
    FloatVars { code, value }
}

/// Adds the fee to the sum of the fee account with the sender's token; without one the fee must be 0.
fn credit_fee(
    trace: &mut Trace,
    values: &TransferValues,
    imports: &SlotImports<Var>,
    (token, fee): (Var, Var),
) -> [Var; MAX_FEE_ACCOUNTS] {
    let flags = values.fee_to.map(|flag| boolean(trace, flag));
    for (flag, fee_token) in flags.iter().zip(imports.fee_tokens) {
        let gap = linear(trace, &[(Fr::ONE, token), (-Fr::ONE, fee_token)], Fr::ZERO);
        equation(trace, &[], Some((Fr::ONE, (*flag).into(), gap.into())), Fr::ZERO);
    }
    let unclaimed = linear(trace, &flags.map(|flag| (-Fr::ONE, flag)), Fr::ONE);
    equation(trace, &[], Some((Fr::ONE, unclaimed.into(), fee.into())), Fr::ZERO);
    std::array::from_fn(|i| product(trace, (Fr::ONE, flags[i], fee), &[(Fr::ONE, imports.fees[i])], Fr::ZERO))
}

/// The fragment of one slot.
pub fn slot(values: &TransferValues, imports: &SlotImports<Fr>) -> (Trace, SlotOutputs) {
    let mut fragment = Trace::new();
    let trace = &mut fragment;
    let imports = imports.as_vars();
    let zero = imports.zero;

    trace.label("slot: enabled, never after padding");
    let enabled = boolean(trace, values.enabled);
    equation(
        trace,
        &[(Fr::ONE, enabled.into())],
        Some((-Fr::ONE, enabled.into(), imports.enabled_before.into())),
        Fr::ZERO,
    );

    trace.label("slot: amount");
    let amount = float(trace, &values.amount, AMOUNT_MANTISSA_BITS, zero);
    trace.label("slot: fee");
    let fee = float(trace, &values.fee, FEE_MANTISSA_BITS, zero);

    trace.label("sender: token and nonce");
    let sender = access::meta(trace, &values.sender, None, zero);
    trace.label("sender: nonce after");
    let nonce_after = linear(trace, &[(Fr::ONE, sender.nonce)], Fr::ONE);
    range::check(trace, nonce_after, NONCE_BITS, zero);
    trace.label("sender: leaf before");
    let sender_leaf = access::leaf_before(trace, &values.sender, sender, zero);
    trace.label("sender: balance after");
    let debit = [(-Fr::ONE, amount.value), (-Fr::ONE, fee.value)];
    let sender_balance = access::balance_after(trace, &values.sender, sender_leaf.balance, &debit, zero);
    trace.label("sender: path");
    let paid = access::change(trace, &values.sender, (sender, &sender_leaf), sender_balance, true, zero);

    trace.label("receiver: token and nonce");
    let receiver = access::meta(trace, &values.receiver, Some(sender.token), zero);
    trace.label("receiver: leaf before");
    let receiver_leaf = access::leaf_before(trace, &values.receiver, receiver, zero);
    trace.label("receiver: balance after");
    let credit = [(Fr::ONE, amount.value)];
    let receiver_balance =
        access::balance_after(trace, &values.receiver, receiver_leaf.balance, &credit, zero);
    trace.label("receiver: path");
    let credited =
        access::change(trace, &values.receiver, (receiver, &receiver_leaf), receiver_balance, false, zero);
    trace.link(paid.root_after, credited.root_before);

    trace.label("slot: root");
    let root = link_root(trace, imports.root, enabled, paid.root_before, credited.root_after);

    trace.label("slot: valid until");
    let until = equation(
        trace,
        &[
            (-Fr::ONE, Operand::New(values.valid_until - imports.timestamp.value)),
            (Fr::ONE, Operand::New(values.valid_until)),
            (-Fr::ONE, imports.timestamp.into()),
        ],
        None,
        Fr::ZERO,
    );
    let (remaining, valid_until) = (until[0], until[1]);
    range::check(trace, valid_until, TIME_BITS, zero);
    range::check(trace, remaining, TIME_BITS, zero);

    trace.label("slot: signed word");
    let low = linear(
        trace,
        &[
            (power(8), paid.index),
            (power(40), credited.index),
            (power(72), sender.token),
            (power(104), sender.nonce),
        ],
        Fr::from(u64::from(crate::rollup::transaction::KIND_TRANSFER)),
    );
    let word = linear(
        trace,
        &[(Fr::ONE, low), (power(144), amount.code), (power(184), fee.code), (power(200), valid_until)],
        Fr::ZERO,
    );
    trace.label("slot: message");
    let message = poseidon::hash::<6>(
        trace,
        &[
            imports.domain.into(),
            word.into(),
            receiver_leaf.key.x.into(),
            receiver_leaf.key.y.into(),
            receiver_leaf.owner.into(),
        ],
        zero,
    );
    babyjubjub::verify(
        trace,
        &SignatureInputs {
            zero,
            one: imports.one,
            key: sender_leaf.key,
            message: message.output,
            r8: values.r8,
            s: values.s,
        },
    );

    trace.label("slot: fee credited");
    let counted_fee = multiply(trace, enabled, fee.value);
    let fees = credit_fee(trace, values, &imports, (sender.token, counted_fee));

    trace.label("slot: record");
    let record = linear(
        trace,
        &[
            (power(4), paid.index),
            (power(36), credited.index),
            (power(68), amount.code),
            (power(108), fee.code),
        ],
        Fr::from(u64::from(crate::rollup::transaction::KIND_TRANSFER)),
    );
    let record = multiply(trace, enabled, record);
    (fragment, SlotOutputs { enabled, root, fees, record })
}
