// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title What checks an aggregate proof
/// @notice A proof is the accumulator's four coordinates (lhs.x, lhs.y, rhs.x, rhs.y), then the proof with its
/// Keccak transcript: words of 32 bytes, big-endian, nothing else. Offsets in errors count its bytes from 0.
interface IVerifier {
    /// @notice The call data is longer or shorter than that of the one canonical encoding.
    error CalldataLength(uint256 expected, uint256 actual);
    /// @notice The arguments don't start where the canonical encoding has them.
    error CalldataOffset(uint256 expected, uint256 actual);
    /// @notice The number of public inputs isn't ten for each batch place.
    error PublicInputsLength(uint256 expected, uint256 actual);
    /// @notice The proof's length in bytes is wrong.
    error ProofLength(uint256 expected, uint256 actual);
    /// @notice A public input isn't below the order of the scalar field.
    error PublicInputOutOfRange(uint256 index, uint256 value);
    /// @notice A scalar of the proof isn't below the order of the scalar field.
    error ScalarOutOfRange(uint256 offset, uint256 value);
    /// @notice A coordinate isn't below the order of the base field.
    error CoordinateOutOfRange(uint256 offset, uint256 value);
    /// @notice A point is the point at infinity, which no honest proof contains.
    error PointAtInfinity(uint256 offset);
    /// @notice A point doesn't satisfy the equation of the curve.
    error PointNotOnCurve(uint256 offset, uint256 x, uint256 y);
    /// @notice A challenge fell on a point where the proof can't be checked: not to be met in practice.
    error DegenerateChallenge();
    /// @notice A precompiled contract failed, for want of gas unless the chain lacks it.
    error PrecompileFailed();
    /// @notice The proof doesn't prove the public inputs.
    error ProofRejected();
    /// @notice The code at the verifying key's address isn't the one fixed at construction.
    error VerifyingKeyHash(address verifyingKey, bytes32 expected, bytes32 actual);
    /// @notice The verifying key has another length than the constraint system wants.
    error VerifyingKeyLength(uint256 expected, uint256 actual);
    /// @notice The verifying key was made for another constraint system.
    error VerifyingKeyShape(bytes32 expected, bytes32 actual);
    /// @notice The verifying key doesn't say where its structured reference string comes from.
    error UnknownSrs(uint256 source);
    /// @notice A development set-up, whose secret is known, is refused on every chain that isn't a local one.
    error DevelopmentSrs(uint256 chainId);

    /// @notice Checks a proof; reverts with one of the errors above unless it holds. Call data that can't be
    /// decoded at all reverts without data.
    /// @param publicInputs Ten values for each batch place, in order: domain, batch, state before, state after,
    /// commitment, point of the DA stream, its evaluation's low and high 128 bits, point of the L1 stream, its
    /// evaluation. Unused places are 0.
    /// @param proof The accumulator's points and the proof.
    /// @return accepted Always true: an address without code can't answer it.
    function verify(uint256[] calldata publicInputs, bytes calldata proof)
        external
        view
        returns (bool accepted);

    /// @notice The number of batches that one proof has places for.
    function batchPlaces() external view returns (uint256);

    /// @notice The proof's exact length in bytes.
    function proofLength() external view returns (uint256);

    /// @notice The contract whose code is the verifying key.
    function verifyingKey() external view returns (address);

    /// @notice The hash of that code, fixed at construction.
    function verifyingKeyHash() external view returns (bytes32);

    /// @notice Whether the verifying key belongs to a development set-up, whose secret is known.
    function developmentSrs() external view returns (bool);
}
