//! `version`: the client's and the daemon's.

use std::fmt::Write;

use api::NoQuery;
use api::endpoints::SystemVersion;
use gotemplate::{Functions, Template, Value};
use serde_json::{Value as Json, json};

use super::client_version;
use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::output::raw::Raw;
use crate::output::{columns, local_time, shapes};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["version"],
    usage: "[OPTIONS]",
    about: "Show the Docker version information",
    args: Args::None,
    flags: &[Flag::text("format", crate::output::inspect::FORMAT_HELP).short('f')],
    run,
    ..Command::DEFAULT
};

/// Status when the template cannot be read.
const BAD_TEMPLATE: u8 = 64;

fn run(session: &Session, call: &Invocation) -> Outcome {
    let template = match call.text_or_empty("format") {
        "" => None,
        "json" => Some("{{json .}}"),
        text => Some(text),
    };
    let template = template
        .map(|text| Template::parse("version", text))
        .transpose()
        .map_err(|error| Failure::new(format!("template parsing error: {error}")).status(BAD_TEMPLATE))?;
    let server = server(session);
    let api = match session.client() {
        Ok(client) => client.version().to_string(),
        Err(_) => client_version::default_api_version(),
    };
    let mut all = json!({"Client": client_version::describe(session, Some(&api))});
    if let Ok(server) = &server {
        all["Server"] = server.clone();
    }
    let mut failed = None;
    match &template {
        None => session.print(columns::align_with(&text(&all), 20, 1)),
        Some(template) => {
            let value = Value::typed(&all, &shapes::system::VERSION);
            let (text, done) = template.render_partly(&value, Functions::Docker);
            session.println(text);
            failed = done.err().map(|error| Failure::new(error.to_string()));
        }
    }
    match (server, failed) {
        (Err(failure), _) => Err(failure),
        (Ok(_), Some(failure)) => Err(failure),
        (Ok(_), None) => Ok(0),
    }
}

/// The daemon's answer, with its engine's build time as people write it.
fn server(session: &Session) -> Result<Json, Failure> {
    let body = session.client()?.call::<Raw<SystemVersion>>(&[], &NoQuery, &())?;
    let mut server: Json = serde_json::from_slice(&body)
        .map_err(|error| Failure::new(format!("Error reading remote version: {error}")))?;
    for component in server["Components"].as_array_mut().into_iter().flatten() {
        let built = component["Details"]["BuildTime"].as_str().and_then(local_time::ansic);
        if let (true, Some(built)) = (component["Name"] == "Engine", built) {
            component["Details"]["BuildTime"] = built.into();
        }
    }
    Ok(server)
}

/// The layout for people, columns parted by tabs.
fn text(all: &Json) -> String {
    let mut out = String::new();
    let of = |json: &Json, key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let client = &all["Client"];
    let (api, newest) = (of(client, "ApiVersion"), of(client, "DefaultAPIVersion"));
    let downgraded = if api == newest { String::new() } else { format!(" (downgraded from {newest})") };
    let _ = writeln!(out, "Client:");
    let _ = writeln!(out, " Version:\t{}", of(client, "Version"));
    let _ = writeln!(out, " API version:\t{api}{downgraded}");
    let _ = writeln!(out, " Go version:\t{}", of(client, "GoVersion"));
    let _ = writeln!(out, " Git commit:\t{}", of(client, "GitCommit"));
    let _ = writeln!(out, " Built:\t{}", of(client, "BuildTime"));
    let _ = writeln!(out, " OS/Arch:\t{}/{}", of(client, "Os"), of(client, "Arch"));
    let _ = writeln!(out, " Context:\t{}", of(client, "Context"));
    let Some(server) = all.get("Server") else {
        return out;
    };
    let platform = of(&server["Platform"], "Name");
    let _ = writeln!(out, "\nServer:{}{platform}", if platform.is_empty() { "" } else { " " });
    for component in server["Components"].as_array().into_iter().flatten() {
        let _ = writeln!(out, " {}:\n  Version:\t{}", of(component, "Name"), of(component, "Version"));
        let details = &component["Details"];
        if component["Name"] == "Engine" {
            let detail = |key: &str| of(details, key);
            let _ =
                writeln!(out, "  API version:\t{} (minimum version {})", detail("ApiVersion"), detail("MinAPIVersion"));
            let _ = writeln!(out, "  Go version:\t{}", detail("GoVersion"));
            let _ = writeln!(out, "  Git commit:\t{}", detail("GitCommit"));
            let _ = writeln!(out, "  Built:\t{}", detail("BuildTime"));
            let _ = writeln!(out, "  OS/Arch:\t{}/{}", detail("Os"), detail("Arch"));
            let _ = writeln!(out, "  Experimental:\t{}", detail("Experimental"));
        } else {
            for (key, value) in details.as_object().into_iter().flatten() {
                let _ = writeln!(out, "  {key}:\t{}", value.as_str().unwrap_or_default());
            }
        }
    }
    out
}
