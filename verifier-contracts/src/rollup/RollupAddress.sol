// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IGovernance} from "../interfaces/IGovernance.sol";
import {IQueue} from "../interfaces/IQueue.sol";
import {Delegate} from "./Delegate.sol";
import {Policies} from "./Policies.sol";

/// @title The rollup's address: it holds value and state, and runs the code that its storage names
abstract contract RollupAddress is Policies, Delegate {
    /// @notice What a deployer chooses.
    /// @param implementation The code of {RollupCore}.
    /// @param roles Governor, guardian, council.
    /// @param operators The first operators.
    /// @param kinds The first proof policy.
    struct Configuration {
        address implementation;
        IGovernance.Roles roles;
        address[] operators;
        IGovernance.ProofKind[] kinds;
    }

    constructor(Configuration memory configuration, uint256 genesisState) {
        if (genesisState >= R) revert IGovernance.GenesisOutOfRange(genesisState);
        _state = genesisState;
        _setImplementation(configuration.implementation);
        _setRoles(configuration.roles);
        _setPolicy(configuration.kinds);
        for (uint256 i = 0; i < configuration.operators.length; i++) {
            _setOperator(configuration.operators[i], true);
        }
    }

    /// @notice Ether comes with a call that says what for.
    receive() external payable {
        revert IQueue.WrongValue(0, msg.value);
    }

    /// @notice Everything, see {IRollup}.
    fallback() external payable {
        _delegate(_implementation);
    }
}
