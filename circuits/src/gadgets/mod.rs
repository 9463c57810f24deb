//! The gadgets of the leaf circuit. Each page says what the caller must guarantee, what the gadget guarantees,
//! its equations and its rows.

pub mod arithmetic;
pub mod babyjubjub;
pub mod canonical;
pub mod curve;
pub mod da_field;
pub mod foreign;
pub mod ladder;
pub mod memory;
pub mod node;
pub mod poseidon;
pub mod products;
pub mod range;
