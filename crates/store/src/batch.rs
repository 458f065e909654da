use serde::{Serialize, de::DeserializeOwned};
use values::{Error, Result};

use crate::{
    frame::{self, HEADER_LEN, KEY_MAX, PAYLOAD_MAX},
    table::Table,
};

/// Puts and deletes over any tables which [`Store::commit`](crate::Store::commit) does all or none of.
/// Of two on the same key the later one counts.
pub struct Batch {
    /// Room for the frame's header, then the operations as they go to the file.
    pub(crate) frame: Vec<u8>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    pub fn new() -> Self {
        Self { frame: vec![0; HEADER_LEN] }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.frame.len() == HEADER_LEN
    }

    /// Sets the record under `key` (at most 65,535 bytes).
    pub fn put<T: Serialize + DeserializeOwned>(&mut self, table: &Table<T>, key: &str, value: &T) -> Result<()> {
        let bytes = table.encode(key, value)?;
        if key.len() > KEY_MAX || self.frame.len() + bytes.len() > PAYLOAD_MAX {
            return Err(Error::invalid(format!("record of table {} is too large", table.name())));
        }
        frame::push_put(&mut self.frame, table.name(), key, table.schema(), &bytes);
        Ok(())
    }

    /// Takes the record under `key` away; nothing happens where there is none.
    pub fn delete<T>(&mut self, table: &Table<T>, key: &str) {
        if key.len() <= KEY_MAX {
            frame::push_delete(&mut self.frame, table.name(), key);
        }
    }
}
