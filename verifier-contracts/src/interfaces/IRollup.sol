// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IExits} from "./IExits.sol";
import {IGovernance} from "./IGovernance.sol";
import {IQueue} from "./IQueue.sol";
import {ISettlement} from "./ISettlement.sol";

/// @title The rollup on L1
/// @notice Everything that its one address answers to.
interface IRollup is ISettlement, IQueue, IExits, IGovernance {}
