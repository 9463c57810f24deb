//! Where cells of the curve's gates stand; [`super`] has the picture.

use crate::gadgets::foreign::{CARRY_CHUNKS, ELEMENT_CHUNKS, HALF_BITS, QUOTIENT_CHUNKS};
use crate::halo2::trace::{CHUNK_BITS, CHUNK_COLUMNS};

/// A looked-up digit.
pub const DIGIT: usize = 0;
/// A point's first coordinate modulo r, in rows that aren't looked up.
pub const NATIVE_X: usize = 0;
/// First of a row's limbs.
pub const LIMBS_AT: usize = 1;
/// First of a row's residues.
pub const RESIDUES_AT: usize = 7;

/// Chunks of a relation's two carries.
pub const CARRIES: usize = 2 * CARRY_CHUNKS;
/// A sum's or doubling's row of the scalar and of what makes the points different.
pub const EXTRAS: i32 = 1;
/// A sum's or doubling's chunks, in order.
pub const SLOPE: usize = 0;
/// First chunk of the new first coordinate.
pub const NEW_X: usize = SLOPE + ELEMENT_CHUNKS;
/// First chunk and number.
pub const SLOPE_QUOTIENT: (usize, usize) = (NEW_X + ELEMENT_CHUNKS, QUOTIENT_CHUNKS);
/// First chunk and number.
pub const X_QUOTIENT: (usize, usize) = (SLOPE_QUOTIENT.0 + QUOTIENT_CHUNKS, ELEMENT_CHUNKS);
/// First chunk.
pub const SLOPE_CARRIES: usize = X_QUOTIENT.0 + ELEMENT_CHUNKS;
/// First chunk.
pub const X_CARRIES: usize = SLOPE_CARRIES + CARRIES;
/// Row of the result of a sum or doubling.
pub const RESULT: i32 = rows(X_CARRIES + CARRIES) - 1;

/// A reduction's chunks, in order.
pub const NEW_Y: usize = 0;
/// First chunk and number.
pub const Y_QUOTIENT: (usize, usize) = (NEW_Y + ELEMENT_CHUNKS, QUOTIENT_CHUNKS);
/// First chunk.
pub const Y_CARRIES: usize = Y_QUOTIENT.0 + QUOTIENT_CHUNKS;
/// Row of the result of a reduction; y's limbs stand above.
pub const NORMALIZED: i32 = rows(Y_CARRIES + CARRIES) - 1;

/// Row of new coordinates; y's limbs stand above.
pub const COORDINATES: i32 = rows(2 * ELEMENT_CHUNKS) - 1;

/// An equation's chunks, in order.
pub const SQUARE: usize = 0;
/// First chunk and number.
pub const SQUARE_QUOTIENT: (usize, usize) = (SQUARE + ELEMENT_CHUNKS, ELEMENT_CHUNKS);
/// First chunk and number.
pub const CURVE_QUOTIENT: (usize, usize) = (SQUARE_QUOTIENT.0 + ELEMENT_CHUNKS, ELEMENT_CHUNKS);
/// First chunk.
pub const SQUARE_CARRIES: usize = CURVE_QUOTIENT.0 + ELEMENT_CHUNKS;
/// First chunk.
pub const CURVE_CARRIES: usize = SQUARE_CARRIES + CARRIES;
/// Rows of an equation.
pub const EQUATION_ROWS: i32 = rows(CURVE_CARRIES + CARRIES);

/// Row of the borrows of the comparisons with p.
pub const BORROWS: i32 = 2;
/// Chunks of the lower half of an element.
pub const HALF_CHUNKS: usize = HALF_BITS as usize / CHUNK_BITS as usize;
/// Rows of a comparison.
pub const CANONICAL_ROWS: i32 = rows(2 * ELEMENT_CHUNKS);

/// First constant of a constant point's limbs, in its first row.
pub const CONSTANT_X: usize = 2;
/// First constant of its residues, in its second row.
pub const CONSTANT_Y: usize = 1;

const fn rows(chunks: usize) -> i32 {
    chunks.div_ceil(CHUNK_COLUMNS) as i32
}
