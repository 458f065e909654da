//! A container's files.

use values::Timestamp;

use crate::wire::wire;

wire! {
    /// One line of `GET /containers/{id}/changes`.
    #[serde(rename_all = "PascalCase")]
    pub struct FilesystemChange {
        pub path: String,
        /// 0 modified, 1 added, 2 deleted.
        pub kind: u8,
    }
}

wire! {
    /// What is at a path of a container.
    #[serde(rename_all = "camelCase")]
    pub struct PathStat {
        pub name: String,
        /// Bytes.
        pub size: i64,
        /// Go's `os.FileMode`.
        pub mode: u32,
        pub mtime: Timestamp,
        /// Where a symbolic link leads, as a path in the container; empty for all else.
        pub link_target: String,
    }
}
