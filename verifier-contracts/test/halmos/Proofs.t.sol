// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IExits} from "../../src/interfaces/IExits.sol";
import {IGovernance} from "../../src/interfaces/IGovernance.sol";
import {ISettlement} from "../../src/interfaces/ISettlement.sol";
import {WithdrawalTree} from "../../src/libraries/WithdrawalTree.sol";
import {Vm} from "../utils/Test.sol";
import {BitmapHarness, CoreHarness, ExitsHarness, GovernanceHarness, Vectors} from "./Harness.sol";

/// @notice Proven for all arguments by halmos, which takes functions named check_.
abstract contract Proofs {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev Times are below 2^32 less the longest delay, which is until the year 2106.
    uint256 internal constant LAST = 2 ** 32 - 100 days;

    function warpTo(uint256 time) internal {
        vm.assume(time <= LAST);
        vm.warp(time);
    }

    function succeeds(address target, bytes memory data) internal returns (bool success) {
        (success,) = target.call(data);
    }
}

contract BitmapProofs is Proofs {
    BitmapHarness private bitmap;

    function setUp() public {
        bitmap = new BitmapHarness();
    }

    /// @dev Setting says whether the bit was clear, sets it, and changes no other.
    function check_Bitmap(uint256 content, uint256 otherContent, uint32 index, uint32 other) external {
        bitmap.fill(other >> 8, otherContent);
        bitmap.fill(index >> 8, content);
        bool before = bitmap.get(index);
        bool otherBefore = bitmap.get(other);
        assert(bitmap.set(index) == !before);
        assert(bitmap.get(index));
        assert(bitmap.get(other) == (other == index || otherBefore));
        assert(!bitmap.set(index));
    }
}

contract GovernanceProofs is Proofs {
    GovernanceHarness private governance;

    function setUp() public {
        governance = new GovernanceHarness();
    }

    /// @dev Only the role may, and whatever happens, state, queue and freeze stay.
    function check_Roles(
        address governor,
        address guardian,
        address council,
        address caller,
        uint8 which,
        address argument
    ) external {
        vm.assume(which < 6);
        governance.setRoles(governor, guardian, council);
        governance.setPause(1, 0);
        governance.setUpgrade(bytes32(uint256(1)), 1);
        warpTo(0);
        bytes32 before = governance.fingerprint();
        bytes memory data;
        bool allowed;
        if (which == 0) {
            data = abi.encodeCall(governance.setOperator, (argument, true));
            allowed = caller == governor;
        } else if (which == 1) {
            data = abi.encodeCall(governance.pause, ());
            allowed = caller == guardian;
        } else if (which == 2) {
            data = abi.encodeCall(governance.unpause, ());
            allowed = caller == guardian || caller == council;
        } else if (which == 3) {
            data = abi.encodeCall(governance.queueUpgrade, (IGovernance.UpgradeKind.Code, "", 0));
            allowed = caller == governor;
        } else if (which == 4) {
            data = abi.encodeCall(governance.cancelUpgrade, (bytes32(uint256(1))));
            allowed = caller == governor || caller == council;
        } else {
            data = abi.encodeCall(governance.collectFees, (argument));
            allowed = caller == governor;
        }
        vm.prank(caller);
        bool success = succeeds(address(governance), data);
        // Paying out may fail for the recipient's reasons.
        assert(which == 5 ? !success || allowed : success == allowed);
        assert(governance.fingerprint() == before);
    }

    /// @dev A pause lasts 48 hours and is followed by 48 hours without one, whatever came before.
    function check_Pause(address guardian, uint32 until, uint32 coolDown, uint256 first, uint256 second)
        external
    {
        governance.setRoles(address(1), guardian, address(2));
        governance.setPause(until, coolDown);
        warpTo(first);
        vm.prank(guardian);
        bool success = succeeds(address(governance), abi.encodeCall(governance.pause, ()));
        assert(success == (first >= coolDown));
        if (!success) return;
        assert(governance.pausedUntil() == first + 48 hours);
        vm.assume(second >= first);
        warpTo(second);
        vm.prank(guardian);
        success = succeeds(address(governance), abi.encodeCall(governance.pause, ()));
        assert(success == (second >= first + 96 hours));
    }

    /// @dev Anybody ends a pause that is over; before, guardian and council alone; and no pause comes the sooner.
    function check_Unpause(address caller, uint32 until, uint32 coolDown, uint256 time) external {
        address guardian = address(3);
        address council = address(4);
        governance.setRoles(address(5), guardian, council);
        governance.setPause(until, coolDown);
        warpTo(time);
        vm.prank(caller);
        bool success = succeeds(address(governance), abi.encodeCall(governance.unpause, ()));
        assert(success == (until != 0 && (time >= until || caller == guardian || caller == council)));
        assert(governance.coolDownUntil() == coolDown);
        assert(governance.pausedUntil() == (success ? 0 : until));
    }

    /// @dev An upgrade that changes roles: 30 days, for 14 days, never while frozen, contradicted or overdue, by whomever.
    function check_Upgrade(
        address caller,
        uint256 queuedAt,
        uint256 time,
        uint32 frozenAt,
        uint40 contradicted,
        uint32 deadline,
        bool queued
    ) external {
        governance.setRoles(address(5), address(3), address(4));
        governance.setFreeze(frozenAt, contradicted, 0, 0);
        governance.setQueue(0, queued ? 1 : 0, deadline);
        bytes memory roles = abi.encode(IGovernance.Roles(address(7), address(8), address(9)));
        warpTo(queuedAt);
        vm.prank(address(5));
        governance.queueUpgrade(IGovernance.UpgradeKind.Roles, roles, 0);
        warpTo(time);
        vm.prank(caller);
        bool success = succeeds(
            address(governance),
            abi.encodeCall(governance.executeUpgrade, (IGovernance.UpgradeKind.Roles, roles, bytes32(0)))
        );
        bool may = frozenAt == 0 && contradicted == 0 && !(queued && time > deadline);
        assert(success == (may && time >= queuedAt + 30 days && time <= queuedAt + 44 days));
    }
}

contract CoreProofs is Proofs {
    CoreHarness private core;

    function setUp() public {
        core = new CoreHarness(address(this));
    }

    /// @dev Open exactly when the oldest operation is past its deadline, or nothing was final for 7 days.
    function check_IsOpen(uint40 head, uint40 tail, uint32 deadline, uint32 since, uint256 time) external {
        core.setQueue(head, tail, deadline);
        core.setPending(since);
        warpTo(time);
        assert(
            core.isOpen()
                == ((head < tail && time > deadline) || (since != 0 && time > uint256(since) + 7 days))
        );
    }

    /// @dev Forced exits are refused by the final freeze alone: by no pause and no contradiction.
    function check_RequestExit(
        uint32 account,
        uint32 pausedUntil,
        uint32 coolDown,
        uint32 frozenAt,
        uint40 contradicted,
        uint40 tail,
        uint256 time
    ) external payable {
        vm.assume(tail < type(uint40).max && account != type(uint32).max);
        core.setQueue(tail, tail, 0);
        core.setPause(pausedUntil, coolDown);
        core.setFreeze(frozenAt, contradicted, 0, 0);
        warpTo(time);
        vm.deal(address(this), 1 ether);
        (bool success,) = address(core).call{value: 0.001 ether}(abi.encodeCall(core.requestExit, (account)));
        assert(success == (frozenAt == 0));
        if (!success) return;
        (, uint32 deadline) = core.queueEntry(tail);
        assert(deadline == time + 7 days);
        assert(core.queueTail() == uint256(tail) + 1);
    }

    /// @dev Strangers commit, prove and revert nothing.
    function check_Operators(address operator, address caller, uint64 first) external {
        vm.assume(caller != operator);
        core.addOperator(operator);
        bytes32 before = core.fingerprint();
        vm.prank(caller);
        assert(!succeeds(address(core), abi.encodeCall(core.revertBatches, (first))));
        vm.prank(caller);
        assert(!succeeds(address(core), abi.encodeCall(core.commit, (first, new ISettlement.Header[](1)))));
        vm.prank(caller);
        assert(
            !succeeds(
                address(core),
                abi.encodeCall(core.prove, (first, 0, new ISettlement.Batch[](1), new bytes[](1)))
            )
        );
        vm.prank(caller);
        assert(
            !succeeds(
                address(core),
                abi.encodeCall(
                    core.commitAndProve, (first, new ISettlement.Batch[](1), new bytes[](1), new bytes[](1))
                )
            )
        );
        assert(core.fingerprint() == before);
    }
}

contract ExitsProofs is Proofs {
    ExitsHarness private exits;
    uint256 private constant DELAY = 3 hours;

    function setUp() public {
        exits = new ExitsHarness(address(this), new Vectors(), DELAY);
    }

    /// @dev Freezing needs an operation more than 7 days past its deadline, and nothing else: no pause matters.
    function check_Freeze(
        uint40 head,
        uint40 tail,
        uint32 deadline,
        uint32 frozenAt,
        uint40 contradicted,
        uint32 resolvedAt,
        uint32 pausedUntil,
        uint256 time
    ) external {
        vm.assume(head <= tail);
        exits.setQueue(head, tail, deadline);
        exits.setFreeze(frozenAt, contradicted, 0, resolvedAt);
        exits.setPause(pausedUntil, pausedUntil);
        warpTo(time);
        bool may = frozenAt == 0 && contradicted == 0 && head < tail && time > uint256(deadline) + 7 days
            && time > uint256(resolvedAt) + 7 days;
        assert(succeeds(address(exits), abi.encodeCall(exits.freeze, ())) == may);
    }

    function check_EscapeOpensAt(uint32 frozenAt, uint40 contradicted, uint32 finalizedAt) external {
        exits.setFreeze(frozenAt, contradicted, finalizedAt, 0);
        uint256 opens = exits.escapeOpensAt();
        if (frozenAt == 0 || contradicted != 0) {
            assert(opens == type(uint256).max);
        } else {
            assert(opens >= frozenAt && opens >= finalizedAt + DELAY);
            assert(opens == frozenAt || opens == finalizedAt + DELAY);
        }
    }

    /// @dev Paid exactly when its time has come and no contradiction holds it up, to the owner or whom the owner
    /// names, once; no pause, no freeze and no later contradiction matters.
    function check_Claim(
        uint40 number,
        address owner,
        address caller,
        bool toOwner,
        uint32 finalizedAt,
        uint40 contradicted,
        uint32 frozenAt,
        uint256 time
    ) external {
        // Both take ether.
        address recipient = toOwner ? owner : address(0xbeef);
        vm.assume(owner == address(0xbeef) || owner == address(0xcafe));
        IExits.Withdrawal memory withdrawal = IExits.Withdrawal(number, 0, 0, owner, 5);
        bytes32 root = WithdrawalTree.leaf(number, 0, 0, owner, 5);
        ISettlement.Outcome memory outcome = ISettlement.Outcome(0, 1, 0, root, finalizedAt);
        exits.setFinal(number, keccak256(abi.encode(keccak256("tenon.v1.outcome"), outcome)), 1);
        exits.setFreeze(frozenAt, contradicted, finalizedAt, 0);
        exits.setPause(type(uint32).max, type(uint32).max);
        vm.deal(address(exits), 10);
        warpTo(time);
        bool may = time >= finalizedAt + DELAY && (contradicted == 0 || number < contradicted)
            && (recipient == owner || caller == owner);
        bytes memory data = abi.encodeCall(exits.claim, (withdrawal, outcome, new bytes32[](0), recipient));
        vm.prank(caller);
        assert(succeeds(address(exits), data) == may);
        assert(address(exits).balance == (may ? 5 : 10));
        vm.prank(caller);
        assert(!succeeds(address(exits), data));
    }
}
