//! The leaf circuit: one chunk of a batch.
//!
//! Two parts with a narrow seam: [`slot`] and [`fees`] say what happens to accounts, by an [`access`] each; [`state`]
//! proves all of them between two roots. [`streams`] holds the published words; [`chunk`] joins
//! everything and exposes the public inputs. Everything is written into a [`Trace`] first.

pub mod access;
pub mod chunk;
pub mod fees;
mod proof;
pub mod slot;
pub mod state;
pub mod streams;
pub mod values;

use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner};
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::plonk::{Circuit, ConstraintSystem, Error};
use serde::{Deserialize, Serialize};

use super::circuit::write;
use super::columns::{Columns, GateSet, configure};
use super::trace::Trace;
use crate::rollup::ChunkCapacity;
use crate::witness::ChunkWitness;
use streams::Places;
use values::ChunkValues;

pub use proof::{LeafKeys, Violations, check_leaf, prove_leaf, verify_leaf};

/// How much a leaf circuit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct SizeClass {
    /// The class's name.
    #[serde(skip)]
    pub name: &'static str,
    /// The circuit has 2^k rows.
    pub k: u32,
    /// Slots: L1 operations and transactions in a chunk, at most.
    pub slots: usize,
    /// Opens in a chunk, at most.
    pub opens: usize,
    /// L1 words of a chunk, at most.
    pub l1_words: usize,
    /// Accounts that a chunk touches, at most.
    pub accounts: usize,
    /// Tree nodes that a chunk touches, the root with them, at most.
    pub nodes: usize,
}

impl SizeClass {
    /// For tests and trials.
    pub const SMALL: Self =
        Self { name: "small", k: 14, slots: 4, opens: 4, l1_words: 24, accounts: 12, nodes: 181 };
    /// For short batches and low latency.
    pub const MEDIUM: Self =
        Self { name: "medium", k: 16, slots: 48, opens: 3, l1_words: 72, accounts: 100, nodes: 560 };
    /// For throughput.
    pub const LARGE: Self =
        Self { name: "large", k: 18, slots: 200, opens: 12, l1_words: 280, accounts: 404, nodes: 2_200 };
    /// Every class.
    pub const ALL: [Self; 3] = [Self::SMALL, Self::MEDIUM, Self::LARGE];

    /// How much a chunk of this class holds.
    pub const fn capacity(&self) -> ChunkCapacity {
        ChunkCapacity {
            slots: self.slots,
            opens: self.opens,
            l1_words: self.l1_words,
            accounts: self.accounts,
            nodes: self.nodes,
        }
    }

    /// Places for published words.
    pub fn places(self) -> Places {
        Places { records: self.slots.div_ceil(2), opens: self.opens, l1_words: self.l1_words }
    }

    /// The class of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name == name)
    }
}

/// The leaf circuit with a chunk's trace.
#[derive(Clone)]
pub struct LeafCircuit {
    class: SizeClass,
    trace: Trace,
}

impl LeafCircuit {
    /// The circuit of a chunk. The chunk must not have more operations and transactions than the class has slots;
    /// whether it is valid is for the checker to say.
    pub fn new(class: SizeClass, witness: &ChunkWitness) -> Self {
        Self::from_trace(class, chunk::trace(class, &ChunkValues::new(witness, class.slots)))
    }

    /// The circuit of a trace.
    pub fn from_trace(class: SizeClass, trace: Trace) -> Self {
        Self { class, trace }
    }

    /// A circuit of this class for making keys: only its shape matters.
    pub fn keygen(class: SizeClass) -> Self {
        Self::new(class, &ChunkWitness::empty(Default::default(), 1, 0))
    }

    /// The size class.
    pub fn class(&self) -> SizeClass {
        self.class
    }

    /// The trace.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

impl Circuit<Fr> for LeafCircuit {
    type Config = Columns;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = SizeClass;

    fn without_witnesses(&self) -> Self {
        self.clone()
    }

    fn params(&self) -> SizeClass {
        self.class
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Columns {
        configure(meta, &GateSet::LEAF, GateSet::LEAF.fold)
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, _: SizeClass) -> Columns {
        configure(meta, &GateSet::LEAF, GateSet::LEAF.fold)
    }

    fn synthesize(&self, columns: Columns, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        write(&self.trace, &columns, &GateSet::LEAF, &mut layouter)
    }
}
