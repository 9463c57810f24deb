//! On-chain verification in a real EVM (revm): checking the committed proof of a circuit of the final circuit's shape.
//! The gas is printed once; the time is the interpreter's.

use std::path::Path;

use alloy::primitives::{Address, Bytes, U256, hex, keccak256};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::Value;
use tenon_contracts::{
    calldata,
    deployment::{verifier_init_code, verifying_key_init_code},
    evm::{LOCAL_CHAIN_ID, LocalChain},
};

const FIXTURE: &str = "../verifier-contracts/test/fixtures/settlement.json";
const NOW: u64 = 2_000_000_000;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a string in the fixture")
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(value, name)).expect("bytes in the fixture")
}

fn deploy(chain: &mut LocalChain, from: Address, code: Bytes) -> Address {
    chain.transact(from, None, code).expect("a deployment").created.expect("a contract")
}

fn verification(c: &mut Criterion) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FIXTURE);
    let fixture: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture")).expect("JSON");
    let deployer: Address = text(&fixture, "deployer").parse().expect("an address");
    let key = bytes(&fixture, "verifyingKey");
    let mut chain = LocalChain::new(LOCAL_CHAIN_ID, NOW);
    let init_code = verifying_key_init_code(&key).expect("a key that fits a contract");
    let key_contract = deploy(&mut chain, deployer, init_code);
    let verifier = deploy(&mut chain, deployer, verifier_init_code(key_contract, keccak256(&key)));
    let first = &fixture["first"];
    let public_inputs: Vec<U256> =
        serde_json::from_value(first["publicInputs"].clone()).expect("numbers in the fixture");
    let call = calldata::verify(&public_inputs, &bytes(first, "proof"));
    let receipt = chain.call(deployer, verifier, call.clone()).expect("the contract takes the proof");
    println!("checking a proof takes {} gas", receipt.gas_used);
    c.bench_function("onchain/verify", |b| b.iter(|| chain.call(deployer, verifier, call.clone())));
}

criterion_group!(benches, verification);
criterion_main!(benches);
