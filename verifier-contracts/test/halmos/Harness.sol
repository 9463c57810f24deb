// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDataAvailability} from "../../src/interfaces/IDataAvailability.sol";
import {IPoseidonT3, IPoseidonT5, IPoseidonT6} from "../../src/interfaces/IPoseidon.sol";
import {ISettlement} from "../../src/interfaces/ISettlement.sol";
import {RollupCore} from "../../src/rollup/RollupCore.sol";
import {RollupExits} from "../../src/rollup/RollupExits.sol";
import {RollupGovernance} from "../../src/rollup/RollupGovernance.sol";
import {RollupStorage} from "../../src/rollup/RollupStorage.sol";
import {Bitmaps} from "../../src/libraries/Bitmaps.sol";

/// @notice Sets what the code under proof reads.
abstract contract Harness is RollupStorage {
    function setQueue(uint40 head, uint40 tail, uint32 deadline) external {
        _queueHead = head;
        _queueTail = tail;
        _queue[head] = uint256(deadline) << 224;
        _version = 1;
    }

    function setFreeze(uint32 frozenAt, uint40 contradicted, uint32 finalizedAt_, uint32 resolvedAt)
        external
    {
        _frozenAt = frozenAt;
        _contradicted = contradicted;
        _finalizedAt = finalizedAt_;
        _resolvedAt = resolvedAt;
    }

    function setPending(uint32 since) external {
        _pendingSince = since;
    }

    function setPause(uint32 until, uint32 coolDown) external {
        _pausedUntil = until;
        _coolDownUntil = coolDown;
    }

    function setRoles(address governor, address guardian, address council) external {
        _governor = governor;
        _guardian = guardian;
        _council = council;
    }

    function setUpgrade(bytes32 id, uint256 readyAt) external {
        _upgrades[id] = readyAt;
    }

    function setFinal(uint40 number, bytes32 hash, uint256 state_) external {
        _finalized = number;
        _batches[number] = hash;
        _state = state_;
    }

    function addOperator(address operator) external {
        _operators[operator] = true;
    }

    /// @dev What no role may touch.
    function fingerprint() external view returns (bytes32) {
        return keccak256(
            abi.encode(_state, _finalized, _queueHead, _queueTail, _finalizedAt, _frozenAt, _contradicted)
        );
    }
}

contract CoreHarness is RollupCore, Harness {
    constructor(address exits) RollupCore(IDataAvailability(address(0)), exits, 0.001 ether) {}
}

contract GovernanceHarness is RollupGovernance, Harness {}

contract ExitsHarness is RollupExits, Harness {
    constructor(address governance, Vectors vectors, uint256 delay)
        RollupExits(
            IDataAvailability(address(0)),
            governance,
            IPoseidonT3(address(vectors)),
            IPoseidonT5(address(vectors)),
            IPoseidonT6(address(vectors)),
            delay
        )
    {}
}

/// @notice Knows the vectors that the constructor asks for: hashing itself isn't what is proven here.
contract Vectors {
    function hash(uint256[2] calldata) external pure returns (uint256) {
        return 0x115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a;
    }

    function hash(uint256[4] calldata) external pure returns (uint256) {
        return 0x299c867db6c1fdd79dcefa40e4510b9837e60ebb1ce0663dbaa525df65250465;
    }

    function hash(uint256[5] calldata) external pure returns (uint256) {
        return 0x0dab9449e4a1398a15224c0b15a49d598b2174d305a316c918125f8feeb123c0;
    }
}

/// @notice A bitmap with any content.
contract BitmapHarness {
    mapping(uint256 => uint256) private bits;

    function fill(uint256 word, uint256 content) external {
        bits[word] = content;
    }

    function get(uint32 index) external view returns (bool) {
        return Bitmaps.get(bits, index);
    }

    function set(uint32 index) external returns (bool) {
        return Bitmaps.set(bits, index);
    }
}
