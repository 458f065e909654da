//! `network doctor`: are networks as they should be?

use api::NoQuery;
use api::endpoints::NetworkDoctor;
use api::types::NetworkFinding;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::output::listing::{Column, FORMAT_HELP, Listing};
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["network doctor"],
    usage: "[OPTIONS]",
    about: "Look whether networks are as they should be; the exit status is 1 where something does not work",
    args: Args::None,
    flags: &[Flag::text("format", FORMAT_HELP), Flag::bool("quiet", "Only display what is not well").short('q')],
    ours: true,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let mut findings = session.client()?.call::<NetworkDoctor>(&[], &NoQuery, &())?.findings;
    let wrong = findings.iter().any(|finding| finding.severity == "problem");
    if call.is("quiet") {
        findings.retain(|finding| finding.severity != "ok");
    }
    match call.text_or_empty("format") {
        "" => session.print(findings.iter().map(text).collect::<String>()),
        "table" => session.print(LISTING.render("table {{.Severity}}\t{{.Check}}\t{{.Text}}\t{{.Advice}}", findings)?),
        format => session.print(LISTING.render(format, findings)?),
    }
    Ok(u8::from(wrong))
}

static LISTING: Listing<NetworkFinding> = Listing {
    type_name: "network.Finding",
    columns: &[
        Column { name: "Advice", caption: "WHAT TO DO", value: |finding| finding.advice.as_str().into() },
        Column { name: "Check", caption: "CHECK", value: |finding| finding.check.as_str().into() },
        Column { name: "Severity", caption: "SEVERITY", value: |finding| finding.severity.as_str().into() },
        Column { name: "Text", caption: "FOUND", value: |finding| finding.text.as_str().into() },
    ],
    label: None,
};

/// Two lines: what was found, and behind an arrow what to do.
fn text(finding: &NetworkFinding) -> String {
    let severity = if finding.severity == "problem" { "PROBLEM" } else { &finding.severity };
    let mut text = format!("{severity:<7}  {:<10}  {}\n", finding.check, finding.text);
    if !finding.advice.is_empty() {
        text += &format!("{:21}-> {}\n", "", finding.advice);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_as_text() {
        let finding = |severity: &str, advice: &str| NetworkFinding {
            check: "mtu".into(),
            severity: severity.into(),
            text: "it is so".into(),
            advice: advice.into(),
        };
        assert_eq!(text(&finding("ok", "")), "ok       mtu         it is so\n");
        let problem = "PROBLEM  mtu         it is so\n                     -> do this\n";
        assert_eq!(text(&finding("problem", "do this")), problem);
    }
}
