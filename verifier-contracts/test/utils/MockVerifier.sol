// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @notice Takes the hash of the public inputs for their proof, so that a test has to know each of them.
contract MockVerifier {
    error ProofRejected();

    uint256 public immutable batchPlaces;
    bool public immutable developmentSrs;

    constructor(uint256 places, bool development) {
        batchPlaces = places;
        developmentSrs = development;
    }

    function verify(uint256[] calldata publicInputs, bytes calldata proof) external view returns (bool) {
        if (publicInputs.length != 10 * batchPlaces) revert ProofRejected();
        // The address tells proofs of one verifier from those of another.
        if (keccak256(proof) != keccak256(proofOf(publicInputs))) revert ProofRejected();
        return true;
    }

    function proofOf(uint256[] calldata publicInputs) public view returns (bytes memory) {
        return abi.encode(keccak256(abi.encode(address(this), publicInputs)));
    }
}
