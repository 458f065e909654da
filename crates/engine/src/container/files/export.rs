//! A container's root filesystem as a tar, without what is mounted in it.

use std::sync::Arc;

use archive::pack::{Marks, Packer};
use values::{Error, Result};

use super::root::bare;
use crate::byte_stream::{ByteStream, byte_stream};
use crate::container::Container;
use crate::shared::{Shared, in_own_thread};

/// # Errors
/// Whatever keeps its files from being opened.
pub async fn export(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<ByteStream> {
    let (root, ids, inside) = bare(shared, container).await?;
    let (mut sink, stream) = byte_stream();
    tokio::spawn(in_own_thread(move || {
        let mut pack = || {
            let mut packer = Packer::with_ids(&mut sink, Marks::Plain, ids.clone());
            packer.tree(root.real_dir(b"")?, b"")?;
            packer.finish().map(drop)
        };
        let outcome: std::io::Result<()> = pack();
        drop(inside);
        sink.end(outcome.map_err(Error::from));
        Ok(())
    }));
    shared.emit_container("export", container);
    Ok(stream)
}
