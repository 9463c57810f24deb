//! Baby Jubjub as circomlib has it: the twisted Edwards curve `a x^2 + y^2 = 1 + d x^2 y^2` over [`Fr`] with
//! `a = 168700` and `d = 168696`.

use ark_ff::MontFp;

use super::Fr;

/// The curve's `a`, a square.
pub const A: Fr = MontFp!("168700");
/// The curve's `d`, not a square, so that the addition law is complete.
pub const D: Fr = MontFp!("168696");
