//! Generated verifiers in a real EVM, against snark-verifier's own verdict.

#![allow(clippy::panic)]

mod common;

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolCall, SolInterface, SolValue},
};
use common::{CircuitShape, FINAL_PUBLIC_INPUTS, Proof, SmallCircuit, compile_verifier, to_u256};
use halo2_base::{gates::circuit::BaseCircuitParams, gates::circuit::builder::BaseCircuitBuilder};
use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr},
    plonk::{Circuit, ConstraintSystem, keygen_vk},
    poly::kzg::commitment::ParamsKZG,
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use tenon_circuits::halo2::{
    circuit::RecursionCircuit,
    columns::{GateSet, configure},
};
use tenon_contracts::{
    artifacts::{ARTIFACTS, VERIFIER_BATCH_PLACES, VERIFIER_JSON, VERIFIER_SOURCE},
    bindings::IVerifier,
    calldata,
    deployment::{Deployment, MAX_CODE_SIZE, Parameters, verifying_key_init_code},
    evm::{EvmError, LOCAL_CHAIN_ID, LocalChain, Receipt},
    generator::{self, ACCUMULATOR_LIMBS, GeneratorError, SrsOrigin, VALUES_PER_BATCH, generate},
};

const DEPLOYER: Address = Address::repeat_byte(0x11);
const NOW: u64 = 1_700_000_000;
const MAX_VERIFY_GAS: u64 = 700_000;

/// A verifier on a chain, and its proof calls.
struct Deployed {
    chain: LocalChain,
    verifier: Address,
}

impl Deployed {
    fn new(circuit: &SmallCircuit) -> Self {
        let generated = circuit.generate();
        let (creation, size) = compile_verifier(&generated.solidity);
        println!("{:?}: {size} bytes of code, {} of key", circuit.kind, generated.verifying_key.len());
        assert!(size <= MAX_CODE_SIZE, "{size} bytes");
        assert_eq!(generated.verifying_key.len(), generated.shape.verifying_key_length);
        let mut chain = LocalChain::new(LOCAL_CHAIN_ID, NOW);
        let key = verifying_key_init_code(&generated.verifying_key).expect("short enough");
        let key = create(&mut chain, key);
        let arguments = (key, keccak256(&generated.verifying_key)).abi_encode_params();
        let verifier = create(&mut chain, [creation.as_ref(), &arguments].concat().into());
        Self { chain, verifier }
    }

    fn verify(&self, proof: &Proof) -> Result<Receipt, EvmError> {
        let call = calldata::verify(&proof.public_inputs, &proof.proof);
        let receipt = self.chain.call(DEPLOYER, self.verifier, call)?;
        assert!(IVerifier::verifyCall::abi_decode_returns(&receipt.output).expect("a bool"));
        Ok(receipt)
    }

    /// The contract accepts, or refuses with one of its errors.
    fn accepts(&self, proof: &Proof) -> bool {
        match self.verify(proof) {
            Ok(_) => true,
            Err(EvmError::Reverted { data, .. }) => {
                IVerifier::IVerifierErrors::abi_decode(&data).expect("an error of the verifier");
                false
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn create(chain: &mut LocalChain, init_code: Bytes) -> Address {
    chain.transact(DEPLOYER, None, init_code).expect("created").created.expect("an address")
}

fn values(count: usize) -> Vec<Fr> {
    (0..count as u64).map(|i| Fr::from(0x1234_5678_9abc + i).square()).collect()
}

fn shape(
    k: u32,
    gate_columns: usize,
    lookup_columns: usize,
    constant_columns: usize,
    batch_places: usize,
) -> CircuitShape {
    CircuitShape { k, gate_columns, lookup_columns, constant_columns, batch_places, empty_columns: 0 }
}

/// Contract and snark-verifier agree on a proof with any one word changed, in several ways.
fn check_mutations(circuit: &SmallCircuit, deployed: &Deployed, proof: &Proof, step: usize) {
    let mut random = ChaCha20Rng::seed_from_u64(99);
    let order = to_u256(&-Fr::one()) + U256::from(1);
    let check = |changed: &Proof, what: &dyn Fn() -> String| {
        assert!(!circuit.accepts(changed), "snark-verifier accepts {}", what());
        assert!(!deployed.accepts(changed), "the contract accepts {}", what());
    };
    for offset in (0..proof.proof.len()).step_by(32 * step) {
        let word = U256::from_be_slice(&proof.proof[offset..offset + 32]);
        let flipped = word ^ (U256::from(1) << (random.next_u32() % 256));
        let mut noise = [0; 32];
        random.fill_bytes(&mut noise);
        let replacements =
            [flipped, word ^ U256::from(1), word.wrapping_add(order), U256::ZERO, U256::from_be_bytes(noise)];
        for replacement in replacements {
            let mut changed = proof.clone();
            changed.proof[offset..offset + 32].copy_from_slice(&replacement.to_be_bytes::<32>());
            if changed.proof != proof.proof {
                check(&changed, &|| format!("byte {offset} replaced by {replacement:#x}"));
            }
        }
    }
    for index in 0..proof.public_inputs.len() {
        for change in [U256::from(1), order] {
            let mut changed = proof.clone();
            changed.public_inputs[index] = changed.public_inputs[index].wrapping_add(change);
            check(&changed, &|| format!("public input {index} plus {change:#x}"));
        }
    }
    let mut truncated = proof.clone();
    truncated.proof.truncate(proof.proof.len() - 32);
    check(&truncated, &|| "a truncated proof".to_owned());
    let mut padded = proof.clone();
    padded.proof.extend([0; 32]);
    check(&padded, &|| "a padded proof".to_owned());
}

#[test]
fn the_final_verifier_fits_into_a_contract() {
    let mut cs = ConstraintSystem::default();
    RecursionCircuit::configure(&mut cs);
    let (solidity, shape) = generator::source(&cs, VERIFIER_BATCH_PLACES).expect("supported");
    println!("{shape:?}, {} bytes of proof", shape.proof_length());
    assert_eq!(solidity, VERIFIER_SOURCE, "the generated source isn't the committed one");
    let (_, size) = compile_verifier(&solidity);
    println!("{size} bytes of code, {} of key", shape.verifying_key_length);
    assert!(size <= MAX_CODE_SIZE && shape.verifying_key_length <= MAX_CODE_SIZE);
}

#[test]
fn agrees_with_snark_verifier_on_the_final_shape() {
    let circuit = SmallCircuit::last();
    let proof = circuit.prove(&values(FINAL_PUBLIC_INPUTS), 1);
    assert!(circuit.accepts(&proof));
    let deployed = Deployed::new(&circuit);
    let receipt = deployed.verify(&proof).expect("accepted");
    println!("{} gas, {} bytes of proof", receipt.gas_used, proof.proof.len());
    assert_eq!(proof.proof.len(), circuit.generate().shape.proof_length());
    check_mutations(&circuit, &deployed, &proof, 4);
}

#[test]
fn agrees_with_snark_verifier_on_other_shapes() {
    // Even and odd numbers of permutation columns, with and without columns of constants.
    let shapes = [shape(9, 2, 1, 1, 1), shape(11, 3, 1, 1, 2), shape(8, 4, 3, 2, 3), shape(9, 7, 2, 1, 4)];
    for (seed, shape) in shapes.into_iter().enumerate() {
        let circuit = SmallCircuit::new(shape);
        let proof = circuit.prove(&values(VALUES_PER_BATCH * shape.batch_places), seed as u64);
        assert!(circuit.accepts(&proof), "{shape:?}");
        let deployed = Deployed::new(&circuit);
        assert!(deployed.accepts(&proof), "{shape:?}");
        check_mutations(&circuit, &deployed, &proof, 5);
    }
}

#[test]
fn accepts_circuits_with_empty_columns() {
    let circuit = SmallCircuit::new(CircuitShape { empty_columns: 2, ..shape(9, 5, 2, 1, 1) });
    let proof = circuit.prove(&values(VALUES_PER_BATCH), 5);
    assert!(circuit.accepts(&proof));
    let deployed = Deployed::new(&circuit);
    assert!(deployed.accepts(&proof));
    check_mutations(&circuit, &deployed, &proof, 7);
}

#[test]
fn another_circuit_size_or_set_up_changes_only_the_data() {
    let small = SmallCircuit::new(shape(8, 3, 1, 1, 1)).generate();
    let circuit = SmallCircuit::new(shape(10, 3, 1, 1, 1));
    let large = circuit.generate();
    assert_eq!(small.solidity, large.solidity);
    assert_ne!(small.verifying_key, large.verifying_key);
    let params = ParamsKZG::<Bn256>::setup(10, ChaCha20Rng::seed_from_u64(8));
    let imported = generate(circuit.key.get_vk(), &params, SrsOrigin::Imported, 1).expect("supported");
    assert_eq!(imported.solidity, large.solidity);
    assert_ne!(imported.verifying_key, large.verifying_key);
}

/// The accumulator's pairing is checked on its own, not only as part of a sum.
#[test]
fn refuses_accumulators_that_fail_their_pairing() {
    use halo2_proofs::{halo2curves::group::Curve, poly::commitment::ParamsProver};
    let circuit = SmallCircuit::new(shape(9, 2, 1, 1, 1));
    let deployed = Deployed::new(&circuit);
    let g = circuit.params.get_g();
    for (left, right) in [(3, 4), (4, 3)] {
        let accumulator = [(g[1] * Fr::from(left)).to_affine(), (g[0] * Fr::from(right)).to_affine()];
        let proof = circuit.prove_with_accumulator(&values(VALUES_PER_BATCH), accumulator, left);
        assert!(!circuit.accepts(&proof));
        assert!(!deployed.accepts(&proof));
    }
}

/// Values in the instance column of a circuit with one place.
const INSTANCES: usize = VALUES_PER_BATCH + ACCUMULATOR_LIMBS;

fn verifying_key_of(params: BaseCircuitParams, instances: usize) -> Result<(), GeneratorError> {
    let k = params.k as u32;
    let mut builder = BaseCircuitBuilder::<Fr>::new(false).use_params(params);
    let range = builder.range_chip();
    let context = builder.main(0);
    let exposed = context.assign_witnesses((0..instances as u64).map(Fr::from));
    halo2_base::gates::RangeInstructions::range_check(&range, context, exposed[0], 4);
    if let Some(column) = builder.assigned_instances.first_mut() {
        *column = exposed;
    }
    let setup = ParamsKZG::<Bn256>::setup(k, ChaCha20Rng::seed_from_u64(7));
    let vk = keygen_vk(&setup, &builder).expect("verifying key");
    generate(&vk, &setup, SrsOrigin::Development, 1).map(|_| ())
}

#[test]
fn refuses_other_constraint_systems() {
    let supported = shape(8, 2, 1, 1, 1).params();
    verifying_key_of(supported.clone(), INSTANCES).expect("supported");
    // The leaf circuit draws challenges between its columns.
    let mut leaf = ConstraintSystem::default();
    configure(&mut leaf, &GateSet::LEAF, 1);
    let error = generator::source(&leaf, 1).expect_err("challenges");
    assert!(matches!(error, GeneratorError::Unsupported { what: "number of challenges", .. }), "{error}");
    let two_instances = BaseCircuitParams { num_instance_columns: 2, ..supported };
    let error = verifying_key_of(two_instances, INSTANCES).expect_err("two instance columns");
    assert!(
        matches!(error, GeneratorError::Unsupported { what: "number of instance columns", .. }),
        "{error}"
    );
}

#[test]
fn refuses_mismatched_arguments() {
    let circuit = SmallCircuit::new(shape(8, 2, 1, 1, 1));
    let vk = circuit.key.get_vk();
    let other = ParamsKZG::<Bn256>::setup(9, ChaCha20Rng::seed_from_u64(7));
    let error = generate(vk, &other, SrsOrigin::Development, 1).expect_err("size");
    assert!(matches!(error, GeneratorError::SizeMismatch { key: 8, params: 9 }), "{error}");
    for places in [0, 17] {
        let error = generate(vk, &circuit.params, SrsOrigin::Development, places).expect_err("places");
        assert!(matches!(error, GeneratorError::BatchPlaces { .. }), "{error}");
    }
}

/// From the plan of a deployment to proofs checked by the embedded code.
#[test]
fn deploys_and_verifies() {
    let circuit = SmallCircuit::last();
    let mut chain = LocalChain::new(LOCAL_CHAIN_ID, NOW);
    let nonce = chain.nonce(DEPLOYER);
    let plan = Deployment::plan(DEPLOYER, nonce, &circuit.generate(), &parameters()).expect("plan");
    for creation in [&plan.verifying_key, &plan.verifier] {
        assert_eq!(create(&mut chain, creation.init_code.clone()), creation.address, "{}", creation.name);
    }
    let deployed = Deployed { chain, verifier: plan.verifier.address };
    for batches in [1, VERIFIER_BATCH_PLACES] {
        let used = batches * VALUES_PER_BATCH;
        let mut inputs = values(FINAL_PUBLIC_INPUTS);
        inputs[used..].fill(Fr::zero());
        let proof = circuit.prove(&inputs, batches as u64);
        let receipt = deployed.verify(&proof).expect("accepted");
        println!("{batches} of {} batches: {} gas", VERIFIER_BATCH_PLACES, receipt.gas_used);
        assert!(receipt.gas_used <= MAX_VERIFY_GAS, "{} gas", receipt.gas_used);
        let mut other = proof.clone();
        other.public_inputs[used - 1] ^= U256::from(1);
        assert!(!deployed.accepts(&other));
    }
}

fn parameters() -> Parameters {
    Parameters::demonstration(DEPLOYER, U256::from(42))
}

#[test]
fn embedded_code_fits_into_a_contract() {
    for (name, json) in ARTIFACTS.iter().chain(&[("Verifier", VERIFIER_JSON)]) {
        let artifact: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let code = artifact["deployedBytecode"].as_str().expect("code").trim_start_matches("0x");
        assert_eq!(code.is_empty(), *name == "IRollup", "{name}");
        assert!(code.len() / 2 <= MAX_CODE_SIZE, "{name}: {} bytes", code.len() / 2);
        assert!(code.bytes().all(|digit| digit.is_ascii_hexdigit()), "{name} is linked");
    }
}

#[test]
fn refuses_a_development_set_up_on_a_public_chain() {
    let circuit = SmallCircuit::last();
    let plan = Deployment::plan(DEPLOYER, 0, &circuit.generate(), &parameters()).expect("plan");
    let mut chain = LocalChain::new(1, NOW);
    create(&mut chain, plan.verifying_key.init_code.clone());
    let error = chain.transact(DEPLOYER, None, plan.verifier.init_code.clone()).expect_err("mainnet");
    let EvmError::Reverted { data, .. } = error else { panic!("{error}") };
    assert!(calldata::describe_error(&data).contains("DevelopmentSrs"));
    let other = SmallCircuit::new(shape(8, 2, 1, 1, 1)).generate();
    Deployment::plan(DEPLOYER, 0, &other, &parameters()).expect_err("another constraint system");
}

#[test]
fn describes_unknown_errors_in_hexadecimal() {
    assert_eq!(calldata::describe_error(&[0xab, 0xcd]), "0xabcd");
    assert_eq!(calldata::describe_error(B256::repeat_byte(1).as_slice()), format!("0x{}", "01".repeat(32)));
}
