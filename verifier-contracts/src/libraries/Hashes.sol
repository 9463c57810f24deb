// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Hashing without copying
library Hashes {
    /// @notice Keccak-256 of words in memory, 32 bytes each.
    function ofWords(bytes32[] memory words) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            digest := keccak256(add(words, 0x20), shl(5, mload(words)))
        }
    }
}
