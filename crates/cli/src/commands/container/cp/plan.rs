//! Where a copy goes, and what it is called there: `cp`'s table of files and directories.

use super::path::{is_directory_asserted, split};
use crate::Failure;

/// What is copied.
#[derive(Clone, Debug)]
pub struct Ends {
    /// What the archive calls it.
    pub name: String,
    pub is_dir: bool,
}

/// What is at the other end.
#[derive(Clone, Debug)]
pub struct Destination {
    pub path: String,
    pub exists: bool,
    pub is_dir: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the archive is unpacked.
    pub directory: String,
    /// What is copied is called so there; `None`: as it is.
    pub rename: Option<Vec<u8>>,
}

/// # Errors
/// In Docker's words.
pub fn plan(source: &Ends, destination: &Destination) -> Result<Plan, Failure> {
    let (parent, name) = split(&destination.path);
    let renamed = Plan { directory: parent, rename: Some(name.into_bytes()) };
    match destination {
        Destination { exists: true, is_dir: true, path } => Ok(Plan { directory: path.clone(), rename: None }),
        Destination { exists: true, .. } if source.is_dir => Err(Failure::new("cannot copy directory")),
        Destination { exists: true, .. } => Ok(renamed),
        _ if source.is_dir => Ok(renamed),
        Destination { path, .. } if is_directory_asserted(path) => Err(Failure::new("no such directory")),
        _ => Ok(renamed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let check = |is_dir: bool, path: &str, there: Option<bool>, expected: Result<(&str, Option<&str>), &str>| {
            let source = Ends { name: "src".into(), is_dir };
            let destination =
                Destination { path: path.into(), exists: there.is_some(), is_dir: there.unwrap_or(false) };
            let got = plan(&source, &destination);
            let expected = expected.map(|(directory, rename)| Plan {
                directory: directory.into(),
                rename: rename.map(|r| r.as_bytes().to_vec()),
            });
            assert_eq!(got.map_err(|e| e.message), expected.map_err(str::to_owned), "{is_dir} {path} {there:?}");
        };
        check(false, "/d/new", None, Ok(("/d", Some("new"))));
        check(false, "/d/new/", None, Err("no such directory"));
        check(false, "/d/file", Some(false), Ok(("/d", Some("file"))));
        check(false, "/d", Some(true), Ok(("/d", None)));
        check(true, "/d/new", None, Ok(("/d", Some("new"))));
        check(true, "/d/new/", None, Ok(("/d", Some("new"))));
        check(true, "/d/file", Some(false), Err("cannot copy directory"));
        check(true, "/d", Some(true), Ok(("/d", None)));
    }
}
