//! The account tree: sparse, of arity 4 and depth 16, persistent, so that a clone costs nothing and shares all
//! nodes that neither copy changes.

use std::sync::{Arc, OnceLock};

use ark_ff::AdditiveGroup;

use super::{ARITY, DEPTH, Fr, poseidon};

/// The three siblings of each node on the way up from a leaf, ordered by position, the leaf's level first.
pub type Path = [[Fr; ARITY - 1]; DEPTH];

/// A node that isn't empty; a leaf's children are all empty.
#[derive(Debug)]
struct Node {
    hash: Fr,
    children: [Option<Arc<Node>>; ARITY],
}

/// The tree; empty leaves are 0.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    root: Option<Arc<Node>>,
}

/// Hashes of empty subtrees by height; the first is an empty leaf, the last the root of the empty tree.
pub fn empty_hashes() -> &'static [Fr; DEPTH + 1] {
    static HASHES: OnceLock<[Fr; DEPTH + 1]> = OnceLock::new();
    HASHES.get_or_init(|| {
        let mut hashes = [Fr::ZERO; DEPTH + 1];
        for height in 0..DEPTH {
            hashes[height + 1] = poseidon::hash_4([hashes[height]; ARITY]);
        }
        hashes
    })
}

/// Position, among its siblings, of the node of height `height` above leaf `index`.
pub fn position(index: u32, height: usize) -> usize {
    (index as usize >> (2 * height)) % ARITY
}

/// The four children of a node: `child` at `position` among its three siblings.
pub fn with_sibling(siblings: &[Fr; ARITY - 1], position: usize, child: Fr) -> [Fr; ARITY] {
    std::array::from_fn(|i| match i.cmp(&position) {
        std::cmp::Ordering::Less => siblings[i],
        std::cmp::Ordering::Equal => child,
        std::cmp::Ordering::Greater => siblings[i - 1],
    })
}

/// The root of the tree in which `leaf` at `index` has these siblings.
pub fn root_of_path(index: u32, leaf: Fr, path: &Path) -> Fr {
    path.iter().enumerate().fold(leaf, |node, (height, siblings)| {
        poseidon::hash_4(with_sibling(siblings, position(index, height), node))
    })
}

fn hash_of(node: Option<&Arc<Node>>, height: usize) -> Fr {
    node.map_or(empty_hashes()[height], |node| node.hash)
}

/// The node of height `height` over these children; empty when they are.
fn parent(children: [Option<Arc<Node>>; ARITY], height: usize) -> Option<Arc<Node>> {
    if children.iter().all(Option::is_none) {
        return None;
    }
    let hashes = std::array::from_fn(|i| hash_of(children[i].as_ref(), height - 1));
    Some(Arc::new(Node { hash: poseidon::hash_4(hashes), children }))
}

fn leaf_node(leaf: Fr) -> Option<Arc<Node>> {
    (leaf != Fr::ZERO).then(|| Arc::new(Node { hash: leaf, children: Default::default() }))
}

fn build(leaves: &[Fr], height: usize) -> Option<Arc<Node>> {
    if leaves.is_empty() {
        return None;
    }
    if height == 0 {
        return leaves.first().copied().and_then(leaf_node);
    }
    let width = 1usize << (2 * (height - 1));
    let part = |i: usize| {
        let start = (i * width).min(leaves.len());
        let end = ((i + 1) * width).min(leaves.len());
        build(&leaves[start..end], height - 1)
    };
    let children = if leaves.len() <= width {
        [part(0), None, None, None]
    } else {
        let ((a, b), (c, d)) =
            rayon::join(|| rayon::join(|| part(0), || part(1)), || rayon::join(|| part(2), || part(3)));
        [a, b, c, d]
    };
    parent(children, height)
}

fn replace(node: Option<&Arc<Node>>, index: u32, leaf: Fr, height: usize) -> Option<Arc<Node>> {
    if height == 0 {
        return leaf_node(leaf);
    }
    let mut children = node.map_or_else(Default::default, |node| node.children.clone());
    let child = &mut children[position(index, height - 1)];
    *child = replace(child.as_ref(), index, leaf, height - 1);
    parent(children, height)
}

impl Tree {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of these leaves at indices from 0 on, with each node hashed once, in parallel.
    ///
    /// At most 2^32 leaves count.
    pub fn from_leaves(leaves: &[Fr]) -> Self {
        Self { root: build(leaves, DEPTH) }
    }

    /// The root's hash.
    pub fn root(&self) -> Fr {
        hash_of(self.root.as_ref(), DEPTH)
    }

    /// The leaf at `index`; 0 when it is empty.
    pub fn get(&self, index: u32) -> Fr {
        let mut node = self.root.as_ref();
        for height in (0..DEPTH).rev() {
            node = node.and_then(|node| node.children[position(index, height)].as_ref());
        }
        hash_of(node, 0)
    }

    /// Replaces the leaf at `index`, with one hash a level. 0 empties it.
    pub fn set(&mut self, index: u32, leaf: Fr) {
        self.root = replace(self.root.as_ref(), index, leaf, DEPTH);
    }

    /// The siblings on the way from the leaf at `index` to the root.
    pub fn path(&self, index: u32) -> Path {
        let mut path = [[Fr::ZERO; ARITY - 1]; DEPTH];
        let mut node = self.root.as_ref();
        for height in (0..DEPTH).rev() {
            let own = position(index, height);
            let others = (0..ARITY).filter(|position| *position != own);
            for (sibling, other) in path[height].iter_mut().zip(others) {
                *sibling = hash_of(node.and_then(|node| node.children[other].as_ref()), height);
            }
            node = node.and_then(|node| node.children[own].as_ref());
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The root by the definition: all nodes of a level from those below, empty ones by their hash.
    fn naive_root(leaves: &BTreeMap<u32, Fr>) -> Fr {
        let mut level: BTreeMap<u64, Fr> =
            leaves.iter().map(|(index, leaf)| (u64::from(*index), *leaf)).collect();
        let mut empty = Fr::ZERO;
        for _ in 0..DEPTH {
            let parents: std::collections::BTreeSet<u64> = level.keys().map(|index| index / 4).collect();
            level = parents
                .into_iter()
                .map(|index| {
                    let child = |i| level.get(&(4 * index + i)).copied().unwrap_or(empty);
                    (index, poseidon::hash(&[child(0), child(1), child(2), child(3)]))
                })
                .collect();
            empty = poseidon::hash(&[empty; 4]);
        }
        level.get(&0).copied().unwrap_or(empty)
    }

    fn index() -> impl Strategy<Value = u32> {
        prop_oneof![0..40u32, any::<u32>(), Just(u32::MAX)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn agrees_with_the_definition(updates in prop::collection::vec((index(), 0..5u64), 1..12)) {
            let mut tree = Tree::new();
            let mut leaves = BTreeMap::new();
            for (index, leaf) in updates {
                let leaf = Fr::from(leaf);
                let before = tree.clone();
                let path = tree.path(index);
                prop_assert_eq!(root_of_path(index, tree.get(index), &path), tree.root());
                tree.set(index, leaf);
                prop_assert_eq!(tree.path(index), path);
                prop_assert_eq!(root_of_path(index, leaf, &path), tree.root());
                prop_assert_eq!(before.root(), naive_root(&leaves));
                leaves.insert(index, leaf);
                for (index, leaf) in &leaves {
                    prop_assert_eq!(tree.get(*index), *leaf);
                }
            }
            prop_assert_eq!(tree.root(), naive_root(&leaves));
        }

        #[test]
        fn building_at_once_is_setting_each(count in 0..70usize) {
            let leaves: Vec<Fr> = (1..=count as u64).map(Fr::from).collect();
            let mut tree = Tree::new();
            for (index, leaf) in leaves.iter().enumerate() {
                tree.set(index as u32, *leaf);
            }
            prop_assert_eq!(Tree::from_leaves(&leaves).root(), tree.root());
        }
    }

    #[test]
    fn emptied_is_empty() {
        let mut tree = Tree::new();
        assert_eq!(tree.root(), empty_hashes()[DEPTH]);
        tree.set(9, Fr::from(3u64));
        assert_ne!(tree.root(), empty_hashes()[DEPTH]);
        tree.set(9, Fr::ZERO);
        assert_eq!(tree.root(), empty_hashes()[DEPTH]);
    }
}
