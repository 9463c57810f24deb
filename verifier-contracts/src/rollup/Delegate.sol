// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Running other code in this one's place
abstract contract Delegate {
    /// @dev Hands the call on, and ends with what comes back.
    function _delegate(address code) internal {
        assembly ("memory-safe") {
            let pointer := mload(0x40)
            calldatacopy(pointer, 0, calldatasize())
            let success := delegatecall(gas(), code, pointer, calldatasize(), 0, 0)
            returndatacopy(pointer, 0, returndatasize())
            switch success
            case 0 { revert(pointer, returndatasize()) }
            default { return(pointer, returndatasize()) }
        }
    }
}
