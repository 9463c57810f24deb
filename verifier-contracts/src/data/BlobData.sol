// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDataAvailability} from "../interfaces/IDataAvailability.sol";
import {Hashes} from "../libraries/Hashes.sol";

/// @title Data in blobs
/// @notice A batch's words are the coefficients of 1 to 6 polynomials of 4096 coefficients each, one a blob.
contract BlobData is IDataAvailability {
    uint256 private constant MAX_BLOBS = 6;
    uint256 private constant COEFFICIENTS = 4096;
    uint256 private constant LOG_COEFFICIENTS = 12;
    /// @dev The order of the BLS12-381 scalar field.
    uint256 private constant BLS_R = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    /// @dev The versioned hash of the zero polynomial's commitment.
    bytes32 private constant EMPTY_BLOB = 0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014;
    uint256 private constant OPENING_LENGTH = 128;

    /// @inheritdoc IDataAvailability
    bool public constant usesBlobs = true;

    /// @inheritdoc IDataAvailability
    function publish(uint256, uint64, uint256, uint256 firstBlob, bytes calldata attestation)
        external
        view
        returns (bytes32[] memory blobHashes)
    {
        if (attestation.length != 1) revert DataLength(1, attestation.length);
        uint256 count = uint8(attestation[0]);
        if (count == 0 || count > MAX_BLOBS) revert BlobCount(MAX_BLOBS, count);
        blobHashes = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            bytes32 versionedHash = blobhash(firstBlob + i);
            if (versionedHash == 0) revert BlobMissing(firstBlob + i);
            blobHashes[i] = versionedHash;
        }
        if (blobHashes[count - 1] == EMPTY_BLOB) revert BlobEmpty(firstBlob + count - 1);
    }

    /// @inheritdoc IDataAvailability
    function evaluate(bytes32 dataHash, uint256 point, bytes calldata opening)
        external
        view
        returns (uint256 z, uint256 y)
    {
        uint256 count = opening.length / OPENING_LENGTH;
        if (opening.length != count * OPENING_LENGTH) {
            revert DataLength(count * OPENING_LENGTH, opening.length);
        }
        if (count == 0 || count > MAX_BLOBS) revert BlobCount(MAX_BLOBS, count);
        z = point;
        uint256 step = 1;
        if (count > 1) {
            step = z;
            for (uint256 i = 0; i < LOG_COEFFICIENTS; i++) {
                step = mulmod(step, step, BLS_R);
            }
        }
        bytes32[] memory hashes = new bytes32[](count);
        uint256 power = 1;
        for (uint256 i = 0; i < count; i++) {
            uint256 value;
            (hashes[i], value) = check(i, z, opening[i * OPENING_LENGTH:]);
            y = addmod(y, mulmod(power, value, BLS_R), BLS_R);
            power = mulmod(power, step, BLS_R);
        }
        bytes32 actual = Hashes.ofWords(hashes);
        if (actual != dataHash) revert DataHash(dataHash, actual);
    }

    /// @dev Asks the point-evaluation precompile about the opening that bytes start with: value, commitment, proof.
    function check(uint256 blob, uint256 z, bytes calldata opening)
        private
        view
        returns (bytes32 versionedHash, uint256 value)
    {
        bool success;
        uint256 length;
        uint256 coefficients;
        uint256 modulus;
        assembly ("memory-safe") {
            // Versioned hash, point, value, commitment, proof.
            let pointer := mload(0x40)
            calldatacopy(add(pointer, 0x40), opening.offset, 0x80)
            value := mload(add(pointer, 0x40))
            mstore(add(pointer, 0x20), z)
            // SHA-256 of the commitment with the version in place of its first byte.
            success := staticcall(gas(), 0x02, add(pointer, 0x60), 0x30, pointer, 0x20)
            mstore8(pointer, 1)
            versionedHash := mload(pointer)
            success := and(success, staticcall(gas(), 0x0a, pointer, 0xc0, 0, 0x40))
            length := returndatasize()
            coefficients := mload(0)
            modulus := mload(0x20)
        }
        if (value >= BLS_R) revert ValueOutOfRange(blob, value);
        if (!success) revert OpeningRejected(blob);
        if (length != 64 || coefficients != COEFFICIENTS || modulus != BLS_R) {
            revert OpeningReturn(blob, length, coefficients, modulus);
        }
    }
}
