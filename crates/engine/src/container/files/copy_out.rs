//! From a container: what is at a path, as a tar.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use api::types::PathStat;
use archive::pack::{Marks, Packer};
use archive::{Ids, Root};
use tokio::sync::mpsc;
use values::{Error, Result};

use super::path::Place;
use super::root::{Access, with_root};
use super::stat::look;
use crate::byte_stream::{ByteSink, ByteStream, byte_stream};
use crate::container::Container;
use crate::shared::Shared;

/// What is there, and an archive of it. A link is copied as such.
///
/// # Errors
/// `NotFound` in Docker's words.
pub async fn copy_out(shared: &Arc<Shared>, container: &Arc<Container>, path: &str) -> Result<(PathStat, ByteStream)> {
    let (sink, stream) = byte_stream();
    let (tell, mut told) = mpsc::channel(1);
    let (shared, container, path) = (shared.clone(), container.clone(), path.to_owned());
    tokio::spawn(async move {
        let (name, tell_found) = (container.name(), tell.clone());
        let work = move |root: &Root, ids: &Ids| {
            let found = look(root, &name, &path)?;
            let _ = tell_found.blocking_send(Ok(found));
            pack(root, ids, &Place::parse(&path), sink);
            Ok(())
        };
        match with_root(&shared, &container, Access::Read, work).await {
            Ok(()) => shared.emit_container("archive-path", &container),
            Err(e) => drop(tell.send(Err(e)).await),
        }
    });
    let found = told.recv().await.unwrap_or_else(|| Err(Error::internal("copying from the container failed")))?;
    Ok((found, stream))
}

fn pack(root: &Root, ids: &Ids, place: &Place, mut sink: ByteSink) {
    let outcome = write(root, ids, place, &mut sink);
    sink.end(outcome.map_err(Error::from));
}

fn write(root: &Root, ids: &Ids, place: &Place, out: &mut dyn Write) -> io::Result<()> {
    let mut packer = Packer::with_ids(out, Marks::Plain, ids.clone());
    let parent = place.open_parent(root)?;
    if place.is_entry() {
        packer.one(parent.as_fd(), &place.last, place.name())?;
    } else {
        packer.tree(parent, place.name())?;
    }
    packer.finish().map(drop)
}
