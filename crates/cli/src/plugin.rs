//! Programs that add commands: `docker-NAME` in the plugin directories of Docker's client (spec/cli.md, "CLI plugin
//! protocol"). They are looked for only when a word is no command of ours.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Session;
use crate::failure::Failure;

/// Where plugins lie besides the user's own directory.
const DIRECTORIES: &[&str] = &[
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];
/// Tells the plugin what the user called.
const ORIGINAL: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/// Becomes the plugin `name`, with `words` being all words after our own name. Returns only if there is none.
///
/// # Errors
/// A plugin that cannot be started.
pub fn run(session: &Session, name: &str, words: &[String]) -> Result<(), Failure> {
    let Some(program) = find(session, name) else { return Ok(()) };
    let mut command = Command::new(&program);
    command.args(words);
    if let Ok(own) = std::env::current_exe() {
        command.env(ORIGINAL, own);
    }
    // a plugin finds its daemon by itself: where ours is not Docker's, it has to be told
    if std::env::var_os("DOCKER_HOST").is_none() && session.root.hosts.is_empty() && session.program != "docker" {
        command.env("DOCKER_HOST", session.client()?.host().to_string());
    }
    let error = command.exec();
    Err(Failure::new(format!("{}: {error}", program.display())))
}

fn find(session: &Session, name: &str) -> Option<PathBuf> {
    let mut letters = name.bytes();
    let proper = letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !proper {
        return None;
    }
    let file = format!("docker-{name}");
    let extra = session.config().cli_plugins_extra_dirs.iter().map(PathBuf::from);
    let own = session.root.config_dir().join("cli-plugins");
    let all = extra.chain([own]).chain(DIRECTORIES.iter().map(PathBuf::from));
    all.map(|directory| directory.join(&file)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
