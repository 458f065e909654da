//! Where the newest value of each record lies.

use std::collections::BTreeMap;

use crate::frame::{Op, put_len};

/// A value in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slot {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) schema: u32,
    /// Of the value alone: what is read later is checked again.
    pub(crate) crc: u32,
}

#[derive(Default)]
pub(crate) struct Index {
    tables: BTreeMap<Box<str>, BTreeMap<Box<str>, Slot>>,
    /// Bytes of the file that a compaction would keep.
    pub(crate) live: u64,
}

impl Index {
    /// Does the operations of a payload which lies at `offset` of the file.
    pub(crate) fn apply(&mut self, ops: &[Op<'_>], payload: &[u8], offset: u64) {
        for op in ops {
            match op {
                Op::Put { table, key, schema, value } => {
                    let slot = Slot {
                        offset: offset + value.start as u64,
                        len: value.len() as u32,
                        schema: *schema,
                        crc: crc32fast::hash(&payload[value.clone()]),
                    };
                    self.put(table, key, slot);
                }
                Op::Delete { table, key } => self.delete(table, key),
            }
        }
    }

    fn put(&mut self, table: &str, key: &str, slot: Slot) {
        self.live += put_len(table, key, slot.len as usize);
        if !self.tables.contains_key(table) {
            self.tables.insert(table.into(), BTreeMap::new());
        }
        let Some(records) = self.tables.get_mut(table) else { return };
        let old = match records.get_mut(key) {
            Some(known) => Some(std::mem::replace(known, slot)),
            None => records.insert(key.into(), slot),
        };
        if let Some(old) = old {
            self.live -= put_len(table, key, old.len as usize);
        }
    }

    fn delete(&mut self, table: &str, key: &str) {
        if let Some(old) = self.tables.get_mut(table).and_then(|records| records.remove(key)) {
            self.live -= put_len(table, key, old.len as usize);
        }
    }

    pub(crate) fn get(&self, table: &str, key: &str) -> Option<Slot> {
        self.tables.get(table)?.get(key).copied()
    }

    pub(crate) fn table(&self, table: &str) -> impl Iterator<Item = (&str, Slot)> {
        self.tables.get(table).into_iter().flatten().map(|(key, slot)| (&**key, *slot))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, Slot)> {
        self.tables.iter().flat_map(|(table, records)| records.iter().map(move |(key, slot)| (&**table, &**key, *slot)))
    }

    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.tables.values_mut().flat_map(|records| records.values_mut())
    }
}
