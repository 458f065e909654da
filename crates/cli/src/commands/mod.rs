//! The table of commands. A new command is a file with a `COMMAND` and a row here.

pub mod container;
pub mod image;
pub mod manifest;
pub mod network;
pub mod registry;
pub mod system;
pub mod volume;

use crate::command::{Command, Group};

/// The nouns.
pub static GROUPS: &[Group] = &[
    Group { name: "container", about: "Manage containers", long: "", swarm: false },
    Group { name: "image", about: "Manage images", long: "", swarm: false },
    Group {
        name: "manifest",
        about: "Manage Docker image manifests and manifest lists",
        long: manifest::LONG,
        swarm: false,
    },
    Group { name: "network", about: "Manage networks", long: "", swarm: false },
    Group { name: "system", about: "Manage Docker", long: "", swarm: false },
    Group { name: "volume", about: "Manage volumes", long: "", swarm: false },
];

/// `Common Commands:` of the root help, in this order (those that exist).
pub static COMMON: &[&str] =
    &["run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version", "info"];

/// Every command.
pub static COMMANDS: &[&Command] = &[
    &container::attach::COMMAND,
    &container::commit::COMMAND,
    &container::cp::COMMAND,
    &container::create::COMMAND,
    &container::diff::COMMAND,
    &container::exec::COMMAND,
    &container::kill::COMMAND,
    &container::logs::COMMAND,
    &container::pause::COMMAND,
    &container::port::COMMAND,
    &container::prune::COMMAND,
    &container::rename::COMMAND,
    &container::restart::COMMAND,
    &container::rm::COMMAND,
    &container::run::COMMAND,
    &container::start::COMMAND,
    &container::stats::COMMAND,
    &container::stop::COMMAND,
    &container::unpause::COMMAND,
    &container::update::COMMAND,
    &container::wait::COMMAND,
    &container::why::COMMAND,
    &container::export::COMMAND,
    &container::inspect::COMMAND,
    &container::ls::COMMAND,
    &container::top::COMMAND,
    &image::history::COMMAND,
    &image::import::COMMAND,
    &image::inspect::COMMAND,
    &image::load::COMMAND,
    &image::ls::COMMAND,
    &image::prune::COMMAND,
    &image::pull::COMMAND,
    &image::push::COMMAND,
    &image::rm::COMMAND,
    &image::save::COMMAND,
    &image::tag::COMMAND,
    &system::df::COMMAND,
    &network::connect::COMMAND,
    &network::create::COMMAND,
    &network::disconnect::COMMAND,
    &network::doctor::COMMAND,
    &network::inspect::COMMAND,
    &network::ls::COMMAND,
    &network::prune::COMMAND,
    &network::rm::COMMAND,
    &volume::create::COMMAND,
    &volume::inspect::COMMAND,
    &volume::ls::COMMAND,
    &volume::prune::COMMAND,
    &volume::rm::COMMAND,
    &volume::update::COMMAND,
    &manifest::annotate::COMMAND,
    &manifest::create::COMMAND,
    &manifest::inspect::COMMAND,
    &manifest::push::COMMAND,
    &manifest::rm::COMMAND,
    &registry::login::COMMAND,
    &registry::logout::COMMAND,
    &registry::search::COMMAND,
    &system::events::COMMAND,
    &system::info::COMMAND,
    &system::inspect::COMMAND,
    &system::prune::COMMAND,
    &system::verify::COMMAND,
    &system::version::COMMAND,
];
