// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupAddress} from "./rollup/RollupAddress.sol";

/// @title Rollup
/// @notice Starts from the empty state. Its functions are those of {IRollup}.
contract Rollup is RollupAddress {
    /// @dev `H_2(root of the empty tree, 0)`.
    uint256 internal constant GENESIS_STATE =
        0x1c08e9ecd9e01ce23ff321bc9fad51cb0745f075844aed3efb85bcb74b0823f8;

    /// @param configuration What a deployer chooses.
    constructor(Configuration memory configuration) RollupAddress(configuration, GENESIS_STATE) {}
}
