//! Poseidon with circomlib's BN254 parameters, for 1 to 6 inputs.
//!
//! The partial rounds use the equivalent form with sparse matrices: every partial round's matrix `M` is split
//! into `S * P`, where `P` leaves the first element alone and so commutes with the S-box, and is merged into
//! the matrix of the round before; the round constants of the elements without S-box are pushed forward.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Field};
use light_poseidon::parameters::bn254_x5::get_poseidon_parameters;

use super::Fr;

/// Most inputs of a hash.
pub const MAX_INPUTS: usize = 6;
/// Least width of the permutation.
const MIN_WIDTH: usize = 2;

/// The permutation's parameters for one width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Width of the state: inputs + 1.
    pub t: usize,
    /// Rounds with an S-box on every element, half of them before and half after the partial rounds.
    pub full_rounds: usize,
    /// Rounds with an S-box on the first element only.
    pub partial_rounds: usize,
    /// `t` constants a round, added before its S-boxes.
    pub round_constants: Vec<Fr>,
    /// Rows of the matrix: after a round's S-boxes, `new[i] = sum over j of mds[i][j] * old[j]`.
    pub mds: Vec<Vec<Fr>>,
}

/// The parameters for width `t`, from 2 to 7; widths outside are brought to the nearest of them.
pub fn parameters(t: usize) -> &'static Parameters {
    static TABLE: OnceLock<Vec<Parameters>> = OnceLock::new();
    let table = TABLE.get_or_init(|| (MIN_WIDTH..=MAX_INPUTS + 1).map(published).collect());
    &table[t.clamp(MIN_WIDTH, MAX_INPUTS + 1) - MIN_WIDTH]
}

/// circomlib's published parameters, as `light-poseidon` has them.
#[expect(clippy::expect_used, reason = "the widths asked for are in the crate's tables")]
fn published(t: usize) -> Parameters {
    let width = u8::try_from(t).expect("a width is at most 7");
    let source = get_poseidon_parameters::<Fr>(width).expect("widths 2 to 13 are published");
    Parameters {
        t,
        full_rounds: source.full_rounds,
        partial_rounds: source.partial_rounds,
        round_constants: source.ark,
        mds: source.mds,
    }
}

/// A partial round in sparse form.
struct SparseRound<const T: usize> {
    /// Added to the first element before its S-box.
    constant: Fr,
    /// The first row of the matrix.
    row: [Fr; T],
    /// The first column of the matrix, without its first element; the rest is the identity.
    column: [Fr; T],
}

/// The permutation of width `T` in the form in which it is computed.
struct Permutation<const T: usize> {
    /// Constants of the full rounds before the partial ones.
    first: Vec<[Fr; T]>,
    /// Constants of the full rounds after the partial ones.
    last: Vec<[Fr; T]>,
    partial: Vec<SparseRound<T>>,
    mds: [[Fr; T]; T],
    /// The matrix of the full round just before the partial ones.
    transition: [[Fr; T]; T],
}

type Matrix<const T: usize> = [[Fr; T]; T];

fn multiply<const T: usize>(left: &Matrix<T>, right: &Matrix<T>) -> Matrix<T> {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..T).map(|k| left[i][k] * right[k][j]).sum()))
}

fn apply<const T: usize>(matrix: &Matrix<T>, state: &[Fr; T]) -> [Fr; T] {
    std::array::from_fn(|i| Fr::sum_of_products(&matrix[i], state))
}

/// `x^5`.
fn sbox(x: Fr) -> Fr {
    x.square().square() * x
}

/// The inverse of the lower right block of `matrix`, in a matrix whose first row and column are those of the
/// identity; and that block itself likewise.
#[expect(
    clippy::expect_used,
    reason = "all square blocks of an MDS matrix and of its products here are invertible"
)]
fn split<const T: usize>(matrix: &Matrix<T>) -> (SparseRound<T>, Matrix<T>) {
    let identity: Matrix<T> =
        std::array::from_fn(|i| std::array::from_fn(|j| if i == j { Fr::ONE } else { Fr::ZERO }));
    let mut block = identity;
    for i in 1..T {
        block[i][1..].copy_from_slice(&matrix[i][1..]);
    }
    let mut work = block;
    let mut inverse = identity;
    for pivot in 0..T {
        let row = (pivot..T).find(|row| work[*row][pivot] != Fr::ZERO).expect("the block is invertible");
        work.swap(pivot, row);
        inverse.swap(pivot, row);
        let scale = work[pivot][pivot].inverse().expect("the pivot isn't zero");
        for j in 0..T {
            work[pivot][j] *= scale;
            inverse[pivot][j] *= scale;
        }
        for row in (0..T).filter(|row| *row != pivot) {
            let factor = work[row][pivot];
            for j in 0..T {
                let (from_work, from_inverse) = (work[pivot][j], inverse[pivot][j]);
                work[row][j] -= factor * from_work;
                inverse[row][j] -= factor * from_inverse;
            }
        }
    }
    let row = std::array::from_fn(|j| (0..T).map(|k| matrix[0][k] * inverse[k][j]).sum());
    let column = std::array::from_fn(|i| if i == 0 { Fr::ZERO } else { matrix[i][0] });
    (SparseRound { constant: Fr::ZERO, row, column }, block)
}

impl<const T: usize> Permutation<T> {
    fn new() -> Self {
        let parameters = parameters(T);
        let mds: Matrix<T> = std::array::from_fn(|i| std::array::from_fn(|j| parameters.mds[i][j]));
        let mut constants: Vec<[Fr; T]> = parameters
            .round_constants
            .chunks_exact(T)
            .map(|round| std::array::from_fn(|i| round[i]))
            .collect();
        let half = parameters.full_rounds / 2;
        let partial_end = half + parameters.partial_rounds;
        for round in half..partial_end {
            let mut pushed = constants[round];
            pushed[0] = Fr::ZERO;
            let pushed = apply(&mds, &pushed);
            for (next, add) in constants[round + 1].iter_mut().zip(pushed) {
                *next += add;
            }
        }
        let mut transition = mds;
        let mut partial = Vec::with_capacity(parameters.partial_rounds);
        for round in (half..partial_end).rev() {
            let (mut sparse, block) = split(&transition);
            sparse.constant = constants[round][0];
            partial.push(sparse);
            transition = multiply(&block, &mds);
        }
        partial.reverse();
        let last = constants.split_off(partial_end);
        constants.truncate(half);
        Self { first: constants, last, partial, mds, transition }
    }

    fn permute(&self, state: &mut [Fr; T]) {
        let full = |state: &[Fr; T], constants: &[Fr; T], matrix: &Matrix<T>| {
            let boxed = std::array::from_fn(|i| sbox(state[i] + constants[i]));
            apply(matrix, &boxed)
        };
        let before_partial = self.first.len() - 1;
        for (round, constants) in self.first.iter().enumerate() {
            let matrix = if round == before_partial { &self.transition } else { &self.mds };
            *state = full(state, constants, matrix);
        }
        for round in &self.partial {
            let first = sbox(state[0] + round.constant);
            state[0] = first;
            let sum = Fr::sum_of_products(&round.row, state);
            for (element, factor) in state.iter_mut().zip(&round.column).skip(1) {
                *element += *factor * first;
            }
            state[0] = sum;
        }
        for constants in &self.last {
            *state = full(state, constants, &self.mds);
        }
    }

    fn hash(&self, inputs: &[Fr]) -> Fr {
        let mut state = [Fr::ZERO; T];
        for (element, input) in state.iter_mut().skip(1).zip(inputs) {
            *element = *input;
        }
        self.permute(&mut state);
        state[0]
    }
}

macro_rules! fixed_hash {
    ($(#[$doc:meta])* $name:ident, $inputs:literal) => {
        $(#[$doc])*
        pub fn $name(inputs: [Fr; $inputs]) -> Fr {
            static PERMUTATION: OnceLock<Permutation<{ $inputs + 1 }>> = OnceLock::new();
            PERMUTATION.get_or_init(Permutation::new).hash(&inputs)
        }
    };
}

fixed_hash!(
    /// `H_1`.
    hash_1, 1
);
fixed_hash!(
    /// `H_2`.
    hash_2, 2
);
fixed_hash!(
    /// `H_3`.
    hash_3, 3
);
fixed_hash!(
    /// `H_4`.
    hash_4, 4
);
fixed_hash!(
    /// `H_5`.
    hash_5, 5
);
fixed_hash!(
    /// `H_6`.
    hash_6, 6
);

/// The permutation of width 3 itself, for sponges; [`hash_2`] is its first element on a state that starts with 0.
pub fn permute_3(mut state: [Fr; 3]) -> [Fr; 3] {
    static PERMUTATION: OnceLock<Permutation<3>> = OnceLock::new();
    PERMUTATION.get_or_init(Permutation::new).permute(&mut state);
    state
}

/// `H_n` of `n` inputs, from 1 to 6.
///
/// # Panics
/// With another number of inputs, which is a mistake in the calling code.
#[expect(clippy::panic, reason = "the number of inputs is fixed by the caller's code, never by its data")]
pub fn hash(inputs: &[Fr]) -> Fr {
    match *inputs {
        [a] => hash_1([a]),
        [a, b] => hash_2([a, b]),
        [a, b, c] => hash_3([a, b, c]),
        [a, b, c, d] => hash_4([a, b, c, d]),
        [a, b, c, d, e] => hash_5([a, b, c, d, e]),
        [a, b, c, d, e, f] => hash_6([a, b, c, d, e, f]),
        _ => panic!("Poseidon takes 1 to {MAX_INPUTS} inputs, got {}", inputs.len()),
    }
}

#[cfg(test)]
mod tests {
    use ark_ff::UniformRand;
    use light_poseidon::PoseidonHasher;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn agrees_with_light_poseidon() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for n in 1..=MAX_INPUTS {
            let mut reference = light_poseidon::Poseidon::<Fr>::new_circom(n).unwrap();
            for round in 0..20 {
                let inputs: Vec<Fr> = (0..n)
                    .map(|_| match round {
                        0 => Fr::ZERO,
                        1 => -Fr::ONE,
                        _ => Fr::rand(&mut rng),
                    })
                    .collect();
                assert_eq!(hash(&inputs), reference.hash(&inputs).unwrap(), "{n} inputs, round {round}");
            }
        }
    }

    #[test]
    fn the_permutation_starts_with_the_hash() {
        let [a, b] = [1_u64, 2].map(Fr::from);
        assert_eq!(permute_3([Fr::ZERO, a, b])[0], hash_2([a, b]));
        assert_ne!(permute_3([Fr::ONE, a, b])[0], hash_2([a, b]));
    }

    #[test]
    fn parameters_are_circomlibs() {
        for (t, partial_rounds) in [(2, 56), (3, 57), (4, 56), (5, 60), (6, 60), (7, 63)] {
            let parameters = parameters(t);
            assert_eq!((parameters.t, parameters.full_rounds), (t, 8));
            assert_eq!(parameters.partial_rounds, partial_rounds);
            assert_eq!(parameters.round_constants.len(), t * (8 + partial_rounds));
            assert!(parameters.mds.len() == t && parameters.mds.iter().all(|row| row.len() == t));
        }
    }
}
