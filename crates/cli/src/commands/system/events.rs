//! `system events`, `events`.

use api::endpoints::{SystemEvents, SystemEventsQuery};
use gotemplate::{Template, Type, Value};
use serde_json::Value as Json;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::filters::filters;
use crate::flags::moment;
use crate::output::raw::RawStream;
use crate::output::{local_time, shapes};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["system events", "events"],
    usage: "[OPTIONS]",
    about: "Get real time events from the server",
    args: Args::None,
    flags: &[
        Flag::filter("filter", "Filter output based on conditions provided").short('f'),
        Flag::text("format", crate::output::inspect::FORMAT_HELP),
        Flag::text("since", "Show all events created since timestamp"),
        Flag::text("until", "Stream events until this timestamp"),
    ],
    run,
    ..Command::DEFAULT
};

/// Status when the template is wrong.
const BAD_TEMPLATE: u8 = 64;

fn run(session: &Session, call: &Invocation) -> Outcome {
    let template = match call.text_or_empty("format") {
        "" => None,
        "json" => Some(parse("{{json .}}")?),
        text => Some(parse(text)?),
    };
    let query = SystemEventsQuery {
        since: moment::since(call.text_or_empty("since"))?,
        until: moment::since(call.text_or_empty("until"))?,
        filters: filters(call, "filter"),
    };
    for event in session.client()?.stream::<RawStream<SystemEvents>, Json>(&[], &query)? {
        let event = event?;
        match &template {
            None => session.println(line(&event)),
            Some(template) => {
                let value = Value::typed(&event, &shapes::event::MESSAGE);
                session.println(template.render(&value).map_err(bad_template)?);
            }
        }
    }
    Ok(0)
}

/// Reads the template and tries it on an event without content, before anything is asked of the daemon.
fn parse(text: &str) -> Result<Template, Failure> {
    static BLANK: Type = Type::Pointer(&shapes::event::MESSAGE);
    let template = Template::parse("", text).map_err(bad_template)?;
    template.render(&Value::typed(&serde_json::json!({}), &BLANK)).map_err(bad_template)?;
    Ok(template)
}

fn bad_template(error: gotemplate::Error) -> Failure {
    Failure::new(format!("Error parsing format: {error}")).status(BAD_TEMPLATE)
}

/// `2024-01-02T03:04:05.000000006Z container start ID (image=x, name=y)`
fn line(event: &Json) -> String {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let (seconds, nanos) = (event["time"].as_i64().unwrap_or(0), event["timeNano"].as_i64().unwrap_or(0));
    let moment = match (nanos, seconds) {
        (0, 0) => String::new(),
        (0, seconds) => local_time::rfc3339_nine(seconds.saturating_mul(1_000_000_000)) + " ",
        (nanos, _) => local_time::rfc3339_nine(nanos) + " ",
    };
    let actor = &event["Actor"];
    let attributes = actor["Attributes"].as_object().into_iter().flatten();
    let mut attributes: Vec<String> = attributes.map(|(key, value)| format!("{key}={}", text(value))).collect();
    attributes.sort();
    let tail = if attributes.is_empty() { String::new() } else { format!(" ({})", attributes.join(", ")) };
    format!("{moment}{} {} {}{tail}", text(&event["Type"]), text(&event["Action"]), text(&actor["ID"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_the_actor() {
        let event = serde_json::json!({"Type": "network", "Action": "connect", "Actor": {"ID": "1", "Attributes": {"b": "2", "a": "x y"}}});
        assert_eq!(line(&event), "network connect 1 (a=x y, b=2)");
        let event = serde_json::json!({"Type": "daemon", "Action": "reload", "Actor": {"ID": "", "Attributes": null}});
        assert_eq!(line(&event), "daemon reload ");
        assert_eq!(line(&Json::Null), "  ");
    }
}
