// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDataAvailability} from "./interfaces/IDataAvailability.sol";

/// @title Data kept by a committee
/// @notice For validiums: a threshold of members signs each batch's commitment. The members are fixed; another
/// committee is another contract, and comes with an upgrade of the rollup's code.
contract CommitteeData is IDataAvailability {
    /// @notice The smallest threshold.
    uint256 public constant MIN_THRESHOLD = 6;
    /// @notice What a signed preimage starts with.
    bytes32 public constant TAG = keccak256("tenon.v1.committee");

    uint256 private constant SIGNATURE_LENGTH = 65;
    uint256 private constant WORD_BITS = 248;
    bytes32 private constant NO_BLOBS = keccak256("");

    /// @notice How many members have to sign.
    uint256 public immutable threshold;
    /// @notice Whether an address is a member.
    mapping(address => bool) public isMember;

    /// @param members The members' addresses.
    /// @param threshold_ How many have to sign.
    constructor(address[] memory members, uint256 threshold_) {
        if (threshold_ < MIN_THRESHOLD || threshold_ > members.length) {
            revert InvalidCommittee(threshold_, members.length);
        }
        for (uint256 i = 0; i < members.length; i++) {
            if (members[i] == address(0) || isMember[members[i]]) {
                revert InvalidCommittee(threshold_, members.length);
            }
            isMember[members[i]] = true;
        }
        threshold = threshold_;
    }

    /// @inheritdoc IDataAvailability
    function publish(uint256 domain, uint64 number, uint256 commit, uint256, bytes calldata attestation)
        external
        view
        returns (bytes32[] memory blobHashes)
    {
        uint256 count = attestation.length / SIGNATURE_LENGTH;
        // Whether bytes are left over.
        // slither-disable-next-line divide-before-multiply
        if (attestation.length != count * SIGNATURE_LENGTH) {
            // slither-disable-next-line divide-before-multiply
            revert DataLength(count * SIGNATURE_LENGTH, attestation.length);
        }
        if (count < threshold) revert SignatureCount(threshold, count);
        bytes32 digest = keccak256(abi.encode(TAG, domain, number, commit));
        address previous = address(0);
        for (uint256 i = 0; i < count; i++) {
            bytes calldata signature = attestation[i * SIGNATURE_LENGTH:(i + 1) * SIGNATURE_LENGTH];
            address signer =
                ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
            if (!isMember[signer]) revert NotAMember(signer);
            if (signer <= previous) revert SignatureOrder(previous, signer);
            previous = signer;
        }
        return new bytes32[](0);
    }

    /// @inheritdoc IDataAvailability
    function evaluate(bytes32 dataHash, uint256, bytes calldata opening)
        external
        pure
        returns (uint256 z, uint256 y)
    {
        if (dataHash != NO_BLOBS) revert DataHash(NO_BLOBS, dataHash);
        if (opening.length != 32) revert DataLength(32, opening.length);
        y = uint256(bytes32(opening));
        if (y >> WORD_BITS != 0) revert ValueOutOfRange(0, y);
        return (0, y);
    }
}
