// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title The Keccak tree of a batch's withdrawals
/// @notice Leaf and node preimages start with tags of their own, and a leaf holds batch and index. A level with an
/// odd number of nodes is completed by 0. The root of one leaf is the leaf, of none 0.
library WithdrawalTree {
    /// @notice What a leaf's preimage starts with.
    bytes32 internal constant LEAF_TAG = keccak256("tenon.v1.withdrawal.leaf");
    /// @notice What a node's preimage starts with.
    bytes32 internal constant NODE_TAG = keccak256("tenon.v1.withdrawal.node");

    /// @notice A withdrawal's leaf.
    function leaf(uint64 batch, uint256 index, uint32 token, address owner, uint256 amount)
        internal
        pure
        returns (bytes32 digest)
    {
        bytes32 tag = LEAF_TAG;
        // Narrow values may carry bits above their types into assembly; widened ones don't.
        (uint256 batchWord, uint256 tokenWord, uint256 ownerWord) = (batch, token, uint160(owner));
        assembly ("memory-safe") {
            let pointer := mload(0x40)
            mstore(pointer, tag)
            mstore(add(pointer, 0x20), batchWord)
            mstore(add(pointer, 0x40), index)
            mstore(add(pointer, 0x60), tokenWord)
            mstore(add(pointer, 0x80), ownerWord)
            mstore(add(pointer, 0xa0), amount)
            digest := keccak256(pointer, 0xc0)
        }
    }

    /// @notice Two nodes' parent.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 digest) {
        bytes32 tag = NODE_TAG;
        assembly ("memory-safe") {
            let pointer := mload(0x40)
            mstore(pointer, tag)
            mstore(add(pointer, 0x20), left)
            mstore(add(pointer, 0x40), right)
            digest := keccak256(pointer, 0x60)
        }
    }

    /// @notice The root of the first `count` leaves, which are overwritten.
    function root(bytes32[] memory leaves, uint256 count) internal pure returns (bytes32) {
        if (count == 0) return 0;
        while (count > 1) {
            uint256 parents = (count + 1) / 2;
            for (uint256 i = 0; i < parents; i++) {
                bytes32 right = 2 * i + 1 < count ? leaves[2 * i + 1] : bytes32(0);
                leaves[i] = node(leaves[2 * i], right);
            }
            count = parents;
        }
        return leaves[0];
    }

    /// @notice The root that a path leads to from a leaf.
    function rootOf(bytes32 digest, uint256 index, bytes32[] calldata path) internal pure returns (bytes32) {
        for (uint256 i = 0; i < path.length; i++) {
            digest = index >> i & 1 == 0 ? node(digest, path[i]) : node(path[i], digest);
        }
        return digest;
    }
}
