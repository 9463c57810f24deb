//! The circuit that verifies leaf proofs.
//!
//! Each leaf proof is verified up to its pairing, which leaves two points with
//! `e(lhs_i, g2) = e(rhs_i, τ·g2)` to check. The circuit returns their combination `Σ r^i · lhs_i`,
//! `Σ r^i · rhs_i` for whoever verifies to check with one pairing. The challenge `r` is a hash of each leaf
//! transcript's state after the last element of the proof, so it depends on all that the points depend on.
//! The leaf circuit's verifying key is a constant.

use std::rc::Rc;

use halo2_proofs::{
    arithmetic::Field,
    halo2curves::bn256::{Bn256, Fr, G1Affine},
};
use snark_verifier::{
    Error,
    loader::ScalarLoader,
    pcs::{
        AccumulatorEncoding,
        kzg::{Bdfg21, KzgAccumulator, KzgAs, KzgSuccinctVerifyingKey},
    },
    system::halo2::{Config, compile},
    util::transcript::Transcript,
    verifier::{
        SnarkVerifier,
        plonk::{PlonkProtocol, PlonkSuccinctVerifier},
    },
};

use super::{
    points::{LazyEccChip, LazyPoint, Loader, limbs},
    scalars::{Builder, Form},
    statement,
    transcript::{ProofReader, Sponge},
};
use crate::{
    halo2::{
        CircuitKeys, LeafProof, to_circuit,
        trace::{Trace, Var},
        transcript::Purpose,
    },
    public_inputs::{BATCH_PLACES, LEAF_PUBLIC_INPUTS},
};

/// Limbs of a coordinate, low first.
pub(super) const LIMBS: usize = 3;
/// Bits of a limb.
pub(super) const LIMB_BITS: usize = 88;
/// Limbs of the accumulator: lhs.x, lhs.y, rhs.x, rhs.y.
pub const ACCUMULATOR_LIMBS: usize = 4 * LIMBS;

/// Raised with every change of this circuit, so that keys of another version are noticed.
pub(super) const REVISION: u32 = 3;

type Verifier = PlonkSuccinctVerifier<KzgAs<Bn256, Bdfg21>, NoAccumulator>;

/// What the circuit knows of the leaf circuit.
#[derive(Clone, Debug)]
pub(super) struct LeafVerifier {
    protocol: PlonkProtocol<G1Affine>,
    key: KzgSuccinctVerifyingKey<G1Affine>,
}

impl LeafVerifier {
    pub(super) fn new(keys: &CircuitKeys) -> Self {
        let config = Config::kzg().with_num_instance(vec![LEAF_PUBLIC_INPUTS]);
        Self {
            protocol: compile(keys.srs().params(), keys.verifying_key(), config),
            key: KzgSuccinctVerifyingKey::new(keys.srs().generator()),
        }
    }
}

/// The table of an aggregation, and what it makes public.
#[derive(Clone)]
pub(super) struct Aggregation {
    pub(super) trace: Trace,
    /// The output places, then the accumulator's limbs.
    pub(super) instances: Vec<Fr>,
}

/// Writes the table: all `leaves` are verified, the first `chunks` of them count, the others are padding.
///
/// # Errors
/// When a proof has another shape than the leaf circuit's proofs have.
pub(super) fn build(
    verifier: &LeafVerifier,
    leaves: &[&LeafProof],
    chunks: usize,
) -> Result<Aggregation, Error> {
    let loader = Loader::new(LazyEccChip, Builder::default());
    let (inputs, accumulators, challenge) = verify_leaves(&loader, verifier, leaves)?;
    let mut builder = loader.take_ctx();
    let builder = &mut builder;

    let padding = (0..leaves.len()).map(|i| if i < chunks { Fr::ZERO } else { Fr::ONE }).collect::<Vec<_>>();
    let mut outputs = statement::constrain(&mut builder.trace, &inputs, &padding, BATCH_PLACES);

    // Horner: lhs_0 + r·(lhs_1 + r·(…)), the same for rhs.
    let mut combine = |select: fn(&Accumulator) -> &LazyPoint| {
        builder.trace.label("combination");
        let sum = accumulators.iter().rev().fold(LazyPoint::default(), |sum, accumulator| {
            select(accumulator).clone().plus(sum.scaled(builder, &challenge))
        });
        sum.evaluate(builder)
    };
    for point in [combine(|accumulator| &accumulator.lhs), combine(|accumulator| &accumulator.rhs)] {
        outputs.extend(limbs(builder, &point));
    }
    let trace = &mut builder.trace;
    for (index, output) in outputs.iter().enumerate() {
        trace.publish(*output, index);
    }
    Ok(Aggregation {
        trace: std::mem::take(trace),
        instances: outputs.iter().map(|output| output.value).collect(),
    })
}

struct Accumulator {
    lhs: LazyPoint,
    rhs: LazyPoint,
}

type Verified = (Vec<statement::LeafCells>, Vec<Accumulator>, Form);

/// Verifies all proofs up to their pairings; returns their public inputs, what is left to check, and a
/// challenge that depends on all of it.
fn verify_leaves(
    loader: &Rc<Loader>,
    verifier: &LeafVerifier,
    leaves: &[&LeafProof],
) -> Result<Verified, Error> {
    let protocol = verifier.protocol.loaded(loader);
    let mut inputs = Vec::with_capacity(leaves.len());
    let mut accumulators = Vec::with_capacity(leaves.len());
    let mut states = Sponge::new(&mut loader.ctx_mut(), Purpose::Combination);
    for leaf in leaves {
        let cells: [Var; LEAF_PUBLIC_INPUTS] =
            leaf.public_inputs.to_array().map(|input| loader.ctx_mut().free(to_circuit(input)));
        inputs.push(cells);
        let instances = [cells.map(|cell| loader.scalar_from_assigned(cell.into())).to_vec()];

        let mut transcript = ProofReader::new(loader, &leaf.proof);
        let proof = Verifier::read_proof(&verifier.key, &protocol, &instances, &mut transcript)?;
        loader.ctx_mut().trace.label("leaf verifier");
        let [KzgAccumulator { lhs, rhs }] =
            <[_; 1]>::try_from(Verifier::verify(&verifier.key, &protocol, &instances, &proof)?)
                .map_err(|_| Error::InvalidProtocol("leaf proofs carry accumulators".into()))?;
        accumulators.push(Accumulator { lhs: lhs.into_assigned(), rhs: rhs.into_assigned() });

        let state = transcript.squeeze_challenge().into_assigned();
        states.absorb(&mut loader.ctx_mut(), &state);
    }
    let challenge = states.squeeze(&mut loader.ctx_mut()).into();
    Ok((inputs, accumulators, challenge))
}

/// Leaf circuits carry no accumulators in their public inputs.
#[derive(Clone, Debug)]
struct NoAccumulator;

impl AccumulatorEncoding<G1Affine, Rc<Loader>> for NoAccumulator {
    type Accumulator = KzgAccumulator<G1Affine, Rc<Loader>>;

    fn from_repr(_: &[&<Rc<Loader> as ScalarLoader<Fr>>::LoadedScalar]) -> Result<Self::Accumulator, Error> {
        Err(Error::InvalidProtocol("leaf proofs carry accumulators".into()))
    }
}

#[cfg(test)]
mod tests;
