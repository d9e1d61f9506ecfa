//! What was used lately, as of one connection.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// The latest entries: at least half of `count_max`, and never more than all of it.
///
/// Two generations: when the young one has grown up it becomes the old one, and what was old is forgotten. So nothing has
/// to be found in order to be forgotten. On another connection nothing counts: the server may have been replaced by one
/// that lacks what was seen.
#[derive(Debug)]
pub struct Generations<K, V> {
    connection: u64,
    young: FxHashMap<K, V>,
    old: FxHashMap<K, V>,
    generation_max: usize,
}

impl<K: Hash + Eq, V> Generations<K, V> {
    /// Nothing yet.
    pub fn new(count_max: usize) -> Self {
        Self { connection: 0, young: FxHashMap::default(), old: FxHashMap::default(), generation_max: count_max / 2 }
    }

    /// What is known on this connection.
    pub fn get(&self, connection: u64, key: &K) -> Option<&V> {
        if self.connection != connection {
            return None;
        }
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Takes out what is known on this connection.
    pub fn take(&mut self, connection: u64, key: &K) -> Option<V> {
        self.on(connection);
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Replaces what is known; on another connection than before all else is forgotten.
    pub fn insert(&mut self, connection: u64, key: K, value: V) {
        self.on(connection);
        if self.young.len() >= self.generation_max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        if self.generation_max > 0 {
            self.young.insert(key, value);
        }
    }

    fn on(&mut self, connection: u64) {
        if self.connection != connection {
            self.connection = connection;
            self.young.clear();
            self.old.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_another_connection_nothing_counts() {
        let mut recent = Generations::new(10);
        recent.insert(1, 1, "a");
        assert_eq!((recent.get(1, &1), recent.get(2, &1)), (Some(&"a"), None));
        recent.insert(2, 2, "b");
        assert_eq!((recent.get(2, &1), recent.get(2, &2)), (None, Some(&"b")));
        assert_eq!((recent.take(2, &2), recent.take(2, &2)), (Some("b"), None));
    }

    #[test]
    fn the_oldest_make_room() {
        let mut recent = Generations::new(4);
        let known =
            |recent: &Generations<u64, ()>| (1..=6).filter(|key| recent.get(1, key).is_some()).collect::<Vec<_>>();
        for (key, after) in
            [(1, vec![1]), (2, vec![1, 2]), (3, vec![1, 2, 3]), (4, vec![1, 2, 3, 4]), (5, vec![3, 4, 5])]
        {
            recent.insert(1, key, ());
            assert_eq!(known(&recent), after);
        }
        recent.insert(1, 3, ());
        recent.insert(1, 6, ());
        assert_eq!(known(&recent), [3, 5, 6], "what was used lately stays longer");
        let mut none = Generations::new(0);
        none.insert(1, 1, ());
        assert_eq!(none.get(1, &1), None);
    }
}
