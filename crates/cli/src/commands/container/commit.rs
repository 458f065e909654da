//! `container commit`, `commit`.

use api::endpoints::{ContainerCommit, ContainerCommitQuery};
use values::Reference;

use crate::command::{Args, Command, Complete, States};
use crate::flags::Flag;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["container commit", "commit"],
    usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    about: "Create a new image from a container's changes",
    args: Args::Between(1, 2),
    complete: Complete::Containers(States::All),
    flags: &[
        Flag::text("author", "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")").short('a'),
        Flag::list("change", "Apply Dockerfile instruction to the created image").short('c'),
        Flag::text("message", "Commit message").short('m'),
        Flag::bool_on("pause", "Pause container during commit").short('p'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let (repo, tag) = match call.args.get(1).filter(|name| !name.is_empty()) {
        None => (String::new(), String::new()),
        Some(name) => {
            let name: Reference = name.parse()?;
            if name.digest.is_some() {
                return Err(Failure::new("refusing to create a tag with a digest reference"));
            }
            (name.familiar_name(), name.tag.unwrap_or_else(|| "latest".into()))
        }
    };
    let query = ContainerCommitQuery {
        container: call.arg(0).to_owned(),
        repo,
        tag,
        comment: call.text_or_empty("message").to_owned(),
        author: call.text_or_empty("author").to_owned(),
        pause: if call.is("pause") { "1" } else { "0" }.to_owned(),
        changes: call.all("change").map(str::to_owned).collect(),
    };
    let made = session.client()?.call::<ContainerCommit>(&[], &query, &None)?;
    session.println(made.id);
    Ok(0)
}
