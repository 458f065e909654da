//! Shell completion. The shells' scripts ask us: `lighter __complete WORDS... LAST` prints a candidate a line
//! (`TEXT\tDESCRIPTION`) and at the end `:DIRECTIVE`, a number. That is cobra's protocol, so that the completion
//! scripts which Docker's packages install work with us, too.

mod names;
mod scripts;

use crate::Session;
use crate::command::{Command, Complete};
use crate::commands::{COMMANDS, GROUPS};
use crate::dispatch::find_command;
use crate::failure::Failure;
use crate::flags::parse::{HELP, Wanted, parse};
use crate::flags::{Flag, Kind};
use crate::root::{self, RootFlags};

/// What the shell does with the candidates, as bits (cobra's numbers).
mod directive {
    /// File names where there are no candidates.
    pub const DEFAULT: u8 = 0;
    /// No blank after the word.
    pub const NO_SPACE: u8 = 2;
    /// No file names.
    pub const NO_FILES: u8 = 4;
    /// Directory names.
    pub const DIRECTORIES: u8 = 16;
}

/// Candidates, each with its description, and the directive.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    candidates: Vec<(String, String)>,
    directive: u8,
}

/// Prints the candidates for the last of `words`.
pub fn answer(program: &'static str, words: &[String], descriptions: bool) -> u8 {
    let (last, before) = words.split_last().map_or(("", words), |(last, before)| (last.as_str(), before));
    let answer = complete(program, before, last);
    let mut text = String::new();
    for (candidate, description) in &answer.candidates {
        text += candidate;
        if descriptions && !description.is_empty() {
            text += &format!("\t{}", description.lines().next().unwrap_or_default());
        }
        text.push('\n');
    }
    text += &format!(":{}\n", answer.directive);
    Session::new(program, RootFlags::default()).print(text);
    0
}

/// The script for a shell.
///
/// # Errors
/// A shell we have none for.
pub fn script(program: &'static str, words: &[String]) -> Result<u8, Failure> {
    let shell = words.first().map_or("", String::as_str);
    let script = scripts::of(shell).ok_or_else(|| {
        Failure::new(format!("{program}: 'completion' takes the name of a shell: bash, zsh or fish (not '{shell}')"))
    })?;
    Session::new(program, RootFlags::default()).print(script.replace("NAME", program));
    Ok(0)
}

fn complete(program: &'static str, before: &[String], last: &str) -> Answer {
    let root: Vec<&'static Flag> = root::FLAGS.iter().chain([&HELP]).collect();
    let typed = Typed::read(before, &root, false);
    let parsed = parse(before, &|wanted: Wanted<'_>| root.iter().find(|flag| wanted.is(flag)).copied(), false);
    let session = Session::new(program, parsed.map(|parsed| RootFlags::from_parsed(&parsed)).unwrap_or_default());
    if let Some(flag) = typed.waiting {
        return values(&session, flag.complete, last, &[]);
    }
    let Some((first, rest)) = typed.args.split_first() else {
        return if last.starts_with('-') { flags(&session, &root, last) } else { filtered(top_level(program), last) };
    };
    let is_group = GROUPS.iter().any(|group| group.name == *first);
    let (spelling, rest) = match rest.split_first() {
        None if is_group => return filtered(members(program, first), last),
        Some((second, rest)) if is_group => (format!("{first} {second}"), rest),
        _ => ((*first).to_owned(), rest),
    };
    match find_command(&spelling) {
        Some((command, _)) => in_command(&session, command, rest, last),
        None if spelling == "help" => filtered(top_level(program), last),
        None => Answer { candidates: Vec::new(), directive: directive::NO_FILES },
    }
}

fn in_command(session: &Session, command: &'static Command, words: &[&str], last: &str) -> Answer {
    let mut rows: Vec<&'static Flag> = command.flags().collect();
    if command.flag(HELP.name).is_none() {
        rows.push(&HELP);
    }
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let typed = Typed::read(&words, &rows, command.interspersed);
    if let Some(flag) = typed.waiting {
        return values(session, flag.complete, last, &[]);
    }
    let flags_over = typed.ended || (!command.interspersed && !typed.args.is_empty());
    if last.starts_with('-') && !flags_over {
        return flags(session, &rows, last);
    }
    let what = match (command.complete, typed.args.len()) {
        (Complete::ImageThenNothing, 0) => Complete::Images,
        (Complete::ContainerThenNothing(states), 0) => Complete::Containers(states),
        (Complete::ImageThenNothing | Complete::ContainerThenNothing(_), _) => Complete::Nothing,
        (what, _) => what,
    };
    values(session, what, last, &typed.args)
}

/// What has been typed before the word in question, read with lenience.
#[derive(Default)]
struct Typed<'a> {
    args: Vec<&'a str>,
    /// The flag whose value is the word in question.
    waiting: Option<&'static Flag>,
    /// `--` was typed.
    ended: bool,
}

impl<'a> Typed<'a> {
    fn read(words: &'a [String], flags: &[&'static Flag], interspersed: bool) -> Typed<'a> {
        let mut typed = Typed::default();
        for word in words {
            if typed.waiting.take().is_some() {
                continue;
            }
            let over = typed.ended || (!interspersed && !typed.args.is_empty());
            match word.strip_prefix('-').filter(|rest| !over && !rest.is_empty()) {
                None => typed.args.push(word),
                Some("-") => typed.ended = true,
                Some(rest) => typed.waiting = needs_value(rest, flags),
            }
        }
        typed
    }
}

/// The flag in `-rest` that takes the next word as its value.
fn needs_value(rest: &str, flags: &[&'static Flag]) -> Option<&'static Flag> {
    let find = |wanted: Wanted<'_>| flags.iter().find(|flag| wanted.is(flag)).copied();
    if let Some(long) = rest.strip_prefix('-') {
        return find(Wanted::Long(long)).filter(|flag| !flag.is_bool());
    }
    let at = rest.find(|letter| find(Wanted::Short(letter)).is_none_or(|flag| !flag.is_bool()))?;
    let letter = rest[at..].chars().next()?;
    find(Wanted::Short(letter)).filter(|_| rest.len() == at + letter.len_utf8())
}

/// `--na` or, after `--name=`, its values.
fn flags(session: &Session, rows: &[&'static Flag], last: &str) -> Answer {
    if let Some((name, value)) = last.strip_prefix("--").and_then(|long| long.split_once('=')) {
        return match rows.iter().find(|flag| flag.name == name) {
            Some(flag) if !matches!(flag.kind, Kind::Bool(_)) => values(session, flag.complete, value, &[]),
            _ => filtered(vec![("true".into(), String::new()), ("false".into(), String::new())], value),
        };
    }
    let mut candidates: Vec<(String, String)> = Vec::new();
    for flag in rows.iter().filter(|flag| flag.is_listed(session.program) || flag.name == HELP.name) {
        candidates.push((format!("--{}", flag.name), flag.help.to_owned()));
        if flag.short != '\0' && flag.name != HELP.name {
            candidates.push((format!("-{}", flag.short), flag.help.to_owned()));
        }
    }
    candidates.sort();
    filtered(candidates, last)
}

fn top_level(program: &str) -> Vec<(String, String)> {
    let groups = GROUPS.iter().map(|group| (group.name.to_owned(), group.about.to_owned()));
    let commands = COMMANDS.iter().filter(|command| command.is_listed(program)).filter_map(|command| {
        let name = command.spellings.iter().find(|spelling| !spelling.contains(' '))?;
        Some(((*name).to_owned(), command.about.to_owned()))
    });
    let mut all: Vec<_> = groups.chain(commands).collect();
    all.sort();
    all
}

fn members(program: &str, group: &str) -> Vec<(String, String)> {
    let mut all: Vec<_> = COMMANDS
        .iter()
        .filter(|command| command.is_listed(program))
        .filter_map(|command| {
            let prefix = format!("{group} ");
            let name = command.spellings.iter().find_map(|spelling| spelling.strip_prefix(&prefix))?;
            Some((name.to_owned(), command.about.to_owned()))
        })
        .collect();
    all.sort();
    all
}

fn filtered(all: Vec<(String, String)>, last: &str) -> Answer {
    let candidates = all.into_iter().filter(|(text, _)| text.starts_with(last)).collect();
    Answer { candidates, directive: directive::NO_FILES }
}

fn values(session: &Session, what: Complete, last: &str, already: &[&str]) -> Answer {
    match what {
        Complete::Files => Answer { candidates: Vec::new(), directive: directive::DEFAULT },
        Complete::Directories => Answer { candidates: Vec::new(), directive: directive::DIRECTORIES },
        what => {
            let mut names = names::of(session, what);
            names.retain(|name| name.starts_with(last) && !already.contains(&name.as_str()));
            let open = !names.is_empty() && names.iter().all(|name| name.ends_with('='));
            let no_space = if open { directive::NO_SPACE } else { 0 };
            let candidates = names.into_iter().map(|name| (name, String::new())).collect();
            Answer { candidates, directive: directive::NO_FILES | no_space }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (last, before) = words.split_last().unwrap();
        let got = complete("lighter", before, last);
        let texts: Vec<&str> = got.candidates.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, expected, "{line}");
    }

    #[test]
    fn commands_and_flags() {
        check("ru", &["run"]);
        check("container st", &["start", "stats", "stop"]);
        check("--log-level w", &["warn"]);
        check("run --secu", &["--security-opt"]);
        check("run --pull ", &["always", "missing", "never"]);
        check("run --pull=m", &["missing"]);
        check("run -it --restart on", &["on-failure"]);
        check("run --rm --cap-add CAP_SYS_A", &["CAP_SYS_ADMIN"]);
        check("run --security-opt se", &["seccomp="]);
        check("stop -s SIGK", &["SIGKILL"]);
        check("stop -sx --ti", &["--timeout"]);
        // after the image everything is the program's
        check("run img --na", &[]);
        check("nonsense ", &[]);
    }

    #[test]
    fn directives() {
        let directive = |before: &[&str], last: &str| {
            let before: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
            complete("lighter", &before, last).directive
        };
        assert_eq!(directive(&["run", "--env-file"], ""), directive::DEFAULT);
        assert_eq!(directive(&["run", "--security-opt"], "la"), directive::NO_FILES | directive::NO_SPACE);
        assert_eq!(directive(&[], "r"), directive::NO_FILES);
    }
}
