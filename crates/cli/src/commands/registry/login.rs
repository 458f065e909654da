//! `login`.

use std::io::{BufRead, IsTerminal, Read};

use api::endpoints::RegistryAuth;
use api::query::NoQuery;
use api::types::AuthConfig;

use crate::command::{Args, Command};
use crate::credentials;
use crate::flags::Flag;
use crate::{Failure, Invocation, Outcome, Session, terminal};

pub static COMMAND: Command = Command {
    spellings: &["login"],
    usage: "[OPTIONS] [SERVER]",
    about: "Authenticate to a registry",
    long: "Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.",
    args: Args::AtMost(1),
    flags: &[
        Flag::text("password", "Password or Personal Access Token (PAT)").short('p'),
        Flag::bool("password-stdin", "Take the Password or Personal Access Token (PAT) from stdin"),
        Flag::text("username", "Username").short('u'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let key = credentials::key_of_server(call.arg(0));
    let mut username = call.text_or_empty("username").trim().to_owned();
    let mut password = call.text_or_empty("password").to_owned();
    if call.given("password") {
        session.eprintln("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
        if call.is("password-stdin") {
            return Err(Failure::new("conflicting options: cannot specify both --password and --password-stdin"));
        }
    }
    if call.is("password-stdin") {
        if username.is_empty() {
            return Err(Failure::new("the --password-stdin option requires --username to be set"));
        }
        password = password_from(&mut std::io::stdin())?;
    }
    if username.is_empty()
        && password.is_empty()
        && let Some(outcome) = with_existing(session, &key)
    {
        return outcome;
    }
    if username.is_empty() || password.is_empty() {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::new("Error: Cannot perform an interactive login from a non TTY device"));
        }
        if username.is_empty() {
            session.print("Username: ");
            username = line()?.trim().to_owned();
            if username.is_empty() {
                return Err(Failure::new("Error: Non-null Username Required"));
            }
        }
        if password.is_empty() {
            password = ask_password(session)?;
        }
    }
    let auth = AuthConfig { username, password, serveraddress: key.clone(), ..AuthConfig::default() };
    login(session, &key, auth)
}

/// With what is kept; `None` where that is nothing, or no longer good.
fn with_existing(session: &Session, key: &str) -> Option<Outcome> {
    let existing = credentials::get(session, key).unwrap_or_default();
    if existing.username.is_empty() && existing.identitytoken.is_empty() {
        return None;
    }
    let who = if existing.username.is_empty() { String::new() } else { format!(" [Username: {}]", existing.username) };
    session.eprintln(format!("Authenticating with existing credentials...{who}"));
    session
        .eprintln("\n Info -> To login with a different account, run 'docker logout' followed by 'docker login'\n\n");
    match login(session, key, existing) {
        Ok(status) => Some(Ok(status)),
        Err(failure) => {
            session.eprintln(format!("Login did not succeed, error: {}", failure.message));
            None
        }
    }
}

fn login(session: &Session, key: &str, mut auth: AuthConfig) -> Outcome {
    let reply = session.client()?.call::<RegistryAuth>(&[], &NoQuery, &auth)?;
    if !reply.identity_token.is_empty() {
        auth.password.clear();
        auth.identitytoken = reply.identity_token;
    }
    if credentials::put(session, key, &auth)? {
        session.eprintln(format!(
            "\nWARNING! Your credentials are stored unencrypted in '{}'.\nConfigure a credential helper to remove this warning. \
             See\nhttps://docs.docker.com/go/credential-store/\n",
            credentials::config_file(session).display()
        ));
    }
    session.println(reply.status);
    Ok(0)
}

/// All of it, but not its last line's end.
fn password_from(reader: &mut dyn Read) -> Result<String, Failure> {
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}

fn line() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

fn ask_password(session: &Session) -> Result<String, Failure> {
    session.print("Password: ");
    let silent = terminal::Silent::enter();
    let typed = line();
    drop(silent);
    session.print("\n");
    let password = typed?.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() { Err(Failure::new("Error: Password Required")) } else { Ok(password) }
}

#[cfg(test)]
mod tests {
    use super::password_from;

    #[test]
    fn passwords() {
        for (given, expected) in [("p\n", "p"), ("p\r\n", "p"), ("p", "p"), (" p \n\n", " p \n")] {
            assert_eq!(password_from(&mut given.as_bytes()).unwrap(), expected);
        }
    }
}
