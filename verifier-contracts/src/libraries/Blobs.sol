// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDataAvailability} from "../interfaces/IDataAvailability.sol";
import {Hashes} from "./Hashes.sol";

/// @title Data in blobs
/// @notice A batch's words are the coefficients of 1 to 6 polynomials of 4096 coefficients each, one a blob. The two
/// functions do what {IDataAvailability} says; a call to another contract for each batch would cost too much.
library Blobs {
    uint256 private constant MAX_BLOBS = 6;
    uint256 private constant COEFFICIENTS = 4096;
    uint256 private constant LOG_COEFFICIENTS = 12;
    /// @dev The order of the BLS12-381 scalar field.
    uint256 private constant BLS_R = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    /// @dev The versioned hash of the zero polynomial's commitment.
    bytes32 private constant EMPTY_BLOB = 0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014;
    uint256 private constant OPENING_LENGTH = 128;

    /// @notice The versioned hashes of a batch's blobs.
    /// @param firstBlob The transaction's first blob that no earlier batch uses.
    /// @param attestation One byte with the number of blobs.
    function publish(uint256 firstBlob, bytes calldata attestation)
        internal
        view
        returns (bytes32[] memory blobHashes)
    {
        if (attestation.length != 1) revert IDataAvailability.DataLength(1, attestation.length);
        uint256 count = uint8(attestation[0]);
        if (count == 0 || count > MAX_BLOBS) revert IDataAvailability.BlobCount(MAX_BLOBS, count);
        blobHashes = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            bytes32 versionedHash = blobhash(firstBlob + i);
            if (versionedHash == 0) revert IDataAvailability.BlobMissing(firstBlob + i);
            blobHashes[i] = versionedHash;
        }
        if (blobHashes[count - 1] == EMPTY_BLOB) revert IDataAvailability.BlobEmpty(firstBlob + count - 1);
    }

    /// @notice The data's evaluation; reverts unless the opening shows it.
    /// @param dataHash Keccak-256 of the blobs' versioned hashes, 32 bytes each.
    /// @param z Where to evaluate.
    /// @param opening For each blob value, commitment and proof.
    function evaluate(bytes32 dataHash, uint256 z, bytes calldata opening) internal view returns (uint256 y) {
        uint256 count = opening.length / OPENING_LENGTH;
        // Whether bytes are left over.
        // slither-disable-next-line divide-before-multiply
        if (opening.length != count * OPENING_LENGTH) {
            // slither-disable-next-line divide-before-multiply
            revert IDataAvailability.DataLength(count * OPENING_LENGTH, opening.length);
        }
        if (count == 0 || count > MAX_BLOBS) revert IDataAvailability.BlobCount(MAX_BLOBS, count);
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
        if (actual != dataHash) revert IDataAvailability.DataHash(dataHash, actual);
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
        if (value >= BLS_R) revert IDataAvailability.ValueOutOfRange(blob, value);
        if (!success) revert IDataAvailability.OpeningRejected(blob);
        if (length != 64 || coefficients != COEFFICIENTS || modulus != BLS_R) {
            revert IDataAvailability.OpeningReturn(blob, length, coefficients, modulus);
        }
    }
}
