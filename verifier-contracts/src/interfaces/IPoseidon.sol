// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

// The hashers, deployed as they are in the npm package: contracts of their own, which answer to these interfaces.
import {PoseidonT3} from "poseidon-solidity/PoseidonT3.sol";
import {PoseidonT5} from "poseidon-solidity/PoseidonT5.sol";
import {PoseidonT6} from "poseidon-solidity/PoseidonT6.sol";

/// @title Poseidon of two elements: {PoseidonT3}
interface IPoseidonT3 {
    /// @notice H_2; inputs are reduced silently.
    function hash(uint256[2] calldata inputs) external pure returns (uint256);
}

/// @title Poseidon of four elements: {PoseidonT5}
interface IPoseidonT5 {
    /// @notice H_4; inputs are reduced silently.
    function hash(uint256[4] calldata inputs) external pure returns (uint256);
}

/// @title Poseidon of five elements: {PoseidonT6}
interface IPoseidonT6 {
    /// @notice H_5; inputs are reduced silently.
    function hash(uint256[5] calldata inputs) external pure returns (uint256);
}
