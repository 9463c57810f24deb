//! The transcript of leaf proofs in the circuit; [`crate::halo2::transcript`] says what it hashes.

use std::{io, rc::Rc};

use halo2_proofs::{
    arithmetic::Field,
    halo2curves::bn256::{Fr, G1Affine},
};
use snark_verifier::{
    Error,
    loader::halo2::{EcPoint, Scalar},
    util::transcript::{Transcript, TranscriptRead},
};

use super::{
    points::{LazyEccChip, Loader},
    scalars::{Builder, Form},
};
use crate::{
    gadgets::{arithmetic::Operand, poseidon},
    halo2::{
        trace::Var,
        transcript::{Purpose, RATE, blocks, decode_point, decode_scalar},
    },
};

/// Width of the permutation.
const WIDTH: usize = RATE + 1;

/// The sponge in the circuit.
pub(super) struct Sponge {
    capacity: Var,
    pending: Vec<Var>,
}

impl Sponge {
    pub(super) fn new(builder: &mut Builder, purpose: Purpose) -> Self {
        Self { capacity: builder.cell(&purpose.capacity().into()), pending: Vec::new() }
    }

    pub(super) fn absorb(&mut self, builder: &mut Builder, form: &Form) {
        let var = builder.cell(form);
        self.pending.push(var);
    }

    pub(super) fn squeeze(&mut self, builder: &mut Builder) -> Var {
        builder.trace.label("transcript");
        let length = Fr::from(self.pending.len() as u64);
        let [length, zero] = [length, Fr::ZERO].map(|value| builder.cell(&value.into()));
        let mut challenge = zero;
        for block in blocks(&self.pending, length, zero) {
            let inputs = block.map(Operand::Old);
            let permutation = poseidon::permute::<WIDTH>(&mut builder.trace, self.capacity, &inputs);
            self.capacity = permutation.output;
            challenge = permutation.rest.first().copied().unwrap_or(permutation.output);
        }
        self.pending.clear();
        challenge
    }
}

/// Reads a leaf proof, each of whose elements becomes a witness.
pub(super) struct ProofReader<'p> {
    loader: Rc<Loader>,
    sponge: Sponge,
    bytes: &'p [u8],
}

impl<'p> ProofReader<'p> {
    pub(super) fn new(loader: &Rc<Loader>, bytes: &'p [u8]) -> Self {
        let sponge = Sponge::new(&mut loader.ctx_mut(), Purpose::Proof);
        Self { loader: Rc::clone(loader), sponge, bytes }
    }

    fn next(&mut self) -> Result<&'p [u8; 32], Error> {
        let (bytes, rest) = self
            .bytes
            .split_first_chunk()
            .ok_or_else(|| Error::Transcript(io::ErrorKind::UnexpectedEof, "the proof ends early".into()))?;
        self.bytes = rest;
        Ok(bytes)
    }
}

fn malformed(what: &str) -> Error {
    Error::Transcript(io::ErrorKind::InvalidData, what.into())
}

impl Transcript<G1Affine, Rc<Loader>> for ProofReader<'_> {
    fn loader(&self) -> &Rc<Loader> {
        &self.loader
    }

    fn squeeze_challenge(&mut self) -> Scalar<G1Affine, LazyEccChip> {
        let challenge = self.sponge.squeeze(&mut self.loader.ctx_mut());
        self.loader.scalar_from_assigned(challenge.into())
    }

    fn common_ec_point(&mut self, point: &EcPoint<G1Affine, LazyEccChip>) -> Result<(), Error> {
        let point = point.assigned();
        let point =
            point.as_unit().ok_or_else(|| malformed("a sum of points can't be absorbed unevaluated"))?;
        let builder = &mut self.loader.ctx_mut();
        for coordinate in [point.native_x(), point.native_y()] {
            self.sponge.absorb(builder, &coordinate.into());
        }
        Ok(())
    }

    fn common_scalar(&mut self, scalar: &Scalar<G1Affine, LazyEccChip>) -> Result<(), Error> {
        let scalar = scalar.clone().into_assigned();
        self.sponge.absorb(&mut self.loader.ctx_mut(), &scalar);
        Ok(())
    }
}

impl TranscriptRead<G1Affine, Rc<Loader>> for ProofReader<'_> {
    fn read_scalar(&mut self) -> Result<Scalar<G1Affine, LazyEccChip>, Error> {
        let scalar =
            decode_scalar(self.next()?).ok_or_else(|| malformed("a scalar isn't in canonical form"))?;
        let scalar = self.loader.assign_scalar(scalar);
        self.common_scalar(&scalar)?;
        Ok(scalar)
    }

    fn read_ec_point(&mut self) -> Result<EcPoint<G1Affine, LazyEccChip>, Error> {
        let point = decode_point(self.next()?).ok_or_else(|| malformed("a point isn't on the curve"))?;
        let point = self.loader.assign_ec_point(point);
        self.common_ec_point(&point)?;
        Ok(point)
    }
}
