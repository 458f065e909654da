//! `--cap-add`, `--cap-drop`, `--privileged`: which capabilities (capabilities(7)) a container has.

use api::types::HostConfig;
use values::{Error, Result, kernel_names::CAPABILITIES};

const ALL: &str = "ALL";

/// The capabilities of a container, `CAP_…`, sorted.
///
/// # Errors
/// As [`check`].
pub fn of(host: &HostConfig) -> Result<Vec<String>> {
    let add = normalize(host.cap_add.as_deref().map_or(&[][..], Vec::as_slice), "CapAdd")?;
    let drop = normalize(host.cap_drop.as_deref().map_or(&[][..], Vec::as_slice), "CapDrop")?;
    if host.privileged {
        return Ok(sorted(runtime::all_capabilities()));
    }
    Ok(tweak(&add, &drop, runtime::default_capabilities(), runtime::all_capabilities()))
}

/// Checks the names in a request.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn check(host: &HostConfig) -> Result<()> {
    of(host).map(drop)
}

/// Adding ALL beats everything but single drops; dropping ALL leaves what is added; else default − drop + add.
fn tweak(add: &[String], drop: &[String], default: Vec<String>, all: Vec<String>) -> Vec<String> {
    let has_all = |list: &[String]| list.iter().any(|name| name == ALL);
    let kept = |list: Vec<String>| list.into_iter().filter(|name| !drop.contains(name));
    sorted(match (has_all(add), has_all(drop)) {
        (true, _) => kept(all).collect(),
        (false, true) => add.to_vec(),
        (false, false) => kept(default).chain(add.iter().cloned()).collect(),
    })
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}

/// `net_admin`, `CAP_NET_ADMIN` → `CAP_NET_ADMIN`; `all` → `ALL`.
pub fn normalize(names: &[String], field: &str) -> Result<Vec<String>> {
    let one = |name: &String| {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if upper == ALL {
            return Ok(upper);
        }
        let full = format!("CAP_{bare}");
        if CAPABILITIES.contains(&bare) {
            return Ok(full);
        }
        Err(Error::invalid(format!("invalid {field}: unknown capability: \"{full}\"")))
    };
    names.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn names() {
        let check = |name: &str, expected: Result<&str, &str>| {
            let got = normalize(&[name.to_owned()], "CapAdd").map(|l| l[0].clone()).map_err(|e| e.message);
            assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{name}");
        };
        check("net_admin", Ok("CAP_NET_ADMIN"));
        check("CAP_NET_ADMIN", Ok("CAP_NET_ADMIN"));
        check("cap_Chown", Ok("CAP_CHOWN"));
        check("all", Ok("ALL"));
        check("foo", Err("invalid CapAdd: unknown capability: \"CAP_FOO\""));
        check("", Err("invalid CapAdd: unknown capability: \"CAP_\""));
    }

    #[test]
    fn sums() {
        let check = |add: &str, drop: &str, expected: &str| {
            let got = tweak(&list(add), &list(drop), list("CAP_A CAP_B"), list("CAP_A CAP_B CAP_C CAP_D"));
            assert_eq!(got.join(" "), expected, "+{add} -{drop}");
        };
        check("", "", "CAP_A CAP_B");
        check("CAP_C", "", "CAP_A CAP_B CAP_C");
        check("CAP_A", "", "CAP_A CAP_B");
        check("", "CAP_A CAP_D", "CAP_B");
        check("ALL", "", "CAP_A CAP_B CAP_C CAP_D");
        check("ALL", "CAP_C", "CAP_A CAP_B CAP_D");
        check("", "ALL", "");
        check("CAP_C", "ALL", "CAP_C");
        check("ALL", "ALL", "CAP_A CAP_B CAP_C CAP_D");
    }
}
