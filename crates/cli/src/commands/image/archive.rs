//! The archive that `load` and `import` send.

use std::fs::File;

use crate::Failure;

/// Opens a file to be read.
///
/// # Errors
/// In the words of Go's `os.Open`.
pub fn open(path: &str) -> Result<File, Failure> {
    File::open(path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".into(),
            std::io::ErrorKind::PermissionDenied => "permission denied".into(),
            _ => error.to_string().to_lowercase(),
        };
        Failure::new(format!("open {path}: {why}"))
    })
}
