//! Paths as `cp` reads them: a `/` or `/.` at their end means something.

/// The container and the path in it; `None` for a path of this machine.
pub fn in_container(argument: &str) -> Option<(&str, &str)> {
    if argument.starts_with('/') {
        return None;
    }
    // `./file:name` is a file here
    argument.split_once(':').filter(|(container, _)| !container.starts_with('.') && !container.is_empty())
}

fn is_current(path: &str) -> bool {
    path.trim_end_matches('/').rsplit('/').next() == Some(".")
}

/// Whether the path can only be that of a directory.
pub fn is_directory_asserted(path: &str) -> bool {
    path.ends_with('/') || is_current(path)
}

/// Go's `filepath.Clean`.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = vec![];
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}

/// Go's `filepath.Base`.
pub fn base(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None => if path.is_empty() { "." } else { "/" }.into(),
        Some(last) => last.into(),
    }
}

fn parent(path: &str) -> String {
    match path.rfind('/') {
        Some(at) => clean(&path[..=at]),
        None => ".".into(),
    }
}

/// Directory and last component of a cleaned path; a `.` at its end is kept as such.
pub fn split(path: &str) -> (String, String) {
    let mut cleaned = clean(path);
    if is_current(path) {
        cleaned.push_str("/.");
    }
    (parent(&cleaned), base(&cleaned))
}

/// Gives `cleaned` the `/` or `/.` that `original` ends with.
pub fn with_end_of(mut cleaned: String, original: &str) -> String {
    if is_current(original) && !is_current(&cleaned) {
        if !cleaned.ends_with('/') {
            cleaned.push('/');
        }
        cleaned.push('.');
    }
    if original.ends_with('/') && !cleaned.ends_with('/') {
        cleaned.push('/');
    }
    cleaned
}

/// Where a link at `path` leads, itself a path.
pub fn joined(path: &str, target: &str) -> String {
    if target.starts_with('/') { target.into() } else { clean(&format!("{}/{target}", split(path).0)) }
}

/// A path that was followed to `resolved`: with the end of the original, and the name it is to have if that is another.
pub fn rebase(path: &str, resolved: &str) -> (String, Option<String>) {
    let resolved = with_end_of(resolved.to_owned(), path);
    let name = Some(base(path)).filter(|name| *name != base(&resolved));
    (resolved, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let check = |argument: &str, expected: Option<(&str, &str)>| assert_eq!(in_container(argument), expected);
        check("c:/a", Some(("c", "/a")));
        check("c:", Some(("c", "")));
        check("/a:b", None);
        check("./a:b", None);
        check("a", None);
        check("c:a:b", Some(("c", "a:b")));
    }

    #[test]
    fn splitting_is_gos() {
        let check = |path: &str, dir: &str, last: &str| assert_eq!(split(path), (dir.into(), last.into()), "{path}");
        check("/a/b", "/a", "b");
        check("/a/b/", "/a", "b");
        check("/a/b/.", "/a/b", ".");
        check("a", ".", "a");
        check(".", ".", ".");
        check("/", "/", "/");
        check("/a", "/", "a");
    }

    #[test]
    fn ends() {
        assert_eq!(rebase("/a/link/", "/b"), ("/b/".into(), Some("link".into())));
        assert_eq!(rebase("/a/link/.", "/b"), ("/b/.".into(), None));
        assert_eq!(rebase("/a/x", "/b/x"), ("/b/x".into(), None));
        assert_eq!(joined("/a/link", "../t"), "/t");
        assert!(is_directory_asserted("a/") && is_directory_asserted("a/.") && !is_directory_asserted("a"));
    }
}
