//! `image import`, `import`.

use std::io::Read;

use api::endpoints::{ImageCreate, ImageCreateQuery};
use values::Reference;

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::output::progress;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["image import", "import"],
    usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    about: "Import the contents from a tarball to create a filesystem image",
    args: Args::AtLeast(1),
    complete: Complete::Files,
    flags: &[
        Flag::list("change", "Apply Dockerfile instruction to the created image").short('c'),
        Flag::text("message", "Set commit message for imported image").short('m'),
        Flag::text("platform", "Set platform if server is multi-platform capable"),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let (source, name) = (call.arg(0), call.arg(1));
    if !name.is_empty() {
        name.parse::<Reference>()?;
    }
    let mut archive = open(source)?;
    let query = ImageCreateQuery {
        from_src: "-".into(),
        repo: name.into(),
        message: call.text_or_empty("message").into(),
        changes: call.all("change").map(str::to_owned).collect(),
        platform: call.text_or_empty("platform").into(),
        ..ImageCreateQuery::default()
    };
    let headers = [("Content-Type", "text/plain")];
    let messages = session.client()?.upload::<ImageCreate, _>(&[], &query, &headers, &mut archive)?;
    progress::show(messages)?;
    Ok(0)
}

fn open(source: &str) -> Result<Box<dyn Read>, Failure> {
    if source == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    if source.starts_with("http://") || source.starts_with("https://") {
        return Err(Failure::new(format!(
            "importing from a URL is not supported: fetch {source} first and import the file, or '-' for stdin"
        )));
    }
    Ok(Box::new(super::archive::open(source)?))
}
