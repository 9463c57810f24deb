// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @notice Accepts the public inputs that the model allowed, and no others. Only the model's owner can allow any.
contract ModelVerifier {
    error ProofRejected();

    uint256 public immutable batchPlaces;
    address private immutable OWNER;
    mapping(bytes32 => bool) private allowed;

    constructor(uint256 places) {
        batchPlaces = places;
        OWNER = msg.sender;
    }

    function allow(uint256[] calldata publicInputs) external {
        if (msg.sender != OWNER) revert ProofRejected();
        allowed[keccak256(abi.encode(publicInputs))] = true;
    }

    function verify(uint256[] calldata publicInputs, bytes calldata) external view returns (bool) {
        if (!allowed[keccak256(abi.encode(publicInputs))]) revert ProofRejected();
        return true;
    }

    function developmentSrs() external pure returns (bool) {
        return true;
    }

    /// @notice Nothing: what counts is what the model allowed.
    function proofOf(uint256[] calldata) external pure returns (bytes memory) {
        return "";
    }
}
