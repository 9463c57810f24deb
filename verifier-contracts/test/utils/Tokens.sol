// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @notice An honest ERC-20 token.
contract Token {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external virtual returns (bool) {
        move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external virtual returns (bool) {
        allowance[from][msg.sender] -= amount;
        move(from, to, amount);
        return true;
    }

    function move(address from, address to, uint256 amount) internal virtual {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice One that keeps a hundredth of each transfer.
contract FeeToken is Token {
    function move(address from, address to, uint256 amount) internal override {
        balanceOf[from] -= amount;
        balanceOf[to] += amount - amount / 100;
    }
}

/// @notice One that returns false instead of moving anything.
contract RefusingToken is Token {
    function transferFrom(address, address, uint256) external pure override returns (bool) {
        return false;
    }
}

/// @notice One that returns nothing.
contract SilentToken {
    mapping(address => uint256) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice One that calls somebody when it moves.
contract HookToken is Token {
    address public target;
    bytes public call;
    bool public succeeded;

    function hook(address target_, bytes calldata call_) external {
        target = target_;
        call = call_;
    }

    function move(address from, address to, uint256 amount) internal override {
        super.move(from, to, amount);
        if (target != address(0)) (succeeded,) = target.call(call);
    }
}

/// @notice Refuses ether, and calls somebody when it is asked to take some.
contract Refuser {
    receive() external payable {
        revert("no");
    }
}

/// @notice Calls somebody when it gets ether.
contract Reenterer {
    address public target;
    bytes public call;
    bool public succeeded;
    bytes public answer;

    function hook(address target_, bytes calldata call_) external {
        target = target_;
        call = call_;
    }

    receive() external payable {
        (succeeded, answer) = target.call(call);
    }
}
