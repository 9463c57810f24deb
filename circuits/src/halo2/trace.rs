//! The table of a circuit before it meets the proof system: typed rows, copies and public cells.
//!
//! Gadgets append rows to a [`Trace`]; fragments built apart (in parallel, one a transaction) are joined with
//! [`Trace::append`]. The finished table is checked by [`super::checker`] and written once into one region by
//! [`super::circuit::write`]. Rows are absolute, every cell is written at most once, and a row belongs to at
//! most one [`Gate`].

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, FromUniformBytes, PrimeField};
use sha2::{Digest, Sha512};

/// Advice columns of the leaf circuit.
pub const ADVICE_COLUMNS: usize = 10;
/// The first advice columns, those whose cells can take part in copies.
pub const COPY_COLUMNS: usize = 6;
/// Fixed columns that hold a row's constants (round constants, coefficients, point tables).
pub const CONSTANT_COLUMNS: usize = 8;
/// Further advice columns of circuits with lookups: every cell in them is a chunk, below 2^[`CHUNK_BITS`]. They follow
/// the others in numbering and can't be copied.
pub const CHUNK_COLUMNS: usize = 10;
/// Bits of a chunk.
pub const CHUNK_BITS: u32 = 15;
/// The advice column of running products, in circuits that have them; it follows those of chunks in numbering. Its
/// values depend on [`Challenges`], which are drawn when all other columns are committed; its cells can be copied.
pub const PRODUCT_COLUMN: usize = ADVICE_COLUMNS + CHUNK_COLUMNS;

/// The gate that a row anchors; its equations are on the page of the gadget of the same name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Gate {
    /// No gate: the row only holds cells that neighbouring gates read.
    None = 0,
    /// [`crate::gadgets::arithmetic`].
    Arithmetic,
    /// [`crate::gadgets::memory`], an access of an account.
    Access,
    /// [`crate::gadgets::memory`], an account before and after.
    Entry,
    /// [`crate::gadgets::node`].
    Node,
    /// [`crate::gadgets::babyjubjub`], a doubling and one bit of a variable-base multiplication.
    Double,
    /// [`crate::gadgets::ladder`], two bits of a variable-base multiplication.
    Ladder,
    /// [`crate::gadgets::babyjubjub`], two bits of a fixed-base multiplication.
    FixedBase,
    /// [`crate::gadgets::range`].
    Range,
    /// [`crate::gadgets::poseidon`], two full rounds of width 3.
    Full3,
    /// Partial rounds of width 3.
    Partial3,
    /// Two full rounds of width 5.
    Full5,
    /// Partial rounds of width 5.
    Partial5,
    /// The last two full rounds of width 5.
    Last5,
    /// Two full rounds of width 6.
    Full6,
    /// Partial rounds of width 6.
    Partial6,
    /// [`crate::gadgets::curve`], a sum of two points.
    CurveAdd,
    /// Twice a point.
    CurveDouble,
    /// A point's second coordinate reduced.
    CurveNormalize,
    /// New coordinates.
    CurveCoordinates,
    /// A point's equation.
    CurveEquation,
    /// Coordinates below the base field's order.
    CurveCanonical,
    /// Two places of a table of multiples: a point and its negative.
    CurveTable,
    /// The second place of a [`Self::CurveTable`] or [`Self::CurveConstant`]; no equations of its own.
    CurveTableEnd,
    /// Two places of a table of multiples of a constant.
    CurveConstant,
}

impl Gate {
    /// Whether a row with this gate is a place of a table of multiples, the table's number in its first constant.
    pub fn is_table(self) -> bool {
        matches!(self, Self::CurveTable | Self::CurveTableEnd | Self::CurveConstant)
    }

    /// Whether the first constant of a row with this gate is the number of a table, 0 for none.
    pub fn names_table(self) -> bool {
        self.is_table() || self == Self::CurveAdd
    }
}

/// A place in the trace, or, inside a fragment, the import that stands for one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Cell {
    /// Row, counted from 0.
    pub row: u32,
    /// Advice column.
    pub column: u8,
}

const IMPORT_ROW: u32 = u32::MAX;

impl Cell {
    /// The cell that [`Trace::append`] will be given as its import `index`.
    pub fn import(index: u8) -> Self {
        Self { row: IMPORT_ROW, column: index }
    }

    fn placed(self, offset: u32, imports: &[Var]) -> Self {
        match imports.get(usize::from(self.column)) {
            Some(import) if self.row == IMPORT_ROW => import.cell,
            _ => Self { row: self.row + offset, column: self.column },
        }
    }
}

/// A value and the cell that holds it.
#[derive(Clone, Copy)]
pub struct Var {
    /// Where the value stands.
    pub cell: Cell,
    /// The value.
    pub value: Fr,
}

impl Var {
    /// The same variable after its fragment was appended at row `offset`.
    pub fn shifted(self, offset: u32) -> Self {
        Self { cell: Cell { row: self.cell.row + offset, column: self.cell.column }, value: self.value }
    }
}

/// What the running products are computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenges {
    /// Makes a tuple a field element.
    pub alpha: Fr,
    /// Is added to it to make a factor.
    pub beta: Fr,
}

impl Challenges {
    /// Those that a trace has its products by until a proof draws its own: any numbers, and the same for every trace. Who
    /// knew them beforehand could deceive the checker, and nobody else.
    pub fn of_checker() -> Self {
        let element = |label: &[u8]| Fr::from_uniform_bytes(&Sha512::digest(label).into());
        Self { alpha: element(b"tenon.checker.alpha"), beta: element(b"tenon.checker.beta") }
    }
}

/// Rows, copies and public cells; see the module's page.
#[derive(Clone, Default)]
pub struct Trace {
    gates: Vec<Gate>,
    advice: Vec<[Fr; ADVICE_COLUMNS]>,
    assigned: Vec<u32>,
    /// Ends with the last row that has chunks. Wider than a chunk, so that forged ones reach the checker.
    chunks: Vec<[u32; CHUNK_COLUMNS]>,
    /// Ends with the last row that has a product.
    products: Vec<Fr>,
    /// Tables of multiples so far; they are numbered from 1.
    tables: u64,
    constants: Vec<[Fr; CONSTANT_COLUMNS]>,
    copies: Vec<(Cell, Cell)>,
    public: Vec<(Cell, usize)>,
    labels: Vec<(u32, &'static str)>,
    twice: Vec<Cell>,
}

impl Trace {
    /// An empty trace.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.gates.len()
    }

    /// Appends a row that anchors `gate`, with its constants (missing ones are 0), and returns its number.
    pub fn push(&mut self, gate: Gate, constants: &[Fr]) -> usize {
        let mut row = [Fr::ZERO; CONSTANT_COLUMNS];
        for (slot, value) in row.iter_mut().zip(constants) {
            *slot = *value;
        }
        self.gates.push(gate);
        self.constants.push(row);
        self.advice.push([Fr::ZERO; ADVICE_COLUMNS]);
        self.assigned.push(0);
        self.gates.len() - 1
    }

    /// Writes chunk number `index` of the rows from `row` on. A value of more bits is for the checker to
    /// refuse.
    pub fn set_chunk(&mut self, row: usize, index: usize, value: u32) {
        let (row, place) = (row + index / CHUNK_COLUMNS, index % CHUNK_COLUMNS);
        if self.chunks.len() <= row {
            self.chunks.resize(row + 1, [0; CHUNK_COLUMNS]);
        }
        let bit = 1 << (ADVICE_COLUMNS + place);
        if self.assigned[row] & bit != 0 {
            self.twice.push(Cell { row: row as u32, column: (ADVICE_COLUMNS + place) as u8 });
        }
        self.assigned[row] |= bit;
        self.chunks[row][place] = value;
    }

    /// Marks cells of [`PRODUCT_COLUMN`] as written, in `count` rows from `first` on, and returns the first and the
    /// last. Their values follow in [`Self::set_product`].
    pub fn reserve_products(&mut self, first: usize, count: usize) -> [Var; 2] {
        let rows = first..first + count;
        if self.products.len() < rows.end {
            self.products.resize(rows.end, Fr::ZERO);
        }
        for mask in self.assigned.iter_mut().take(rows.end).skip(first) {
            *mask |= 1 << PRODUCT_COLUMN;
        }
        [first, rows.end - 1].map(|row| self.var(row, PRODUCT_COLUMN))
    }

    /// Writes a running product.
    pub fn set_product(&mut self, row: usize, value: Fr) {
        self.products[row] = value;
    }

    /// Whether there are running products.
    pub fn has_products(&self) -> bool {
        !self.products.is_empty()
    }

    /// The number of a new table of multiples.
    pub fn new_table(&mut self) -> u64 {
        self.tables += 1;
        self.tables
    }

    /// A variable that has been written before.
    pub fn var(&self, row: usize, column: usize) -> Var {
        Var { cell: Cell { row: row as u32, column: column as u8 }, value: self.value(row, column) }
    }

    /// Writes a constant of an existing row, which none was in.
    pub fn set_constant(&mut self, row: usize, column: usize, value: Fr) {
        debug_assert_eq!(self.constants[row][column], Fr::ZERO);
        self.constants[row][column] = value;
    }

    /// Makes an existing row without a gate anchor one.
    pub fn anchor(&mut self, row: usize, gate: Gate) {
        debug_assert_eq!(self.gates[row], Gate::None);
        self.gates[row] = gate;
    }

    /// Writes a cell. A second write to the same cell is kept as a fault that the checker reports.
    pub fn set(&mut self, row: usize, column: usize, value: Fr) -> Var {
        let cell = Cell { row: row as u32, column: column as u8 };
        if self.assigned[row] & (1 << column) != 0 {
            self.twice.push(cell);
        }
        self.assigned[row] |= 1 << column;
        self.advice[row][column] = value;
        Var { cell, value }
    }

    /// Writes a cell with the value of `source` and constrains the two to be equal.
    pub fn copy(&mut self, row: usize, column: usize, source: Var) -> Var {
        let var = self.set(row, column, source.value);
        self.link(source, var);
        var
    }

    /// Constrains two cells to be equal.
    pub fn link(&mut self, left: Var, right: Var) {
        self.copies.push((left.cell, right.cell));
    }

    /// Makes a cell public input `index`.
    pub fn publish(&mut self, var: Var, index: usize) {
        self.public.push((var.cell, index));
    }

    /// Names what the rows from here on do; violations are reported with it.
    pub fn label(&mut self, name: &'static str) {
        let row = self.gates.len() as u32;
        if self.labels.last().is_none_or(|last| last.1 != name) {
            self.labels.push((row, name));
        }
    }

    /// Appends a fragment whose imports are `imports`, in order, and returns the row at which it starts. Its tables of
    /// multiples get numbers of their own.
    pub fn append(&mut self, mut fragment: Self, imports: &[Var]) -> u32 {
        let offset = self.gates.len() as u32;
        for (gate, constants) in fragment.gates.iter().zip(&mut fragment.constants) {
            if gate.names_table() && constants[0] != Fr::ZERO {
                constants[0] += Fr::from(self.tables);
            }
        }
        self.tables += fragment.tables;
        if !fragment.chunks.is_empty() {
            self.chunks.resize(self.gates.len(), [0; CHUNK_COLUMNS]);
            self.chunks.extend(fragment.chunks);
        }
        if !fragment.products.is_empty() {
            self.products.resize(self.gates.len(), Fr::ZERO);
            self.products.extend(fragment.products);
        }
        self.gates.extend(fragment.gates);
        self.advice.extend(fragment.advice);
        self.assigned.extend(fragment.assigned);
        self.constants.extend(fragment.constants);
        self.copies.extend(
            fragment.copies.iter().map(|(l, r)| (l.placed(offset, imports), r.placed(offset, imports))),
        );
        self.public.extend(fragment.public.iter().map(|(cell, i)| (cell.placed(offset, imports), *i)));
        self.labels.extend(fragment.labels.iter().map(|(row, name)| (row + offset, *name)));
        self.twice.extend(fragment.twice.iter().map(|cell| cell.placed(offset, imports)));
        offset
    }

    /// The gate that a row anchors; `None` past the end.
    pub fn gate(&self, row: usize) -> Gate {
        self.gates.get(row).copied().unwrap_or(Gate::None)
    }

    /// The value of a cell, 0 outside the trace.
    pub fn value(&self, row: usize, column: usize) -> Fr {
        match column.checked_sub(ADVICE_COLUMNS) {
            None => self.advice.get(row).and_then(|cells| cells.get(column)).copied().unwrap_or(Fr::ZERO),
            Some(CHUNK_COLUMNS) => self.products.get(row).copied().unwrap_or(Fr::ZERO),
            Some(place) => {
                let chunk = self.chunks.get(row).and_then(|chunks| chunks.get(place));
                Fr::from(u64::from(chunk.copied().unwrap_or(0)))
            }
        }
    }

    /// The chunks of a row.
    pub fn chunks(&self, row: usize) -> [u32; CHUNK_COLUMNS] {
        self.chunks.get(row).copied().unwrap_or_default()
    }

    /// Overwrites a cell's value and nothing else: what a dishonest prover can do. A chunk's value counts modulo 2^32.
    pub fn forge(&mut self, row: usize, column: usize, value: Fr) {
        match column.checked_sub(ADVICE_COLUMNS) {
            None => self.advice[row][column] = value,
            Some(CHUNK_COLUMNS) => {
                if self.products.len() <= row {
                    self.products.resize(row + 1, Fr::ZERO);
                }
                self.products[row] = value;
            }
            Some(place) => {
                if self.chunks.len() <= row {
                    self.chunks.resize(row + 1, [0; CHUNK_COLUMNS]);
                }
                let low = value.to_repr();
                let bytes = [0, 1, 2, 3].map(|i| low.as_ref().get(i).copied().unwrap_or(0));
                self.chunks[row][place] = u32::from_le_bytes(bytes);
            }
        }
    }

    /// Whether a cell was written.
    pub fn is_assigned(&self, row: usize, column: usize) -> bool {
        self.assigned.get(row).is_some_and(|mask| mask & (1 << column) != 0)
    }

    /// The constant in a fixed column, 0 outside the trace.
    pub fn constant(&self, row: usize, column: usize) -> Fr {
        self.constants.get(row).and_then(|cells| cells.get(column)).copied().unwrap_or(Fr::ZERO)
    }

    /// The pairs of cells constrained to be equal.
    pub fn copies(&self) -> &[(Cell, Cell)] {
        &self.copies
    }

    /// The cells that are public, with their index.
    pub fn public(&self) -> &[(Cell, usize)] {
        &self.public
    }

    /// Cells written more than once: always a fault.
    pub fn assigned_twice(&self) -> &[Cell] {
        &self.twice
    }

    /// What a row is for: the last label at or before it.
    pub fn label_of(&self, row: usize) -> &'static str {
        let after = self.labels.partition_point(|(start, _)| *start as usize <= row);
        after.checked_sub(1).and_then(|i| self.labels.get(i)).map_or("", |(_, name)| *name)
    }

    /// Number of cells written.
    pub fn assigned_cells(&self) -> usize {
        self.assigned.iter().map(|mask| mask.count_ones() as usize).sum()
    }

    /// Whether two traces have the same gates, constants, written cells, copies and public cells, whatever their
    /// values: such traces share a proving key.
    pub fn same_shape(&self, other: &Self) -> bool {
        self.gates == other.gates
            && self.constants == other.constants
            && self.assigned == other.assigned
            && self.copies == other.copies
            && self.public == other.public
    }
}
