// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Test} from "./Test.sol";
import {Verifier} from "../../src/generated/Verifier.sol";

/// @notice The verifier as the fixture's deployer deploys it, and the fixture's proofs.
abstract contract Fixture is Test {
    uint256 internal constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint256 internal constant Q = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;

    struct Settlement {
        uint256[] publicInputs;
        bytes proof;
    }

    string internal json;
    bytes internal key;
    bytes32 internal keyHash;
    address internal deployer;
    address internal keyContract;
    Verifier internal verifier;

    Settlement internal first;
    Settlement internal next;
    Settlement internal badAccumulator;

    function setUp() public virtual {
        json = vm.readFile("test/fixtures/settlement.json");
        key = vm.parseJsonBytes(json, ".verifyingKey");
        keyHash = vm.parseJsonBytes32(json, ".verifyingKeyHash");
        deployer = vm.parseJsonAddress(json, ".deployer");
        load(".first", first);
        load(".next", next);
        load(".badAccumulator", badAccumulator);

        vm.chainId(vm.parseJsonUint(json, ".chainId"));
        vm.warp(1_700_002_000);
        keyContract = deployCode(key);
        // The key's creation, by this contract, doesn't count as the deployer's.
        vm.setNonce(deployer, 1);
        vm.prank(deployer);
        verifier = new Verifier(keyContract, keyHash);
    }

    function load(string memory name, Settlement storage settlement) private {
        settlement.publicInputs = vm.parseJsonUintArray(json, string.concat(name, ".publicInputs"));
        settlement.proof = vm.parseJsonBytes(json, string.concat(name, ".proof"));
    }

    /// @notice Creates a contract whose code is the given bytes.
    function deployCode(bytes memory code) internal returns (address created) {
        bytes memory creation = abi.encodePacked(hex"61", uint16(code.length), hex"80600a3d393df3", code);
        assembly ("memory-safe") {
            created := create(0, add(creation, 0x20), mload(creation))
        }
        assertTrue(created != address(0), "created");
    }

    function wordAt(bytes memory data, uint256 offset) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(data, 0x20), offset))
        }
    }

    function setWordAt(bytes memory data, uint256 offset, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(data, 0x20), offset), value)
        }
    }
}
