// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {StateTrees} from "./utils/StateTrees.sol";
import {MockVerifier} from "./utils/MockVerifier.sol";
import {IExits} from "../src/interfaces/IExits.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

/// @notice Every deadline one second before, at, and one second after; in quiet times, during a pause, and with an
/// upgrade queued.
contract BoundsTest is StateTrees {
    enum Times {
        Quiet,
        Paused,
        Upgrading
    }

    bytes private upgrade;

    /// @dev A rollup with one account, so that there is something to escape with.
    function start() private {
        setUp();
        delete accounts;
        addAccount(0, 0, 0, 1 ether, ALICE);
        rollup = demo(close(1));
        vm.deal(address(rollup), 1 ether);
    }

    function beforehand(Times times) private {
        if (times != Times.Upgrading) return;
        upgrade = abi.encode(IGovernance.Roles(GOVERNOR, GUARDIAN, COUNCIL));
        vm.prank(GOVERNOR);
        rollup.queueUpgrade(IGovernance.UpgradeKind.Roles, upgrade, 0);
    }

    /// @dev Right before the deadline.
    function now_(Times times, uint256 time) private {
        vm.warp(time);
        if (times != Times.Paused || time < rollup.coolDownUntil()) return;
        vm.prank(GUARDIAN);
        rollup.pause();
    }

    function call(address sender, bytes memory data) private returns (bool success) {
        vm.prank(sender);
        (success,) = address(rollup).call(data);
    }

    function test_Open() public {
        for (uint256 i = 0; i < 9; i++) {
            Times times = Times(i / 3);
            start();
            beforehand(times);
            uint256 deadline = block.timestamp + 7 days;
            uint256[] memory words = queueExit(BOB, 5);
            now_(times, deadline + i % 3 - 1);
            Plan memory plan = nextPlan();
            plan.l1Words = words;
            assertTrue(rollup.isOpen() == (i % 3 == 2), "open");
            if (i % 3 == 2) {
                settleAs(BOB, one(plan));
            } else {
                settleReverts(BOB, one(plan), abi.encodeWithSelector(ISettlement.NotOperator.selector, BOB));
            }
        }
    }

    function test_Open_WithoutAFinalization() public {
        for (uint256 i = 0; i < 9; i++) {
            start();
            beforehand(Times(i / 3));
            uint256 deadline = block.timestamp + 7 days;
            commit(one(nextPlan()));
            now_(Times(i / 3), deadline + i % 3 - 1);
            assertTrue(rollup.isOpen() == (i % 3 == 2), "open");
        }
    }

    function test_Freeze() public {
        for (uint256 i = 0; i < 9; i++) {
            start();
            beforehand(Times(i / 3));
            uint256 end = block.timestamp + 14 days;
            queueExit(BOB, 5);
            now_(Times(i / 3), end + i % 3 - 1);
            assertTrue(call(BOB, abi.encodeCall(rollup.freeze, ())) == (i % 3 == 2), "freeze");
        }
    }

    /// @dev Escape opens one claim delay after the last finalization: here that is after the freeze.
    function test_Escape() public {
        for (uint256 i = 0; i < 9; i++) {
            start();
            beforehand(Times(i / 3));
            uint256[] memory words = new uint256[](512);
            for (uint32 j = 0; j < 513; j++) {
                uint256[] memory word = queueExit(BOB, 5 + j);
                if (j < 512) words[j] = word[0];
            }
            vm.warp(block.timestamp + 14 days + 1);
            Plan memory plan = nextPlan();
            plan.stateOut = rollup.state();
            plan.l1Words = words;
            settle(plan);
            uint256 opens = block.timestamp + CLAIM_DELAY;
            rollup.freeze();
            assertEq(rollup.escapeOpensAt(), opens);
            now_(Times(i / 3), opens + i % 3 - 1);
            assertTrue(
                call(BOB, abi.encodeCall(rollup.escape, (accounts[0], ALICE))) == (i % 3 != 0), "escape"
            );
        }
    }

    /// @dev Claims begin in the second in which contradictions end.
    function test_ClaimDelayAndContradictionWindow() public {
        for (uint256 i = 0; i < 9; i++) {
            start();
            beforehand(Times(i / 3));
            Plan memory plan = nextPlan();
            plan.l1Words = withdrawalWords(0, ALICE, 5);
            settle(plan);
            IExits.Withdrawal memory withdrawal = IExits.Withdrawal(1, 0, 0, ALICE, 5);
            ISettlement.Outcome memory settled = outcome(plan, 0, 0, leaf(withdrawal));
            ISettlement.Input memory input_ = input(plan, 0, 0);
            now_(Times(i / 3), block.timestamp + CLAIM_DELAY + i % 3 - 1);
            bool claimed =
                call(BOB, abi.encodeCall(rollup.claim, (withdrawal, settled, new bytes32[](0), ALICE)));
            assertTrue(claimed == (i % 3 != 0), "claim");
            plan.stateOut = 7;
            bool contradicted = call(
                BOB, abi.encodeCall(rollup.contradict, (input_, settled, batch(plan), proofs(one(plan))))
            );
            assertTrue(contradicted == (i % 3 == 0), "contradiction");
        }
    }

    /// @dev A contradiction can be resolved until the second before it can be made void.
    function test_ResolveAndVoid() public {
        for (uint256 i = 0; i < 9; i++) {
            start();
            beforehand(Times(i / 3));
            Plan memory plan = nextPlan();
            settle(plan);
            ISettlement.Outcome memory settled = outcome(plan, 0, 0, 0);
            ISettlement.Input memory input_ = input(plan, 0, 0);
            uint256 stateOut = plan.stateOut;
            plan.stateOut = 7;
            rollup.contradict(input_, settled, batch(plan), proofs(one(plan)));
            uint256 shownAt = block.timestamp;
            replaceVerifier();
            plan.stateOut = stateOut;
            ISettlement.Batch memory made = batch(plan);
            bytes[] memory proven = proofs(one(plan));
            now_(Times(i / 3), shownAt + 30 days + i % 3 - 1);
            bool void = call(BOB, abi.encodeCall(rollup.voidContradicted, (input_)));
            assertTrue(void == (i % 3 == 2), "void");
            bool resolved = call(BOB, abi.encodeCall(rollup.resolve, (input_, settled, made, proven)));
            assertTrue(resolved == (i % 3 != 2), "resolved");
        }
    }

    function replaceVerifier() private {
        MockVerifier replacement = new MockVerifier(PLACES, false);
        bytes memory data = abi.encode(kindsOf(address(replacement)));
        vm.prank(GOVERNOR);
        rollup.queueUpgrade(IGovernance.UpgradeKind.Policy, data, bytes32(uint256(1)));
        vm.prank(COUNCIL);
        rollup.executeUpgrade(IGovernance.UpgradeKind.Policy, data, bytes32(uint256(1)));
        verifier = replacement;
    }

    function test_PauseAndCoolDown() public {
        for (uint256 i = 0; i < 3; i++) {
            start();
            beforehand(Times.Upgrading);
            uint256 paused = block.timestamp;
            vm.prank(GUARDIAN);
            rollup.pause();
            vm.warp(paused + 48 hours + i - 1);
            bytes memory deposit = abi.encodeCall(rollup.deposit, (0, 1, 1, 2, ALICE, 0));
            vm.deal(BOB, 1);
            vm.prank(BOB);
            (bool deposited,) = address(rollup).call{value: 1}(deposit);
            assertTrue(deposited == (i != 0), "deposit");
            assertTrue(call(BOB, abi.encodeCall(rollup.unpause, ())) == (i != 0), "unpause");
            vm.warp(paused + 96 hours + i - 1);
            assertTrue(call(GUARDIAN, abi.encodeCall(rollup.pause, ())) == (i != 0), "pause");
        }
    }

    /// @dev 30 days, then 14 in which anybody may execute it; paused or not.
    function test_Upgrade() public {
        for (uint256 i = 0; i < 6; i++) {
            for (uint256 end = 0; end < 2; end++) {
                start();
                uint256 queued = block.timestamp;
                beforehand(Times.Upgrading);
                now_(Times(i / 3), queued + (end == 0 ? 30 days : 44 days) + i % 3 - 1);
                bool done = call(
                    BOB,
                    abi.encodeCall(
                        rollup.executeUpgrade, (IGovernance.UpgradeKind.Roles, upgrade, bytes32(0))
                    )
                );
                assertTrue(done == (end == 0 ? i % 3 != 0 : i % 3 != 2), "upgrade");
            }
        }
    }

    /// @dev A day back at most, not a second ahead, never before the batch before.
    function test_Timestamp() public {
        for (uint256 i = 0; i < 9; i++) {
            start();
            beforehand(Times.Upgrading);
            if (i / 3 == 2) settle(nextPlan());
            uint256 edge = i / 3 == 0 ? block.timestamp - 1 days : block.timestamp;
            if (i / 3 == 2) vm.warp(block.timestamp + 10);
            Plan memory plan = nextPlan();
            plan.timestamp = uint32(edge + i % 3 - 1);
            ISettlement.Header[] memory made = headers(one(plan));
            vm.blobhashes(allHashes(one(plan)));
            bool committed = call(OPERATOR, abi.encodeCall(rollup.commit, (plan.number, made)));
            noBlobs();
            assertTrue(committed == (i / 3 == 1 ? i % 3 != 2 : i % 3 != 0), "commit");
        }
    }
}
