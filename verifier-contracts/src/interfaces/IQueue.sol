// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title The queue of operations from L1
/// @notice Deposits and forced exits, consumed in order. The contract keeps hash and deadline of each, the events
/// everything.
interface IQueue {
    /// @notice A deposit as it is queued.
    /// @param token The token's id.
    /// @param to The account to credit, 2^32 - 1 for a new one.
    /// @param amount The amount received.
    /// @param ax The account's key, first coordinate.
    /// @param ay The account's key, second coordinate.
    /// @param owner The L1 address that may withdraw.
    struct Deposit {
        uint32 token;
        uint32 to;
        uint128 amount;
        uint256 ax;
        uint256 ay;
        address owner;
    }

    /// @notice A token got its id.
    event TokenRegistered(uint32 indexed id, address indexed token);
    /// @notice A deposit is the queue's operation `index`.
    event DepositQueued(uint64 indexed index, address indexed owner, Deposit deposit, uint32 deadline);
    /// @notice A forced exit is the queue's operation `index`.
    event ExitQueued(uint64 indexed index, address indexed owner, uint32 account, uint32 deadline);

    /// @notice A token's address has no code.
    error TokenWithoutCode(address token);
    /// @notice A token has its id already.
    error TokenAlreadyRegistered(address token, uint32 id);
    /// @notice There is no token of that id.
    error TokenUnknown(uint32 id);
    /// @notice The ether sent isn't what the call costs.
    error WrongValue(uint256 expected, uint256 actual);
    /// @notice An amount isn't above 0 and below 2^128.
    error AmountOutOfRange(uint256 amount);
    /// @notice A key's coordinate isn't below the order of the scalar field.
    error KeyOutOfRange(uint256 coordinate);
    /// @notice The owner is the zero address, or the contract itself.
    error InvalidOwner(address owner);
    /// @notice The account's index is never used.
    error InvalidAccount(uint32 account);
    /// @notice A transfer failed.
    error TransferFailed(address token, address from, address to, uint256 amount);
    /// @notice A call came from within another one.
    error Reentered();
    /// @notice The code was called at its own address instead of through the rollup's.
    error NotTheRollup(address self);

    /// @notice Gives an ERC-20 token its id, for ever. Anybody may: a bad token hurts nobody but its holders.
    function registerToken(address token) external returns (uint32 id);

    /// @notice Queues a deposit. Ether is token 0 and is sent along; of other tokens what arrives is credited.
    /// @param token The token's id.
    /// @param amount The amount to take from the caller.
    /// @param ax The account's key, first coordinate.
    /// @param ay The account's key, second coordinate.
    /// @param owner The L1 address that may withdraw, and gets the amount back if it can't be credited.
    /// @param to The account to credit, 2^32 - 1 for a new one.
    /// @return index The operation's place in the queue.
    function deposit(uint32 token, uint256 amount, uint256 ax, uint256 ay, address owner, uint32 to)
        external
        payable
        returns (uint64 index);

    /// @notice Queues the exit of an account that the caller owns, for {exitFee}. Of an account with another owner
    /// nothing is withdrawn.
    /// @return index The operation's place in the queue.
    function requestExit(uint32 account) external payable returns (uint64 index);

    /// @notice The first operation that no final batch has consumed.
    function queueHead() external view returns (uint64);

    /// @notice The number of operations ever queued.
    function queueTail() external view returns (uint64);

    /// @notice An operation's hash (the low 224 bits of Keccak-256 of its L1 words) and deadline.
    function queueEntry(uint64 index) external view returns (uint224 hash, uint32 deadline);

    /// @notice A token's address; the zero address for ether.
    function tokenAddress(uint32 id) external view returns (address);

    /// @notice A token's id, 0 if it has none.
    function tokenId(address token) external view returns (uint32);

    /// @notice The number of ids given, ether's included.
    function tokenCount() external view returns (uint32);

    /// @notice What a forced exit costs, in wei.
    function exitFee() external view returns (uint256);
}
