//! `system verify`: is what is kept what it should be?

use api::endpoints::{SystemVerify, SystemVerifyQuery};
use api::progress::JsonMessage;
use api::types::{SystemVerified, VerifyFinding};

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::output::listing::{Column, FORMAT_HELP, Listing};
use crate::output::{human, progress};
use crate::{Failure, Invocation, Outcome, Session, credentials};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["system verify"],
    usage: "[OPTIONS]",
    about: "Verify images, layers and records against each other; the exit status is 1 where something is wrong",
    args: Args::None,
    flags: &[
        Flag::text("format", FORMAT_HELP),
        Flag::bool("no-trunc", "Don't truncate output"),
        Flag::bool("repair", "Repair what can be repaired, with content from registries where it is damaged"),
    ],
    ours: true,
    run,
    ..Command::DEFAULT
};

const TABLE: &str = "table {{.Kind}}\t{{.ID}}\t{{.Why}}\t{{.NeededBy}}\t{{.Remedy}}";

fn run(session: &Session, call: &Invocation) -> Outcome {
    let format = call.text_or_empty("format");
    let query = SystemVerifyQuery { repair: call.is("repair") };
    let auths = if query.repair { credentials::header_of_all(session) } else { String::new() };
    let headers = [("X-Registry-Config", auths.as_str())];
    let messages = session.client()?.stream_with_headers::<SystemVerify, JsonMessage>(&[], &query, &headers)?;
    let mut verified = None;
    let kept = messages.inspect(|message| {
        let aux = message.as_ref().ok().and_then(|message| message.aux.clone());
        verified = aux.and_then(|aux| serde_json::from_value(aux).ok()).or(verified.take());
    });
    progress::show_on_stderr(kept)?;
    let verified: SystemVerified =
        verified.ok_or_else(|| Failure::new("the daemon ended before everything was verified"))?;
    let is_table = matches!(format, "" | "table");
    let no_trunc = call.is("no-trunc");
    let summary = summary(&verified);
    let wrong = verified.findings.iter().any(|finding| !finding.repaired);
    let rows: Vec<Row> = verified.findings.into_iter().map(|finding| Row { finding, no_trunc }).collect();
    if !is_table || !rows.is_empty() {
        session.print(LISTING.render(if is_table { TABLE } else { format }, rows)?);
    }
    if is_table {
        session.println(summary);
    }
    Ok(u8::from(wrong))
}

fn summary(verified: &SystemVerified) -> String {
    let count = |n: i64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let looked = format!(
        "{} ({}), {}, {}, {} verified",
        count(verified.blobs, "blob"),
        human::size(verified.bytes),
        count(verified.layers, "layer"),
        count(verified.images, "image"),
        count(verified.containers, "container"),
    );
    let repaired = verified.findings.iter().filter(|finding| finding.repaired).count();
    match (verified.findings.len() - repaired, repaired) {
        (0, 0) => format!("{looked}: all is well"),
        (0, _) => format!("{looked}: {repaired} repaired, all is well now"),
        (wrong, 0) => format!("{looked}: {wrong} wrong"),
        (wrong, _) => format!("{looked}: {wrong} wrong, {repaired} repaired"),
    }
}

struct Row {
    finding: VerifyFinding,
    no_trunc: bool,
}

static LISTING: Listing<Row> = Listing {
    type_name: "verify.Finding",
    columns: &[
        Column { name: "Containers", caption: "CONTAINERS", value: |row| row.finding.containers.join(", ").into() },
        Column { name: "ID", caption: "ID", value: |row| id(row).into() },
        Column { name: "Images", caption: "IMAGES", value: |row| row.finding.images.join(", ").into() },
        Column { name: "Kind", caption: "KIND", value: |row| row.finding.kind.as_str().into() },
        Column { name: "NeededBy", caption: "NEEDED BY", value: |row| needed_by(&row.finding).into() },
        Column { name: "Remedy", caption: "REMEDY", value: |row| row.finding.remedy.as_str().into() },
        Column { name: "Repaired", caption: "REPAIRED", value: |row| row.finding.repaired.to_string().into() },
        Column { name: "Why", caption: "WHAT IS WRONG", value: |row| row.finding.why.as_str().into() },
    ],
    label: None,
};

fn id(row: &Row) -> String {
    let id = &row.finding.id;
    let is_digest = matches!(row.finding.kind.as_str(), "content" | "layer" | "image" | "container");
    if row.no_trunc || !is_digest { id.clone() } else { human::short_id(id).into() }
}

fn needed_by(finding: &VerifyFinding) -> String {
    let containers = finding.containers.iter().map(|name| format!("container {name}"));
    finding.images.iter().cloned().chain(containers).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_at_and_found() {
        let finding = |repaired| VerifyFinding { repaired, ..VerifyFinding::default() };
        for (findings, expected) in [
            (vec![], "all is well"),
            (vec![finding(true)], "1 repaired, all is well now"),
            (vec![finding(false), finding(false)], "2 wrong"),
            (vec![finding(false), finding(true)], "1 wrong, 1 repaired"),
        ] {
            let verified = SystemVerified { blobs: 1, bytes: 2000, layers: 3, findings, ..SystemVerified::default() };
            let all = format!("1 blob (2kB), 3 layers, 0 images, 0 containers verified: {expected}");
            assert_eq!(summary(&verified), all);
        }
    }
}
