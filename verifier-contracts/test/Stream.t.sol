// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {IExits} from "../src/interfaces/IExits.sol";
import {IQueue} from "../src/interfaces/IQueue.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

/// @notice Random L1 streams against the fixture's encoder, whole and then with one thing changed.
contract StreamTest is RollupFixture {
    uint256[] private words;
    /// @dev Where the items start, and the end.
    uint256[] private starts;
    IExits.Withdrawal[] private withdrawals;
    uint64 private count;

    function push(uint256[] memory item) private {
        starts.push(words.length);
        for (uint256 i = 0; i < item.length; i++) {
            words.push(item[i]);
        }
    }

    /// @dev Queues operations, and mixes them with withdrawals.
    function mix(uint256 seed, uint256 items) private {
        for (uint256 i = 0; i < items; i++) {
            seed = uint256(keccak256(abi.encode(seed, i)));
            address owner = address(uint160(seed >> 96) | 1);
            if (seed % 3 == 0) {
                uint128 amount = uint128(seed >> 64) | 1;
                vm.deal(address(this), amount);
                IQueue.Deposit memory made = IQueue.Deposit(
                    0,
                    uint32(seed >> 8),
                    amount,
                    uint256(keccak256(abi.encode(seed, "x"))) % R,
                    uint256(keccak256(abi.encode(seed, "y"))) % R,
                    owner
                );
                rollup.deposit{value: amount}(0, amount, made.ax, made.ay, owner, made.to);
                push(depositWords(made));
                count++;
            } else if (seed % 3 == 1) {
                push(queueExit(owner, uint32(seed >> 8) % type(uint32).max));
                count++;
            } else {
                uint128 amount = uint128(seed >> 64) | 1;
                withdrawals.push(
                    IExits.Withdrawal(1, uint32(withdrawals.length), uint32(seed >> 8), owner, amount)
                );
                push(withdrawalWords(uint32(seed >> 8), owner, amount));
            }
        }
    }

    /// @dev The root, from the bottom up, on a tree filled with zeros up to the next power of two, in the way of a
    /// reader who knows the text alone: a node without children in the tree isn't hashed.
    function root() private view returns (bytes32) {
        bytes32[] memory level = new bytes32[](withdrawals.length);
        for (uint256 i = 0; i < level.length; i++) {
            level[i] = leaf(withdrawals[i]);
        }
        if (level.length == 0) return 0;
        while (level.length != 1) {
            bytes32[] memory above = new bytes32[]((level.length + 1) / 2);
            for (uint256 i = 0; i < level.length; i += 2) {
                above[i / 2] = node(level[i], i + 1 == level.length ? bytes32(0) : level[i + 1]);
            }
            level = above;
        }
        return level[0];
    }

    /// @dev Words, tree, evaluation and queue all as the reference says.
    function testFuzz_Stream(uint256 seed, uint256 items) public {
        mix(seed, bound(items, 1, 24));
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settle(plan);
        assertEq(rollup.queueHead(), count);
        ISettlement.Outcome memory settled = outcome(plan, 0, count, root());
        assertEq(rollup.batchHash(1), keccak256(abi.encode(keccak256("tenon.v1.outcome"), settled)));
    }

    /// @dev A changed bit never goes through. Where the stream still parses (another withdrawal), the proof is for
    /// other public inputs.
    function testFuzz_RevertWhen_OneBitFlipped(uint256 seed, uint256 items, uint256 word, uint256 bit)
        public
    {
        mix(seed, bound(items, 1, 12));
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        bytes[] memory proven = proofs(one(plan));
        plan.l1Words[word % words.length] ^= 1 << bit % 256;
        refused(plan, proven, false);
    }

    /// @dev Operations in another order are never the queue's, even with a proof that says so.
    function testFuzz_RevertWhen_ItemsSwapped(uint256 seed, uint256 items, uint256 a, uint256 b) public {
        mix(seed, bound(items, 2, 12));
        starts.push(words.length);
        uint256 last = starts.length - 2;
        a = bound(a, 0, last - 1);
        b = bound(b, a + 1, last);
        uint256[] memory order = new uint256[](last + 1);
        for (uint256 i = 0; i <= last; i++) {
            order[i] = i == a ? b : i == b ? a : i;
        }
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        bytes[] memory proven = proofs(one(plan));
        bytes32 before = l1Hash(plan);
        plan.l1Words = arranged(order);
        vm.assume(l1Hash(plan) != before);
        refused(plan, proven, false);
        // With a proof: only if the operations are in the queue's order still.
        bool operationsMoved = false;
        uint256 previous = 0;
        for (uint256 i = 0; i <= last; i++) {
            if (words[starts[order[i]]] & 0xff == 3) continue;
            if (order[i] < previous) operationsMoved = true;
            previous = order[i];
        }
        if (operationsMoved) refused(plan, proofs(one(plan)), true);
        else settle(plan);
    }

    /// @dev An operation left out, with a proof that says so.
    function testFuzz_RevertWhen_ItemLeftOut(uint256 seed, uint256 items, uint256 which) public {
        mix(seed, bound(items, 2, 12));
        starts.push(words.length);
        uint256 last = starts.length - 2;
        which = bound(which, 0, last);
        uint256[] memory order = new uint256[](last);
        bool later = false;
        for (uint256 i = 0; i < last; i++) {
            order[i] = i < which ? i : i + 1;
            if (i >= which && words[starts[i + 1]] & 0xff != 3) later = true;
        }
        bool operation = words[starts[which]] & 0xff != 3;
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        bytes[] memory proven = proofs(one(plan));
        plan.l1Words = arranged(order);
        refused(plan, proven, false);
        // The queue's last operations may wait for another batch; a hole may not.
        if (operation && later) refused(plan, proofs(one(plan)), true);
        else settle(plan);
    }

    function testFuzz_RevertWhen_Truncated(uint256 seed, uint256 items, uint256 length) public {
        mix(seed, bound(items, 1, 12));
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        bytes[] memory proven = proofs(one(plan));
        plan.l1Words = new uint256[](bound(length, 0, words.length - 1));
        for (uint256 i = 0; i < plan.l1Words.length; i++) {
            plan.l1Words[i] = words[i];
        }
        refused(plan, proven, false);
    }

    /// @dev Each public input depends on each of the things that it has to.
    function testFuzz_Points(uint256 seed, uint256 field, uint256 change) public {
        mix(seed, 3);
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        bytes[] memory proven = proofs(one(plan));
        field = bound(field, 0, 3);
        if (field == 0) plan.stateOut = (plan.stateOut + bound(change, 1, R - 1)) % R;
        if (field == 1) plan.commit = (plan.commit + bound(change, 1, R - 1)) % R;
        if (field == 2) plan.timestamp -= uint32(bound(change, 1, 1 days));
        if (field == 3) plan.blobs[0] = 2;
        refused(plan, proven, false);
    }

    function testFuzz_Timestamp(uint32 timestamp) public {
        Plan memory plan = nextPlan();
        plan.timestamp = timestamp;
        if (timestamp < block.timestamp - 1 days) {
            settleReverts(
                OPERATOR,
                one(plan),
                abi.encodeWithSelector(
                    ISettlement.BatchTooOld.selector, 1, block.timestamp - 1 days, timestamp
                )
            );
        } else if (timestamp > block.timestamp) {
            settleReverts(
                OPERATOR,
                one(plan),
                abi.encodeWithSelector(ISettlement.BatchTooNew.selector, 1, block.timestamp, timestamp)
            );
        } else {
            settle(plan);
        }
    }

    function arranged(uint256[] memory order) private view returns (uint256[] memory made) {
        uint256 length = 0;
        for (uint256 i = 0; i < order.length; i++) {
            length += starts[order[i] + 1] - starts[order[i]];
        }
        made = new uint256[](length);
        length = 0;
        for (uint256 i = 0; i < order.length; i++) {
            for (uint256 j = starts[order[i]]; j < starts[order[i] + 1]; j++) {
                made[length++] = words[j];
            }
        }
    }

    /// @dev Refused; where a proof of the changed batch is there, for the queue's sake.
    function refused(Plan memory plan, bytes[] memory proven, bool byTheQueue) private {
        ISettlement.Batch[] memory made = batches(one(plan));
        vm.blobhashes(allHashes(one(plan)));
        if (byTheQueue) vm.expectPartialRevert(ISettlement.OperationMismatch.selector);
        else vm.expectRevert();
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attestations(one(plan)), proven);
        noBlobs();
    }
}
