//! `container why`: what happened to a container, and what happens next.

use api::endpoints::{ContainerWhy, ContainerWhyQuery};
use api::types;

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::each;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container why", "why"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Tell why containers exited, are unhealthy or were not started, and what happens next",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::All),
    ours: true,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let query = ContainerWhyQuery::default();
    each::run::<ContainerWhy>(session, &call.args, &query, |_, why| session.println(text(&why)), |_| false)
}

fn text(why: &types::ContainerWhy) -> String {
    let mut lines = vec![format!("{}: {}", why.name, why.status)];
    lines.extend(why.reasons.iter().map(|reason| format!("  {reason}")));
    if !why.next.is_empty() {
        lines.push(format!("  {}", why.next));
    }
    if !why.stop_warning.is_empty() {
        lines.push(format!("  Stop: {}", why.stop_warning));
    }
    if !why.log.is_empty() {
        lines.push("  The end of its log:".into());
        lines.extend(why.log.iter().map(|line| format!("    {line}")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_few_lines() {
        let mut why = types::ContainerWhy {
            name: "web".into(),
            status: "Exited (1) 2 minutes ago".into(),
            reasons: vec!["One.".into(), "Two.".into()],
            ..Default::default()
        };
        assert_eq!(text(&why), "web: Exited (1) 2 minutes ago\n  One.\n  Two.");
        why.next = "Three.".into();
        why.log = vec!["last words".into()];
        assert_eq!(
            text(&why),
            "web: Exited (1) 2 minutes ago\n  One.\n  Two.\n  Three.\n  The end of its log:\n    last words"
        );
    }
}
