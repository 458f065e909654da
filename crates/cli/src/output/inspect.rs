//! `inspect`: the daemon's JSON as it came, or a template over it.
//!
//! A template runs over the answer's Go shape first; where that has no such field, over the plain JSON (so that both
//! `.ID` and `.Id` work, and fields newer than the shapes).

use gotemplate::{Functions, MissingKey, Template, Type, Value};

use super::json;
use crate::failure::{Failure, Outcome};
use crate::session::Session;

/// Help of `--format` where one object is shown.
pub const FORMAT_HELP: &str = "Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

/// Status when the template cannot be read.
const BAD_TEMPLATE: u8 = 64;

/// One object found: its JSON, and its shape if it has one.
pub struct Found {
    pub json: Vec<u8>,
    pub shape: Option<&'static Type>,
    /// Adds for templates what newer daemons leave out.
    pub complete: fn(&mut serde_json::Value),
}

impl Found {
    /// An object whose JSON is complete as it is.
    pub fn new(json: Vec<u8>, shape: Option<&'static Type>) -> Found {
        Found { json, shape, complete: |_| {} }
    }
}

enum Mode {
    Indented,
    Json,
    Template(Template),
}

/// Shows every object of `names`; what cannot be found or shown is told at the end, and the status is 1.
///
/// # Errors
/// A template that cannot be read, before anything is asked of the daemon; else all that went wrong.
pub fn show(
    session: &Session,
    format: &str,
    names: &[String],
    mut find: impl FnMut(&str) -> Result<Found, Failure>,
) -> Outcome {
    let mode = match format {
        "" => Mode::Indented,
        "json" => Mode::Json,
        text => Mode::Template(
            Template::parse("", text)
                .map_err(|error| Failure::new(format!("template parsing error: {error}")).status(BAD_TEMPLATE))?,
        ),
    };
    let mut shown: Vec<Vec<u8>> = Vec::new();
    let mut failures = Vec::new();
    for name in names {
        match find(name).and_then(|found| render(&mode, found)) {
            Ok(text) => shown.push(text),
            Err(failure) => failures.push(failure.message),
        }
    }
    session.print(joined(&mode, &shown));
    if failures.is_empty() { Ok(0) } else { Err(Failure::new(failures.join("\n"))) }
}

fn render(mode: &Mode, found: Found) -> Result<Vec<u8>, Failure> {
    match mode {
        Mode::Indented => Ok(json::indented(&found.json, 1, "    ")),
        Mode::Json => Ok(json::compact(&found.json)),
        Mode::Template(template) => fill(template, &found).map(String::into_bytes),
    }
}

fn fill(template: &Template, found: &Found) -> Result<String, Failure> {
    let failed = |what: String| Failure::new(format!("template parsing error: {what}"));
    let mut any: serde_json::Value = serde_json::from_slice(&found.json)
        .map_err(|error| Failure::new(format!("unable to read inspect data: {error}")))?;
    (found.complete)(&mut any);
    if let Some(shape) = found.shape
        && let Ok(text) = template.render(&Value::typed(&any, shape))
    {
        return Ok(text);
    }
    template
        .render_with(&Value::raw(&any), Functions::Docker, MissingKey::Error)
        .map_err(|error| failed(error.to_string()))
}

fn joined(mode: &Mode, shown: &[Vec<u8>]) -> Vec<u8> {
    let list = |open: &[u8], between: &[u8], close: &[u8]| {
        let mut out = open.to_vec();
        out.extend(shown.join(between));
        out.extend(close);
        out
    };
    match mode {
        Mode::Indented if shown.is_empty() => b"[]\n".to_vec(),
        Mode::Indented => list(b"[\n    ", b",\n    ", b"\n]\n"),
        Mode::Json => list(b"[", b",", b"]\n"),
        Mode::Template(_) if shown.is_empty() => b"\n".to_vec(),
        Mode::Template(_) => list(b"", b"\n", b"\n"),
    }
}
