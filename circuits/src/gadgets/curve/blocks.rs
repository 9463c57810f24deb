//! The rows of the curve's gates.

use halo2_proofs::halo2curves::bn256::{Fq, Fr, G1Affine};
use halo2_proofs::halo2curves::ff::Field;
use num_bigint::{BigInt, BigUint};

use super::layout;
use crate::gadgets::foreign::{
    Division, ELEMENT_CHUNKS, HALF_BITS, LIMBS, Residues, chunks_of, difference, limbs_of, order, to_integer,
    write_chunks,
};
use crate::halo2::trace::{Cell, Gate, Trace, Var};

/// Columns of a point in a row: limbs of x and residues of y.
const POINT_CELLS: usize = LIMBS + 3;

/// A point whose second coordinate may be any integer that is y modulo p, known by its residues.
#[derive(Clone)]
pub struct Position {
    /// Limbs of x, then residues of y.
    cells: [Var; POINT_CELLS],
    point: G1Affine,
    /// The integers.
    x: BigInt,
    y: BigInt,
}

/// A point to be added.
#[derive(Clone, Copy)]
pub enum Addend<'a> {
    /// As it is.
    Unit(&'a Position),
    /// A place of the table of this number, its digit and whether the place is that of the negative.
    Looked(u64, &'a Position, u64, bool),
}

/// A scalar so far, and the factor that it has before a digit is added.
#[derive(Clone, Copy)]
pub struct Running {
    /// `None` before the first digit.
    pub before: Option<Var>,
    /// 2 to the power of a digit's bits.
    pub factor: Fr,
}

fn signed<F: halo2_proofs::halo2curves::ff::PrimeField>(value: F) -> BigInt {
    BigInt::from(to_integer(value))
}

impl Position {
    /// Of a row that has been written.
    fn at(trace: &Trace, row: usize, point: G1Affine, [x, y]: [BigInt; 2]) -> Self {
        Self { cells: std::array::from_fn(|i| trace.var(row, layout::LIMBS_AT + i)), point, x, y }
    }

    /// A point that stands nowhere: what a dishonest prover may look up.
    pub fn nowhere(point: G1Affine) -> Self {
        let limbs = [point.x, point.y].map(|coordinate| limbs_of(&to_integer(coordinate)));
        let residues = Residues::of(&limbs[1]).cells();
        let mut values = limbs[0].into_iter().chain(residues);
        let mut var = || Var { cell: Cell { row: 0, column: 0 }, value: values.next().unwrap_or(Fr::ZERO) };
        Self { cells: std::array::from_fn(|_| var()), point, x: signed(point.x), y: signed(point.y) }
    }

    /// The point.
    pub fn point(&self) -> G1Affine {
        self.point
    }

    fn limbs(&self) -> [Fr; LIMBS] {
        std::array::from_fn(|i| self.cells[i].value)
    }

    fn residues(&self) -> Residues<Fr> {
        Residues::new(std::array::from_fn(|i| self.cells[LIMBS + i].value))
    }

    /// Copies the point into a row.
    fn copy(&self, trace: &mut Trace, row: usize) -> Self {
        let mut copied = self.clone();
        for (i, cell) in copied.cells.iter_mut().enumerate() {
            *cell = trace.copy(row, layout::LIMBS_AT + i, self.cells[i]);
        }
        copied
    }

    /// The same cells' values or their negative's, in a row of their own.
    fn write(&self, trace: &mut Trace, row: usize, negative: bool) -> Self {
        let mut written = self.clone();
        for (i, cell) in written.cells.iter_mut().enumerate() {
            let value = if negative && i >= LIMBS { -self.cells[i].value } else { self.cells[i].value };
            *cell = trace.set(row, layout::LIMBS_AT + i, value);
        }
        if negative {
            written.point = -self.point;
            written.y = -&self.y;
        }
        written
    }

    /// The point in a row of its own, for a chain of sums to begin with.
    pub fn start(&self, trace: &mut Trace) -> Self {
        let row = trace.push(Gate::None, &[]);
        self.copy(trace, row)
    }
}

fn push_rows(trace: &mut Trace, count: i32) {
    for _ in 0..count {
        trace.push(Gate::None, &[]);
    }
}

fn offset(row: usize, rotation: i32) -> usize {
    row + usize::try_from(rotation).unwrap_or(0)
}

/// A slope's two relations and the new point, on the line through `through`.
struct Line<'a> {
    slope: Fq,
    through: &'a Position,
    /// `E` of the slope's relation.
    sum: (BigInt, Residues<Fr>),
    /// The first coordinates that the new one is taken away from, as integers and limbs, with multiplicities.
    old: [(&'a Position, u64); 2],
}

fn write_line(trace: &mut Trace, row: usize, line: Line<'_>) -> Position {
    let Line { slope, through, sum: (slope_sum, slope_residues), old } = line;
    let total: Fq = old.iter().map(|(p, times)| p.point.x * Fq::from(*times)).sum();
    let x = slope.square() - total;
    let y = slope * (through.point.x - x) - through.point.y;
    let (slope_int, x_int) = (to_integer(slope), to_integer(x));
    let (slope_limbs, x_limbs) = (limbs_of(&slope_int), limbs_of(&x_int));

    write_chunks(trace, row, layout::SLOPE, &chunks_of(&slope_int, ELEMENT_CHUNKS));
    write_chunks(trace, row, layout::NEW_X, &chunks_of(&x_int, ELEMENT_CHUNKS));
    let division = Division::new(&slope_sum, slope_residues, layout::SLOPE_QUOTIENT.1);
    write_chunks(trace, row, layout::SLOPE_QUOTIENT.0, &division.quotient);
    write_chunks(trace, row, layout::SLOPE_CARRIES, &division.carries);

    let (slope_int, x_int) = (BigInt::from(slope_int), BigInt::from(x_int));
    let mut sum = &slope_int * &slope_int - &x_int;
    let mut residues = Residues::product(&slope_limbs, &slope_limbs).minus(Residues::of(&x_limbs));
    for (position, times) in old.iter().filter(|(_, times)| *times > 0) {
        sum -= &position.x * *times;
        residues = residues.minus(Residues::of(&position.limbs()).scaled(*times));
    }
    let division = Division::new(&sum, residues, layout::X_QUOTIENT.1);
    write_chunks(trace, row, layout::X_QUOTIENT.0, &division.quotient);
    write_chunks(trace, row, layout::X_CARRIES, &division.carries);

    let result = offset(row, layout::RESULT);
    let new_y =
        Residues::product(&slope_limbs, &difference(&through.limbs(), &x_limbs)).minus(through.residues());
    for (i, value) in x_limbs.into_iter().chain(new_y.cells()).enumerate() {
        trace.set(result, layout::LIMBS_AT + i, value);
    }
    let y_int = slope_int * (&through.x - &x_int) - &through.y;
    Position::at(trace, result, G1Affine { x, y }, [x_int, y_int])
}

/// Adds to the point in the row above. Returns the sum, and the scalar with this digit.
pub fn add(
    trace: &mut Trace,
    position: &Position,
    addend: Addend<'_>,
    running: Option<Running>,
) -> (Position, Var) {
    let other = match addend {
        Addend::Unit(other) => other.point,
        Addend::Looked(_, other, _, negative) => {
            if negative {
                -other.point
            } else {
                other.point
            }
        }
    };
    let apart = (other.x - position.point.x).invert().unwrap_or(Fq::ZERO);
    add_with_slope(trace, position, addend, running, (other.y - position.point.y) * apart)
}

/// [`add`] by a prover that claims this slope.
pub fn add_with_slope(
    trace: &mut Trace,
    position: &Position,
    addend: Addend<'_>,
    running: Option<Running>,
    slope: Fq,
) -> (Position, Var) {
    let factor =
        running.filter(|running| running.before.is_some()).map_or(Fr::ZERO, |running| running.factor);
    let number = match addend {
        Addend::Unit(_) => 0,
        Addend::Looked(number, ..) => number,
    };
    let row = trace.push(Gate::CurveAdd, &[Fr::from(number), factor]);
    push_rows(trace, layout::RESULT);
    let (other, digit) = match addend {
        Addend::Unit(other) => (other.copy(trace, row), Fr::ZERO),
        Addend::Looked(_, other, digit, negative) => {
            let digit = Fr::from(digit);
            (other.write(trace, row, negative), if negative { -digit } else { digit })
        }
    };
    trace.set(row, layout::DIGIT, digit);
    let extras = offset(row, layout::EXTRAS);
    let before = running.and_then(|running| running.before);
    let before = before.map_or(Fr::ZERO, |before| trace.copy(extras, 0, before).value);
    let after = trace.set(extras, 1, factor * before + digit);

    let apart_limbs = difference(&other.limbs(), &position.limbs());
    let apart = Residues::of(&apart_limbs).native;
    let square = apart.square();
    let p = crate::gadgets::foreign::to_field(order());
    let product = apart * (square - p.square()) * (square - p.double().square());
    trace.set(extras, 2, square);
    trace.set(extras, 3, product.invert().unwrap_or(Fr::ZERO));

    let slope_limbs = limbs_of(&to_integer(slope));
    let sum = signed(slope) * (&other.x - &position.x) - &other.y + &position.y;
    let residues =
        Residues::product(&slope_limbs, &apart_limbs).minus(other.residues()).plus(position.residues());
    let old = [(position, 1), (&other, 1)];
    (write_line(trace, row, Line { slope, through: &other, sum: (sum, residues), old }), after)
}

/// A point with the limbs of both coordinates.
#[derive(Clone)]
pub struct Full {
    /// The first coordinate modulo r.
    pub native_x: Var,
    /// Limbs of the first coordinate.
    pub x: [Var; LIMBS],
    /// Limbs of the second.
    pub y: [Var; LIMBS],
    /// Residues of the second.
    pub residues: [Var; 3],
    /// The point.
    pub point: G1Affine,
    /// The coordinates' integers.
    integers: [BigUint; 2],
}

impl Full {
    /// From two rows that have been written.
    fn at(trace: &Trace, row: usize, point: G1Affine, integers: [BigUint; 2]) -> Self {
        Self {
            native_x: trace.var(row, layout::NATIVE_X),
            x: std::array::from_fn(|i| trace.var(row, layout::LIMBS_AT + i)),
            y: std::array::from_fn(|i| trace.var(row - 1, layout::LIMBS_AT + i)),
            residues: std::array::from_fn(|i| trace.var(row, layout::RESIDUES_AT + i)),
            point,
            integers,
        }
    }

    /// The point for sums.
    pub fn position(&self) -> Position {
        let cells = std::array::from_fn(|i| if i < LIMBS { self.x[i] } else { self.residues[i - LIMBS] });
        let [x, y] = self.integers.clone().map(BigInt::from);
        Position { cells, point: self.point, x, y }
    }

    fn copy_limbs(&self, trace: &mut Trace, row: usize) {
        for i in 0..LIMBS {
            trace.copy(row, layout::LIMBS_AT + i, self.y[i]);
            trace.copy(row + 1, layout::LIMBS_AT + i, self.x[i]);
        }
    }

    /// The point in two rows of its own, for a doubling.
    pub fn start(&self, trace: &mut Trace) {
        let row = trace.push(Gate::None, &[]);
        trace.push(Gate::None, &[]);
        self.copy_limbs(trace, row);
    }
}

/// Doubles the point in the two rows above.
pub fn double(trace: &mut Trace, full: &Full) -> Position {
    let position = full.position();
    let G1Affine { x, y } = full.point;
    let slope = x.square() * Fq::from(3) * y.double().invert().unwrap_or(Fq::ZERO);
    let row = trace.push(Gate::CurveDouble, &[]);
    push_rows(trace, layout::RESULT);
    let slope_limbs = limbs_of(&to_integer(slope));
    let y_limbs = full.y.map(|limb| limb.value);
    let x_limbs = position.limbs();
    let [x, y] = full.integers.clone().map(BigInt::from);
    let sum = signed(slope) * y * 2 - &x * &x * 3;
    let residues = Residues::product(&slope_limbs, &y_limbs)
        .scaled(2)
        .minus(Residues::product(&x_limbs, &x_limbs).scaled(3));
    let old = [(&position, 2), (&position, 0)];
    write_line(trace, row, Line { slope, through: &position, sum: (sum, residues), old })
}

/// Reduces the second coordinate of the point in the row above.
pub fn normalize(trace: &mut Trace, position: &Position) -> Full {
    normalize_claiming(trace, position, to_integer(position.point.y))
}

/// [`normalize`] by a prover that claims this second coordinate.
pub fn normalize_claiming(trace: &mut Trace, position: &Position, y: BigUint) -> Full {
    let row = trace.push(Gate::CurveNormalize, &[]);
    push_rows(trace, layout::NORMALIZED);
    let y_limbs = limbs_of(&y);
    write_chunks(trace, row, layout::NEW_Y, &chunks_of(&y, ELEMENT_CHUNKS));
    let sum = &position.y - BigInt::from(y.clone());
    let residues = position.residues().minus(Residues::of(&y_limbs));
    let division = Division::new(&sum, residues, layout::Y_QUOTIENT.1);
    write_chunks(trace, row, layout::Y_QUOTIENT.0, &division.quotient);
    write_chunks(trace, row, layout::Y_CARRIES, &division.carries);
    let integers = [position.x.magnitude().clone(), y];
    write_full(trace, offset(row, layout::NORMALIZED), integers, position.point)
}

fn write_full(trace: &mut Trace, row: usize, integers: [BigUint; 2], point: G1Affine) -> Full {
    let [x, y] = integers.each_ref().map(limbs_of);
    trace.set(row, layout::NATIVE_X, Residues::of(&x).native);
    for i in 0..LIMBS {
        trace.set(row - 1, layout::LIMBS_AT + i, y[i]);
        trace.set(row, layout::LIMBS_AT + i, x[i]);
    }
    for (i, value) in Residues::of(&y).cells().into_iter().enumerate() {
        trace.set(row, layout::RESIDUES_AT + i, value);
    }
    Full::at(trace, row, point, integers)
}

/// New coordinates.
pub fn coordinates(trace: &mut Trace, point: G1Affine) -> Full {
    coordinates_claiming(trace, [point.x, point.y].map(to_integer), point)
}

/// [`coordinates`] by a prover that gives these integers below 2^255.
pub fn coordinates_claiming(trace: &mut Trace, integers: [BigUint; 2], point: G1Affine) -> Full {
    let row = trace.push(Gate::CurveCoordinates, &[]);
    push_rows(trace, layout::COORDINATES);
    for (i, integer) in integers.iter().enumerate() {
        write_chunks(trace, row, i * ELEMENT_CHUNKS, &chunks_of(integer, ELEMENT_CHUNKS));
    }
    write_full(trace, offset(row, layout::COORDINATES), integers, point)
}

/// Constrains a point to be on the curve.
pub fn equation(trace: &mut Trace, full: &Full) {
    let row = trace.push(Gate::CurveEquation, &[]);
    push_rows(trace, layout::EQUATION_ROWS - 1);
    full.copy_limbs(trace, row);
    let square = to_integer(full.point.x.square());
    let (x_limbs, y_limbs) = (full.x.map(|limb| limb.value), full.y.map(|limb| limb.value));
    let square_limbs = limbs_of(&square);
    write_chunks(trace, row, layout::SQUARE, &chunks_of(&square, ELEMENT_CHUNKS));

    let [x, y] = full.integers.clone().map(BigInt::from);
    let square = BigInt::from(square);
    let sum = &x * &x - &square;
    let residues = Residues::product(&x_limbs, &x_limbs).minus(Residues::of(&square_limbs));
    let division = Division::new(&sum, residues, layout::SQUARE_QUOTIENT.1);
    write_chunks(trace, row, layout::SQUARE_QUOTIENT.0, &division.quotient);
    write_chunks(trace, row, layout::SQUARE_CARRIES, &division.carries);

    let three = Fr::from(3);
    let three_residues = Residues { native: three, low: three, high: Fr::ZERO };
    let sum = &y * &y - &x * &square - 3;
    let residues = Residues::product(&y_limbs, &y_limbs)
        .minus(Residues::product(&x_limbs, &square_limbs))
        .minus(three_residues);
    let division = Division::new(&sum, residues, layout::CURVE_QUOTIENT.1);
    write_chunks(trace, row, layout::CURVE_QUOTIENT.0, &division.quotient);
    write_chunks(trace, row, layout::CURVE_CARRIES, &division.carries);
}

/// Constrains a point's coordinates to be below p.
pub fn canonical(trace: &mut Trace, full: &Full) {
    let row = trace.push(Gate::CurveCanonical, &[]);
    push_rows(trace, layout::CANONICAL_ROWS - 1);
    full.copy_limbs(trace, row);
    let largest = order() - 1_u8;
    let unit = BigUint::from(1_u8) << HALF_BITS;
    for (i, coordinate) in full.integers.iter().enumerate() {
        let borrow = coordinate % &unit > &largest % &unit;
        // p − 1 less the coordinate; if that is negative no chunks do, and 2^270 more has the right lower ones.
        let rest = &largest + &unit * &unit - coordinate;
        trace.set(offset(row, layout::BORROWS), i, Fr::from(u64::from(borrow)));
        write_chunks(trace, row, i * ELEMENT_CHUNKS, &chunks_of(&rest, ELEMENT_CHUNKS));
    }
}

/// Two places of a table: a multiple and its negative. Returns the multiple as it stands there.
pub fn table_pair(trace: &mut Trace, number: Fr, digit: u64, multiple: &Position) -> Position {
    let row = trace.push(Gate::CurveTable, &[number, Fr::from(digit)]);
    trace.push(Gate::CurveTableEnd, &[number]);
    let placed = multiple.copy(trace, row);
    write_opposite(trace, row, digit, &placed);
    placed
}

fn write_opposite(trace: &mut Trace, row: usize, digit: u64, placed: &Position) -> Position {
    trace.set(row, layout::DIGIT, Fr::from(digit));
    trace.set(row + 1, layout::DIGIT, -Fr::from(digit));
    placed.write(trace, row + 1, true)
}

/// Two places of a table of multiples of a constant, this multiple and its negative. Returns both as they stand there.
pub fn constant_pair(trace: &mut Trace, number: Fr, digit: u64, multiple: G1Affine) -> [Position; 2] {
    let x = limbs_of(&to_integer(multiple.x));
    let y = Residues::of(&limbs_of(&to_integer(multiple.y))).cells();
    let mut constants = vec![number, Fr::from(digit)];
    constants.extend(x);
    let row = trace.push(Gate::CurveConstant, &constants);
    let [native, low, high] = y;
    trace.push(Gate::CurveTableEnd, &[number, native, low, high]);
    for (i, value) in x.into_iter().chain(y).enumerate() {
        trace.set(row, layout::LIMBS_AT + i, value);
    }
    let integers = [signed(multiple.x), signed(multiple.y)];
    let placed = Position::at(trace, row, multiple, integers);
    let opposite = write_opposite(trace, row, digit, &placed);
    [placed, opposite]
}
