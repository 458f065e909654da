//! Looking a group up in `/etc/group` (group(5)). glibc's way would load plugins into a static program.

use std::path::Path;

use values::{Error, Result};

use crate::settings::Group;

const FILE: &str = "/etc/group";

/// The number of `group`; `None` where a group that nobody asked for is not there.
///
/// Errors: `NotFound` for one that was asked for.
pub fn gid(group: &Group) -> Result<Option<u32>> {
    if let Ok(number) = group.name.parse() {
        return Ok(Some(number));
    }
    let text = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    match find(&text, &group.name) {
        None if group.required => Err(Error::not_found(format!("group {} not found", group.name))),
        found => Ok(found),
    }
}

fn find(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups() {
        let text = "root:x:0:\nbroken\ndocker:x:999:me,you\nodd:x:y:\n";
        let check = |name: &str, expected| assert_eq!(find(text, name), expected, "{name}");
        check("root", Some(0));
        check("docker", Some(999));
        check("dock", None);
        check("broken", None);
        check("odd", None);
        let group = |name: &str, required| Group { name: name.into(), required };
        assert_eq!(gid(&group("27", true)).unwrap(), Some(27));
        assert_eq!(gid(&group("no-such-group", false)).unwrap(), None);
        assert_eq!(gid(&group("no-such-group", true)).unwrap_err().message, "group no-such-group not found");
    }
}
