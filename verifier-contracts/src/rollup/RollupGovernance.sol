// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IGovernance} from "../interfaces/IGovernance.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Transfers} from "../libraries/Transfers.sol";
import {Policies} from "./Policies.sol";

/// @title The rollup's code: powers
contract RollupGovernance is Policies, IGovernance {
    uint256 private constant PAUSE = 48 hours;
    uint256 private constant COOL_DOWN = 48 hours;
    /// @dev Seconds that an upgrade waits: longer than deadline, freeze and claim delay together.
    uint256 private constant UPGRADE_DELAY = 30 days;
    /// @dev Seconds in which it can be executed, so that none hangs over the users for ever.
    uint256 private constant UPGRADE_WINDOW = 14 days;

    modifier onlyGovernor() {
        if (msg.sender != _governor) revert NotAuthorized(msg.sender);
        _;
    }

    /// @inheritdoc IGovernance
    function setOperator(address operator, bool allowed) external onlyGovernor {
        _setOperator(operator, allowed);
    }

    /// @inheritdoc IGovernance
    function pause() external {
        if (msg.sender != _guardian) revert NotAuthorized(msg.sender);
        if (block.timestamp < _coolDownUntil) revert CoolDown(_coolDownUntil);
        uint256 until = block.timestamp + PAUSE;
        _pausedUntil = uint32(until);
        _coolDownUntil = uint32(until + COOL_DOWN);
        emit PausedUntil(until);
    }

    /// @inheritdoc IGovernance
    function unpause() external {
        uint256 until = _pausedUntil;
        // slither-disable-next-line incorrect-equality (0 stands for no pause)
        if (until == 0) revert NotPaused();
        if (block.timestamp < until && msg.sender != _council && msg.sender != _guardian) {
            revert NotAuthorized(msg.sender);
        }
        _pausedUntil = 0;
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc IGovernance
    function queueUpgrade(UpgradeKind kind, bytes calldata data, bytes32 salt)
        external
        onlyGovernor
        returns (bytes32 id)
    {
        id = upgradeId(kind, data, salt);
        if (_upgrades[id] != 0) revert UpgradeAlreadyQueued(id);
        uint256 readyAt = block.timestamp + UPGRADE_DELAY;
        _upgrades[id] = readyAt;
        emit UpgradeQueued(id, kind, data, salt, readyAt, readyAt + UPGRADE_WINDOW);
    }

    /// @inheritdoc IGovernance
    function cancelUpgrade(bytes32 id) external {
        if (msg.sender != _council && msg.sender != _governor) revert NotAuthorized(msg.sender);
        // slither-disable-next-line incorrect-equality (0 stands for not queued)
        if (_upgrades[id] == 0) revert UpgradeNotQueued(id);
        _upgrades[id] = 0;
        emit UpgradeCancelled(id, msg.sender);
    }

    /// @inheritdoc IGovernance
    function executeUpgrade(UpgradeKind kind, bytes calldata data, bytes32 salt) external {
        bytes32 id = upgradeId(kind, data, salt);
        uint256 readyAt = _upgrades[id];
        if (readyAt == 0) revert UpgradeNotQueued(id);
        bool fix = _contradicted != 0 && kind == UpgradeKind.Policy;
        if (!fix) {
            if (_frozenAt != 0 || _contradicted != 0) revert ISettlement.Frozen();
            // Whoever is on the way out leaves under the code that there was.
            if (_overdue()) revert ISettlement.OverdueOperation(_queueHead, _deadline(_queueHead));
        }
        uint256 expiresAt = readyAt + UPGRADE_WINDOW;
        bool early = block.timestamp < readyAt && !(fix && msg.sender == _council);
        if (early || block.timestamp > expiresAt) {
            revert UpgradeNotReady(readyAt, expiresAt, block.timestamp);
        }
        _upgrades[id] = 0;
        emit UpgradeExecuted(id, kind);
        if (kind == UpgradeKind.Policy) {
            _discardUnproven();
            _setPolicy(abi.decode(data, (ProofKind[])));
        } else if (kind == UpgradeKind.Code) {
            _setImplementation(abi.decode(data, (address)));
        } else {
            _setRoles(abi.decode(data, (Roles)));
        }
    }

    /// @inheritdoc IGovernance
    function collectFees(address to) external onlyGovernor nonReentrant {
        uint256 amount = _fees;
        _fees = 0;
        emit FeesCollected(to, amount);
        Transfers.send(address(0), to, amount);
    }

    /// @inheritdoc IGovernance
    function isOperator(address operator) external view returns (bool) {
        return _operators[operator];
    }

    /// @inheritdoc IGovernance
    function roles() external view returns (Roles memory) {
        return Roles(_governor, _guardian, _council);
    }

    /// @inheritdoc IGovernance
    function pausedUntil() external view returns (uint256) {
        return _pausedUntil;
    }

    /// @inheritdoc IGovernance
    function coolDownUntil() external view returns (uint256) {
        return _coolDownUntil;
    }

    /// @inheritdoc IGovernance
    function upgradeReadyAt(bytes32 id) external view returns (uint256) {
        return _upgrades[id];
    }

    /// @inheritdoc IGovernance
    function policyVersion() external view returns (uint32) {
        return _version;
    }

    /// @inheritdoc IGovernance
    function policy(uint32 version) external view returns (ProofKind[] memory kinds, uint16 batchPlaces) {
        PolicyEntry storage first = _policies[version][0];
        batchPlaces = first.batchPlaces;
        kinds = new ProofKind[](first.count);
        for (uint256 i = 0; i < kinds.length; i++) {
            PolicyEntry storage entry = _policies[version][i];
            kinds[i] = ProofKind(entry.kind, entry.verifier);
        }
    }

    /// @inheritdoc IGovernance
    function implementation() external view returns (address) {
        return _implementation;
    }

    /// @inheritdoc IGovernance
    function fees() external view returns (uint256) {
        return _fees;
    }

    function upgradeId(UpgradeKind kind, bytes calldata data, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, data, salt));
    }
}
