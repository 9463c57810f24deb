//! The circuit that verifies leaf proofs.
//!
//! Each leaf proof is verified up to its pairing, which leaves two points with
//! `e(lhs_i, g2) = e(rhs_i, τ·g2)` to check. The circuit returns their combination `Σ r^i · lhs_i`,
//! `Σ r^i · rhs_i` for whoever verifies to check with one pairing. The challenge `r` is a hash of each leaf
//! transcript's state after the last element of the proof, so it depends on all that the points depend on.
//! The leaf circuit's verifying key is a constant.

use std::{mem, rc::Rc};

use halo2_base::gates::{GateInstructions, RangeInstructions};
use halo2_base::gates::{
    circuit::{BaseCircuitParams, CircuitBuilderStage, builder::BaseCircuitBuilder},
    flex_gate::MultiPhaseThreadBreakPoints,
};
use halo2_ecc::{bn254::FpChip, ecc::BaseFieldEccChip, fields::FieldChip};
use halo2_proofs::{
    arithmetic::Field,
    halo2curves::bn256::{Bn256, Fr, G1Affine},
};
use serde::{Deserialize, Serialize};
use snark_verifier::{
    Error,
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
    lazy_ecc::{LazyEccChip, LazyPoint, Loader},
    statement,
};
use crate::{
    halo2::{CircuitKeys, LeafProof, prove::PoseidonTranscript, to_circuit},
    public_inputs::LEAF_PUBLIC_INPUTS,
};

/// Limbs of a coordinate, low first.
pub(super) const LIMBS: usize = 3;
/// Bits of a limb.
pub(super) const LIMB_BITS: usize = 88;
/// Limbs of the accumulator: lhs.x, lhs.y, rhs.x, rhs.y.
pub const ACCUMULATOR_LIMBS: usize = 4 * LIMBS;
/// Rows that can't hold cells, generously.
const UNUSABLE_ROWS: usize = 64;

/// Raised with every change of this circuit, so that keys of another version are noticed.
pub(super) const REVISION: u32 = 2;

type Verifier = PlonkSuccinctVerifier<KzgAs<Bn256, Bdfg21>, NoAccumulator>;

/// Shape of the circuit, found when its keys are made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AggregationLayout {
    /// Columns of each kind.
    pub params: BaseCircuitParams,
    /// Where the cells' sequence moves to the next column.
    pub(super) break_points: MultiPhaseThreadBreakPoints,
}

/// Most columns of a kind that a stored layout may ask for; a circuit has about ten.
const MAX_COLUMNS: usize = 256;

impl AggregationLayout {
    /// The circuit's parameters, unless no circuit of this module has them: those of a stored layout decide how much
    /// memory the constraint system takes.
    pub(super) fn checked_params(&self) -> Result<BaseCircuitParams, String> {
        let BaseCircuitParams {
            k,
            num_advice_per_phase,
            num_fixed,
            num_lookup_advice_per_phase,
            lookup_bits,
            num_instance_columns,
        } = &self.params;
        let mut columns = [num_advice_per_phase, num_lookup_advice_per_phase].into_iter();
        let only_first_phase = columns.all(|phases| match phases.as_slice() {
            [first, later @ ..] => {
                (1..=MAX_COLUMNS).contains(first) && later.len() < 3 && later.iter().all(|count| *count == 0)
            }
            [] => false,
        });
        let size = super::K as usize;
        let possible = *k == size
            && *lookup_bits == Some(size - 1)
            && *num_instance_columns == 1
            && (1..=MAX_COLUMNS).contains(num_fixed)
            && only_first_phase;
        if possible { Ok(self.params.clone()) } else { Err(format!("impossible layout: {:?}", self.params)) }
    }
}

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

/// How a circuit comes to be: for its keys, or for a proof under keys with this layout.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    Keys { k: u32 },
    Proof(&'a AggregationLayout),
}

/// Lays the circuit out: all `leaves` are verified, the first `chunks` of them count, the others are
/// padding. The instance column holds the output places, then the accumulator's limbs.
///
/// # Errors
/// When a proof has another shape than the leaf circuit's proofs have.
pub(super) fn build(
    purpose: Purpose<'_>,
    verifier: &LeafVerifier,
    leaves: &[&LeafProof],
    chunks: usize,
) -> Result<BaseCircuitBuilder<Fr>, Error> {
    let mut builder = match purpose {
        Purpose::Keys { k } => BaseCircuitBuilder::from_stage(CircuitBuilderStage::Keygen)
            .use_k(k as usize)
            .use_lookup_bits(k as usize - 1)
            .use_instance_columns(1),
        Purpose::Proof(layout) => {
            BaseCircuitBuilder::prover(layout.params.clone(), layout.break_points.clone())
        }
    };
    let range = builder.range_chip();
    let field = FpChip::<Fr>::new(&range, LIMB_BITS, LIMBS);
    let chip = LazyEccChip::new(BaseFieldEccChip::<G1Affine>::new(&field));
    let loader = Loader::new(chip, mem::take(builder.pool(0)));

    let (inputs, accumulators, challenge) = verify_leaves(&loader, verifier, leaves)?;
    let padding = (0..leaves.len()).map(|i| if i < chunks { Fr::ZERO } else { Fr::ONE }).collect::<Vec<_>>();
    let mut outputs = statement::constrain(loader.ctx_mut().main(), range.gate(), &inputs, &padding);

    // Horner: lhs_0 + r·(lhs_1 + r·(…)), the same for rhs.
    let combine = |select: fn(&Accumulator) -> &LazyPoint| {
        let ecc = loader.ecc_chip();
        let mut pool = loader.ctx_mut();
        let sum = accumulators.iter().rev().fold(LazyPoint::default(), |sum, accumulator| {
            let sum = ecc.scale(&mut pool, challenge, &sum);
            ecc.add(&mut pool, select(accumulator).clone(), sum)
        });
        ecc.evaluate(&mut pool, sum)
    };
    for point in [combine(|accumulator| &accumulator.lhs), combine(|accumulator| &accumulator.rhs)] {
        let mut pool = loader.ctx_mut();
        let ctx = pool.main();
        field.enforce_less_than(ctx, point.x().clone());
        // Also below the modulus. No point has y = 0, so this excludes the identity alone.
        let is_identity = field.is_zero(ctx, point.y().clone());
        range.gate().assert_is_const(ctx, &is_identity, &Fr::ZERO);
        outputs.extend(point.x().limbs());
        outputs.extend(point.y().limbs());
    }

    *builder.pool(0) = loader.take_ctx();
    builder.assigned_instances = vec![outputs];
    if let Purpose::Keys { .. } = purpose {
        builder.calculate_params(Some(UNUSABLE_ROWS));
    }
    Ok(builder)
}

struct Accumulator {
    lhs: LazyPoint,
    rhs: LazyPoint,
}

type Verified = (Vec<statement::LeafCells>, Vec<Accumulator>, halo2_base::AssignedValue<Fr>);

/// Verifies all proofs up to their pairings; returns their public inputs, what is left to check, and a
/// challenge that depends on all of it.
fn verify_leaves(
    loader: &Rc<Loader<'_>>,
    verifier: &LeafVerifier,
    leaves: &[&LeafProof],
) -> Result<Verified, Error> {
    let protocol = verifier.protocol.loaded(loader);
    let mut inputs = Vec::with_capacity(leaves.len());
    let mut accumulators = Vec::with_capacity(leaves.len());
    let mut states = PoseidonTranscript::<Rc<Loader<'_>>, &[u8]>::new::<0>(loader, &[]);
    for leaf in leaves {
        let instances = leaf.public_inputs.to_array().map(|input| loader.assign_scalar(to_circuit(input)));
        inputs.push(instances.clone().map(|input| input.into_assigned()));
        let instances = [instances.to_vec()];

        let mut transcript =
            PoseidonTranscript::<Rc<Loader<'_>>, &[u8]>::new::<0>(loader, leaf.proof.as_slice());
        let proof = Verifier::read_proof(&verifier.key, &protocol, &instances, &mut transcript)?;
        let [KzgAccumulator { lhs, rhs }] =
            <[_; 1]>::try_from(Verifier::verify(&verifier.key, &protocol, &instances, &proof)?)
                .map_err(|_| Error::InvalidProtocol("leaf proofs carry accumulators".into()))?;
        accumulators.push(Accumulator { lhs: lhs.into_assigned(), rhs: rhs.into_assigned() });

        let state = transcript.squeeze_challenge();
        states.common_scalar(&state)?;
    }
    let challenge = states.squeeze_challenge().into_assigned();
    Ok((inputs, accumulators, challenge))
}

/// Leaf circuits carry no accumulators in their public inputs.
#[derive(Clone, Debug)]
struct NoAccumulator;

impl<'chip> AccumulatorEncoding<G1Affine, Rc<Loader<'chip>>> for NoAccumulator {
    type Accumulator = KzgAccumulator<G1Affine, Rc<Loader<'chip>>>;

    fn from_repr(
        _: &[&<Rc<Loader<'chip>> as snark_verifier::loader::ScalarLoader<Fr>>::LoadedScalar],
    ) -> Result<Self::Accumulator, Error> {
        Err(Error::InvalidProtocol("leaf proofs carry accumulators".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_layouts_are_refused() {
        let size = crate::aggregation::K as usize;
        let params = BaseCircuitParams {
            k: size,
            num_advice_per_phase: vec![8],
            num_fixed: 1,
            num_lookup_advice_per_phase: vec![1, 0, 0],
            lookup_bits: Some(size - 1),
            num_instance_columns: 1,
        };
        let checked = |change: &dyn Fn(&mut BaseCircuitParams)| {
            let mut params = params.clone();
            change(&mut params);
            AggregationLayout { params, break_points: Vec::new() }.checked_params()
        };
        checked(&|_| {}).unwrap();
        let changes: [&dyn Fn(&mut BaseCircuitParams); 10] = [
            &|params| params.k = size + 1,
            &|params| params.k = usize::MAX,
            &|params| params.lookup_bits = None,
            &|params| params.lookup_bits = Some(size),
            &|params| params.num_instance_columns = 2,
            &|params| params.num_fixed = usize::MAX,
            &|params| params.num_advice_per_phase = Vec::new(),
            &|params| params.num_advice_per_phase = vec![8, 1],
            &|params| params.num_advice_per_phase = vec![MAX_COLUMNS + 1],
            &|params| params.num_lookup_advice_per_phase = vec![1, 0, 0, 0],
        ];
        for (index, change) in changes.into_iter().enumerate() {
            checked(change).expect_err(&index.to_string());
        }
    }
}
