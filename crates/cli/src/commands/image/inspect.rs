//! `image inspect`.

use api::endpoints::{ImageInspect, ImageInspectQuery};

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::flags::platform::platform_json_or_error;
use crate::output::inspect::{Found, show};
use crate::output::raw::Raw;
use crate::output::shapes;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["image inspect"],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Display detailed information on one or more images",
    args: Args::AtLeast(1),
    complete: Complete::Images,
    flags: &[
        Flag::text("format", crate::output::inspect::FORMAT_HELP).short('f'),
        Flag::text(
            "platform",
            "Inspect a specific platform of the multi-platform image.\nIf the image or the server is not multi-platform capable, the command will error out if the platform does not match.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
        ),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let platform = platform_json_or_error(call.text_or_empty("platform"))?;
    show(session, call.text_or_empty("format"), &call.args, |name| Ok(find_or_error(session, name, &platform)??))
}

/// The image of this name or id, the daemon's refusal apart. `platform` is JSON or empty.
pub fn find_or_error(session: &Session, name: &str, platform: &str) -> Result<Result<Found, client::Error>, Failure> {
    let query = ImageInspectQuery { platform: platform.into(), ..ImageInspectQuery::default() };
    let found = session.client()?.call::<Raw<ImageInspect>>(&[name], &query, &());
    Ok(found.map(|json| Found::new(json, Some(&shapes::image::INSPECT))))
}
