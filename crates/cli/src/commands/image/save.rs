//! `image save`, `save`.

use api::endpoints::{ImageSave, ImageSaveMany, ImageSaveManyQuery, ImageSaveQuery};

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::flags::platform::platform_json;
use crate::output::file;
use crate::{Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["image save", "save"],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    args: Args::AtLeast(1),
    complete: Complete::Images,
    flags: &[
        Flag::text("output", "Write to a file, instead of STDOUT").short('o').completes(Complete::Files),
        Flag::text(
            "platform",
            "Save only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let output = file::place(call, "save image")?;
    let platform = platform_json(call.text_or_empty("platform"))?;
    let platform = if platform.is_empty() { vec![] } else { vec![platform] };
    let client = session.client()?;
    let mut archive = match &call.args[..] {
        [one] => client.download::<ImageSave>(&[one], &ImageSaveQuery { platform })?,
        many => client.download::<ImageSaveMany>(&[], &ImageSaveManyQuery { names: many.to_vec(), platform })?,
    };
    file::write(output, &mut archive)?;
    Ok(0)
}
