// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IGovernance} from "./interfaces/IGovernance.sol";
import {Bounds} from "./rollup/Bounds.sol";
import {RollupAddress} from "./rollup/RollupAddress.sol";

/// @title Rollup, for demonstrations
/// @notice Starts from any state that its deployer names, on local chains alone.
contract DemoRollup is RollupAddress {
    /// @param configuration What a deployer chooses.
    /// @param genesisState The state before the first batch.
    constructor(Configuration memory configuration, uint256 genesisState)
        RollupAddress(configuration, genesisState)
    {
        if (!Bounds.isLocal()) revert IGovernance.NotALocalChain(block.chainid);
    }
}
