//! What every command is given: who we are, where the daemon is, where output goes. Everything in it is made
//! when first asked for: a command pays only for what it uses.

use std::cell::OnceCell;
use std::io::Write;

use client::Client;

use crate::config::Config;
use crate::failure::Failure;
use crate::host;
use crate::root::RootFlags;

/// One run of the client program.
pub struct Session {
    /// `lighter`, or `docker` when called by that name.
    pub program: &'static str,
    /// The flags before the command.
    pub root: RootFlags,
    config: OnceCell<Config>,
    client: OnceCell<Client>,
}

impl Session {
    /// A session which has touched nothing yet.
    pub fn new(program: &'static str, root: RootFlags) -> Self {
        Self { program, root, config: OnceCell::new(), client: OnceCell::new() }
    }

    /// The user's `config.json`, read once; all defaults when there is none.
    pub fn config(&self) -> &Config {
        self.config.get_or_init(|| Config::load(&self.root.config_dir()))
    }

    /// The client to the daemon that flags, environment and contexts choose; started if it is ours to start.
    ///
    /// # Errors
    /// A host that cannot be parsed, an unknown context, a transport not supported.
    pub fn client(&self) -> Result<&Client, Failure> {
        if self.client.get().is_none() {
            let made = host::client(self)?;
            let _ = self.client.set(made);
        }
        Ok(self.client.get().expect("set above"))
    }

    /// Writes to stdout at once. A reader that has gone away ends the program quietly, as SIGPIPE would.
    pub fn print(&self, text: impl AsRef<[u8]>) {
        let mut out = std::io::stdout().lock();
        if out.write_all(text.as_ref()).and_then(|()| out.flush()).is_err() {
            std::process::exit(141);
        }
    }

    /// Writes `text` and a newline to stdout.
    pub fn println(&self, text: impl std::fmt::Display) {
        self.print(format!("{text}\n"));
    }

    /// Writes `text` and a newline to stderr; a lost stderr is nobody's to tell.
    pub fn eprintln(&self, text: impl std::fmt::Display) {
        let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
    }
}
