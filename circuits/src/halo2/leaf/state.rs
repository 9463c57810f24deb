//! The state part: all accounts and all tree nodes that the chunk touches, each once before and once after.
//!
//! Three parts meet in one running product ([`crate::gadgets::products`]): the accesses of slots and fee accounts, the
//! *entries* with an account's content before and after all of them ([`crate::gadgets::memory`]), and the *nodes* over
//! the entries' leaves up to the root ([`crate::gadgets::node`]). There are as many places for entries and nodes as the
//! size class says, whatever the accesses are; what isn't used has flags of 0 and appears nowhere. Guarantees that the
//! root after is that of the tree before with the touched leaves changed as the accesses say, in their order.

use std::collections::{BTreeMap, HashMap};

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use rayon::prelude::*;

use super::SizeClass;
use super::access::{self, NONCE_BITS, TOKEN_BITS, power, select};
use super::values::{AccessValues, ChunkValues};
use crate::gadgets::arithmetic::{Operand, boolean, constant, equation, exclusive, linear};
use crate::gadgets::memory::{self, EntryValues, Found};
use crate::gadgets::node::{self, ARITY, NodeValues, NodeVars};
use crate::gadgets::{poseidon, range};
use crate::halo2::trace::{Cell, Trace, Var};
use crate::halo2::{to_circuit, to_native};
use crate::rollup::{self, DEPTH, MAX_FEE_ACCOUNTS};

/// What a prover says of the accesses' ages, the entries and the nodes.
#[derive(Clone, Debug)]
pub struct StateValues {
    /// The ages of each slot's two accesses.
    pub ages: Vec<[Fr; 2]>,
    /// The ages of the fee accounts' accesses.
    pub fee_ages: [Fr; MAX_FEE_ACCOUNTS],
    /// The accounts touched.
    pub entries: Vec<EntryValues>,
    /// The root, and in any order the other nodes touched.
    pub nodes: Vec<NodeValues>,
}

/// The entries of the accesses so far, by index.
#[derive(Default)]
struct Log {
    entries: BTreeMap<u64, (EntryValues, u64)>,
}

impl Log {
    /// Notes an access and returns its age.
    fn access(&mut self, time: u64, access: &AccessValues, [raise, opened]: [Fr; 2]) -> Fr {
        let before = &access.before;
        let (entry, last) = self.entries.entry(access.index).or_insert_with(|| {
            let before = Found {
                index: Fr::from(access.index),
                age: Fr::ZERO,
                token: before.token,
                owner: before.owner,
                balance: before.balance,
                key: (before.key_x, before.key_y),
                nonce: before.nonce,
                exists: access.exists,
            };
            (EntryValues { active: Fr::ONE, before, ..EntryValues::default() }, 0)
        });
        entry.last = Fr::from(time);
        entry.balance_after = access.balance_after;
        entry.nonce_after = before.nonce + raise;
        entry.exists_after = access.exists + opened;
        let age = time - 1 - *last;
        *last = time;
        Fr::from(age)
    }
}

/// A touched node's hashes before and after.
type Change = (rollup::Fr, rollup::Fr);

fn leaf(entry: &EntryValues, nonce: Fr, balance: Fr, exists: Fr) -> rollup::Fr {
    let Found { token, owner, key, .. } = entry.before;
    let parts = [token + nonce * power(TOKEN_BITS as u64), balance, key.0, key.1, owner];
    rollup::poseidon::hash_5(parts.map(to_native)) * to_native(exists)
}

fn leaves(entry: &EntryValues) -> Change {
    let before = &entry.before;
    (
        leaf(entry, before.nonce, before.balance, before.exists),
        leaf(entry, entry.nonce_after, entry.balance_after, entry.exists_after),
    )
}

/// The parents of touched nodes, level by level from the leaves' parents to the root.
fn nodes(leaves: BTreeMap<u32, Change>, siblings: &HashMap<(usize, u32), Fr>) -> Vec<NodeValues> {
    let mut all = Vec::new();
    let mut level = leaves;
    for height in 0..DEPTH {
        let mut parents: BTreeMap<u32, NodeValues> = BTreeMap::new();
        for (position, (old, new)) in level {
            let parent = parents.entry(position / ARITY as u32).or_insert_with(|| {
                let child = |j| siblings.get(&(height, position / ARITY as u32 * ARITY as u32 + j));
                let olds: [Fr; ARITY] = std::array::from_fn(|j| child(j as u32).copied().unwrap_or_default());
                let height = Fr::from(height as u64 + 1);
                NodeValues {
                    height,
                    position: Fr::from(u64::from(position / ARITY as u32)),
                    flags: [Fr::ZERO; ARITY],
                    olds,
                    news: olds,
                    inverse: height.invert().unwrap_or(Fr::ZERO),
                }
            });
            let j = (position % ARITY as u32) as usize;
            parent.flags[j] = Fr::ONE;
            (parent.olds[j], parent.news[j]) = (to_circuit(old), to_circuit(new));
        }
        let hash = |children: &[Fr; ARITY]| rollup::poseidon::hash_4(children.map(to_native));
        level = parents
            .par_iter()
            .map(|(position, node)| (*position, (hash(&node.olds), hash(&node.news))))
            .collect::<Vec<_>>()
            .into_iter()
            .collect();
        all.extend(parents.into_values());
    }
    all
}

impl StateValues {
    /// What follows from the accesses of a chunk. Of those of one account the first says what is there before, of
    /// those that have a node beside their way the first says what it is.
    pub fn new(values: &ChunkValues, class: SizeClass) -> Self {
        let mut log = Log::default();
        let mut siblings: HashMap<(usize, u32), Fr> = HashMap::new();
        let mut note = |log: &mut Log, time, access: &AccessValues, change| {
            // An index past the tree is none; the circuit says so.
            let index = (access.index & u64::from(u32::MAX)) as u32;
            for (height, three) in access.siblings.iter().enumerate() {
                let own = index >> (2 * height);
                let places = (0..ARITY as u32).filter(|j| *j != own % ARITY as u32);
                for (j, sibling) in places.zip(three) {
                    siblings.entry((height, own - own % ARITY as u32 + j)).or_insert(*sibling);
                }
            }
            log.access(time, access, change)
        };
        let next = values.next_indices();
        let ages = values.slots.iter().zip(next.windows(2)).enumerate().map(|(i, (slot, next))| {
            if slot.enabled == Fr::ZERO {
                return [Fr::ZERO; 2];
            }
            let [raise, opened] = access::changes(slot, next[0] != next[1]);
            let [first, second] = access::slot_times(i);
            [
                note(&mut log, first, &slot.sender, [raise, Fr::ZERO]),
                note(&mut log, second, &slot.receiver, [Fr::ZERO, opened]),
            ]
        });
        let ages = ages.collect();
        let mut fee_ages = [Fr::ZERO; MAX_FEE_ACCOUNTS];
        for (place, (fee, age)) in values.fees.iter().zip(&mut fee_ages).enumerate() {
            if fee.active != Fr::ZERO {
                let time = access::fee_time(values.slots.len(), place);
                *age = note(&mut log, time, &fee.access, [Fr::ZERO; 2]);
            }
        }
        let mut entries: Vec<EntryValues> = log.entries.values().map(|(entry, _)| *entry).collect();
        let changes: Vec<Change> = entries.par_iter().map(leaves).collect();
        let indices = log.entries.keys().map(|index| (index & u64::from(u32::MAX)) as u32);
        let mut nodes = nodes(indices.zip(changes).collect(), &siblings);
        // The root comes last, and stands first.
        let root =
            nodes.pop().unwrap_or(NodeValues { height: Fr::from(DEPTH as u64), ..NodeValues::default() });
        nodes.insert(0, root);
        entries.resize_with(class.accounts, EntryValues::default);
        nodes.resize_with(class.nodes, NodeValues::default);
        Self { ages, fee_ages, entries, nodes }
    }
}

const ZERO: u8 = 0;
const PRODUCT: u8 = 1;

fn import(index: u8) -> Var {
    Var { cell: Cell::import(index), value: Fr::ZERO }
}

/// An entry's fragment and the running product after it.
fn entry(values: &EntryValues) -> (Trace, Var) {
    let mut fragment = Trace::new();
    let trace = &mut fragment;
    let zero = import(ZERO);
    trace.label("account: before and after");
    let entry = memory::entry(trace, values);
    trace.label("account: token");
    range::check(trace, entry.token, TOKEN_BITS, zero);
    trace.label("account: nonce");
    range::check(trace, entry.nonces[0], NONCE_BITS, zero);
    let mut hash = |label, side: usize| {
        trace.label(label);
        let parts = [(Fr::ONE, entry.token), (power(TOKEN_BITS as u64), entry.nonces[side])];
        let meta = linear(trace, &parts, Fr::ZERO);
        let inputs = [meta, entry.balances[side], entry.key[0], entry.key[1], entry.owner];
        poseidon::hash::<6>(trace, &inputs.map(Operand::Old), zero).output
    };
    let hashes = [hash("account: leaf before", 0), hash("account: leaf after", 1)];
    let leaf = entry.finish(trace, hashes, import(PRODUCT));
    (fragment, leaf.product)
}

/// A node's fragment and variables.
fn inner_node(values: &NodeValues) -> (Trace, NodeVars) {
    let mut fragment = Trace::new();
    fragment.label("tree: node");
    let node = node::node(&mut fragment, values, false, import(ZERO), import(PRODUCT));
    (fragment, node)
}

/// `make` of each value, in parallel; of those that aren't used, which are all alike, once.
fn fragments<V: Default + PartialEq + Sync, T: Copy + Send + Sync>(
    values: &[V],
    make: impl Fn(&V) -> (Trace, T) + Sync,
) -> Vec<(Trace, T)> {
    let unused = V::default();
    let of_unused = values.contains(&unused).then(|| make(&unused));
    let fragment = |value: &V| match &of_unused {
        Some(fragment) if *value == unused => fragment.clone(),
        _ => make(value),
    };
    values.par_iter().map(fragment).collect()
}

/// Writes entries and nodes, goes on with the running product of the accesses to its end, and returns the root after.
pub fn write(trace: &mut Trace, values: &StateValues, (root, mut product): (Var, Var), zero: Var) -> Var {
    for (fragment, after) in fragments(&values.entries, entry) {
        product = after.shifted(trace.append(fragment, &[zero, product]));
    }
    trace.label("tree: root");
    let root_values = values.nodes.first().copied().unwrap_or_default();
    let node = node::node(trace, &root_values, true, zero, product);
    product = node.product;
    trace.label("tree: place of the root");
    trace.link(node.position, zero);
    let depth = constant(trace, Fr::from(DEPTH as u64));
    trace.link(depth, node.height);
    trace.label("tree: touched");
    let touched = boolean(trace, node.height.value * node.inverse.value);
    let terms = [(Fr::from(DEPTH as u64), node.inverse.into()), (-Fr::ONE, touched.into())];
    equation(trace, &terms, None, Fr::ZERO);
    trace.label("tree: root before");
    let gap = linear(trace, &[(Fr::ONE, node.old), (-Fr::ONE, root)], Fr::ZERO);
    exclusive(trace, touched, gap);
    trace.label("tree: root after");
    let after = select(trace, touched, node.new, root);
    let inner = values.nodes.get(1..).unwrap_or_default();
    for (fragment, node) in fragments(inner, inner_node) {
        product = node.shifted(trace.append(fragment, &[zero, product])).product;
    }
    trace.label("state: everything found is left");
    let end = constant(trace, Fr::ONE);
    trace.link(product, end);
    after
}
