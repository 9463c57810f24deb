// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IGovernance} from "../interfaces/IGovernance.sol";

/// @title Bounds of what is chosen at deployment
library Bounds {
    /// @notice The shortest claim delay, in seconds.
    uint256 internal constant MIN_CLAIM_DELAY = 1 hours;
    /// @notice The longest claim delay, in seconds: an upgrade waits longer than any way out takes.
    uint256 internal constant MAX_CLAIM_DELAY = 7 days;
    /// @notice The highest fee of a forced exit, in wei.
    uint256 internal constant MAX_EXIT_FEE = 0.01 ether;

    /// @notice Reverts unless a claim delay is within its bounds.
    function requireClaimDelay(uint256 delay) internal pure {
        if (delay < MIN_CLAIM_DELAY || delay > MAX_CLAIM_DELAY) {
            revert IGovernance.ParameterOutOfBounds("claimDelay", MIN_CLAIM_DELAY, MAX_CLAIM_DELAY, delay);
        }
    }

    /// @notice Reverts unless a fee is low enough to keep nobody in.
    function requireExitFee(uint256 fee) internal pure {
        if (fee > MAX_EXIT_FEE) revert IGovernance.ParameterOutOfBounds("exitFee", 0, MAX_EXIT_FEE, fee);
    }

    /// @notice Reverts unless an address has code.
    function requireCode(address target) internal view {
        if (target.code.length == 0) revert IGovernance.WithoutCode(target);
    }

    /// @notice Whether the chain is a local one, where everybody knows everybody's keys.
    function isLocal() internal view returns (bool) {
        return block.chainid == 31337 || block.chainid == 1337;
    }
}
