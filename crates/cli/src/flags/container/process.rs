//! What runs in a container, as whom, with which streams.

use api::lenient::StrSlice;

use super::Draft;
use crate::Session;
use crate::command::Complete;
use crate::failure::Failure;
use crate::flags::{Flag, check};
use crate::{Invocation, config};

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::list("attach", "Attach to STDIN, STDOUT or STDERR")
        .short('a')
        .checked(stream)
        .completes(Complete::Words(&["stderr", "stdin", "stdout"])),
    Flag::bool("interactive", "Keep STDIN open even if not attached").short('i'),
    Flag::bool("tty", "Allocate a pseudo-TTY").short('t'),
    Flag::list("env", "Set environment variables")
        .short('e')
        .checked(check::environment)
        .completes(Complete::Environment),
    Flag::list("env-file", "Read in a file of environment variables").completes(Complete::Files),
    Flag::text("workdir", "Working directory inside the container").short('w'),
    Flag::text("entrypoint", "Overwrite the default ENTRYPOINT of the image"),
    Flag::text("user", "Username or UID (format: <name|uid>[:<group|gid>])").short('u'),
    Flag::list("group-add", "Add additional groups to join"),
    Flag::text("hostname", "Container host name").short('h'),
    Flag::text("domainname", "Container NIS domain name"),
];

fn stream(text: &str) -> Result<(), String> {
    match text.to_ascii_lowercase().as_str() {
        "stdin" | "stdout" | "stderr" => Ok(()),
        _ => Err("valid streams are STDIN, STDOUT and STDERR".into()),
    }
}

/// Puts them into the request; the image and the program follow from the positional arguments.
///
/// # Errors
/// An environment file that cannot be read.
pub fn translate(session: &Session, call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let chosen: Vec<String> = call.all("attach").map(str::to_ascii_lowercase).collect();
    let has = |name: &str| chosen.iter().any(|stream| stream == name);
    let detached = call.command.flag("detach").is_some() && call.is("detach");
    // nothing said: all that a foreground process writes
    let outputs = chosen.is_empty() && !detached;

    let config = &mut draft.config;
    config.open_stdin = call.is("interactive");
    config.tty = call.is("tty");
    config.attach_stdin = has("stdin") || config.open_stdin;
    config.attach_stdout = has("stdout") || outputs;
    config.attach_stderr = has("stderr") || outputs;
    // an attached client's end is then the end of the input
    config.stdin_once = config.open_stdin && config.attach_stdin;

    config.env = Some(environment(session, call)?).filter(|env| !env.is_empty());
    config.working_dir = call.text_or_empty("workdir").to_owned();
    config.user = call.text_or_empty("user").to_owned();
    config.hostname = call.text_or_empty("hostname").to_owned();
    config.domainname = call.text_or_empty("domainname").to_owned();
    // `--entrypoint=` resets the image's
    config.entrypoint = call.text("entrypoint").map(|program| StrSlice(vec![program.to_owned()]));
    config.image = call.arg(0).to_owned();
    config.cmd = call.args.get(1..).filter(|words| !words.is_empty()).map(|words| StrSlice(words.to_vec()));
    draft.host.group_add = Some(super::list(call, "group-add")).filter(|list| !list.is_empty());
    Ok(())
}

/// Files first, then flags; proxies of config.json where neither names them.
fn environment(session: &Session, call: &Invocation) -> Result<Vec<String>, Failure> {
    let mut env = variables(call)?;
    if let Some(proxy) = proxy(session) {
        for (name, value) in [
            ("HTTP_PROXY", &proxy.http_proxy),
            ("HTTPS_PROXY", &proxy.https_proxy),
            ("NO_PROXY", &proxy.no_proxy),
            ("FTP_PROXY", &proxy.ftp_proxy),
            ("ALL_PROXY", &proxy.all_proxy),
        ] {
            for name in [name.to_owned(), name.to_ascii_lowercase()] {
                let there = call.all("env").any(|text| text.split('=').next() == Some(&name));
                if !value.is_empty() && !there {
                    env.push(format!("{name}={value}"));
                }
            }
        }
    }
    Ok(env)
}

/// `--env-file` and `--env`: a bare name takes our own value; one we do not have stays bare among flags (the
/// daemon then removes the image's) and is dropped in files.
///
/// # Errors
/// A file that cannot be read.
pub fn variables(call: &Invocation) -> Result<Vec<String>, Failure> {
    let own = |name: &str| std::env::var(name).ok();
    let all = super::files::key_values(call, "env-file", "env", own)?;
    let resolved = all.into_iter().map(|text| match own(&text).filter(|_| !text.contains('=')) {
        Some(value) => format!("{text}={value}"),
        None => text,
    });
    Ok(resolved.collect())
}

/// The proxies config.json has for this daemon's containers. Without a config.json nothing is looked up.
fn proxy(session: &Session) -> Option<&config::Proxy> {
    let proxies = &session.config().proxies;
    if proxies.is_empty() {
        return None;
    }
    let host = session.client().ok()?.host().to_string();
    proxies.get(&host).or_else(|| proxies.get("default"))
}
