use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use values::{Error, Result, ResultExt};

/// Turns a record's JSON as an older schema wrote it (first argument: that schema's number) into today's.
pub type Migration = fn(u32, serde_json::Value) -> Result<serde_json::Value>;

/// A table: its name, the type of its records and the number of their schema.
///
/// ```
/// # use store::Table;
/// const NAMES: Table<String> = Table::new("names", 1);
/// ```
pub struct Table<T> {
    name: &'static str,
    schema: u32,
    migration: Option<Migration>,
    record: PhantomData<fn() -> T>,
}

impl<T> Table<T> {
    /// `name` has at most 255 bytes. `schema` goes up by one with each change that old records do not parse as.
    pub const fn new(name: &'static str, schema: u32) -> Self {
        assert!(name.len() <= 255, "a table's name is at most 255 bytes");
        Self { name, schema, migration: None, record: PhantomData }
    }

    /// The same table, which also reads what older schemas wrote. A migrated record is written anew when it is next put.
    pub const fn migrating(mut self, migration: Migration) -> Self {
        self.migration = Some(migration);
        self
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn schema(&self) -> u32 {
        self.schema
    }
}

impl<T: Serialize + DeserializeOwned> Table<T> {
    pub(crate) fn encode(&self, key: &str, value: &T) -> Result<Vec<u8>> {
        serde_json::to_vec(value).map_err(|e| self.broken(key, &e.to_string()))
    }

    pub(crate) fn decode(&self, key: &str, schema: u32, bytes: &[u8]) -> Result<T> {
        if schema == self.schema {
            return serde_json::from_slice(bytes).map_err(|e| self.broken(key, &e.to_string()));
        }
        if schema > self.schema {
            let (known, name) = (self.schema, self.name);
            return Err(Error::internal(format!(
                "record {key} of table {name} has schema {schema}, this version knows {known}: a newer Lighter wrote it"
            )));
        }
        let migrate = self
            .migration
            .ok_or_else(|| self.broken(key, &format!("no way from schema {schema} to {}", self.schema)))?;
        let old = serde_json::from_slice(bytes).map_err(|e| self.broken(key, &e.to_string()))?;
        let new = migrate(schema, old).during(|| format!("record {key} of table {}", self.name))?;
        serde_json::from_value(new).map_err(|e| self.broken(key, &e.to_string()))
    }

    fn broken(&self, key: &str, why: &str) -> Error {
        Error::internal(format!("record {key} of table {}: {why}", self.name))
    }
}
