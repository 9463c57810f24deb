// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Powers
/// @notice The governor names operators and queues upgrades, which wait 30 days; the guardian may pause commits and
/// deposits for 48 hours, then not for 48 hours; the council may end a pause and veto an upgrade. Nobody can set a
/// state, or keep anybody from leaving.
interface IGovernance {
    /// @notice What an upgrade changes, and what its data encodes.
    enum UpgradeKind {
        /// The proof policy: `abi.encode(ProofKind[])`, by ascending kind.
        Policy,
        /// Code and parameters: `abi.encode(address implementation)`.
        Code,
        /// Governor, guardian and council: `abi.encode(Roles)`.
        Roles
    }

    /// @notice A kind of proof and what checks it.
    struct ProofKind {
        uint16 kind;
        address verifier;
    }

    /// @notice Who may do what.
    struct Roles {
        address governor;
        address guardian;
        address council;
    }

    /// @notice An operator was added or removed.
    event OperatorSet(address indexed operator, bool allowed);
    /// @notice Commits and deposits are paused.
    event PausedUntil(uint256 until);
    /// @notice A pause ended early, or its end was noted.
    event Unpaused(address indexed by);
    /// @notice An upgrade may be executed from `readyAt` to `expiresAt`.
    event UpgradeQueued(
        bytes32 indexed id, UpgradeKind kind, bytes data, bytes32 salt, uint256 readyAt, uint256 expiresAt
    );
    /// @notice An upgrade was vetoed, or taken back.
    event UpgradeCancelled(bytes32 indexed id, address indexed by);
    /// @notice An upgrade was executed.
    event UpgradeExecuted(bytes32 indexed id, UpgradeKind kind);
    /// @notice Proofs are checked under another policy.
    event PolicySet(uint32 indexed version, uint16 batchPlaces, ProofKind[] kinds);
    /// @notice The rollup runs other code.
    event ImplementationSet(address indexed implementation);
    /// @notice The roles are other addresses.
    event RolesSet(Roles roles);
    /// @notice Fees of forced exits were paid out.
    event FeesCollected(address indexed to, uint256 amount);

    /// @notice The caller doesn't have the role.
    error NotAuthorized(address caller);
    /// @notice The guardian has to wait before the next pause.
    error CoolDown(uint256 until);
    /// @notice There is no pause to end.
    error NotPaused();
    /// @notice An upgrade of that id is queued already.
    error UpgradeAlreadyQueued(bytes32 id);
    /// @notice No upgrade of that id is queued.
    error UpgradeNotQueued(bytes32 id);
    /// @notice The upgrade can't be executed now.
    error UpgradeNotReady(uint256 readyAt, uint256 expiresAt, uint256 actual);
    /// @notice A policy names no kind, or too many.
    error PolicyLength(uint256 maximum, uint256 actual);
    /// @notice A policy's kinds don't ascend.
    error PolicyOrder(uint16 previous, uint16 actual);
    /// @notice A policy's verifiers don't have the same number of batch places.
    error PolicyPlaces(uint256 expected, uint256 actual);
    /// @notice The address has no code.
    error WithoutCode(address target);
    /// @notice A development set-up, whose secret is known, is refused on every chain that isn't a local one.
    error DevelopmentSetUp(address verifier);
    /// @notice A role's address is 0, or two roles that check each other are the same address.
    error InvalidRoles();
    /// @notice The genesis state isn't below the order of the scalar field.
    error GenesisOutOfRange(uint256 state);
    /// @notice A parameter is outside its bounds.
    error ParameterOutOfBounds(string parameter, uint256 minimum, uint256 maximum, uint256 actual);
    /// @notice Demonstrations are for local chains.
    error NotALocalChain(uint256 chainId);

    /// @notice Adds or removes an operator. Governor only.
    function setOperator(address operator, bool allowed) external;

    /// @notice Pauses commits and deposits for 48 hours. Guardian only.
    function pause() external;

    /// @notice Ends a pause: council and guardian at any time, anybody once it is over.
    function unpause() external;

    /// @notice Queues an upgrade. Governor only.
    /// @param salt Tells equal upgrades apart.
    function queueUpgrade(UpgradeKind kind, bytes calldata data, bytes32 salt) external returns (bytes32 id);

    /// @notice Removes a queued upgrade. Council or governor.
    function cancelUpgrade(bytes32 id) external;

    /// @notice Executes a queued upgrade after 30 days, by anybody; not on a frozen contract. While a contradiction
    /// is unresolved, a policy is the one upgrade that executes, and the council may execute it without delay.
    /// A policy discards unproven batches.
    function executeUpgrade(UpgradeKind kind, bytes calldata data, bytes32 salt) external;

    /// @notice Pays the fees of forced exits out. Governor only.
    function collectFees(address to) external;

    /// @notice Whether an address may commit and prove.
    function isOperator(address operator) external view returns (bool);

    /// @notice The governor, the guardian and the council.
    function roles() external view returns (Roles memory);

    /// @notice Commits and deposits are paused before this time.
    function pausedUntil() external view returns (uint256);

    /// @notice The guardian can't pause before this time.
    function coolDownUntil() external view returns (uint256);

    /// @notice When a queued upgrade can be executed; 0 if it isn't queued.
    function upgradeReadyAt(bytes32 id) external view returns (uint256);

    /// @notice The version of the present proof policy; the first is 1.
    function policyVersion() external view returns (uint32);

    /// @notice The kinds that a version's policy names, and the number of batches that one proof has places for.
    function policy(uint32 version) external view returns (ProofKind[] memory kinds, uint16 batchPlaces);

    /// @notice The code that the rollup runs.
    function implementation() external view returns (address);

    /// @notice Fees of forced exits not yet paid out.
    function fees() external view returns (uint256);
}
