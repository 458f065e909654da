//! Which containers there are, by id and by name.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use values::{Error, Id, Result};

use crate::container::Container;

#[derive(Default)]
pub struct Registry {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    by_id: BTreeMap<Id, Arc<Container>>,
    /// Also names reserved for containers that are being created or renamed.
    by_name: HashMap<String, Id>,
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// All containers, by id.
    pub fn all(&self) -> Vec<Arc<Container>> {
        self.read().by_id.values().cloned().collect()
    }

    pub fn get(&self, id: &Id) -> Option<Arc<Container>> {
        self.read().by_id.get(id).cloned()
    }

    pub fn insert(&self, container: Arc<Container>) {
        self.write().by_id.insert(container.id.clone(), container);
    }

    /// Forgets the container and frees every name of it.
    pub fn remove(&self, id: &Id) {
        let mut inner = self.write();
        inner.by_id.remove(id);
        inner.by_name.retain(|_, owner| owner != id);
    }

    /// Takes `name` for `id`, or says whose it is.
    pub fn reserve(&self, name: &str, id: &Id) -> Result<()> {
        let mut inner = self.write();
        if let Some(owner) = inner.by_name.get(name) {
            return Err(name_in_use(name, owner));
        }
        inner.by_name.insert(name.into(), id.clone());
        Ok(())
    }

    pub fn is_taken(&self, name: &str) -> bool {
        self.read().by_name.contains_key(name)
    }

    /// Frees a name if it is `id`'s.
    pub fn free(&self, name: &str, id: &Id) {
        let mut inner = self.write();
        if inner.by_name.get(name) == Some(id) {
            inner.by_name.remove(name);
        }
    }

    /// What a user means by `key`: a full id, an exact name, or the beginning of exactly one id.
    pub fn find(&self, key: &str) -> Result<Arc<Container>> {
        let missing = || Error::not_found(format!("No such container: {key}"));
        if key.is_empty() {
            return Err(Error::invalid("no container name or ID supplied"));
        }
        let inner = self.read();
        if let Some(found) = Id::parse(key).and_then(|id| inner.by_id.get(&id)) {
            return Ok(found.clone());
        }
        let name = key.strip_prefix('/').unwrap_or(key);
        if let Some(found) = inner.by_name.get(name).and_then(|id| inner.by_id.get(id)) {
            return Ok(found.clone());
        }
        let mut matching = inner.by_id.range::<str, _>((Bound::Included(key), Bound::Unbounded));
        match (matching.next(), matching.next()) {
            (Some((first, _)), Some((second, _)))
                if first.as_str().starts_with(key) && second.as_str().starts_with(key) =>
            {
                Err(Error::invalid(format!("multiple IDs found with provided prefix: {key}")))
            }
            (Some((id, found)), _) if id.as_str().starts_with(key) => Ok(found.clone()),
            _ => Err(missing()),
        }
    }
}

fn name_in_use(name: &str, owner: &Id) -> Error {
    Error::conflict(format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{owner}\". You have to remove (or rename) that container to be able to reuse that name."
    ))
}
