//! The constraints as one expression over the proof's evaluations, and that expression as Yul.
//!
//! Equal expressions are one node, computed once: what is used several times is stored in memory, the rest is nested. The
//! constants that aren't short are words of the verifying key, since the code would hold each of them at each use.

use std::collections::HashMap;
use std::fmt::Write as _;

use halo2_proofs::{
    arithmetic::Field,
    halo2curves::{bn256::Fr, ff::PrimeField},
};

/// A value that the contract has in memory before the constraints are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Value {
    /// An evaluation in the proof, by its position.
    Evaluation(usize),
    /// The instance column at x.
    Instance,
    /// The Lagrange polynomial of the first row at x.
    LagrangeFirst,
    /// That of the last row in use.
    LagrangeLast,
    /// The sum of those of the rows after it.
    LagrangeBlinding,
    /// The challenge that joins the expressions of a lookup.
    Theta,
    /// The challenges of the arguments.
    Beta,
    /// The second of them.
    Gamma,
    /// The challenge that joins the constraints.
    Y,
    /// Where the polynomials are evaluated.
    X,
    /// A constant of the verifying key, by its position.
    Constant(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    /// A constant that is written out.
    Short(u64),
    Load(Value),
    Add(Id, Id),
    Subtract(Id, Id),
    Negate(Id),
    Multiply(Id, Id),
}

/// A node's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(usize);

/// Longest nesting of operations in one statement: the machine reaches 16 values down its stack.
const MAX_DEPTH: usize = 6;
/// Statements of one function.
const STATEMENTS: usize = 40;

/// Expressions, equal ones once, each after its parts.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Node, Id>,
    constants: Vec<Fr>,
    /// Values of nodes that are constants.
    values: HashMap<Id, Fr>,
}

impl Graph {
    fn node(&mut self, node: Node) -> Id {
        let nodes = &mut self.nodes;
        *self.known.entry(node).or_insert_with(|| {
            nodes.push(node);
            Id(nodes.len() - 1)
        })
    }

    /// Constants that are words of the verifying key, by position.
    pub(super) fn constants(&self) -> &[Fr] {
        &self.constants
    }

    pub(super) fn load(&mut self, value: Value) -> Id {
        self.node(Node::Load(value))
    }

    pub(super) fn constant(&mut self, value: Fr) -> Id {
        let repr = value.to_repr();
        let (low, high) = repr.split_at(8);
        let id = if high.iter().all(|byte| *byte == 0) {
            self.node(Node::Short(low.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))))
        } else {
            let position = self.constants.iter().position(|known| *known == value).unwrap_or_else(|| {
                self.constants.push(value);
                self.constants.len() - 1
            });
            self.load(Value::Constant(position))
        };
        self.values.insert(id, value);
        id
    }

    pub(super) fn add(&mut self, a: Id, b: Id) -> Id {
        match (self.values.get(&a).copied(), self.values.get(&b).copied()) {
            (Some(a), Some(b)) => self.constant(a + b),
            (Some(Fr::ZERO), _) => b,
            (_, Some(Fr::ZERO)) => a,
            _ => match (self.nodes[a.0], self.nodes[b.0]) {
                (_, Node::Negate(b)) => self.node(Node::Subtract(a, b)),
                (Node::Negate(a), _) => self.node(Node::Subtract(b, a)),
                _ => self.node(Node::Add(a, b)),
            },
        }
    }

    pub(super) fn negate(&mut self, a: Id) -> Id {
        match (self.values.get(&a).copied(), self.nodes[a.0]) {
            (Some(a), _) => self.constant(-a),
            (None, Node::Negate(a)) => a,
            (None, Node::Subtract(a, b)) => self.node(Node::Subtract(b, a)),
            _ => self.node(Node::Negate(a)),
        }
    }

    pub(super) fn subtract(&mut self, a: Id, b: Id) -> Id {
        let b = self.negate(b);
        self.add(a, b)
    }

    pub(super) fn multiply(&mut self, a: Id, b: Id) -> Id {
        match (self.values.get(&a).copied(), self.values.get(&b).copied()) {
            (Some(a), Some(b)) => self.constant(a * b),
            (Some(Fr::ONE), _) => b,
            (_, Some(Fr::ONE)) => a,
            (Some(zero), _) | (_, Some(zero)) if zero == Fr::ZERO => self.constant(Fr::ZERO),
            (Some(minus), _) if minus == -Fr::ONE => self.negate(b),
            (_, Some(minus)) if minus == -Fr::ONE => self.negate(a),
            _ => match (self.nodes[a.0], self.nodes[b.0]) {
                (Node::Negate(a), Node::Negate(b)) => self.multiply(a, b),
                (Node::Negate(a), _) => {
                    let product = self.multiply(a, b);
                    self.negate(product)
                }
                (_, Node::Negate(b)) => {
                    let product = self.multiply(a, b);
                    self.negate(product)
                }
                _ => self.node(Node::Multiply(a.min(b), a.max(b))),
            },
        }
    }

    fn parts(&self, id: Id) -> Vec<Id> {
        match self.nodes[id.0] {
            Node::Short(_) | Node::Load(_) => Vec::new(),
            Node::Negate(a) => vec![a],
            Node::Add(a, b) | Node::Subtract(a, b) | Node::Multiply(a, b) => vec![a, b],
        }
    }

    /// Functions in Yul that fold the constraints by powers of y, the calls of which give the result, and the number of
    /// words of memory from `stored` on that they take. `address` has a value's place in memory.
    pub(super) fn fold(&self, constraints: &[Id], address: &dyn Fn(Value) -> usize, stored: usize) -> Folded {
        let mut uses = vec![0_usize; self.nodes.len()];
        for id in constraints {
            uses[id.0] += 1;
        }
        for index in (0..self.nodes.len()).rev() {
            if uses[index] > 0 {
                for part in self.parts(Id(index)) {
                    uses[part.0] += 1;
                }
            }
        }
        let mut writer =
            Writer { graph: self, address, uses, places: HashMap::new(), stored, statements: Vec::new() };
        for id in constraints {
            let (value, _) = writer.expression(*id, true);
            writer
                .statements
                .push(format!("f := addmod(mulmod(f, mload({:#x}), r), {value}, r)", address(Value::Y)));
        }
        let words = writer.places.len();
        let mut functions = String::new();
        let mut calls = String::from("0");
        for (index, statements) in writer.statements.chunks(STATEMENTS).enumerate() {
            let _ = writeln!(functions, "            function foldConstraints{index}(folded) -> f {{");
            let _ = writeln!(functions, "                let r := mload(ORDER)");
            let _ = writeln!(functions, "                f := folded");
            for statement in statements {
                let _ = writeln!(functions, "                {statement}");
            }
            let _ = writeln!(functions, "            }}\n");
            calls = format!("foldConstraints{index}({calls})");
        }
        Folded { functions, calls, words }
    }
}

/// See [`Graph::fold`].
pub(super) struct Folded {
    pub(super) functions: String,
    pub(super) calls: String,
    pub(super) words: usize,
}

struct Writer<'g> {
    graph: &'g Graph,
    address: &'g dyn Fn(Value) -> usize,
    uses: Vec<usize>,
    /// Where nodes are stored.
    places: HashMap<Id, usize>,
    stored: usize,
    statements: Vec<String>,
}

impl Writer<'_> {
    /// A node's value in Yul, and how deep it is nested.
    fn expression(&mut self, id: Id, is_root: bool) -> (String, usize) {
        if let Some(place) = self.places.get(&id) {
            return (format!("mload({place:#x})"), 1);
        }
        let (text, depth) = match self.graph.nodes[id.0] {
            Node::Short(value) => return (value.to_string(), 1),
            Node::Load(value) => return (format!("mload({:#x})", (self.address)(value)), 1),
            Node::Negate(a) => {
                let (a, depth) = self.expression(a, false);
                (format!("sub(r, {a})"), depth + 1)
            }
            Node::Add(a, b) => {
                let ((a, left), (b, right)) = (self.expression(a, false), self.expression(b, false));
                (format!("addmod({a}, {b}, r)"), 1 + left.max(right + 1))
            }
            Node::Subtract(a, b) => {
                let ((a, left), (b, right)) = (self.expression(a, false), self.expression(b, false));
                (format!("addmod({a}, sub(r, {b}), r)"), 1 + left.max(right + 2))
            }
            Node::Multiply(a, b) => {
                let ((a, left), (b, right)) = (self.expression(a, false), self.expression(b, false));
                (format!("mulmod({a}, {b}, r)"), 1 + left.max(right + 1))
            }
        };
        if self.uses[id.0] < 2 && (is_root || depth < MAX_DEPTH) {
            return (text, depth);
        }
        let place = self.stored + 0x20 * self.places.len();
        self.places.insert(id, place);
        self.statements.push(format!("mstore({place:#x}, {text})"));
        (format!("mload({place:#x})"), 1)
    }
}
