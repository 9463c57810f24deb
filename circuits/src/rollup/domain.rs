//! The domain: what ties signatures and proofs to one rollup contract on one chain.

use tiny_keccak::{Hasher, Keccak};

use super::{Address, Fr, PROTOCOL_VERSION, field};

/// `uint256(keccak256(abi.encode("tenon.v1", chainId, rollup))) >> 8`.
pub fn domain(chain_id: u64, rollup: Address) -> Fr {
    let word = |value: u64| {
        let mut word = [0; 32];
        word[24..].copy_from_slice(&value.to_be_bytes());
        word
    };
    let mut address = [0; 32];
    address[12..].copy_from_slice(&rollup.0);
    let mut version = [0; 32];
    for (byte, letter) in version.iter_mut().zip(PROTOCOL_VERSION.bytes()) {
        *byte = letter;
    }
    let mut keccak = Keccak::v256();
    for part in [word(96), word(chain_id), address, word(PROTOCOL_VERSION.len() as u64), version] {
        keccak.update(&part);
    }
    let mut hash = [0; 32];
    keccak.finalize(&mut hash);
    let mut shifted = [0; 32];
    shifted[1..].copy_from_slice(&hash[..31]);
    // Below 2^248, so the value is reduced.
    field::from_bytes(&shifted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_chain_and_contract() {
        let base = domain(1, Address([1; 20]));
        assert_ne!(base, domain(2, Address([1; 20])));
        assert_ne!(base, domain(1, Address([2; 20])));
    }
}
