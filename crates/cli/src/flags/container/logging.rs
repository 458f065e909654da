//! Where a container's output goes.

use api::types::LogConfig;

use super::Draft;
use crate::Invocation;
use crate::command::Complete;
use crate::failure::Failure;
use crate::flags::Flag;

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::text("log-driver", "Logging driver for the container").completes(Complete::Words(&[
        "json-file",
        "local",
        "none",
    ])),
    Flag::list("log-opt", "Log driver options"),
];

/// Puts them into the request.
///
/// # Errors
/// Options for the driver that has none.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let kind = call.text_or_empty("log-driver").to_owned();
    let options = crate::flags::pairs::to_map(super::list(call, "log-opt"));
    if kind == "none" && !options.is_empty() {
        return Err(Failure::new(format!("invalid logging opts for driver {kind}")));
    }
    draft.host.log_config = LogConfig { kind, config: Some(options) };
    Ok(())
}
