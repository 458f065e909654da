//! `PUT /containers/{id}/archive`

use crate::endpoint::{Endpoint, Method, NoContent, Upload};
use crate::query::query;
use crate::version::Version;

/// Unpacks a tar at a path.
pub struct ContainerArchivePut;

impl Endpoint for ContainerArchivePut {
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/containers/{id}/archive";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerArchivePutQuery;
    type Body = Upload;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ContainerArchivePut`].
    pub struct ContainerArchivePutQuery {
        /// A directory in the container.
        "path" => pub path: String,
        /// `1`, `true`: a directory does not replace anything else, nor the other way round.
        "noOverwriteDirNonDir" => pub no_overwrite_dir_non_dir: bool,
        /// Everything belongs to the container's user.
        "copyUIDGID" => pub copy_uid_gid: bool,
    }
}
