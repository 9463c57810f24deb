//! One slot: a transaction, an L1 operation, or padding without effect.
//!
//! A slot is a fragment of its own, so that slots are written in parallel; what it needs of the chunk arrives as
//! [`SlotImports`]. Every slot changes two accounts, the *sender* and the *receiver*, and is signed:
//!
//! | slot | sender | receiver | signed by |
//! |---|---|---|---|
//! | transfer | pays amount and fee | is credited | the sender's key |
//! | withdraw | pays amount and fee | the sender again, unchanged | the sender's key |
//! | open | pays the fee | is created at the next index | the sender's key |
//! | deposit | any account, unchanged | is credited, or created, or stays as it is | a key that everybody knows |
//! | forced exit | any account, unchanged | is emptied, or stays as it is | the same |
//! | padding | pays nothing | is paid nothing, linked to no state | the same |
//!
//! Accounts are found by [`access`], which says whether they exist. What an L1 operation does is decided by the accounts alone, so that none can stop a batch: a deposit is credited if
//! token, key and owner all match and the sum stays below 2^128, and is paid back as a withdrawal otherwise.

mod exchange;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, PrimeField};

use super::access::{self, NONCE_BITS, TOKEN_BITS, When, power};
use super::values::{FloatValues, SlotValues};
use crate::gadgets::arithmetic::{
    self, Operand, boolean, equation, exclusive, free, implies, is_zero, linear, multiply, nonzero, product,
    select_constant,
};
use crate::gadgets::babyjubjub::{self, PointVars, SignatureInputs};
use crate::gadgets::memory::{AccessVars, Changes};
use crate::gadgets::{poseidon, range};
use crate::halo2::to_circuit;
use crate::halo2::trace::{Trace, Var};
use crate::rollup::{MAX_FEE_ACCOUNTS, NO_ACCOUNT};
use crate::witness::padding_key;

pub use exchange::{Published, SlotImports, SlotOutputs};

/// Number of a deposit where transactions have their kind. It is signed by nobody and published nowhere.
pub const KIND_DEPOSIT: u8 = 4;
/// Number of a forced exit, likewise.
pub const KIND_FORCED_EXIT: u8 = 5;

const AMOUNT_MANTISSA_BITS: usize = 35;
const FEE_MANTISSA_BITS: usize = 11;
/// `10 · mantissa − 2^bits` is below `2^(bits + 4)`.
const CANONICAL_EXTRA_BITS: usize = 4;
const TIME_BITS: usize = 32;
const BALANCE_BITS: usize = access::BALANCE_BITS;
const OWNER_BITS: usize = 160;
/// Bits of a field element above the 248 of a word.
const HIGH_BITS: usize = 6;

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
    values: &SlotValues,
    imports: &SlotImports<Var>,
    (token, fee): (Var, Var),
) -> [Var; MAX_FEE_ACCOUNTS] {
    let flags = values.fee_to.map(|flag| boolean(trace, flag));
    for (flag, fee_token) in flags.iter().zip(imports.fee_tokens) {
        let gap = linear(trace, &[(Fr::ONE, token), (-Fr::ONE, fee_token)], Fr::ZERO);
        exclusive(trace, *flag, gap);
    }
    let unclaimed = linear(trace, &flags.map(|flag| (-Fr::ONE, flag)), Fr::ONE);
    exclusive(trace, unclaimed, fee);
    std::array::from_fn(|i| product(trace, (Fr::ONE, flags[i], fee), &[(Fr::ONE, imports.fees[i])], Fr::ZERO))
}

/// What a slot is. At most one of the kinds is 1; for a transfer and for padding none is.
struct Kind {
    enabled: Var,
    withdraw: Var,
    open: Var,
    deposit: Var,
    forced_exit: Var,
    /// 1 for an L1 operation.
    operation: Var,
    /// 1 for a transfer and for padding.
    transfer: Var,
    /// 1 where no amount is signed: for an open and an L1 operation.
    without_amount: Var,
}

fn kind(trace: &mut Trace, values: &SlotValues, imports: &SlotImports<Var>) -> Kind {
    trace.label("slot: enabled, never after padding");
    let enabled = boolean(trace, values.enabled);
    implies(trace, enabled, imports.enabled_before);
    trace.label("slot: kind");
    let k = &values.kind;
    let [withdraw, open, deposit, forced_exit] =
        [k.withdraw, k.open, k.deposit, k.forced_exit].map(|flag| boolean(trace, flag));
    let any = [withdraw, open, deposit, forced_exit].map(|flag| (Fr::ONE, flag));
    let other = linear(trace, &any, Fr::ZERO);
    let is_one = Some((Fr::ONE, other.into(), other.into()));
    equation(trace, &[(-Fr::ONE, other.into())], is_one, Fr::ZERO);
    trace.label("slot: padding of no kind");
    implies(trace, other, enabled);
    trace.label("slot: L1 operations first");
    let operation = linear(trace, &[(Fr::ONE, deposit), (Fr::ONE, forced_exit)], Fr::ZERO);
    implies(trace, operation, imports.operation_before);
    trace.label("slot: kind");
    let transfer = linear(trace, &[(-Fr::ONE, other)], Fr::ONE);
    let without_amount = linear(trace, &[(Fr::ONE, open), (Fr::ONE, operation)], Fr::ZERO);
    Kind { enabled, withdraw, open, deposit, forced_exit, operation, transfer, without_amount }
}

/// The sender's part: nothing happens to it in an L1 operation.
struct Sender {
    token: Var,
    nonce: Var,
    index: Var,
    key: PointVars,
    /// The running product after it.
    product: Var,
}

fn sender(
    trace: &mut Trace,
    (values, when): (&SlotValues, When),
    kind: &Kind,
    paid: [Var; 2],
    (zero, product): (Var, Var),
) -> Sender {
    trace.label("sender: found");
    let account = access::find(trace, &values.sender, when, Changes::Nonce, zero);
    trace.label("sender: nonce after");
    let raise = linear(trace, &[(-Fr::ONE, kind.operation)], Fr::ONE);
    let nonce_after = linear(trace, &[(Fr::ONE, account.nonce), (Fr::ONE, raise)], Fr::ZERO);
    range::check(trace, nonce_after, NONCE_BITS, zero);
    trace.label("sender: balance after");
    let debit = paid.map(|paid| (-Fr::ONE, paid));
    let balance = access::balance_after(trace, &values.sender, account.balance, &debit, zero);
    trace.label("sender: exists in a transaction");
    implies(trace, raise, account.exists);
    let AccessVars { token, nonce, index, key: [x, y], .. } = account;
    let product = account.finish(trace, [balance, raise, kind.enabled], product);
    Sender { token, nonce, index, key: PointVars { x, y }, product }
}

/// Where the receiver is, and whether it is opened there.
struct Target {
    to: Var,
    opened: Var,
    next_index_out: Var,
    /// What the receiver's index has to be.
    index: Var,
}

fn target(
    trace: &mut Trace,
    values: &SlotValues,
    kind: &Kind,
    (sender, exists): (Var, Var),
    next_index: Var,
) -> Target {
    let none = Fr::from(u64::from(NO_ACCOUNT));
    trace.label("receiver: index");
    let gap = values.to - none;
    let cells =
        equation(trace, &[(-Fr::ONE, Operand::New(gap)), (Fr::ONE, Operand::New(values.to))], None, -none);
    let (gap, to) = (cells[0], cells[1]);
    let unnamed = is_zero(trace, gap);
    let opener = linear(trace, &[(Fr::ONE, kind.open), (Fr::ONE, kind.deposit)], Fr::ZERO);
    let new = multiply(trace, opener, unnamed);
    let room = linear(trace, &[(Fr::ONE, next_index)], -none);
    let index = product(trace, (Fr::ONE, new, room), &[(Fr::ONE, to)], Fr::ZERO);
    let not_sender = linear(trace, &[(Fr::ONE, to), (-Fr::ONE, sender)], Fr::ZERO);
    exclusive(trace, kind.withdraw, not_sender);
    trace.label("receiver: opened");
    let full = is_zero(trace, room);
    let opened = product(trace, (-Fr::ONE, new, full), &[(Fr::ONE, new)], Fr::ZERO);
    implies(trace, kind.open, opened);
    trace.label("receiver: exists");
    // A transfer's and a withdraw's receiver exists; an opened one doesn't.
    let both = Some((Fr::ONE, kind.without_amount.into(), exists.into()));
    equation(trace, &[(-Fr::ONE, kind.without_amount.into()), (-Fr::ONE, exists.into())], both, Fr::ONE);
    exclusive(trace, opened, exists);
    trace.label("slot: number of accounts");
    let next_index_out = linear(trace, &[(Fr::ONE, next_index), (Fr::ONE, opened)], Fr::ZERO);
    Target { to, opened, next_index_out, index }
}

/// Whom the slot names, and whether the receiver is that.
struct Party {
    token: Var,
    key: PointVars,
    owner: Var,
    /// 1 if the receiver exists and has this token, key and owner.
    matches: Var,
}

fn party(
    trace: &mut Trace,
    values: &SlotValues,
    kind: &Kind,
    target: &Target,
    account: &AccessVars,
    zero: Var,
) -> Party {
    trace.label("party: equal to the receiver");
    let mut compare = |actual: Var, named: Fr| {
        let difference = actual.value - named;
        let terms =
            [(-Fr::ONE, Operand::New(difference)), (Fr::ONE, actual.into()), (-Fr::ONE, Operand::New(named))];
        let cells = equation(trace, &terms, None, Fr::ZERO);
        (cells[2], is_zero(trace, cells[0]))
    };
    let p = &values.party;
    let (token, same_token) = compare(account.token, p.token);
    let (x, same_x) = compare(account.key[0], p.key_x);
    let (y, same_y) = compare(account.key[1], p.key_y);
    let (owner, same_owner) = compare(account.owner, p.owner);
    let same_key = multiply(trace, same_x, same_y);
    let same_key = multiply(trace, same_key, same_token);
    let same = multiply(trace, same_key, same_owner);
    let matches = multiply(trace, same, account.exists);
    trace.label("party: the receiver's token and key, but for a deposit");
    let terms = [(-Fr::ONE, kind.deposit.into()), (-Fr::ONE, same_key.into())];
    equation(trace, &terms, Some((Fr::ONE, kind.deposit.into(), same_key.into())), Fr::ONE);
    trace.label("party: the receiver's owner, but for an L1 operation");
    let terms = [(-Fr::ONE, kind.operation.into()), (-Fr::ONE, same_owner.into())];
    equation(trace, &terms, Some((Fr::ONE, kind.operation.into(), same_owner.into())), Fr::ONE);
    trace.label("party: an opened account's");
    implies(trace, target.opened, same);
    trace.label("party: token");
    range::check(trace, token, TOKEN_BITS, zero);
    trace.label("party: owner");
    range::check(trace, owner, OWNER_BITS, zero);
    nonzero(trace, owner);
    Party { token, key: PointVars { x, y }, owner, matches }
}

/// Money that comes from or leaves for L1, and what the receiver has after the slot.
struct Flow {
    /// Below 2^128: what a transaction pays, what is deposited, what a forced exit pays out.
    amount: Var,
    withdrawal: Var,
    balance: Var,
}

fn flow(
    trace: &mut Trace,
    values: &SlotValues,
    kind: &Kind,
    (target, party): (&Target, &Party),
    (paid, before): (Var, Var),
    zero: Var,
) -> Flow {
    trace.label("slot: amount that moves");
    let total = paid.value + values.l1_amount;
    let terms =
        [(-Fr::ONE, Operand::New(total)), (Fr::ONE, paid.into()), (Fr::ONE, Operand::New(values.l1_amount))];
    let cells = equation(trace, &terms, None, Fr::ZERO);
    let (amount, l1_amount) = (cells[0], cells[2]);
    implies(trace, l1_amount, kind.operation);
    range::check(trace, amount, BALANCE_BITS, zero);
    trace.label("forced exit: the whole balance, or nothing");
    let whole = multiply(trace, party.matches, before);
    let gap = linear(trace, &[(Fr::ONE, amount), (-Fr::ONE, whole)], Fr::ZERO);
    exclusive(trace, kind.forced_exit, gap);

    trace.label("receiver: sum");
    let takes = linear(trace, &[(Fr::ONE, kind.transfer), (Fr::ONE, kind.deposit)], Fr::ZERO);
    let added = multiply(trace, takes, amount);
    let sum = before.value + added.value;
    let high = sum.to_repr().as_ref().iter().skip(BALANCE_BITS / 8).any(|byte| *byte != 0);
    let overflow = boolean(trace, Fr::from(u64::from(high)));
    let terms = [(Fr::ONE, before), (Fr::ONE, added), (-power(BALANCE_BITS as u64), overflow)];
    let low = linear(trace, &terms, Fr::ZERO);
    range::check(trace, low, BALANCE_BITS, zero);
    trace.label("receiver: no overflow in a transfer");
    exclusive(trace, kind.transfer, overflow);
    trace.label("deposit: credited");
    let found = linear(trace, &[(Fr::ONE, party.matches), (Fr::ONE, target.opened)], Fr::ZERO);
    let fits = product(trace, (-Fr::ONE, found, overflow), &[(Fr::ONE, found)], Fr::ZERO);
    let credited = multiply(trace, kind.deposit, fits);
    trace.label("receiver: balance after");
    let moves = [(Fr::ONE, kind.transfer), (Fr::ONE, credited), (-Fr::ONE, kind.forced_exit)];
    let direction = linear(trace, &moves, Fr::ZERO);
    let terms = [(-Fr::ONE, Operand::New(values.receiver.balance_after)), (Fr::ONE, before.into())];
    let change = Some((Fr::ONE, amount.into(), direction.into()));
    let balance = equation(trace, &terms, change, Fr::ZERO)[0];

    trace.label("withdrawal: emitted");
    let nothing = is_zero(trace, amount);
    exclusive(trace, kind.withdraw, nothing);
    let refused = linear(trace, &[(Fr::ONE, kind.deposit), (-Fr::ONE, credited)], Fr::ZERO);
    let terms = [(Fr::ONE, kind.withdraw), (Fr::ONE, refused), (Fr::ONE, kind.forced_exit)];
    let withdrawal = product(trace, (-Fr::ONE, kind.forced_exit, nothing), &terms, Fr::ZERO);
    Flow { amount, withdrawal, balance }
}

/// The fragment of one slot, whose sender and receiver are found at these times.
pub fn slot(values: &SlotValues, when: [When; 2], imports: &SlotImports<Fr>) -> (Trace, SlotOutputs) {
    let mut fragment = Trace::new();
    let trace = &mut fragment;
    let imports = imports.as_vars();
    let zero = imports.zero;
    let kind = kind(trace, values, &imports);

    trace.label("slot: amount");
    let amount = float(trace, &values.amount, AMOUNT_MANTISSA_BITS, zero);
    exclusive(trace, kind.without_amount, amount.code);
    trace.label("slot: fee");
    let fee = float(trace, &values.fee, FEE_MANTISSA_BITS, zero);
    exclusive(trace, kind.operation, fee.code);

    let paid = [amount.value, fee.value];
    let sender = sender(trace, (values, when[0]), &kind, paid, (zero, imports.product));
    trace.label("receiver: found");
    let receiver = access::find(trace, &values.receiver, when[1], Changes::Exists, zero);
    let target = target(trace, values, &kind, (sender.index, receiver.exists), imports.next_index);
    trace.label("receiver: index");
    trace.link(receiver.index, target.index);
    trace.label("receiver: the sender's token in a transfer");
    let gap = linear(trace, &[(Fr::ONE, receiver.token), (-Fr::ONE, sender.token)], Fr::ZERO);
    exclusive(trace, kind.transfer, gap);
    trace.label("receiver: opened with nothing");
    exclusive(trace, target.opened, receiver.nonce);
    exclusive(trace, target.opened, receiver.balance);
    let party = party(trace, values, &kind, &target, &receiver, zero);
    let flow = flow(trace, values, &kind, (&target, &party), (amount.value, receiver.balance), zero);
    let left = receiver.finish(trace, [flow.balance, target.opened, kind.enabled], sender.product);

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
    let kinds = [
        (Fr::from(1), kind.withdraw),
        (Fr::from(2), kind.open),
        (Fr::from(3), kind.deposit),
        (Fr::from(4), kind.forced_exit),
    ];
    let number = linear(trace, &kinds, Fr::ONE);
    let unnamed = linear(trace, &[(Fr::ONE, kind.withdraw), (Fr::ONE, kind.open)], Fr::ZERO);
    let named = product(trace, (-Fr::ONE, unnamed, target.to), &[(Fr::ONE, target.to)], Fr::ZERO);
    let low = linear(
        trace,
        &[
            (Fr::ONE, number),
            (power(8), sender.index),
            (power(40), named),
            (power(72), party.token),
            (power(104), sender.nonce),
        ],
        Fr::ZERO,
    );
    let word = linear(
        trace,
        &[(Fr::ONE, low), (power(144), amount.code), (power(184), fee.code), (power(200), valid_until)],
        Fr::ZERO,
    );
    trace.label("slot: message");
    let message = poseidon::hash::<6>(
        trace,
        &[imports.domain.into(), word.into(), party.key.x.into(), party.key.y.into(), party.owner.into()],
        zero,
    );
    trace.label("slot: signer");
    let known = padding_key().public_key();
    let signer = PointVars {
        x: select_constant(trace, kind.operation, to_circuit(known.x), sender.key.x),
        y: select_constant(trace, kind.operation, to_circuit(known.y), sender.key.y),
    };
    let signature =
        SignatureInputs { zero, key: signer, message: message.output, r8: values.r8, s: values.s };
    babyjubjub::verify(trace, &signature);

    trace.label("slot: fee credited");
    let counted_fee = multiply(trace, kind.enabled, fee.value);
    let fees = credit_fee(trace, values, &imports, (sender.token, counted_fee));

    trace.label("slot: record");
    let transaction = linear(trace, &[(Fr::ONE, kind.enabled), (-Fr::ONE, kind.operation)], Fr::ZERO);
    let parts = [
        (Fr::ONE, number),
        (power(4), sender.index),
        (power(36), named),
        (power(68), amount.code),
        (power(108), fee.code),
    ];
    let record = linear(trace, &parts, Fr::ZERO);
    trace.label("party: high bits of the key");
    let key_high = values.party.key_high.map(|high| free(trace, high));
    for high in key_high {
        range::check(trace, high, HIGH_BITS, zero);
    }
    trace.label("slot: flags");
    let flags = linear(
        trace,
        &[
            (Fr::ONE, kind.enabled),
            (Fr::from(2), kind.withdraw),
            (Fr::from(4), kind.open),
            (Fr::from(8), kind.deposit),
            (Fr::from(16), kind.forced_exit),
        ],
        Fr::ZERO,
    );
    let flags = linear(
        trace,
        &[
            (Fr::ONE, flags),
            (Fr::from(32), flow.withdrawal),
            (Fr::from(64), key_high[0]),
            (Fr::from(4096), key_high[1]),
        ],
        Fr::ZERO,
    );
    let published = Published {
        transaction,
        open: kind.open,
        deposit: kind.deposit,
        forced_exit: kind.forced_exit,
        withdrawal: flow.withdrawal,
        record,
        token: party.token,
        owner: party.owner,
        key: party.key,
        key_high,
        to: target.to,
        amount: flow.amount,
        message: message.output,
        flags,
    };
    let outputs = SlotOutputs {
        enabled: kind.enabled,
        operation: kind.operation,
        product: left,
        next_index: target.next_index_out,
        fees,
        published,
    };
    (fragment, outputs)
}
