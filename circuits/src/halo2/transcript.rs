//! The transcript of proofs that a circuit verifies.
//!
//! A sponge over the Poseidon permutation of width 3, with circomlib's constants: a capacity of one field element and a
//! rate of two, in overwrite mode. (Wider permutations take fewer cells an element, but more constraints, each of which
//! the contract evaluates; all hashing is a fiftieth of what verifying a proof takes.) Each challenge ends a message: the
//! number of elements absorbed since the last challenge, these elements, then a 0 if that makes an odd number. Messages
//! are taken in blocks: a block replaces the rate, the capacity stays, and the permutation follows. As a message starts
//! with its length, a sequence of blocks is that of one sequence of messages only. A challenge is the first element of
//! the rate; the capacity never leaves the sponge. It starts as a tag that tells this use from others of the
//! permutation, whose capacity starts as 0.
//!
//! A point is absorbed as its coordinates modulo r, the order of the scalar field. The coordinates' field has q
//! elements, and q − r is about 2^127, so a residue below q − r stands for two coordinates, r apart. Two different points
//! with the same residues either differ in x, which one of them has below q − r, while their y are equal (then the x differ
//! by a cube root of unity too, which leaves two values) or r apart, so that y is below q − r, too, for one of them; of all
//! points about one is to be expected with two such coordinates. Or only the y differ: they are opposite and r apart,
//! which leaves one value. Whoever found such a pair could choose between its two points after seeing a challenge, which is
//! one bit of freedom a commitment.
//!
//! Challenges are full field elements: on the prover's side the library takes what the transcript gives, and products
//! of powers of two challenges, of full length anyway, are what multiplies the commitments.

use std::io::{self, Read, Write};

use halo2_proofs::{
    halo2curves::{
        bn256::{Fq, Fr, G1Affine},
        ff::{FromUniformBytes, PrimeField},
        group::{GroupEncoding, prime::PrimeCurveAffine},
    },
    transcript::{EncodedChallenge, Transcript, TranscriptRead, TranscriptWrite, TranscriptWriterBuffer},
};

use super::{prove::VerifyError, to_circuit, to_native};
use crate::rollup::{self, poseidon::permute_3};

/// Field elements that a permutation takes in.
pub(crate) const RATE: usize = 2;
/// Bytes of a point and of a scalar in a proof.
const ELEMENT_BYTES: usize = 32;

/// What a sponge is for: where its capacity starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The transcript of a proof.
    Proof,
    /// The challenge that combines several verified proofs.
    Combination,
}

impl Purpose {
    /// The capacity at the start.
    pub(crate) fn capacity(self) -> Fr {
        let tag: &[u8] = match self {
            Self::Proof => b"tenon.v1.transcript",
            Self::Combination => b"tenon.v1.combination",
        };
        tag.iter().fold(Fr::zero(), |sum, byte| sum * Fr::from(256) + Fr::from(u64::from(*byte)))
    }
}

/// The blocks of `message`, whose length is given as an element.
pub(crate) fn blocks<T: Copy>(message: &[T], length: T, zero: T) -> Vec<[T; RATE]> {
    let mut padded = vec![length];
    padded.extend_from_slice(message);
    padded.resize(padded.len().next_multiple_of(RATE), zero);
    padded.as_chunks::<RATE>().0.to_vec()
}

/// A coordinate modulo r.
pub(crate) fn residue(coordinate: Fq) -> Fr {
    let mut bytes = [0; 64];
    for (to, from) in bytes.iter_mut().zip(coordinate.to_repr().as_ref()) {
        *to = *from;
    }
    Fr::from_uniform_bytes(&bytes)
}

/// The sponge, natively.
#[derive(Clone, Debug)]
struct Sponge {
    capacity: rollup::Fr,
    pending: Vec<rollup::Fr>,
}

impl Sponge {
    fn new(purpose: Purpose) -> Self {
        Self { capacity: to_native(purpose.capacity()), pending: Vec::new() }
    }

    fn absorb(&mut self, value: Fr) {
        self.pending.push(to_native(value));
    }

    fn squeeze(&mut self) -> Fr {
        let mut challenge = rollup::Fr::from(0);
        let length = rollup::Fr::from(self.pending.len() as u64);
        for [a, b] in blocks(&self.pending, length, rollup::Fr::from(0)) {
            let [capacity, first, _] = permute_3([self.capacity, a, b]);
            (self.capacity, challenge) = (capacity, first);
        }
        self.pending.clear();
        to_circuit(challenge)
    }
}

/// A challenge of a [`ProofTranscript`].
#[derive(Clone, Copy, Debug)]
pub struct ProofChallenge(Fr);

impl EncodedChallenge<G1Affine> for ProofChallenge {
    type Input = Fr;

    fn new(input: &Fr) -> Self {
        Self(*input)
    }

    fn get_scalar(&self) -> Fr {
        self.0
    }
}

/// The transcript of a proof that is written to or read from `S`: points compressed, scalars in little endian. Reading
/// ends at the first element that isn't in canonical form and at the first point at infinity.
#[derive(Debug)]
pub(crate) struct ProofTranscript<S> {
    sponge: Sponge,
    stream: S,
    /// Bytes read so far.
    position: usize,
    fault: Option<VerifyError>,
}

impl<S> ProofTranscript<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { sponge: Sponge::new(Purpose::Proof), stream, position: 0, fault: None }
    }

    /// What ended the reading, other than the end of the stream.
    pub(crate) fn fault(&mut self) -> Option<VerifyError> {
        self.fault.take()
    }

    /// Refuses what was just read for a reason of this transcript.
    fn refuse(&mut self, fault: VerifyError) -> io::Error {
        let error = io::Error::other(fault.to_string());
        self.fault = Some(fault);
        error
    }
}

impl<S> Transcript<G1Affine, ProofChallenge> for ProofTranscript<S> {
    fn squeeze_challenge(&mut self) -> ProofChallenge {
        ProofChallenge(self.sponge.squeeze())
    }

    fn common_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.sponge.absorb(residue(point.x));
        self.sponge.absorb(residue(point.y));
        Ok(())
    }

    fn common_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.sponge.absorb(scalar);
        Ok(())
    }
}

impl<S: Read> ProofTranscript<S> {
    /// The next element's bytes, and where they start.
    fn next(&mut self) -> io::Result<([u8; ELEMENT_BYTES], usize)> {
        let mut bytes = [0; ELEMENT_BYTES];
        self.stream.read_exact(&mut bytes)?;
        let start = self.position;
        self.position += ELEMENT_BYTES;
        Ok((bytes, start))
    }
}

impl<S: Read> TranscriptRead<G1Affine, ProofChallenge> for ProofTranscript<S> {
    fn read_point(&mut self) -> io::Result<G1Affine> {
        let (bytes, start) = self.next()?;
        let point = decode_point(&bytes).ok_or_else(|| io::Error::other("not a point of the curve"))?;
        // A compressed point is read with the flag of infinity set, too.
        if let Some(byte) = point.to_bytes().as_ref().iter().zip(&bytes).position(|(a, b)| a != b) {
            return Err(self.refuse(VerifyError::NotCanonical { position: start + byte }));
        }
        if bool::from(point.is_identity()) {
            return Err(self.refuse(VerifyError::PointAtInfinity { position: start }));
        }
        self.common_point(point)?;
        Ok(point)
    }

    fn read_scalar(&mut self) -> io::Result<Fr> {
        let (bytes, _) = self.next()?;
        let scalar = decode_scalar(&bytes).ok_or_else(|| io::Error::other("not a canonical scalar"))?;
        self.common_scalar(scalar)?;
        Ok(scalar)
    }
}

/// A compressed point of the curve.
pub(crate) fn decode_point(bytes: &[u8; ELEMENT_BYTES]) -> Option<G1Affine> {
    let mut encoding = <G1Affine as GroupEncoding>::Repr::default();
    encoding.as_mut().copy_from_slice(bytes);
    Option::from(G1Affine::from_bytes(&encoding))
}

/// A scalar below r.
pub(crate) fn decode_scalar(bytes: &[u8; ELEMENT_BYTES]) -> Option<Fr> {
    Option::from(Fr::from_repr(*bytes))
}

impl<S: Write> TranscriptWrite<G1Affine, ProofChallenge> for ProofTranscript<S> {
    fn write_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.common_point(point)?;
        self.stream.write_all(point.to_bytes().as_ref())
    }

    fn write_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.common_scalar(scalar)?;
        self.stream.write_all(scalar.to_repr().as_ref())
    }
}

impl<S: Write> TranscriptWriterBuffer<S, G1Affine, ProofChallenge> for ProofTranscript<S> {
    fn init(stream: S) -> Self {
        Self::new(stream)
    }

    fn finalize(self) -> S {
        self.stream
    }
}

#[cfg(test)]
mod tests {
    use halo2_proofs::arithmetic::Field;
    use halo2_proofs::halo2curves::group::Curve;
    use rand::SeedableRng;

    use super::*;

    fn challenges(messages: &[&[u64]]) -> Vec<Fr> {
        let mut transcript = ProofTranscript::new(io::sink());
        messages
            .iter()
            .map(|message| {
                message.iter().for_each(|value| transcript.common_scalar(Fr::from(*value)).unwrap());
                transcript.squeeze_challenge().get_scalar()
            })
            .collect()
    }

    #[test]
    fn messages_of_any_length_and_division_have_challenges_of_their_own() {
        let messages: [&[&[u64]]; 16] = [
            &[&[0, 0, 0, 0]],
            &[&[], &[0, 0, 0, 0, 0]],
            &[&[0, 0, 0, 0, 0, 0, 0, 0, 0]],
            &[&[]],
            &[&[], &[]],
            &[&[0]],
            &[&[1]],
            &[&[1, 0]],
            &[&[1, 0, 0, 0]],
            &[&[1, 0, 0, 0, 0]],
            &[&[1, 2, 3, 4]],
            &[&[1, 2, 3, 4, 5]],
            &[&[1, 2, 3, 4, 5, 1]],
            &[&[1, 2, 3, 4, 5], &[1]],
            &[&[1, 2, 3, 4, 5], &[]],
            &[&[1, 2, 3, 4], &[5]],
        ];
        let last = messages.map(|messages| *challenges(messages).last().unwrap());
        for (i, a) in last.iter().enumerate() {
            assert!(last.iter().skip(i + 1).all(|b| a != b), "message {i}");
        }
    }

    #[test]
    fn the_reader_has_the_challenges_of_the_writer() {
        let mut random = rand_chacha::ChaCha20Rng::seed_from_u64(1);
        let point = (G1Affine::generator() * Fr::random(&mut random)).to_affine();
        let scalar = Fr::random(&mut random);
        let mut writer = ProofTranscript::new(Vec::new());
        writer.common_scalar(Fr::from(5)).unwrap();
        writer.write_point(point).unwrap();
        let first = writer.squeeze_challenge().get_scalar();
        writer.write_scalar(scalar).unwrap();
        let second = writer.squeeze_challenge().get_scalar();
        let bytes = writer.finalize();

        let mut reader = ProofTranscript::new(bytes.as_slice());
        reader.common_scalar(Fr::from(5)).unwrap();
        assert_eq!(reader.read_point().unwrap(), point);
        assert_eq!(reader.squeeze_challenge().get_scalar(), first);
        assert_eq!(reader.read_scalar().unwrap(), scalar);
        assert_eq!(reader.squeeze_challenge().get_scalar(), second);
        assert_ne!(first, second);
        assert!(reader.fault().is_none());
    }

    #[test]
    fn elements_in_another_form_are_refused() {
        let refused = |bytes: [u8; ELEMENT_BYTES]| {
            let mut reader = ProofTranscript::new(bytes.as_slice());
            reader.read_point().unwrap_err();
            reader.fault()
        };
        let mut flagged = [0; ELEMENT_BYTES];
        flagged.copy_from_slice(G1Affine::generator().to_bytes().as_ref());
        flagged[31] ^= 0x80;
        assert!(matches!(refused(flagged), Some(VerifyError::NotCanonical { position: 31 })));
        let mut infinity = [0; ELEMENT_BYTES];
        infinity.copy_from_slice(G1Affine::identity().to_bytes().as_ref());
        assert!(matches!(refused(infinity), Some(VerifyError::PointAtInfinity { position: 0 })));
        let mut order = (-Fr::one()).to_repr();
        order[0] += 1;
        ProofTranscript::new(order.as_slice()).read_scalar().unwrap_err();
        order[0] -= 1;
        assert_eq!(ProofTranscript::new(order.as_slice()).read_scalar().unwrap(), -Fr::one());
    }
}
