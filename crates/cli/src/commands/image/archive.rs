//! The archive that `load` and `import` send.

use std::fs::File;

use crate::Failure;

/// Opens a file to be read.
///
/// # Errors
/// In the words of Go's `os.Open`, and of its first read.
pub fn open(path: &str) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".into(),
            std::io::ErrorKind::PermissionDenied => "permission denied".into(),
            _ => error.to_string().to_lowercase(),
        };
        Failure::new(format!("open {path}: {why}"))
    })?;
    if file.metadata().is_ok_and(|of| of.is_dir()) {
        return Err(Failure::new(format!("read {path}: is a directory")));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::open;

    #[test]
    fn what_is_no_archive() {
        let why = |path: &str| open(path).err().map(|e| e.message);
        assert_eq!(why("/proc/none").as_deref(), Some("open /proc/none: no such file or directory"));
        assert_eq!(why("/proc").as_deref(), Some("read /proc: is a directory"));
        assert_eq!(why("/proc/self/stat"), None);
    }
}
