//! The table of commands. A new command is a file with a `COMMAND` and a row here.

pub mod container;
pub mod image;
pub mod system;

use crate::command::{Command, Group};

/// The nouns.
pub static GROUPS: &[Group] = &[
    Group { name: "container", about: "Manage containers", swarm: false },
    Group { name: "image", about: "Manage images", swarm: false },
    Group { name: "system", about: "Manage Docker", swarm: false },
];

/// `Common Commands:` of the root help, in this order (those that exist).
pub static COMMON: &[&str] = &[
    "run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version", "info",
];

/// Every command.
pub static COMMANDS: &[&Command] = &[
    &container::stop::COMMAND,
    // C2's rows: ls, inspect, top, image::*, system::*, inspect, version
];
