//! Man pages, one for the program and one for each command, from the same rows as help. `lighter __man DIRECTORY`
//! writes them; `make install` calls it.

use std::path::Path;

use crate::command::Command;
use crate::commands::{COMMANDS, GROUPS};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::root;

/// Writes all pages below `words[0]`.
///
/// # Errors
/// A directory that cannot be written.
pub fn write(program: &str, words: &[String]) -> Result<u8, Failure> {
    let [directory] = words else { return Err(Failure::new(format!("{program}: '__man' takes a directory"))) };
    let save = |name: &str, page: &str| {
        let path = Path::new(directory).join(format!("{name}.1"));
        std::fs::write(&path, page).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    };
    save(program, &program_page(program))?;
    for command in COMMANDS.iter().filter(|command| !command.hidden) {
        for spelling in command.spellings.iter().filter(|spelling| is_first_of_parent(command, spelling)) {
            let name = format!("{program}-{}", spelling.replace(' ', "-"));
            save(&name, &command_page(program, spelling, command))?;
        }
    }
    Ok(0)
}

/// Aliases within the same noun share a page.
fn is_first_of_parent(command: &Command, spelling: &str) -> bool {
    let parent = |spelling: &str| spelling.split_once(' ').map(|(parent, _)| parent.to_owned());
    command.spellings.iter().find(|other| parent(other) == parent(spelling)) == Some(&spelling)
}

fn program_page(program: &str) -> String {
    let mut page = head(program, "a self-sufficient runtime for containers");
    page += &format!(".SH SYNOPSIS\n.B {program}\n[OPTIONS] COMMAND [ARG...]\n.SH COMMANDS\n");
    let mut rows: Vec<(&str, &str)> = GROUPS.iter().map(|group| (group.name, group.about)).collect();
    for command in COMMANDS.iter().filter(|command| !command.hidden) {
        rows.extend(command.spellings.iter().find(|name| !name.contains(' ')).map(|name| (*name, command.about)));
    }
    rows.sort_unstable();
    for (name, about) in rows {
        page += &format!(".TP\n.B {}\n{}\n", escape(name), escape(about));
    }
    page += &options(root::FLAGS.iter());
    page += ".SH ENVIRONMENT\n";
    for (name, about) in [
        ("DOCKER_HOST", "Address of the daemon, as of \\-H."),
        ("DOCKER_CONTEXT", "Name of the context to use."),
        ("DOCKER_CONFIG", "Directory of config.json."),
        ("DOCKER_API_VERSION", "Version of the API to speak, without negotiation."),
        ("DOCKER_DEFAULT_PLATFORM", "Value of \\-\\-platform where it is not given."),
        ("LIGHTER_NO_AUTOSTART", "Set to 1, no daemon is started when none answers."),
    ] {
        page += &format!(".TP\n.B {name}\n{about}\n");
    }
    page
}

fn command_page(program: &str, spelling: &str, command: &Command) -> String {
    let name = format!("{program}-{}", spelling.replace(' ', "-"));
    let mut page = head(&name, command.about);
    page += &format!(".SH SYNOPSIS\n.B {program} {}\n{}\n", escape(spelling), escape(command.usage));
    if !command.long.is_empty() {
        page += &format!(".SH DESCRIPTION\n{}\n", paragraphs(command.long));
    }
    if command.spellings.len() > 1 {
        let all: Vec<String> = command.spellings.iter().map(|other| format!("{program} {}", escape(other))).collect();
        page += &format!(".SH ALIASES\n{}\n", all.join(", "));
    }
    page += &options(command.flags());
    page += &format!(".SH SEE ALSO\n.BR {program} (1)\n");
    page
}

fn head(name: &str, about: &str) -> String {
    format!(
        ".TH \"{}\" \"1\" \"\" \"Lighter {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n",
        name.to_uppercase(),
        values::VERSION,
        escape(name),
        escape(about)
    )
}

fn options<'a>(flags: impl Iterator<Item = &'a Flag>) -> String {
    let mut shown: Vec<&Flag> = flags.filter(|flag| !flag.hidden).collect();
    if shown.is_empty() {
        return String::new();
    }
    shown.sort_unstable_by_key(|flag| flag.name);
    let mut page = ".SH OPTIONS\n".to_owned();
    for flag in shown {
        let value = if flag.type_name.is_empty() { String::new() } else { format!(" \\fI{}\\fR", flag.type_name) };
        page += &format!(".TP\n\\fB{}\\fR{value}\n{}\n", escape(&flag.spelled()), paragraphs(flag.help));
        if !flag.absent.is_empty() {
            page += &format!("(Not supported: {}.)\n", escape(flag.absent));
        }
    }
    page
}

/// Line breaks are kept.
fn paragraphs(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n.br\n")
}

/// Text that roff takes as it is: no escapes, no requests.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        for command in COMMANDS {
            let page = command_page("lighter", command.spellings[0], command);
            for flag in command.flags().filter(|flag| !flag.hidden) {
                assert!(page.contains(&escape(&format!("--{}", flag.name))), "{} {}", command.spellings[0], flag.name);
            }
        }
        assert!(program_page("lighter").contains("\n.B run\n"));
    }

    #[test]
    fn roff_is_quoted() {
        assert_eq!(escape(".x\\y-z"), "\\&.x\\ey\\-z");
    }
}
