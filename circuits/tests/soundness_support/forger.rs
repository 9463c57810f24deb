//! Chunks under construction, and the state behind them.

use std::collections::BTreeMap;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, PrimeField};
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::values::{
    AccessValues, AccountValues, ChunkValues, FloatValues, KindValues, PartyValues, SlotValues,
};
use tenon_circuits::halo2::{to_circuit, to_native};
use tenon_circuits::rollup::{
    self, MAX_FEE_ACCOUNTS, NO_ACCOUNT, PrivateKey, Signature, State, Tree, poseidon,
};
use tenon_circuits::witness::{ChunkWitness, padding_key};

use super::{CLASS, NONE, POINTS, TIMESTAMP, code, float_value, fr};
use crate::native_support::{account, genesis, key, test_domain};

/// Accounts and their tree, without rules.
#[derive(Clone)]
pub struct Ledger {
    accounts: BTreeMap<u64, AccountValues>,
    tree: Tree,
}

impl Ledger {
    fn new(state: &State) -> Self {
        let first = u64::from(state.next_index()) - state.accounts().count() as u64;
        let accounts = (first..).zip(state.accounts().map(AccountValues::new)).collect();
        Self { accounts, tree: state.tree().clone() }
    }

    /// The account at an index, if there is one; the tree knows the index's low 32 bits.
    pub fn get(&self, index: u64) -> Option<AccountValues> {
        self.accounts.get(&(index & u64::from(u32::MAX))).copied()
    }

    /// The account at an index.
    pub fn account(&self, index: u64) -> AccountValues {
        self.get(index).unwrap()
    }

    /// Puts an account at an index.
    pub fn put(&mut self, index: u64, account: AccountValues) {
        let index = index as u32;
        self.accounts.insert(u64::from(index), account);
        let meta = account.token + account.nonce * power(32);
        let parts = [meta, account.balance, account.key_x, account.key_y, account.owner];
        self.tree.set(index, poseidon::hash_5(parts.map(to_native)));
    }

    /// Removes an account.
    pub fn remove(&mut self, index: u64) {
        self.accounts.remove(&index);
        self.tree.set(index as u32, rollup::Fr::from(0_u64));
    }

    /// The root of the tree.
    pub fn root(&self) -> Fr {
        to_circuit(self.tree.root())
    }

    fn siblings(&self, index: u64) -> [[Fr; 3]; rollup::DEPTH] {
        self.tree.path(index as u32).map(|level| level.map(to_circuit))
    }

    /// Changes a balance, and the nonce by `nonces`.
    pub fn access(&mut self, index: u64, balance_after: Fr, nonces: u64) -> AccessValues {
        let before = self.account(index);
        let siblings = self.siblings(index);
        self.put(index, AccountValues { balance: balance_after, nonce: before.nonce + fr(nonces), ..before });
        AccessValues { index, exists: Fr::ONE, before, balance_after, siblings }
    }

    /// Puts a new account at an index, said to hold `account` before, and then another balance.
    pub fn open(&mut self, index: u64, account: AccountValues, balance_after: Fr) -> AccessValues {
        let siblings = self.siblings(index);
        self.put(index, AccountValues { balance: balance_after, ..account });
        AccessValues { index, exists: Fr::ZERO, before: account, balance_after, siblings }
    }

    /// Leaves what is at an index as it is; `filler` stands for an account that doesn't exist.
    pub fn look(&self, index: u64, filler: AccountValues) -> AccessValues {
        let account = self.get(index);
        let before = account.unwrap_or(filler);
        let exists = fr(u64::from(account.is_some()));
        AccessValues { index, exists, before, balance_after: before.balance, siblings: self.siblings(index) }
    }
}

/// A payment as its sender signs it.
#[derive(Clone, Copy)]
pub struct Pay {
    /// Sender's index.
    pub from: u64,
    /// Receiver's index.
    pub to: u64,
    /// Mantissa and exponent.
    pub amount: (u64, u64),
    /// Mantissa and exponent.
    pub fee: (u64, u64),
    /// Last valid timestamp.
    pub valid_until: u64,
    /// Number of the key that signs.
    pub signer: u8,
}

impl Pay {
    /// A payment signed with the sender's key as the genesis has it.
    pub fn new(from: u64, to: u64, amount: u64, fee: u64) -> Self {
        let signer = (from as u8).wrapping_add(1);
        Self { from, to, amount: (amount, 0), fee: (fee, 0), valid_until: 2_000_000_000, signer }
    }
}

/// A deposit as the queue has it.
#[derive(Clone, Copy)]
pub struct Deposit {
    /// Token, key and owner.
    pub party: PartyValues,
    /// The amount.
    pub amount: Fr,
    /// Index of the account; [`NONE`] for a new one.
    pub to: u64,
}

/// What a deposit does, whether it should or not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The account has the amount.
    Credit,
    /// There is a new account with the amount.
    Open,
    /// The amount goes back.
    Refund,
}

/// An account without money that belongs to this party.
pub fn account_of(party: &PartyValues) -> AccountValues {
    let PartyValues { token, key_x, key_y, owner, .. } = *party;
    AccountValues { token, nonce: Fr::ZERO, balance: Fr::ZERO, key_x, key_y, owner }
}

/// Token, and key and owner of a test account.
pub fn party(number: u8, token: u64) -> PartyValues {
    PartyValues::of_account(&new_account(number, token))
}

/// A test account without money.
pub fn new_account(number: u8, token: u64) -> AccountValues {
    AccountValues::new(&account(number, token as u32, 0))
}

/// What the sender of a slot signs in `domain`.
pub fn message(slot: &SlotValues, domain: Fr) -> rollup::Fr {
    let KindValues { withdraw, open, deposit, forced_exit } = slot.kind;
    let kind = fr(1) + withdraw + open * fr(2) + deposit * fr(3) + forced_exit * fr(4);
    let word = kind
        + fr(slot.sender.index) * power(8)
        + (slot.to - slot.to * (withdraw + open)) * power(40)
        + slot.party.token * power(72)
        + slot.sender.before.nonce * power(104)
        + code(&slot.amount, 35) * power(144)
        + code(&slot.fee, 11) * power(184)
        + slot.valid_until * power(200);
    let party = &slot.party;
    poseidon::hash_5([domain, word, party.key_x, party.key_y, party.owner].map(to_native))
}

/// Puts a signature into a slot.
pub fn attach(slot: &mut SlotValues, signature: &Signature) {
    slot.r8 = (to_circuit(signature.r8x), to_circuit(signature.r8y));
    for (bytes, limb) in slot.s.chunks_exact_mut(8).zip(signature.s.0) {
        bytes.copy_from_slice(&limb.to_le_bytes());
    }
}

/// Signs a slot as it stands.
pub fn sign_slot(slot: &mut SlotValues, key: &PrivateKey, domain: Fr) {
    attach(slot, &key.sign(message(slot, domain)));
}

/// A chunk under construction.
#[derive(Clone)]
pub struct Forger {
    /// The accounts after what the chunk holds so far.
    pub ledger: Ledger,
    /// The chunk so far.
    pub chunk: ChunkValues,
    /// The index of the next account.
    pub next_index: u64,
    used: usize,
    /// What stands for an account where there is none: the same in all accesses.
    fillers: BTreeMap<u64, AccountValues>,
    fees: [Fr; MAX_FEE_ACCOUNTS],
    /// Token of each fee account.
    places: Vec<Fr>,
}

impl Forger {
    /// An empty chunk, the first of a batch, on a state.
    pub fn new(state: &State) -> Self {
        let witness = ChunkWitness {
            root_in: state.root(),
            next_index: state.next_index(),
            points: POINTS,
            ..ChunkWitness::empty(test_domain(), 1, TIMESTAMP)
        };
        Self {
            ledger: Ledger::new(state),
            chunk: ChunkValues::new(&witness, CLASS.slots),
            next_index: u64::from(state.next_index()),
            used: 0,
            fillers: BTreeMap::new(),
            fees: [Fr::ZERO; MAX_FEE_ACCOUNTS],
            places: vec![fr(7), fr(9)],
        }
    }

    /// Puts an account into the state before the chunk.
    pub fn with_account(mut self, index: u64, change: impl FnOnce(&mut AccountValues)) -> Self {
        let mut account = self.ledger.account(index);
        change(&mut account);
        self.ledger.put(index, account);
        self.chunk.root_in = self.ledger.root();
        self
    }

    /// The next slot.
    pub fn push(&mut self, slot: SlotValues, signer: &PrivateKey) -> &mut SlotValues {
        let next = &mut self.chunk.slots[self.used];
        *next = slot;
        sign_slot(next, signer, self.chunk.domain);
        self.used += 1;
        next
    }

    /// A transaction without receiver: its sender is debited, its fee collected.
    fn transaction(&mut self, pay: Pay, amount: FloatValues, fee: FloatValues) -> SlotValues {
        let before = self.ledger.account(pay.from);
        let place = self.places.iter().position(|token| *token == before.token);
        let mut fee_to = [Fr::ZERO; MAX_FEE_ACCOUNTS];
        if let Some(place) = place {
            fee_to[place] = Fr::ONE;
            self.fees[place] += float_value(&fee);
        }
        let left = before.balance - float_value(&amount) - float_value(&fee);
        let sender = self.ledger.access(pay.from, left, 1);
        SlotValues {
            enabled: Fr::ONE,
            kind: KindValues::default(),
            to: fr(pay.to),
            amount,
            l1_amount: Fr::ZERO,
            fee,
            valid_until: fr(pay.valid_until),
            fee_to,
            party: PartyValues::of_account(&before),
            r8: (Fr::ZERO, Fr::ZERO),
            s: [0; 32],
            receiver: sender.clone(),
            sender,
        }
    }

    /// The next slot: a payment, whether the sender can pay it or not.
    pub fn pay(&mut self, pay: Pay) -> &mut SlotValues {
        let amount = FloatValues::new(pay.amount.0, pay.amount.1);
        self.pay_floats(pay, amount, FloatValues::new(pay.fee.0, pay.fee.1))
    }

    /// [`Self::pay`] with any parts of amount and fee.
    pub fn pay_floats(&mut self, pay: Pay, amount: FloatValues, fee: FloatValues) -> &mut SlotValues {
        let slot = self.transaction(pay, amount, fee);
        let credited = self.ledger.account(pay.to).balance + float_value(&amount);
        let receiver = self.ledger.access(pay.to, credited, 0);
        let party = PartyValues::of_account(&receiver.before);
        self.push(SlotValues { party, receiver, ..slot }, &key(pay.signer))
    }

    /// The next slot: a withdrawal; where it goes is of no account.
    pub fn withdraw(&mut self, pay: Pay) -> &mut SlotValues {
        let amount = FloatValues::new(pay.amount.0, pay.amount.1);
        let pay = Pay { to: pay.from, ..pay };
        let slot = self.transaction(pay, amount, FloatValues::new(pay.fee.0, pay.fee.1));
        let receiver = self.ledger.look(pay.from, slot.sender.before);
        let kind = KindValues { withdraw: Fr::ONE, ..slot.kind };
        self.push(SlotValues { kind, receiver, ..slot }, &key(pay.signer))
    }

    /// The next slot: `from` opens an account for a fee.
    pub fn open(&mut self, from: u64, fee: u64, account: AccountValues) -> &mut SlotValues {
        self.open_at(self.next_index, Pay::new(from, NONE, 0, fee), account)
    }

    /// [`Self::open`] at any index, with anything that is paid for it.
    pub fn open_at(&mut self, index: u64, pay: Pay, account: AccountValues) -> &mut SlotValues {
        let amount = FloatValues::new(pay.amount.0, pay.amount.1);
        let slot = self.transaction(pay, amount, FloatValues::new(pay.fee.0, pay.fee.1));
        let receiver = self.ledger.open(index, account, account.balance);
        self.next_index += 1;
        let kind = KindValues { open: Fr::ONE, ..slot.kind };
        let party = PartyValues::of_account(&account);
        self.push(SlotValues { kind, party, receiver, ..slot }, &key(pay.signer))
    }

    /// Leaves what is at an index as it is; `filler` stands for an account that doesn't exist, unless another one has.
    fn look(&mut self, index: u64, filler: AccountValues) -> AccessValues {
        let filler = *self.fillers.entry(index).or_insert(filler);
        self.ledger.look(index, filler)
    }

    /// A slot of an L1 operation whose account stays as it is.
    fn operation(&self, kind: KindValues, party: PartyValues, to: u64, account: AccessValues) -> SlotValues {
        SlotValues {
            enabled: Fr::ONE,
            kind,
            to: fr(to),
            amount: FloatValues::new(0, 0),
            l1_amount: Fr::ZERO,
            fee: FloatValues::new(0, 0),
            valid_until: fr(u64::from(u32::MAX)),
            fee_to: [Fr::ZERO; MAX_FEE_ACCOUNTS],
            party,
            r8: (Fr::ZERO, Fr::ZERO),
            s: [0; 32],
            receiver: account.clone(),
            sender: account,
        }
    }

    /// The next slot: a deposit.
    pub fn deposit(&mut self, deposit: Deposit) -> &mut SlotValues {
        let Deposit { party, amount, to } = deposit;
        if to == NONE {
            let effect = if self.next_index == NONE { Effect::Refund } else { Effect::Open };
            return self.deposit_as(deposit, self.next_index, effect);
        }
        let is_parties = |account: &AccountValues| {
            (account.token, account.key_x, account.key_y, account.owner)
                == (party.token, party.key_x, party.key_y, party.owner)
        };
        let fits = |account: &AccountValues| (account.balance + amount).to_repr().as_ref()[16..] == [0; 16];
        let found = self.ledger.get(to).filter(is_parties).filter(fits);
        let effect = if found.is_some() { Effect::Credit } else { Effect::Refund };
        self.deposit_as(deposit, to, effect)
    }

    /// [`Self::deposit`] with any effect on the account at any index.
    pub fn deposit_as(&mut self, deposit: Deposit, at: u64, effect: Effect) -> &mut SlotValues {
        let Deposit { party, amount, to } = deposit;
        let new = account_of(&party);
        let before = self.look(at, new);
        let kind = KindValues { deposit: Fr::ONE, ..KindValues::default() };
        let slot = self.operation(kind, party, to, before.clone());
        let receiver = match effect {
            Effect::Credit => self.ledger.access(at, before.before.balance + amount, 0),
            Effect::Open => {
                self.next_index += 1;
                self.ledger.open(at, new, amount)
            }
            Effect::Refund => before,
        };
        self.push(SlotValues { l1_amount: amount, receiver, ..slot }, &padding_key())
    }

    /// The next slot: a forced exit.
    pub fn forced_exit(&mut self, index: u64, owner: Fr) -> &mut SlotValues {
        let found = self.ledger.get(index).filter(|account| account.owner == owner);
        let balance = found.map_or(Fr::ZERO, |account| account.balance);
        self.forced_exit_as(index, owner, balance, balance)
    }

    /// [`Self::forced_exit`] that pays out and takes from the account any amounts.
    pub fn forced_exit_as(&mut self, index: u64, owner: Fr, paid: Fr, taken: Fr) -> &mut SlotValues {
        let filler = AccountValues { key_x: Fr::ZERO, key_y: Fr::ONE, owner, ..new_account(1, 0) };
        let account = self.look(index, filler);
        let before = account.before;
        let party = PartyValues::new(before.token, (before.key_x, before.key_y), owner);
        let kind = KindValues { forced_exit: Fr::ONE, ..KindValues::default() };
        let slot = self.operation(kind, party, index, account.clone());
        let receiver = match account.exists == Fr::ONE {
            true => self.ledger.access(index, before.balance - taken, 0),
            false => account,
        };
        self.push(SlotValues { l1_amount: paid, receiver, ..slot }, &padding_key())
    }

    /// Leaves the next slot as padding.
    pub fn skip(&mut self) {
        self.used += 1;
    }

    /// Credits a fee account at the chunk's end.
    pub fn credit(&mut self, place: usize, index: u64, fees: Fr) {
        let balance = self.ledger.account(index).balance + fees;
        self.chunk.fees[place].active = Fr::ONE;
        self.chunk.fees[place].access = self.ledger.access(index, balance, 0);
    }

    /// Credits accounts 3 and 5 with the fees of their tokens.
    pub fn close(mut self) -> ChunkValues {
        self.credit(0, 3, self.fees[0]);
        self.credit(1, 5, self.fees[1]);
        self.chunk
    }

    /// Fees so far, by fee account.
    pub fn fees(&self) -> [Fr; MAX_FEE_ACCOUNTS] {
        self.fees
    }
}

/// A state whose tree has room for so many more accounts: eight accounts, those of the genesis at the last places
/// that are taken.
pub fn nearly_full(room: u32) -> (State, u64) {
    let accounts: Vec<_> = genesis().accounts().copied().collect();
    let first = NO_ACCOUNT - room - accounts.len() as u32;
    (State::sparse(first, &accounts).unwrap(), u64::from(first))
}

/// Honest chunks that between them have every kind of slot, with every effect, in different places: payments and
/// padding; every operation; every transaction; operations that do nothing; a tree that gets full.
pub fn honest_chunks() -> [ChunkValues; 5] {
    let state = genesis();
    let mut payments = Forger::new(&state).with_account(4, |account| account.balance = power(100));
    payments.pay(Pay::new(0, 1, 500, 10));
    payments.pay(Pay { amount: (34_000_000_000, 3), ..Pay::new(4, 4, 0, 0) });
    payments.pay(Pay::new(1, 3, 500, 0));

    let mut operations = Forger::new(&state);
    operations.deposit(Deposit { party: party(2, 7), amount: power(127), to: 1 });
    operations.deposit(Deposit { party: party(20, 8), amount: fr(5), to: NONE });
    operations.forced_exit(4, new_account(5, 0).owner);
    operations.withdraw(Pay::new(0, 0, 100, 1));

    let mut transactions = Forger::new(&state);
    transactions.open(0, 3, new_account(30, 8));
    transactions.withdraw(Pay::new(0, 0, 999_000, 7));
    transactions.open(4, 2, new_account(31, 9));
    transactions.pay(Pay::new(4, 7, 70_000, 1));

    let mut refused = Forger::new(&state);
    refused.deposit(Deposit { party: party(1, 7), amount: power(128) - fr(1), to: 0 });
    refused.deposit(Deposit { party: party(9, 7), amount: fr(3), to: 0 });
    refused.forced_exit(77, new_account(1, 0).owner);
    refused.forced_exit(2, new_account(3, 0).owner);

    let (state, first) = nearly_full(1);
    let mut full = Forger::new(&state);
    full.deposit(Deposit { party: party(20, 8), amount: fr(5), to: NONE });
    full.deposit(Deposit { party: party(20, 8), amount: fr(5), to: NONE });
    full.forced_exit(NONE, new_account(1, 0).owner);
    full.forced_exit(first, new_account(1, 0).owner);
    full.credit(3, first + 4, Fr::ZERO);
    full.credit(1, first + 1, Fr::ZERO);
    [payments.close(), operations.close(), transactions.close(), refused.close(), full.chunk]
}
