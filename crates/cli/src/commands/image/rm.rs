//! `image rm`, `rmi`.

use api::endpoints::{ImageRemove, ImageRemoveQuery};

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::flags::platform::platform_json;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["image rm", "image remove", "rmi"],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Remove one or more images",
    args: Args::AtLeast(1),
    complete: Complete::Images,
    flags: &[
        Flag::bool("force", "Force removal of the image").short('f'),
        Flag::bool("no-prune", "Do not delete untagged parents"),
        Flag::strings(
            "platform",
            "Remove only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let force = call.is("force");
    let platforms: Result<Vec<String>, Failure> = call.all("platform").map(platform_json).collect();
    let query = ImageRemoveQuery { force, noprune: call.is("no-prune"), platforms: platforms? };
    let mut failures = Vec::new();
    let mut fatal = false;
    for name in &call.args {
        match session.client()?.call::<ImageRemove>(&[name], &query, &()) {
            Ok(items) => {
                for item in items {
                    let (what, name) =
                        if item.deleted.is_empty() { ("Untagged", item.untagged) } else { ("Deleted", item.deleted) };
                    session.println(format_args!("{what}: {name}"));
                }
            }
            Err(error) => {
                fatal |= !(force && error.is_not_found());
                failures.push(error.to_string());
            }
        }
    }
    match (failures.is_empty(), fatal) {
        (true, _) => Ok(0),
        (false, true) => Err(Failure::new(failures.join("\n"))),
        (false, false) => {
            session.eprintln(failures.join("\n"));
            Ok(0)
        }
    }
}
