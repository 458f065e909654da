//! The metadata store: typed tables of small JSON records in one journal file.
//!
//! A [`Store`] is an append-only file of checked transactions and an index of where each record's newest value lies.
//! Values stay in the file (the page cache holds what is read often), so that the memory it costs is its keys.
//!
//! - A [`Batch`] of puts and deletes over any tables is one transaction: all of it is there after a crash, or nothing.
//! - [`Durability::Process`] is one `write(2)`: it survives the death of this process at any instant, not of the machine.
//!   [`Durability::Power`] also waits for `fdatasync(2)`, which commits of several threads share. A later `Power` commit
//!   makes all earlier `Process` ones durable too.
//! - A torn last transaction is cut off at [`Store::open`] and reported in [`Opened`]; damage in what had been synced is
//!   an error, and [`Store::salvage`] is the way out which keeps the damaged file.
//! - What is dead in the file is written away by a compaction (new file, sync, rename) when it outweighs what lives.
//! - A full disk fails a commit; file and index are then as before it.
//!
//! Why a journal of our own and not an embedded database: `docs/adr/0005-journal-store.md`.

mod batch;
mod compact;
mod frame;
mod group;
mod index;
mod salvage;
mod scan;
mod store;
mod table;

pub use batch::Batch;
pub use salvage::Salvaged;
pub use store::{Durability, Opened, Store};
pub use table::{Migration, Table};

#[cfg(test)]
mod tests;
