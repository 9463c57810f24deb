//! Generated verifiers in a real EVM, against snark-verifier's own verdict.

mod common;

use alloy::{
    primitives::{Address, Bytes, keccak256},
    sol_types::{SolCall, SolValue},
};
use common::{CircuitShape, Proof, SmallCircuit, compile_verifier};
use halo2_proofs::halo2curves::bn256::Fr;
use tenon_contracts::{
    bindings::IVerifier,
    evm::{EvmError, LOCAL_CHAIN_ID, LocalChain, Receipt},
};

const DEPLOYER: Address = Address::repeat_byte(0x11);
/// EIP-170.
const MAX_CODE_SIZE: usize = 24_576;

struct Deployed {
    chain: LocalChain,
    verifier: Address,
}

/// Code that puts the given runtime code on the chain.
fn deploy_data(chain: &mut LocalChain, runtime: &[u8]) -> Address {
    let mut code = vec![0x61];
    code.extend(u16::try_from(runtime.len()).expect("length").to_be_bytes());
    code.extend([0x80, 0x60, 0x0a, 0x3d, 0x39, 0x3d, 0xf3]);
    code.extend(runtime);
    chain.transact(DEPLOYER, None, code.into()).expect("deployed").created.expect("address")
}

impl Deployed {
    fn new(circuit: &SmallCircuit) -> Self {
        let generated = circuit.generate();
        let (creation, size) = compile_verifier(&generated.solidity);
        println!("{:?}: {size} bytes of code, {} of key", circuit.shape, generated.verifying_key.len());
        assert!(size < MAX_CODE_SIZE, "{size} bytes");
        let mut chain = LocalChain::new(LOCAL_CHAIN_ID, 1_700_000_000);
        let key = deploy_data(&mut chain, &generated.verifying_key);
        let arguments = (key, keccak256(&generated.verifying_key)).abi_encode();
        let creation: Vec<u8> = creation.iter().copied().chain(arguments).collect();
        let verifier =
            chain.transact(DEPLOYER, None, creation.into()).expect("deployed").created.expect("address");
        Self { chain, verifier }
    }

    fn verify(&self, proof: &Proof) -> Result<Receipt, EvmError> {
        let call = IVerifier::verifyCall {
            publicInputs: proof.public_inputs.clone(),
            proof: Bytes::copy_from_slice(&proof.proof),
        };
        let receipt = self.chain.call(DEPLOYER, self.verifier, call.abi_encode().into())?;
        assert!(IVerifier::verifyCall::abi_decode_returns(&receipt.output).expect("a bool"));
        Ok(receipt)
    }
}

fn values(count: usize) -> Vec<Fr> {
    (0..count as u64).map(|i| Fr::from(1000 + i)).collect()
}

#[test]
fn accepts_what_snark_verifier_accepts() {
    let shape =
        CircuitShape { k: 10, gate_columns: 12, lookup_columns: 2, constant_columns: 1, batch_places: 2 };
    let circuit = SmallCircuit::new(shape);
    let proof = circuit.prove(&values(10), 1);
    assert!(circuit.accepts(&proof));
    let deployed = Deployed::new(&circuit);
    let receipt = deployed.verify(&proof).expect("accepted");
    println!("{} gas, {} bytes of proof", receipt.gas_used, proof.proof.len());
}
