//! A small circuit of the final circuit's shape, which exposes any batch values together with an accumulator, its
//! proofs, and the native verification that the contract has to agree with.
#![allow(dead_code)]

mod final_circuit;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use alloy::primitives::{Bytes, U256};
use halo2_base::{
    QuantumCell,
    gates::{
        GateInstructions, RangeInstructions,
        circuit::{BaseCircuitParams, builder::BaseCircuitBuilder},
    },
};
use halo2_proofs::{
    halo2curves::{
        CurveAffine,
        bn256::{Bn256, Fr, G1Affine},
        ff::PrimeField,
        group::Curve,
    },
    plonk::{Circuit, ProvingKey, create_proof, keygen_pk, keygen_vk},
    poly::{
        commitment::ParamsProver,
        kzg::{
            commitment::{KZGCommitmentScheme, ParamsKZG},
            multiopen::ProverSHPLONK,
        },
    },
    transcript::TranscriptWriterBuffer,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use snark_verifier::{
    loader::native::NativeLoader,
    pcs::kzg::{Bdfg21, KzgAs, KzgDecidingKey, LimbsEncoding},
    system::halo2::{
        Config, compile,
        transcript::evm::{ChallengeEvm, EvmTranscript},
    },
    verifier::{
        SnarkVerifier,
        plonk::{PlonkProtocol, PlonkVerifier},
    },
};
use tenon_contracts::artifacts::VERIFIER_BATCH_PLACES;
use tenon_contracts::generator::{GeneratedVerifier, SrsOrigin, VALUES_PER_BATCH, generate};

const LIMB_BITS: usize = 88;
const LIMBS: usize = 3;

type Verifier = PlonkVerifier<KzgAs<Bn256, Bdfg21>, LimbsEncoding<LIMBS, LIMB_BITS>>;
type Transcript<S> = EvmTranscript<G1Affine, NativeLoader, S, Vec<u8>>;

/// A shape of circuit and its size.
#[derive(Clone, Copy, Debug)]
pub struct CircuitShape {
    pub k: u32,
    pub gate_columns: usize,
    pub lookup_columns: usize,
    pub constant_columns: usize,
    pub batch_places: usize,
    /// Gate columns that the circuit leaves empty, whose selectors commit to nothing.
    pub empty_columns: usize,
}

/// A circuit's keys.
pub struct SmallCircuit {
    pub kind: Kind,
    pub params: ParamsKZG<Bn256>,
    pub key: ProvingKey<G1Affine>,
    protocol: PlonkProtocol<G1Affine>,
}

/// Which constraint system a circuit has.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The final circuit's.
    Final,
    /// One of halo2-base's, with break points.
    Base(CircuitShape, Vec<Vec<usize>>),
}

impl Kind {
    pub fn batch_places(&self) -> usize {
        match self {
            Self::Final => VERIFIER_BATCH_PLACES,
            Self::Base(shape, _) => shape.batch_places,
        }
    }
}

/// A proof as the contract takes it, with its public inputs.
#[derive(Clone, Debug)]
pub struct Proof {
    pub public_inputs: Vec<U256>,
    pub proof: Vec<u8>,
}

pub fn to_u256(value: &Fr) -> U256 {
    U256::from_le_bytes(value.to_repr())
}

pub fn to_fr(value: U256) -> Option<Fr> {
    Option::from(Fr::from_repr(value.to_le_bytes()))
}

impl SmallCircuit {
    /// With the final circuit's constraint system.
    pub fn last() -> Self {
        let params = ParamsKZG::<Bn256>::setup(final_circuit::K, ChaCha20Rng::seed_from_u64(7));
        let circuit = final_circuit::circuit(&vec![Fr::zero(); FINAL_PUBLIC_INPUTS + 4 * LIMBS]);
        let vk = keygen_vk(&params, &circuit).expect("verifying key");
        let key = keygen_pk(&params, vk, &circuit).expect("proving key");
        Self::of(Kind::Final, params, key)
    }

    /// With a constraint system of halo2-base's.
    pub fn new(shape: CircuitShape) -> Self {
        let params = ParamsKZG::<Bn256>::setup(shape.k, ChaCha20Rng::seed_from_u64(7));
        let values = vec![Fr::zero(); VALUES_PER_BATCH * shape.batch_places + 4 * LIMBS];
        let builder = build(BaseCircuitBuilder::new(false).use_params(shape.params()), shape, &values);
        let vk = keygen_vk(&params, &builder).expect("verifying key");
        let key = keygen_pk(&params, vk, &builder).expect("proving key");
        Self::of(Kind::Base(shape, builder.break_points()), params, key)
    }

    fn of(kind: Kind, params: ParamsKZG<Bn256>, key: ProvingKey<G1Affine>) -> Self {
        let inputs = VALUES_PER_BATCH * kind.batch_places();
        let limbs = (0..4 * LIMBS).map(|i| (0, inputs + i)).collect();
        let config =
            Config::kzg().with_num_instance(vec![inputs + 4 * LIMBS]).with_accumulator_indices(Some(limbs));
        let protocol = compile(&params, key.get_vk(), config);
        Self { kind, params, key, protocol }
    }

    pub fn generate(&self) -> GeneratedVerifier {
        generate(self.key.get_vk(), &self.params, SrsOrigin::Development, self.kind.batch_places())
            .expect("supported shape")
    }

    /// Proves any batch values, with an accumulator drawn from the seed: (secret · c · G, c · G).
    pub fn prove(&self, batch_values: &[Fr], seed: u64) -> Proof {
        let factor = Fr::from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let g = self.params.get_g();
        let accumulator = [(g[1] * factor).to_affine(), (g[0] * factor).to_affine()];
        self.prove_with_accumulator(batch_values, accumulator, seed)
    }

    pub fn prove_with_accumulator(
        &self,
        batch_values: &[Fr],
        accumulator: [G1Affine; 2],
        seed: u64,
    ) -> Proof {
        let coordinates = coordinates(&accumulator);
        let instances: Vec<Fr> =
            batch_values.iter().copied().chain(coordinates.iter().flat_map(|&c| limbs(c))).collect();
        let transcript = match &self.kind {
            Kind::Final => self.transcript(final_circuit::circuit(&instances), &instances, seed),
            Kind::Base(shape, break_points) => {
                let builder = BaseCircuitBuilder::prover(shape.params(), break_points.clone());
                self.transcript(build(builder, *shape, &instances), &instances, seed)
            }
        };
        let mut proof: Vec<u8> = coordinates.iter().flat_map(|c| c.to_be_bytes::<32>()).collect();
        proof.extend(transcript);
        Proof { public_inputs: batch_values.iter().map(to_u256).collect(), proof }
    }

    fn transcript<C: Circuit<Fr>>(&self, circuit: C, instances: &[Fr], seed: u64) -> Vec<u8> {
        let mut transcript = Transcript::<Vec<u8>>::init(Vec::new());
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, ChallengeEvm<_>, _, _, _>(
            &self.params,
            &self.key,
            &[circuit],
            &[&[instances]],
            ChaCha20Rng::seed_from_u64(seed),
            &mut transcript,
        )
        .expect("proof");
        TranscriptWriterBuffer::finalize(transcript)
    }

    /// What snark-verifier says to a proof, the accumulator's pairing included.
    pub fn accepts(&self, proof: &Proof) -> bool {
        let Some((accumulator, transcript)) = proof.proof.split_at_checked(128) else { return false };
        let mut instances = Vec::new();
        for value in &proof.public_inputs {
            let Some(value) = to_fr(*value) else { return false };
            instances.push(value);
        }
        for coordinate in accumulator.chunks(32) {
            instances.extend(limbs(U256::from_be_slice(coordinate)));
        }
        let deciding_key: KzgDecidingKey<Bn256> =
            (self.params.get_g()[0], self.params.g2(), self.params.s_g2()).into();
        let instances = [instances];
        let mut reader = transcript;
        let mut stream = Transcript::<&mut &[u8]>::new(&mut reader);
        let Ok(read) = Verifier::read_proof(&deciding_key, &self.protocol, &instances, &mut stream) else {
            return false;
        };
        reader.is_empty() && Verifier::verify(&deciding_key, &self.protocol, &instances, &read).is_ok()
    }
}

/// Public inputs that a caller gives with proofs of the final circuit.
pub const FINAL_PUBLIC_INPUTS: usize = VALUES_PER_BATCH * VERIFIER_BATCH_PLACES;

impl CircuitShape {
    pub fn params(&self) -> BaseCircuitParams {
        BaseCircuitParams {
            k: self.k as usize,
            num_advice_per_phase: vec![self.gate_columns],
            num_fixed: self.constant_columns,
            num_lookup_advice_per_phase: vec![self.lookup_columns],
            lookup_bits: Some(self.k as usize - 1),
            num_instance_columns: 1,
        }
    }
}

/// Exposes the values, then fills the gate columns, the last one in part, and uses the lookups.
fn build(mut builder: BaseCircuitBuilder<Fr>, shape: CircuitShape, values: &[Fr]) -> BaseCircuitBuilder<Fr> {
    let params = builder.config_params.clone();
    let range = builder.range_chip();
    let context = builder.main(0);
    let exposed = context.assign_witnesses(values.iter().copied());
    let columns = shape.gate_columns - shape.empty_columns;
    let cells = ((columns - 1) << params.k) + (1 << (params.k - 2));
    let mut last = exposed[0];
    let mut count = 0_u64;
    while context.advice.len() < cells {
        let next = QuantumCell::Witness(Fr::from(count));
        last = range.gate().mul_add(context, last, QuantumCell::Constant(Fr::from(3)), next);
        if count.is_multiple_of(16) {
            let small = context.load_witness(Fr::from(count % 100));
            range.range_check(context, small, params.lookup_bits.expect("lookup bits"));
        }
        count += 1;
    }
    builder.assigned_instances[0] = exposed;
    builder
}

pub fn coordinates(points: &[G1Affine]) -> Vec<U256> {
    points
        .iter()
        .flat_map(|point| {
            let coordinates = point.coordinates().expect("not at infinity");
            [*coordinates.x(), *coordinates.y()].map(|c| U256::from_le_bytes(c.to_repr()))
        })
        .collect()
}

fn limbs(coordinate: U256) -> [Fr; LIMBS] {
    let mask = (U256::from(1) << LIMB_BITS) - U256::from(1);
    [0, 1, 2].map(|limb| {
        let value = (coordinate >> (limb * LIMB_BITS)) & if limb == 2 { U256::MAX } else { mask };
        to_fr(value).expect("a limb is small")
    })
}

pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Installs what package-lock.json names, unless it is there.
pub fn install_node_packages() {
    use std::sync::Once;
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        for tool in ["node", "npm"] {
            let found = Command::new(tool).arg("--version").output();
            assert!(
                found.is_ok_and(|output| output.status.success()),
                "the contracts' tests need Node.js (20 or later) with npm: `{tool}` isn't there"
            );
        }
        let wanted = directory().join("package-lock.json");
        let installed = directory().join("node_modules/.installed-lock.json");
        let read = |path: &Path| std::fs::read(path).ok();
        if read(&wanted).is_some() && read(&wanted) == read(&installed) {
            return;
        }
        run("npm", &["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]);
        std::fs::copy(&wanted, &installed).expect("node_modules can be written");
    });
}

/// Runs a command in the contracts' directory and returns its standard output; panics with all its output if it fails.
pub fn run(program: &str, arguments: &[&str]) -> String {
    run_with(program, arguments, &[])
}

/// The same with environment variables set.
pub fn run_with(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory())
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("`{program}` can't be run: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "`{program} {}` failed:\n{text}\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Compiles a generated verifier with npm's solc and returns its creation code and its runtime code's length.
pub fn compile_verifier(solidity: &str) -> (Bytes, usize) {
    install_node_packages();
    let interface =
        std::fs::read_to_string(directory().join("src/interfaces/IVerifier.sol")).expect("interface");
    let input = serde_json::json!({
        "language": "Solidity",
        "sources": {
            "src/generated/Verifier.sol": { "content": solidity },
            "src/interfaces/IVerifier.sol": { "content": interface },
        },
        "settings": {
            "evmVersion": "cancun",
            "optimizer": { "enabled": true, "runs": 1_000_000 },
            "metadata": { "appendCBOR": false, "bytecodeHash": "none" },
            "outputSelection": {
                "*": { "Verifier": ["evm.bytecode.object", "evm.deployedBytecode.object"] }
            },
        },
    });
    let mut child = Command::new("node")
        .args(["solc.mjs", "--standard-json"])
        .current_dir(directory())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    child.stdin.take().expect("input").write_all(input.to_string().as_bytes()).expect("solc reads");
    let output = child.wait_with_output().expect("solc ends");
    let output: serde_json::Value = serde_json::from_slice(&output.stdout).expect("solc answers in JSON");
    assert!(output["errors"].is_null(), "solc: {:#}", output["errors"]);
    let code = &output["contracts"]["src/generated/Verifier.sol"]["Verifier"]["evm"];
    let bytes = |name: &str| -> Vec<u8> {
        hex::decode(code[name]["object"].as_str().expect("code")).expect("hexadecimal")
    };
    (bytes("bytecode").into(), bytes("deployedBytecode").len())
}
