// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

contract DeadlinesTest is RollupFixture {
    /// @dev Anybody may settle from one second after the oldest operation's deadline.
    function test_Open_AfterADeadline() public {
        uint256[] memory words = queueExit(ALICE, 3);
        uint256 deadline = block.timestamp + 7 days;
        vm.warp(deadline);
        assertTrue(!rollup.isOpen(), "closed");
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settleReverts(ALICE, one(plan), abi.encodeWithSelector(ISettlement.NotOperator.selector, ALICE));
        vm.warp(deadline + 1);
        assertTrue(rollup.isOpen(), "open");
        plan = nextPlan();
        plan.l1Words = words;
        settleAs(ALICE, one(plan));
        assertEq(rollup.queueHead(), 1);
        assertTrue(!rollup.isOpen(), "closed again");
    }

    function test_Open_WithoutAFinalization() public {
        vm.warp(block.timestamp + 100 days);
        assertTrue(!rollup.isOpen(), "nothing to do");
        Plan memory garbage = nextPlan();
        garbage.stateOut = 1;
        commit(one(garbage));
        uint256 committed = block.timestamp;
        vm.warp(committed + 7 days);
        assertTrue(!rollup.isOpen(), "closed");
        vm.warp(committed + 7 days + 1);
        assertTrue(rollup.isOpen(), "open");
        Plan memory plan = nextPlan();
        settleAs(BOB, one(plan));
        assertEq(rollup.state(), plan.stateOut);
        assertEq(rollup.lastCommitted(), 1);
        assertTrue(!rollup.isOpen(), "closed again");
    }

    /// @dev Taking commitments back and making them again doesn't gain time.
    function test_Open_AfterReverts() public {
        commit(one(nextPlan()));
        uint256 committed = block.timestamp;
        vm.warp(committed + 7 days);
        vm.prank(OPERATOR);
        rollup.revertBatches(1);
        commit(one(nextPlan()));
        vm.warp(committed + 7 days + 1);
        assertTrue(rollup.isOpen(), "open");
    }

    function test_Open_CountsFromThePartialFinalization() public {
        Plan memory first = nextPlan();
        commit(two(first, after_(first)));
        vm.warp(block.timestamp + 6 days);
        prove(0, one(first));
        uint256 proven = block.timestamp;
        vm.warp(proven + 7 days);
        assertTrue(!rollup.isOpen(), "closed");
        vm.warp(proven + 7 days + 1);
        assertTrue(rollup.isOpen(), "open");
    }

    function test_Open_WhilePaused() public {
        uint256[] memory words = queueExit(ALICE, 3);
        vm.warp(block.timestamp + 7 days + 1);
        vm.prank(GUARDIAN);
        rollup.pause();
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settleAs(ALICE, one(plan));
        assertEq(rollup.queueHead(), 1);
    }

    function test_Overdue_HasToBeConsumed() public {
        uint256[] memory words = queueExit(ALICE, 3);
        uint256 deadline = block.timestamp + 7 days;
        vm.warp(deadline);
        settle(nextPlan());
        vm.warp(deadline + 1);
        settleReverts(
            OPERATOR,
            one(nextPlan()),
            abi.encodeWithSelector(ISettlement.OverdueOperation.selector, 0, deadline)
        );
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settle(plan);
    }

    /// @dev Proving what was committed before is a settlement too.
    function test_Overdue_HoldsForProve() public {
        queueExit(ALICE, 3);
        uint256 deadline = block.timestamp + 7 days;
        vm.warp(deadline);
        Plan[] memory plans = one(nextPlan());
        commit(plans);
        vm.warp(deadline + 1);
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory proven = proofs(plans);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.OverdueOperation.selector, 0, deadline));
        vm.prank(OPERATOR);
        rollup.prove(1, 0, made, proven);
    }

    function test_Overdue_OnlyWhatIsOverdue() public {
        uint256[] memory words = queueExit(ALICE, 3);
        vm.warp(block.timestamp + 1);
        queueExit(BOB, 4);
        vm.warp(block.timestamp + 7 days);
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settle(plan);
        assertEq(rollup.queueHead(), 1);
    }

    /// @dev A queue full of hostile operations: 512 at a time.
    function test_Overdue_TheFirst512() public {
        uint256[] memory words = new uint256[](512);
        for (uint256 i = 0; i < 513; i++) {
            uint256[] memory word = queueExit(ALICE, uint32(i));
            if (i < 512) words[i] = word[0];
        }
        uint256 deadline = block.timestamp + 7 days;
        vm.warp(deadline + 1);
        Plan memory plan = nextPlan();
        plan.l1Words = new uint256[](511);
        for (uint256 i = 0; i < 511; i++) {
            plan.l1Words[i] = words[i];
        }
        settleReverts(
            OPERATOR, one(plan), abi.encodeWithSelector(ISettlement.OverdueOperation.selector, 511, deadline)
        );
        plan.l1Words = words;
        settle(plan);
        assertEq(rollup.queueHead(), 512);
        assertTrue(rollup.isOpen(), "still open");
    }

    /// @dev The operations may be spread over the batches of one settlement.
    function test_Overdue_OverSeveralBatches() public {
        uint256[] memory a = queueExit(ALICE, 1);
        uint256[] memory b = queueExit(ALICE, 2);
        vm.warp(block.timestamp + 7 days + 1);
        Plan memory first = nextPlan();
        first.l1Words = a;
        Plan memory second = after_(first);
        second.l1Words = b;
        settle(two(first, second));
        assertEq(rollup.queueHead(), 2);
    }
}
