// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

// The hashers, deployed as they are in the npm package: contracts of their own, which answer to IPoseidon.sol.
import {PoseidonT3} from "poseidon-solidity/PoseidonT3.sol";
import {PoseidonT5} from "poseidon-solidity/PoseidonT5.sol";
import {PoseidonT6} from "poseidon-solidity/PoseidonT6.sol";
