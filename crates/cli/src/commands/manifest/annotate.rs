//! `manifest annotate`.

use super::{experimental, named, store};
use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["manifest annotate"],
    usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
    about: "Add additional information to a local image manifest",
    long: experimental!("Add additional information to a local image manifest", "annotate"),
    args: Args::Exactly(2),
    flags: &[
        Flag::text("arch", "Set architecture"),
        Flag::text("os", "Set operating system"),
        Flag::strings("os-features", "Set operating system feature"),
        Flag::text("os-version", "Set operating system version"),
        Flag::text("variant", "Set architecture variant"),
    ],
    run,
    ..Command::DEFAULT
};

/// Docker's table of what a manifest may be for.
const PLATFORMS: &[(&str, &[&str])] = &[
    ("aix", &["ppc64"]),
    ("android", &["386", "amd64", "arm", "arm64"]),
    ("darwin", &["386", "amd64", "arm", "arm64"]),
    ("dragonfly", &["amd64"]),
    ("freebsd", &["386", "amd64", "arm"]),
    ("illumos", &["amd64"]),
    ("ios", &["amd64", "arm64"]),
    ("js", &["wasm"]),
    (
        "linux",
        &[
            "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
            "riscv64", "s390x",
        ],
    ),
    ("netbsd", &["386", "amd64", "arm"]),
    ("openbsd", &["386", "amd64", "arm"]),
    ("plan9", &["386", "amd64"]),
    ("solaris", &["amd64"]),
    ("windows", &["386", "amd64", "arm", "arm64"]),
];

fn run(session: &Session, call: &Invocation) -> Outcome {
    let (list, manifest) = (named(call.arg(0))?, named(call.arg(1))?);
    let found = store::find(session, &list, &manifest)?;
    let mut item =
        found.ok_or_else(|| Failure::new(format!("manifest for image {manifest} does not exist in {list}")))?;
    let platform = item.descriptor.platform.get_or_insert_default();
    for (flag, field) in [
        ("arch", &mut platform.architecture),
        ("os", &mut platform.os),
        ("os-version", &mut platform.os_version),
        ("variant", &mut platform.variant),
    ] {
        if let Some(value) = call.text(flag).filter(|value| !value.is_empty()) {
            *field = value.to_owned();
        }
    }
    for feature in call.all("os-features") {
        if !platform.os_features.iter().any(|known| known == feature) {
            platform.os_features.push(feature.to_owned());
        }
    }
    let known = |os: &str, arch: &str| PLATFORMS.iter().any(|(o, archs)| *o == os && archs.contains(&arch));
    if !known(&platform.os, &platform.architecture) {
        return Err(Failure::new(format!(
            "manifest entry for image has unsupported os/arch combination: {}/{}",
            platform.os, platform.architecture
        )));
    }
    store::write(session, &list, &item)?;
    Ok(0)
}
