// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {StateTrees} from "./utils/StateTrees.sol";
import {IExits} from "../src/interfaces/IExits.sol";

/// @notice Escapes with fields out of range, which the hashers would reduce silently, and with other places.
contract EscapeFieldsTest is StateTrees {
    /// @dev How often the order fits into a word.
    uint256 private constant FITS = type(uint256).max / R;

    function setUp() public override {
        super.setUp();
        addAccount(0, 0, 3, 1 ether, ALICE);
        addAccount(6, 0, 2 ** 40 - 1, 1 ether, BOB);
        rollup = demo(close(7));
        vm.deal(address(rollup), 2 ether);
        queueExit(ALICE, 0);
        vm.warp(block.timestamp + 14 days + 1);
        rollup.freeze();
    }

    /// @dev A multiple of the order that keeps the sum in a word.
    function lifted(uint256 value, uint256 times) private pure returns (uint256) {
        times = bound(times, 1, FITS);
        return value > type(uint256).max - times * R ? value + (times - 1) * R : value + times * R;
    }

    function refused(IExits.Account memory account, bytes4 reason) private {
        vm.expectPartialRevert(reason);
        rollup.escape(account, account.owner);
        assertEq(address(rollup).balance, 2 ether + EXIT_FEE);
    }

    function testFuzz_RevertWhen_FieldIsLifted(uint256 field, uint256 times) public {
        IExits.Account memory account = accounts[1];
        field = bound(field, 0, 4);
        if (field == 0) account.balance = lifted(account.balance, times);
        if (field == 1) account.nonce = lifted(account.nonce, times);
        if (field == 2) account.ax = lifted(account.ax, times);
        if (field == 3) account.ay = lifted(account.ay, times);
        if (field == 4) account.root = lifted(account.root, times);
        refused(account, IExits.FieldOutOfRange.selector);
    }

    function testFuzz_RevertWhen_SiblingIsLifted(uint256 level, uint256 place, uint256 times) public {
        IExits.Account memory account = accounts[1];
        (level, place) = (level % 16, place % 3);
        account.siblings[level][place] = lifted(account.siblings[level][place], times);
        refused(account, IExits.FieldOutOfRange.selector);
    }

    /// @dev What a meta of `token | nonce << 32` could mean instead: a nonce's low bit as a token's high one.
    function testFuzz_RevertWhen_WideNumbers(uint256 nonce, uint256 balance) public {
        IExits.Account memory account = accounts[1];
        account.nonce = bound(nonce, 2 ** 40, type(uint256).max - 1);
        refused(account, IExits.FieldOutOfRange.selector);
        account = accounts[1];
        account.balance = bound(balance, 2 ** 128, type(uint256).max - 1);
        refused(account, IExits.FieldOutOfRange.selector);
    }

    /// @dev An account at any other place, so that its bit is another one.
    function testFuzz_RevertWhen_IndexIsAnother(uint32 index, uint32 nextIndex) public {
        vm.assume(index != 6);
        IExits.Account memory account = accounts[1];
        account.index = index;
        refused(account, index < 7 ? IExits.StateMismatch.selector : IExits.FieldOutOfRange.selector);
        vm.assume(nextIndex != 7 && index < nextIndex);
        account.nextIndex = nextIndex;
        refused(account, IExits.StateMismatch.selector);
        account.index = 6;
        if (nextIndex > 6) refused(account, IExits.StateMismatch.selector);
    }
}
