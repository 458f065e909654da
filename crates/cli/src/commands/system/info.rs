//! `system info`, `info`: the client's state and the daemon's.

use api::NoQuery;
use api::endpoints::SystemInfo;
use gotemplate::{Field, Functions, Struct, Template, Type, Value};
use serde_json::{Value as Json, json};

use super::{client_version, info_text};
use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::output::raw::Raw;
use crate::output::shapes::system::{CLIENT_INFO, INFO};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["system info", "info"],
    usage: "[OPTIONS]",
    about: "Display system-wide information",
    args: Args::None,
    flags: &[Flag::text("format", crate::output::inspect::FORMAT_HELP).short('f')],
    run,
    ..Command::DEFAULT
};

/// Status when the template cannot be read.
const BAD_TEMPLATE: u8 = 64;

fn run(session: &Session, call: &Invocation) -> Outcome {
    match call.text_or_empty("format") {
        "" => show_text(session),
        "json" => show_template(session, "{{json .}}"),
        text => show_template(session, text),
    }
}

fn client_info(session: &Session) -> Json {
    let mut client = client_version::describe(session, None);
    client["Debug"] = session.root.debug.into();
    client["Plugins"] = json!([]);
    client["Warnings"] = Json::Null;
    client
}

fn server(session: &Session) -> Result<Vec<u8>, Failure> {
    Ok(session.client()?.call::<Raw<SystemInfo>>(&[], &NoQuery, &())?)
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::new(format!("unexpected reply of the daemon: {error}")))
}

fn show_text(session: &Session) -> Outcome {
    let client = client_info(session);
    session.print(info_text::client(&client));
    let info = server(session).and_then(|body| read::<api::types::SystemInfo>(&body))?;
    session.print(info_text::server(&info));
    for warning in info.warnings.iter().flatten() {
        session.eprintln(warning);
    }
    Ok(0)
}

fn show_template(session: &Session, text: &str) -> Outcome {
    let template = Template::parse("", text)
        .map_err(|error| Failure::new(format!("template parsing error: {error}")).status(BAD_TEMPLATE))?;
    let client = client_info(session);
    let server = match needs_server(&template, text, &client) {
        true => server(session).and_then(|body| read::<Json>(&body)).map(Some),
        false => Ok(None),
    };
    let mut all = match &server {
        Ok(Some(json)) => json.clone(),
        _ => json!({}),
    };
    all["ClientInfo"] = client;
    let (text, done) = template.render_partly(&Value::typed(&all, &INFO), Functions::Docker);
    session.println(text);
    // without a daemon its fields are shown as zeros, as Docker has it; the failure tells
    let failures = [server.err(), done.err().map(|error| Failure::new(error.to_string()))];
    let failures: Vec<String> = failures.into_iter().flatten().map(|failure| failure.message).collect();
    if failures.is_empty() { Ok(0) } else { Err(Failure::new(failures.join("\n"))) }
}

/// Only what the client knows: a template that does with it needs no daemon.
fn needs_server(template: &Template, text: &str, client: &Json) -> bool {
    static CLIENT_ONLY: Type = Type::Struct(&Struct {
        name: "system.sparseInfo",
        fields: &[
            Field::same("ClientInfo", &Type::Pointer(&CLIENT_INFO)).omit_empty(),
            Field::same("ClientErrors", &Type::STRINGS).omit_empty(),
        ],
    });
    let names_field = text.as_bytes().windows(2).any(|pair| pair[0] == b'.' && pair[1].is_ascii_alphabetic());
    let sparse = Value::typed(&json!({"ClientInfo": client}), &CLIENT_ONLY);
    !names_field || template.render(&sparse).is_err()
}
