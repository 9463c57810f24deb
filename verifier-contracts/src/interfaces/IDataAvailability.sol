// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title How a batch's data is published, and tied to its proof
/// @notice Blobs are checked by the rollup's own code, every other mode by a contract fixed at deployment.
interface IDataAvailability {
    /// @notice A batch has no blob, or too many.
    error BlobCount(uint256 maximum, uint256 actual);
    /// @notice The transaction doesn't carry the blob.
    error BlobMissing(uint256 index);
    /// @notice The last blob of several is empty.
    error BlobEmpty(uint256 index);
    /// @notice An attestation or opening has the wrong length in bytes.
    error DataLength(uint256 expected, uint256 actual);
    /// @notice The opened commitments aren't those of the published blobs.
    error DataHash(bytes32 expected, bytes32 actual);
    /// @notice A blob's value isn't below the order of the BLS12-381 scalar field.
    error ValueOutOfRange(uint256 blob, uint256 value);
    /// @notice The point-evaluation precompile refused an opening.
    error OpeningRejected(uint256 blob);
    /// @notice The point-evaluation precompile returned something else than EIP-4844 says.
    error OpeningReturn(uint256 blob, uint256 length, uint256 coefficients, uint256 modulus);
    /// @notice Fewer signatures than the threshold, or bytes left over.
    error SignatureCount(uint256 expected, uint256 actual);
    /// @notice A signature isn't a member's.
    error NotAMember(address signer);
    /// @notice The signers' addresses don't ascend.
    error SignatureOrder(address previous, address signer);
    /// @notice The committee or its threshold is too small, or a member is named twice.
    error InvalidCommittee(uint256 threshold, uint256 members);

    /// @notice Checks that a batch's data is published; reverts unless it is.
    /// @param domain The rollup's domain.
    /// @param number The batch's number.
    /// @param commit The commitment to its data.
    /// @param firstBlob The transaction's first blob that no earlier batch uses.
    /// @param attestation One byte with the number of blobs; or the committee's signatures.
    /// @return blobHashes The versioned hashes of its blobs; none in committee mode.
    function publish(
        uint256 domain,
        uint64 number,
        uint256 commit,
        uint256 firstBlob,
        bytes calldata attestation
    ) external view returns (bytes32[] memory blobHashes);

    /// @notice The data's evaluation; reverts unless the opening shows it.
    /// @param dataHash Keccak-256 of the blobs' versioned hashes, 32 bytes each.
    /// @param point Where to evaluate.
    /// @param opening For each blob value, commitment and proof; or the last DA word.
    /// @return z The point that the proof has to use: `point`, or 0 in committee mode.
    /// @return y The DA stream's evaluation there, below the order of the BLS12-381 scalar field.
    function evaluate(bytes32 dataHash, uint256 point, bytes calldata opening)
        external
        view
        returns (uint256 z, uint256 y);
}
