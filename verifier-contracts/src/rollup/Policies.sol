// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IGovernance} from "../interfaces/IGovernance.sol";
import {IVerifier} from "../interfaces/IVerifier.sol";
import {Bounds} from "./Bounds.sol";
import {RollupStorage} from "./RollupStorage.sol";

/// @title What an upgrade changes
/// @notice Shared by the constructor, for which nothing waits, and upgrades.
abstract contract Policies is RollupStorage {
    /// @dev The most kinds of proof that a policy can name.
    uint256 internal constant MAX_KINDS = 8;

    /// @dev Makes the next version of the proof policy. Those before stay, to be contradicted.
    function _setPolicy(IGovernance.ProofKind[] memory kinds) internal {
        if (kinds.length == 0 || kinds.length > MAX_KINDS) {
            revert IGovernance.PolicyLength(MAX_KINDS, kinds.length);
        }
        uint32 version = _version + 1;
        uint256 places = 0;
        for (uint256 i = 0; i < kinds.length; i++) {
            address verifier = kinds[i].verifier;
            if (i != 0 && kinds[i].kind <= kinds[i - 1].kind) {
                revert IGovernance.PolicyOrder(kinds[i - 1].kind, kinds[i].kind);
            }
            Bounds.requireCode(verifier);
            // slither-disable-next-line calls-loop (8 kinds at most; a failure fails the upgrade)
            if (IVerifier(verifier).developmentSrs() && !Bounds.isLocal()) {
                revert IGovernance.DevelopmentSetUp(verifier);
            }
            // slither-disable-next-line calls-loop (8 kinds at most; a failure fails the upgrade)
            uint256 own = IVerifier(verifier).batchPlaces();
            if (i == 0) places = own;
            if (own == 0 || own > type(uint16).max || own != places) {
                revert IGovernance.PolicyPlaces(places, own);
            }
            _policies[version][i] =
                PolicyEntry(verifier, kinds[i].kind, uint16(places), i == 0 ? uint16(kinds.length) : 0);
        }
        _version = version;
        _verifier = kinds[0].verifier;
        _batchPlaces = uint16(places);
        _kinds = uint8(kinds.length);
        emit IGovernance.PolicySet(version, uint16(places), kinds);
    }

    /// @dev Changes the code.
    function _setImplementation(address code) internal {
        Bounds.requireCode(code);
        _implementation = code;
        emit IGovernance.ImplementationSet(code);
    }

    /// @dev Changes the roles. The council has to be nobody that it checks.
    function _setRoles(IGovernance.Roles memory roles_) internal {
        if (
            roles_.governor == address(0) || roles_.guardian == address(0) || roles_.council == address(0)
                || roles_.council == roles_.governor || roles_.council == roles_.guardian
        ) revert IGovernance.InvalidRoles();
        _governor = roles_.governor;
        _guardian = roles_.guardian;
        _council = roles_.council;
        emit IGovernance.RolesSet(roles_);
    }

    /// @dev Adds or removes an operator.
    function _setOperator(address operator, bool allowed) internal {
        _operators[operator] = allowed;
        emit IGovernance.OperatorSet(operator, allowed);
    }
}
