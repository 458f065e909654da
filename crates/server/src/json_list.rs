//! A JSON array that is written while its entries are made: a long list is never in memory twice.

use std::marker::PhantomData;

use api::Version;
use api::versions::Lower;
use http::StatusCode;
use serde::Serialize;
use values::Result;

use crate::answer::{Answer, write_json};

/// Entries of one kind, for a client of one version.
pub(crate) struct JsonList<T> {
    version: Version,
    text: Vec<u8>,
    entries: PhantomData<T>,
}

impl<T: Serialize + Lower> JsonList<T> {
    pub(crate) fn new(version: Version) -> JsonList<T> {
        JsonList { version, text: vec![b'['], entries: PhantomData }
    }

    /// # Errors
    /// `Internal` where it cannot be written: then there is no list.
    pub(crate) fn push(&mut self, mut entry: T) -> Result<()> {
        entry.lower(self.version);
        if self.text.len() > 1 {
            self.text.push(b',');
        }
        write_json(&mut self.text, &entry)
    }

    pub(crate) fn answer(self) -> Answer {
        Answer::json_text(StatusCode::OK, self.text())
    }

    fn text(mut self) -> Vec<u8> {
        self.text.extend(b"]\n");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use api::types::ContainerSummary;

    use super::*;
    use crate::answer::json_line;

    #[test]
    fn is_what_the_whole_list_would_be() {
        let version = Version::new(1, 40);
        for count in [0, 1, 3] {
            let mut whole: Vec<_> =
                (0..count).map(|n| ContainerSummary { id: format!("{n}"), ..ContainerSummary::default() }).collect();
            let mut list = JsonList::new(version);
            whole.iter().cloned().try_for_each(|entry| list.push(entry)).unwrap();
            whole.lower(version);
            assert_eq!(list.text(), json_line(&whole).unwrap());
        }
    }

    /// Written half, it is no list.
    #[test]
    fn an_entry_that_cannot_be_written_fails_the_list() {
        struct Unwritable;
        impl Serialize for Unwritable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no way"))
            }
        }
        impl Lower for Unwritable {
            fn lower(&mut self, _: Version) {}
        }
        let mut list = JsonList::new(Version::new(1, 40));
        assert_eq!(list.push(Unwritable).unwrap_err().message, "cannot encode a reply: no way");
    }
}
