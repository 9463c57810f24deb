//! The chunk's published words: absorbed into the commitment, evaluated, and tied to the slots.
//!
//! Words stand in rows of their own, in the order of the streams: the batch's header in its first chunk, the chunk's
//! header, a word for two records, three for each open; then the L1 stream. Each kind of word has places up to a
//! capacity, with a flag that can only fall; a place without flag holds 0 and has no effect.
//!
//! **The tie.** Slots emit the same words in their own order. Both sides are sequences, compared as polynomials at a
//! challenge γ: `a ← a·γ + w` for each word, from `a = 1`, so that sequences of different lengths differ. There are
//! three, records, opens and L1 words, in each of which the slots' order is the stream's. γ is a hash of both sides,
//! so that neither can be chosen after it: of the commitments before and after, which determine the words absorbed,
//! with the number of places in use; of the high bits of the opens' keys, which determine what their words stand for;
//! and of the chain over what the slots sign, move and are, which determines what they emit. A false tie holds for at
//! most as many γ as there are words, of about 2^254.
//!
//! An open is tied by (token and owner, Ax, Ay) and split into words here, the first of which would stand for other
//! tokens and owners with other high bits. Of a deposit's words the last two are
//! emitted as `A − high · 2^248` with `high` below 64: that they are below 2^248 is what the contract checks, which
//! compares each deposit's words with the queue's.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;

use super::SizeClass;
use super::access::{power, select};
use super::slot::SlotOutputs;
use crate::gadgets::arithmetic::{Operand, boolean, free, implies, linear, multiply, product};
use crate::gadgets::canonical::{self, Parts, Split};
use crate::gadgets::{da_field, poseidon};
use crate::halo2::trace::{Trace, Var};
use crate::rollup::pubdata::{
    DA_STREAM, L1_STREAM, RECORD_BITS, TAG_DEPOSIT, TAG_FORCED_EXIT, TAG_WITHDRAWAL, WORD_BITS,
};

/// Bits of a key's coordinate above a word's.
const HIGH_BITS: u64 = 6;
/// Variables that one linear equation adds to its result.
const TERMS: usize = 4;
/// Most opens whose high bits a field element holds, packed.
const MAX_OPENS: usize = 253 / (TERMS * HIGH_BITS as usize) * TERMS / 2;
const _: () = {
    let mut class = 0;
    while class < SizeClass::ALL.len() {
        assert!(SizeClass::ALL[class].opens <= MAX_OPENS);
        class += 1;
    }
};

/// Places for words besides the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Words of two records.
    pub records: usize,
    /// Opens, of three words each.
    pub opens: usize,
    /// L1 words.
    pub l1_words: usize,
}

/// The sum of variables, a few an equation.
pub fn sum(trace: &mut Trace, vars: &[Var], zero: Var) -> Var {
    vars.chunks(TERMS).fold(zero, |total, vars| {
        let mut terms = vec![(Fr::ONE, total)];
        terms.extend(vars.iter().map(|var| (Fr::ONE, *var)));
        linear(trace, &terms, Fr::ZERO)
    })
}

/// The commitment after a word, where `active` is 1; its cell doesn't hold the stream's number yet.
pub fn absorb(trace: &mut Trace, commit: Var, word: Var, stream: u64, active: Option<Var>, zero: Var) -> Var {
    let tagged = linear(trace, &[(Fr::ONE, word)], Fr::from(stream) * power(WORD_BITS));
    let absorbed = poseidon::hash::<3>(trace, &[commit.into(), tagged.into()], zero).output;
    match active {
        Some(active) => select(trace, active, absorbed, commit),
        None => absorbed,
    }
}

/// A word of the DA stream and whether it is published; 0 if not.
#[derive(Clone, Copy)]
pub struct Word {
    /// 0 or 1.
    pub active: Var,
    /// Below 2^248.
    pub word: Var,
}

/// Powers of the challenge, less 1 where a factor is switched on by a flag.
struct Challenge {
    gamma: Var,
    gamma_less_1: Var,
    square_less_1: Var,
    cube_less_1: Var,
    fourth_less_1: Var,
}

impl Challenge {
    fn new(trace: &mut Trace, gamma: Var) -> Self {
        let gamma_less_1 = linear(trace, &[(Fr::ONE, gamma)], -Fr::ONE);
        let square = multiply(trace, gamma, gamma);
        let square_less_1 = linear(trace, &[(Fr::ONE, square)], -Fr::ONE);
        let cube_less_1 = product(trace, (Fr::ONE, gamma, square), &[], -Fr::ONE);
        let fourth_less_1 = product(trace, (Fr::ONE, square, square), &[], -Fr::ONE);
        Self { gamma, gamma_less_1, square_less_1, cube_less_1, fourth_less_1 }
    }

    /// `sum·γ + word`.
    fn step(&self, trace: &mut Trace, sum: Var, word: Var) -> Var {
        product(trace, (Fr::ONE, sum, self.gamma), &[(Fr::ONE, word)], Fr::ZERO)
    }
}

/// `1 + flag · power_less_1`: what a sum is multiplied by.
fn factor(trace: &mut Trace, flag: Var, power_less_1: Var) -> Var {
    product(trace, (Fr::ONE, flag, power_less_1), &[], Fr::ONE)
}

/// A flag of a place: never set after one that isn't.
fn place(trace: &mut Trace, value: bool, before: Option<Var>) -> Var {
    let flag = boolean(trace, Fr::from(u64::from(value)));
    if let Some(before) = before {
        implies(trace, flag, before);
    }
    flag
}

/// One sequence, as the slots emit it and as the places hold it.
#[derive(Clone, Copy)]
struct Sums {
    records: Var,
    opens: Var,
    l1_words: Var,
}

/// The three sequences as the slots emit them, evaluated at the challenge.
fn emitted(trace: &mut Trace, slots: &[SlotOutputs], challenge: &Challenge, (zero, one): (Var, Var)) -> Sums {
    let mut sums = Sums { records: one, opens: one, l1_words: one };
    let mut odd = zero;
    for slot in slots {
        let p = &slot.published;
        trace.label("emitted: record");
        // The first of two records opens a word, the second is its high half.
        let second = multiply(trace, p.transaction, odd);
        let first = linear(trace, &[(Fr::ONE, p.transaction), (-Fr::ONE, second)], Fr::ZERO);
        let scale = factor(trace, first, challenge.gamma_less_1);
        let weight = linear(trace, &[(Fr::ONE, first), (power(RECORD_BITS), second)], Fr::ZERO);
        let half = multiply(trace, weight, p.record);
        sums.records = product(trace, (Fr::ONE, sums.records, scale), &[(Fr::ONE, half)], Fr::ZERO);
        odd = linear(trace, &[(Fr::ONE, odd), (Fr::ONE, first), (-Fr::ONE, second)], Fr::ZERO);

        trace.label("emitted: open");
        let named = linear(trace, &[(Fr::ONE, p.token), (power(32), p.owner)], Fr::ZERO);
        let words = challenge.step(trace, named, p.key.x);
        let words = challenge.step(trace, words, p.key.y);
        let words = multiply(trace, p.open, words);
        let scale = factor(trace, p.open, challenge.cube_less_1);
        sums.opens = product(trace, (Fr::ONE, sums.opens, scale), &[(Fr::ONE, words)], Fr::ZERO);

        trace.label("emitted: L1 operation");
        let deposit = [(power(8), p.token), (power(40), p.to), (power(72), p.amount)];
        let deposit = linear(trace, &deposit, Fr::from(u64::from(TAG_DEPOSIT)));
        let [high_x, high_y] = p.key_high;
        let account = [(Fr::ONE, named), (power(192), high_x), (power(198), high_y)];
        let account = linear(trace, &account, Fr::ZERO);
        let words = challenge.step(trace, deposit, account);
        let coordinate = |trace: &mut Trace, words: Var, value: Var, high: Var| {
            let low = linear(trace, &[(Fr::ONE, value), (-power(WORD_BITS), high)], Fr::ZERO);
            challenge.step(trace, words, low)
        };
        let words = coordinate(trace, words, p.key.x, high_x);
        let words = coordinate(trace, words, p.key.y, high_y);
        let exit = [(power(8), p.to), (power(40), p.owner)];
        let exit = linear(trace, &exit, Fr::from(u64::from(TAG_FORCED_EXIT)));
        let words = multiply(trace, p.deposit, words);
        let words = product(trace, (Fr::ONE, p.forced_exit, exit), &[(Fr::ONE, words)], Fr::ZERO);
        let scale = factor(trace, p.deposit, challenge.fourth_less_1);
        let scale =
            product(trace, (Fr::ONE, p.forced_exit, challenge.gamma_less_1), &[(Fr::ONE, scale)], Fr::ZERO);
        sums.l1_words = product(trace, (Fr::ONE, sums.l1_words, scale), &[(Fr::ONE, words)], Fr::ZERO);

        trace.label("emitted: withdrawal");
        let withdrawal = [(power(8), p.token), (power(40), p.owner)];
        let withdrawal = linear(trace, &withdrawal, Fr::from(u64::from(TAG_WITHDRAWAL)));
        let words = challenge.step(trace, withdrawal, p.amount);
        let words = multiply(trace, p.withdrawal, words);
        let scale = factor(trace, p.withdrawal, challenge.square_less_1);
        sums.l1_words = product(trace, (Fr::ONE, sums.l1_words, scale), &[(Fr::ONE, words)], Fr::ZERO);
    }
    sums
}

/// A new account as a place holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenContent {
    /// `token | owner << 32`.
    pub named: Fr,
    /// The key's first coordinate.
    pub x: Parts,
    /// The key's second coordinate.
    pub y: Parts,
}

/// What a prover puts into the places, from the first on: whether a place is in use, and what it holds. Places
/// without content are not in use and hold 0.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Words of two records.
    pub records: Vec<(bool, Fr)>,
    /// Opens.
    pub opens: Vec<(bool, OpenContent)>,
    /// L1 words.
    pub l1_words: Vec<(bool, Fr)>,
}

impl Content {
    /// What the slots emit: what an honest prover publishes.
    pub fn emitted(slots: &[SlotOutputs]) -> Self {
        let mut content = Self::default();
        let mut odd = false;
        for slot in slots {
            let p = &slot.published;
            if p.transaction.value == Fr::ONE {
                match content.records.last_mut() {
                    Some((_, word)) if odd => *word += p.record.value * power(RECORD_BITS),
                    _ => content.records.push((true, p.record.value)),
                }
                odd = !odd;
            }
            let named = p.token.value + p.owner.value * power(32);
            let (x, y) = (p.key.x.value, p.key.y.value);
            if p.open.value == Fr::ONE {
                content.opens.push((true, OpenContent { named, x: Parts::of(x), y: Parts::of(y) }));
            }
            let mut l1_words = Vec::new();
            if p.deposit.value == Fr::ONE {
                let [high_x, high_y] = p.key_high.map(|high| high.value);
                let deposit = p.token.value * power(8) + p.to.value * power(40) + p.amount.value * power(72);
                l1_words.extend([
                    deposit + Fr::from(u64::from(TAG_DEPOSIT)),
                    named + high_x * power(192) + high_y * power(198),
                    x - high_x * power(WORD_BITS),
                    y - high_y * power(WORD_BITS),
                ]);
            }
            if p.forced_exit.value == Fr::ONE {
                let exit = p.to.value * power(8) + p.owner.value * power(40);
                l1_words.push(exit + Fr::from(u64::from(TAG_FORCED_EXIT)));
            }
            if p.withdrawal.value == Fr::ONE {
                let withdrawal = p.token.value * power(8) + p.owner.value * power(40);
                l1_words.extend([withdrawal + Fr::from(u64::from(TAG_WITHDRAWAL)), p.amount.value]);
            }
            content.l1_words.extend(l1_words.into_iter().map(|word| (true, word)));
        }
        content
    }
}

/// An open in its place.
struct OpenPlace {
    active: Var,
    named: Var,
    x: Split,
    y: Split,
    words: [Var; 3],
}

/// Splits an open into its words: `token | owner << 32 | (Ax >> 248) << 192 | (Ay >> 248) << 198`, and the low 248
/// bits of both coordinates.
fn open_place(
    trace: &mut Trace,
    (active, OpenContent { named, x, y }): (bool, OpenContent),
    before: Option<Var>,
    zero: Var,
) -> OpenPlace {
    trace.label("open: place");
    let active = place(trace, active, before);
    let named = free(trace, named);
    trace.label("open: first coordinate");
    let x = canonical::split(trace, x, zero);
    trace.label("open: second coordinate");
    let y = canonical::split(trace, y, zero);
    trace.label("open: words");
    let first = [(Fr::ONE, named), (power(192), x.high), (power(198), y.high)];
    let first = linear(trace, &first, Fr::ZERO);
    let words = [first, x.low, y.low].map(|word| multiply(trace, active, word));
    OpenPlace { active, named, x, y, words }
}

/// What the chunk publishes besides the headers.
pub struct Streams {
    /// The DA words, in order, after the headers.
    pub da_words: Vec<Word>,
    /// The L1 words, in order.
    pub l1_words: Vec<Word>,
    /// The commitment after both streams.
    pub commit: Var,
}

/// So many places of words.
fn word_places(trace: &mut Trace, places: usize, content: &[(bool, Fr)]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::with_capacity(places);
    for i in 0..places {
        let (active, word) = content.get(i).copied().unwrap_or_default();
        let active = place(trace, active, words.last().map(|word| word.active));
        let word = free(trace, word);
        implies(trace, word, active);
        words.push(Word { active, word });
    }
    words
}

/// Variables of so many bits side by side, a few an equation: different ones give different sums below the modulus.
fn packed(trace: &mut Trace, vars: &[Var], bits: u64, zero: Var) -> Var {
    vars.chunks(TERMS).fold(zero, |total, vars| {
        let mut terms = vec![(power(bits * TERMS as u64), total)];
        terms.extend((0..).zip(vars).map(|(i, var)| (power(bits * i), *var)));
        linear(trace, &terms, Fr::ZERO)
    })
}

/// Writes the places, absorbs their words from `commit` on, and ties them to the slots.
pub fn publish(
    trace: &mut Trace,
    (places, content): (Places, &Content),
    slots: &[SlotOutputs],
    (commit_in, mut commit): (Var, Var),
    (zero, one): (Var, Var),
) -> Streams {
    debug_assert!(places.opens <= MAX_OPENS);
    trace.label("records: places");
    let records = word_places(trace, places.records, &content.records);
    let mut opens: Vec<OpenPlace> = Vec::with_capacity(places.opens);
    for i in 0..places.opens {
        let before = opens.last().map(|open| open.active);
        opens.push(open_place(trace, content.opens.get(i).copied().unwrap_or_default(), before, zero));
    }
    trace.label("L1 words: places");
    let l1_words = word_places(trace, places.l1_words, &content.l1_words);

    let mut da_words = records.clone();
    for open in &opens {
        da_words.extend(open.words.map(|word| Word { active: open.active, word }));
    }
    trace.label("DA words: absorbed");
    for Word { active, word } in &da_words {
        commit = absorb(trace, commit, *word, DA_STREAM, Some(*active), zero);
    }
    trace.label("L1 words: absorbed");
    for Word { active, word } in &l1_words {
        commit = absorb(trace, commit, *word, L1_STREAM, Some(*active), zero);
    }

    trace.label("challenge: what the slots are");
    let chain = slots.iter().fold(zero, |chain, slot| {
        let p = &slot.published;
        let inputs: [Operand; 5] =
            [chain.into(), p.message.into(), p.amount.into(), p.flags.into(), zero.into()];
        poseidon::hash::<6>(trace, &inputs, zero).output
    });
    trace.label("challenge: places in use");
    let counts = [
        records.iter().map(|word| word.active).collect::<Vec<_>>(),
        opens.iter().map(|open| open.active).collect(),
        l1_words.iter().map(|word| word.active).collect(),
    ]
    .map(|flags| sum(trace, &flags, zero));
    let counts = [(Fr::ONE, counts[0]), (power(32), counts[1]), (power(64), counts[2])];
    let counts = linear(trace, &counts, Fr::ZERO);
    trace.label("challenge: high bits of the opens' keys");
    let highs: Vec<Var> = opens.iter().flat_map(|open| [open.x.high, open.y.high]).collect();
    let highs = packed(trace, &highs, HIGH_BITS, zero);
    trace.label("challenge");
    let inputs: [Operand; 5] = [chain.into(), commit_in.into(), commit.into(), counts.into(), highs.into()];
    let gamma = poseidon::hash::<6>(trace, &inputs, zero).output;
    let challenge = Challenge::new(trace, gamma);

    let emitted = emitted(trace, slots, &challenge, (zero, one));
    trace.label("records: sum");
    let mut sum = one;
    for Word { active, word } in &records {
        let scale = factor(trace, *active, challenge.gamma_less_1);
        sum = product(trace, (Fr::ONE, sum, scale), &[(Fr::ONE, *word)], Fr::ZERO);
    }
    trace.link(sum, emitted.records);
    trace.label("opens: sum");
    sum = one;
    for open in &opens {
        let words = challenge.step(trace, open.named, open.x.value);
        let words = challenge.step(trace, words, open.y.value);
        let words = multiply(trace, open.active, words);
        let scale = factor(trace, open.active, challenge.cube_less_1);
        sum = product(trace, (Fr::ONE, sum, scale), &[(Fr::ONE, words)], Fr::ZERO);
    }
    trace.link(sum, emitted.opens);
    trace.label("L1 words: sum");
    sum = one;
    for Word { active, word } in &l1_words {
        let scale = factor(trace, *active, challenge.gamma_less_1);
        sum = product(trace, (Fr::ONE, sum, scale), &[(Fr::ONE, *word)], Fr::ZERO);
    }
    trace.link(sum, emitted.l1_words);
    Streams { da_words, l1_words, commit }
}

/// The DA stream's evaluation after these words.
pub fn evaluate_da(
    trace: &mut Trace,
    words: &[Word],
    (z, y): (&da_field::Point, da_field::Element),
    zero: Var,
) -> da_field::Element {
    trace.label("DA words: evaluated");
    words.iter().fold(y, |y, word| da_field::step(trace, &y, z, (word.active, word.word), zero))
}

/// The L1 stream's evaluation after these words, modulo r: `y ← y·z + w`.
pub fn evaluate_l1(trace: &mut Trace, words: &[Word], (z, y): (Var, Var)) -> Var {
    trace.label("L1 words: evaluated");
    let z_less_1 = linear(trace, &[(Fr::ONE, z)], -Fr::ONE);
    words.iter().fold(y, |y, Word { active, word }| {
        let scale = factor(trace, *active, z_less_1);
        product(trace, (Fr::ONE, y, scale), &[(Fr::ONE, *word)], Fr::ZERO)
    })
}
