// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Poseidon of two elements
interface IPoseidonT3 {
    /// @notice H_2; inputs are reduced silently.
    function hash(uint256[2] calldata inputs) external pure returns (uint256);
}

/// @title Poseidon of four elements
interface IPoseidonT5 {
    /// @notice H_4; inputs are reduced silently.
    function hash(uint256[4] calldata inputs) external pure returns (uint256);
}

/// @title Poseidon of five elements
interface IPoseidonT6 {
    /// @notice H_5; inputs are reduced silently.
    function hash(uint256[5] calldata inputs) external pure returns (uint256);
}
