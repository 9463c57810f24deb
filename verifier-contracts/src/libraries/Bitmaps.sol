// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title One bit for each index, 256 to a word
library Bitmaps {
    /// @notice Whether an index's bit is set.
    function get(mapping(uint256 => uint256) storage bits, uint32 index) internal view returns (bool) {
        return bits[index >> 8] >> (index & 0xff) & 1 != 0;
    }

    /// @notice Sets an index's bit, and says whether it was clear.
    function set(mapping(uint256 => uint256) storage bits, uint32 index) internal returns (bool) {
        uint256 word = bits[index >> 8];
        uint256 bit = 1 << (index & 0xff);
        bits[index >> 8] = word | bit;
        return word & bit == 0;
    }
}
