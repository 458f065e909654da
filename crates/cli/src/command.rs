//! What a command is: one static row. Dispatch, help, completion and man pages all read the same row.

use crate::flags::Flag;
use crate::{Invocation, Outcome, Session};

/// One command. Every file below `commands/` has one `pub static COMMAND: Command`, listed in
/// [`crate::commands::COMMANDS`].
pub struct Command {
    /// Every way to type it, without the program's name, the long form first:
    /// `["container ls", "container list", "container ps", "ps"]`. Shown as `Aliases:` when there are several.
    /// The first spelling with the same parent as the typed one is what help and errors call it.
    pub spellings: &'static [&'static str],
    /// What follows the name in the usage line, e.g. `[OPTIONS] CONTAINER [CONTAINER...]`.
    pub usage: &'static str,
    /// The one-line description.
    pub about: &'static str,
    /// The description of `--help` where it differs from `about`; else empty.
    pub long: &'static str,
    /// How many positional arguments it takes.
    pub args: Args,
    /// What a positional argument names, for completion.
    pub complete: Complete,
    /// Its flags, in any order (help sorts them). `--help` is added by itself.
    pub flags: &'static [Flag],
    /// Flag groups shared with other commands (`create` and `run`), read after `flags`.
    pub shared: &'static [&'static [Flag]],
    /// Whether flags may follow positional arguments. False for `run`, `create`, `exec`, `top`.
    pub interspersed: bool,
    /// Left out of help and completion.
    pub hidden: bool,
    /// Docker has none of the kind: under the name `docker` it works, but is not listed.
    pub ours: bool,
    /// Does it.
    pub run: fn(&Session, &Invocation) -> Outcome,
}

impl Command {
    /// For `..Command::DEFAULT` in a row; `spellings`, `about` and `run` must be given.
    pub const DEFAULT: Command = Command {
        spellings: &[],
        usage: "",
        about: "",
        long: "",
        args: Args::Any,
        complete: Complete::Nothing,
        flags: &[],
        shared: &[],
        interspersed: true,
        hidden: false,
        ours: false,
        run: |_, _| Ok(0),
    };

    /// Whether help and completion of `program` show it.
    pub fn is_listed(&self, program: &str) -> bool {
        !self.hidden && (!self.ours || program != "docker")
    }

    /// All its flags.
    pub fn flags(&self) -> impl Iterator<Item = &'static Flag> + use<> {
        self.flags.iter().chain(self.shared.iter().flat_map(|group| group.iter()))
    }

    /// The flag with this long name.
    pub fn flag(&self, name: &str) -> Option<&'static Flag> {
        self.flags().find(|flag| flag.name == name)
    }
}

/// A noun that holds commands: `container`, `image`, `system`, …
pub struct Group {
    /// The noun as typed.
    pub name: &'static str,
    /// The one-line description.
    pub about: &'static str,
    /// The description of `--help` where it differs from `about`; else empty.
    pub long: &'static str,
    /// Listed under `Swarm Commands:` instead of `Management Commands:`.
    pub swarm: bool,
}

/// Positional arguments a command takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Args {
    /// `accepts no arguments`.
    None,
    /// `requires N argument(s)`.
    Exactly(usize),
    /// `requires at least N argument(s)`.
    AtLeast(usize),
    /// `requires at most N argument(s)`.
    AtMost(usize),
    /// `requires at least MIN and at most MAX arguments`.
    Between(usize, usize),
    /// Whatever comes.
    Any,
}

/// Where the candidates for a word come from when the shell completes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Complete {
    /// No candidates.
    Nothing,
    /// The shell's own file names.
    Files,
    /// The shell's own directory names.
    Directories,
    /// These words.
    Words(&'static [&'static str]),
    /// Containers by name, all or of certain states.
    Containers(States),
    /// Images as `repository:tag`.
    Images,
    /// First an image, then (as program and arguments) nothing of ours.
    ImageThenNothing,
    /// First a container, then nothing of ours.
    ContainerThenNothing(States),
    /// Networks by name.
    Networks,
    /// Volumes by name.
    Volumes,
    /// Names of signals.
    Signals,
    /// Names of capabilities.
    Capabilities,
    /// Names of environment variables.
    Environment,
    /// Names of the client's contexts.
    Contexts,
    /// Any object `inspect` finds.
    Objects,
}

/// Which containers a command can act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum States {
    /// All of them.
    All,
    /// Running or paused.
    Running,
    /// Running and not paused.
    Unpaused,
    /// Paused.
    Paused,
    /// Created or exited.
    Stopped,
}
