//! `image load`, `load`.

use std::io::{IsTerminal, Read};

use api::endpoints::{ImageLoad, ImageLoadQuery};

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::platform::platform_json;
use crate::output::progress;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["image load", "load"],
    usage: "[OPTIONS]",
    about: "Load an image from a tar archive or STDIN",
    args: Args::None,
    flags: &[
        Flag::text("input", "Read from tar archive file, instead of STDIN")
            .short('i')
            .completes(crate::command::Complete::Files),
        Flag::text(
            "platform",
            "Load only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        Flag::bool("quiet", "Suppress the load output").short('q'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let mut archive = open(call.text_or_empty("input"))?;
    let platform = platform_json(call.text_or_empty("platform"))?;
    let query = ImageLoadQuery {
        // bars nobody sees need not be sent
        quiet: call.is("quiet") || !std::io::stdout().is_terminal(),
        platform: if platform.is_empty() { Vec::new() } else { vec![platform] },
    };
    let headers = [("Content-Type", "application/x-tar")];
    let messages = session.client()?.upload::<ImageLoad, _>(&[], &query, &headers, &mut archive)?;
    progress::show(messages)?;
    Ok(0)
}

fn open(input: &str) -> Result<Box<dyn Read>, Failure> {
    if !input.is_empty() {
        return Ok(Box::new(super::archive::open(input)?));
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::new("requested load from stdin, but stdin is empty"));
    }
    Ok(Box::new(stdin))
}
