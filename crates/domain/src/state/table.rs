//! A table: rows in memory that remember which of them changed since the ledger last wrote them.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;

/// Rows by key, in key order.
pub struct Table<K, V> {
    rows: BTreeMap<K, V>,
    touched: BTreeSet<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), touched: BTreeSet::new() }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    /// The row of this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// Whether there is a row of this key.
    pub fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// All rows, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    /// The rows after this key, in key order; all of them where there is none.
    pub fn iter_after(&self, after: Option<&K>) -> impl Iterator<Item = (&K, &V)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range((from, Bound::Unbounded))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts a row, and answers the one that was there.
    pub fn put(&mut self, key: K, row: V) -> Option<V> {
        self.touched.insert(key.clone());
        self.rows.insert(key, row)
    }

    /// Removes a row, and answers it.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.rows.remove(key);
        if removed.is_some() {
            self.touched.insert(key.clone());
        }
        removed
    }

    /// Puts back a row that the ledger has: it counts as written.
    pub fn restore(&mut self, key: K, row: V) {
        self.rows.insert(key, row);
    }

    /// Hands each row that changed since the last call to `write`, with `None` for a row that is gone.
    pub fn drain_changes(&mut self, mut write: impl FnMut(&K, Option<&V>)) {
        while let Some(key) = self.touched.pop_first() {
            write(&key, self.rows.get(&key));
        }
    }
}
