//! The committed Solidity side: generated source, compiled artifacts and fixtures are what the sources give, and the
//! Foundry tests pass. `BLESS=1` writes the committed files anew. Needs Node.js with npm.

#![allow(clippy::panic)]

mod common;

use std::{
    fs,
    path::Path,
    sync::{LazyLock, Mutex, MutexGuard},
};

use alloy::primitives::{Address, keccak256};
use common::{
    FINAL_PUBLIC_INPUTS, Proof, SmallCircuit, coordinates, directory, install_node_packages, run_with,
};
use halo2_proofs::{
    halo2curves::{
        bn256::{Fr, G1Affine},
        group::Curve,
    },
    poly::commitment::ParamsProver,
};
use serde_json::{Value, json};
use tenon_contracts::{
    artifacts::{ARTIFACTS, VERIFIER_BATCH_PLACES},
    calldata,
    evm::LOCAL_CHAIN_ID,
    generator::VALUES_PER_BATCH,
};

const DEPLOYER: Address = Address::repeat_byte(0xde);
const GENESIS_STATE: u64 = 1_000_000;
const FIXTURE: &str = "test/fixtures/settlement.json";
const GENERATED: &str = "src/generated/Verifier.sol";
/// Files of src/ that nobody generates.
const FORMATTED: [&str; 7] = [
    "src/Rollup.sol",
    "src/DemoRollup.sol",
    "src/data",
    "src/interfaces",
    "src/libraries",
    "src/rollup",
    "test",
];

fn bless() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// Forge runs one at a time, and on blessed files.
fn foundry() -> MutexGuard<'static, ()> {
    static FOUNDRY: LazyLock<Mutex<()>> = LazyLock::new(|| {
        install_node_packages();
        if bless() {
            fs::create_dir_all(directory().join("src/generated")).expect("directory");
            write(GENERATED, &SmallCircuit::last().generate().solidity);
            write(FIXTURE, &fixture(&final_circuit_but_small()));
        }
        Mutex::new(())
    });
    FOUNDRY.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write(path: &str, content: &str) {
    fs::write(directory().join(path), content).unwrap_or_else(|error| panic!("{path}: {error}"));
}

fn read(path: &str) -> String {
    fs::read_to_string(directory().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs the native forge: the npm package's wrapper doesn't pass its exit status on.
fn forge(arguments: &[&str]) -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let processor = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
    let package = format!("node_modules/@foundry-rs/forge-{system}-{processor}/bin/forge");
    let forge = directory().join(package);
    assert!(
        forge.with_extension(std::env::consts::EXE_EXTENSION).exists(),
        "{} isn't there",
        forge.display()
    );
    // The committed gas figures in snapshots/ are checked, or written.
    let check = ("FORGE_SNAPSHOT_CHECK", if bless() { "false" } else { "true" });
    run_with(forge.to_str().expect("a path in Unicode"), arguments, &[check])
}

fn final_circuit_but_small() -> SmallCircuit {
    SmallCircuit::last()
}

/// A settlement of the tests.
struct Run {
    number: u64,
    timestamp: u32,
    state_in: Fr,
    batches: usize,
}

/// Public inputs of a run of batches, unused places 0.
fn run_of_batches(run: &Run, domain: Fr) -> Vec<Fr> {
    let mut values = vec![Fr::zero(); FINAL_PUBLIC_INPUTS];
    let mut state = run.state_in;
    for (index, place) in values.chunks_mut(VALUES_PER_BATCH).take(run.batches).enumerate() {
        let number = run.number + index as u64;
        let timestamp = run.timestamp + 60 * u32::try_from(index).expect("small");
        let next = state_after(number);
        let commit = Fr::from(0xc0_0000 + number).square();
        let batch = Fr::from(number) + Fr::from(u64::from(timestamp)) * Fr::from(1 << 32).square();
        let evaluations = [1, 2, 3, 4, 5].map(|value| Fr::from(0xe0_0000 + 8 * number + value).square());
        place.copy_from_slice(&[[domain, batch, state, next, commit], evaluations].concat());
        state = next;
    }
    values
}

fn state_after(number: u64) -> Fr {
    Fr::from(0x57a7_e000 + number).square().square()
}

fn settlement(proof: &Proof) -> Value {
    json!({
        "proof": format!("0x{}", hex::encode(&proof.proof)),
        "publicInputs": proof.public_inputs,
    })
}

/// Proofs for the Foundry tests: a full run from genesis, one batch after it, and a full run whose accumulator is a
/// valid pair of points that fails its pairing.
fn fixture(circuit: &SmallCircuit) -> String {
    let generated = circuit.generate();
    let rollup = DEPLOYER.create(2);
    let domain = calldata::domain(LOCAL_CHAIN_ID, rollup);
    let domain_element = common::to_fr(domain).expect("248 bits");
    let places = VERIFIER_BATCH_PLACES;

    let first =
        Run { number: 1, timestamp: 1_700_000_000, state_in: Fr::from(GENESIS_STATE), batches: places };
    let values = run_of_batches(&first, domain_element);
    let first_proof = circuit.prove(&values, 1);
    let g = circuit.params.get_g();
    let bad: [G1Affine; 2] = [(g[1] * Fr::from(5)).to_affine(), (g[0] * Fr::from(6)).to_affine()];
    let bad_proof = circuit.prove_with_accumulator(&values, bad, 3);

    let next = Run {
        number: 1 + places as u64,
        timestamp: 1_700_001_000,
        state_in: state_after(places as u64),
        batches: 1,
    };
    let values = run_of_batches(&next, domain_element);
    let next_proof = circuit.prove(&values, 2);

    let content = json!({
        "badAccumulator": settlement(&bad_proof),
        "chainId": LOCAL_CHAIN_ID,
        "deployer": DEPLOYER,
        "first": settlement(&first_proof),
        "next": settlement(&next_proof),
        "otherPoints": coordinates(&[(g[0] * Fr::from(77)).to_affine()]),
        "verifyingKey": format!("0x{}", hex::encode(&generated.verifying_key)),
        "verifyingKeyHash": keccak256(&generated.verifying_key),
    });
    format!("{content:#}\n")
}

#[test]
fn the_generated_source_is_committed() {
    let _foundry = foundry();
    assert!(
        read(GENERATED) == SmallCircuit::last().generate().solidity,
        "{GENERATED} isn't what the generator gives: run the tests with BLESS=1 and review the difference"
    );
}

#[test]
fn the_fixture_is_for_this_circuit() {
    let _foundry = foundry();
    let circuit = final_circuit_but_small();
    let generated = circuit.generate();
    assert_eq!(generated.solidity, read(GENERATED), "the size of the circuit changed the code");
    let fixture: Value = serde_json::from_str(&read(FIXTURE)).expect("JSON");
    assert_eq!(
        fixture["verifyingKey"],
        format!("0x{}", hex::encode(&generated.verifying_key)),
        "{FIXTURE} is for another circuit: run the tests with BLESS=1"
    );
    assert_eq!(fixture["verifyingKeyHash"], json!(keccak256(&generated.verifying_key)));
    for (name, expected) in [("first", true), ("next", true), ("badAccumulator", false)] {
        let proof = Proof {
            public_inputs: serde_json::from_value(fixture[name]["publicInputs"].clone()).expect("numbers"),
            proof: hex::decode(fixture[name]["proof"].as_str().expect("text").trim_start_matches("0x"))
                .expect("hexadecimal"),
        };
        assert_eq!(circuit.accepts(&proof), expected, "{name}");
    }
}

/// The parts of forge's output that are committed.
fn artifact(contract: &str) -> String {
    let path = format!("out/{contract}.sol/{contract}.json");
    let compiled: Value = serde_json::from_str(&read(&path)).expect("JSON");
    let content = json!({
        "abi": compiled["abi"],
        "bytecode": compiled["bytecode"]["object"],
        "deployedBytecode": compiled["deployedBytecode"]["object"],
    });
    format!("{content:#}\n")
}

#[test]
fn the_artifacts_are_committed() {
    let _foundry = foundry();
    forge(&["build", "--skip", "test"]);
    for contract in ["Verifier"].into_iter().chain(ARTIFACTS.iter().map(|(name, _)| *name)) {
        let path = format!("artifacts/{contract}.json");
        let compiled = artifact(contract);
        if bless() {
            write(&path, &compiled);
        }
        assert!(
            Path::new(&directory().join(&path)).exists() && read(&path) == compiled,
            "{path} isn't what the sources give: run the tests with BLESS=1"
        );
    }
}

#[test]
fn the_foundry_tests_pass() {
    let _foundry = foundry();
    forge(&[&["fmt", "--check"][..], &FORMATTED].concat());
    let output = forge(&["test"]);
    println!("{output}");
    assert!(output.contains(" 0 failed"), "{output}");
}
