// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Test} from "../utils/Test.sol";
import {Handler} from "./Handler.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";

/// @notice What holds after any sequence of calls.
contract RollupInvariants is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private handler;
    IRollup private rollup;

    function setUp() public {
        handler = new Handler();
        handler.setUp();
        rollup = handler.target();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](27);
        bytes4[20] memory own = [
            Handler.deposit.selector,
            Handler.requestExit.selector,
            Handler.claim.selector,
            Handler.freeze.selector,
            Handler.escape.selector,
            Handler.refund.selector,
            Handler.commit.selector,
            Handler.prove.selector,
            Handler.commitAndProve.selector,
            Handler.forge.selector,
            Handler.revertBatches.selector,
            Handler.contradict.selector,
            Handler.resolve.selector,
            Handler.voidContradicted.selector,
            Handler.pause.selector,
            Handler.unpause.selector,
            Handler.collectFees.selector,
            Handler.overreach.selector,
            Handler.upgrade.selector,
            Handler.warp.selector
        ];
        for (uint256 i = 0; i < own.length; i++) {
            selectors[i] = own[i];
        }
        // The everyday calls come more often.
        selectors[20] = Handler.deposit.selector;
        selectors[21] = Handler.commitAndProve.selector;
        selectors[22] = Handler.commitAndProve.selector;
        selectors[23] = Handler.claim.selector;
        selectors[24] = Handler.prove.selector;
        selectors[25] = Handler.commit.selector;
        selectors[26] = Handler.deposit.selector;
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// @dev One function, as each one costs a campaign of its own.
    function invariant_SolventAndAsTheModelSays() external view {
        requireSolvency();
        requireModel();
        requireQueue();
    }

    /// @dev What the rollup holds is what it owes: balances of the final state, withdrawals that nobody claimed,
    /// deposits that no final batch consumed, fees.
    function requireSolvency() private view {
        assertEq(handler.held(0), handler.owed(0));
        assertEq(handler.held(1), handler.owed(1));
    }

    /// @dev State and queue move by accepted proofs alone, and as the model says.
    function requireModel() private view {
        assertEq(rollup.state(), handler.expectedState());
        assertEq(rollup.lastFinalized(), handler.finalized());
        assertEq(rollup.lastCommitted(), handler.committed());
        assertEq(rollup.queueHead(), handler.head());
        assertEq(rollup.queueTail(), handler.tail());
        assertEq(rollup.fees(), handler.fees());
        assertTrue(rollup.isFrozen() == handler.isFrozen(), "frozen");
        assertTrue(rollup.isOpen() == handler.isOpen(), "open");
    }

    /// @dev The queue's head goes back only when a contradiction is resolved or makes batches void.
    function requireQueue() private view {
        assertTrue(!handler.headFell(), "head");
        assertTrue(rollup.queueHead() <= rollup.queueTail(), "tail");
    }

    /// @notice At the end of each sequence: nothing that anybody did keeps anybody in.
    function afterInvariant() external {
        handler.everybodyLeaves();
    }
}
