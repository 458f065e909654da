//! From the program's words to a command's `run`, and from its outcome to an exit status.

use crate::command::{Args, Command, Group};
use crate::commands::{COMMANDS, GROUPS};
use crate::failure::Failure;
use crate::flags::WINDOWS;
use crate::flags::parse::{HELP, Parsed, Wanted, parse};
use crate::root::RootFlags;
use crate::{Invocation, Session, completion, config, help, man, not_yet, plugin, root};

/// Status of a command line that cannot be parsed.
const USAGE: u8 = 125;

/// Runs the program `program` (`lighter` or `docker`) with the words after its name; returns the exit status.
pub fn run(program: &'static str, words: &[String]) -> u8 {
    match dispatch(program, words) {
        Ok(status) => status,
        Err(failure) => {
            if !failure.message.is_empty() {
                eprint(&failure.message);
            }
            failure.status.unwrap_or(1)
        }
    }
}

/// Stderr may be closed; there is nobody to tell.
fn eprint(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn dispatch(program: &'static str, words: &[String]) -> Result<u8, Failure> {
    if let Some(status) = hidden(program, words)? {
        return Ok(status);
    }
    let find = |wanted: Wanted<'_>| root::FLAGS.iter().chain([&HELP]).find(|flag| wanted.is(flag));
    let parsed = parse(words, &find, false)
        .map_err(|error| usage_error(&error, &format!("{program} [OPTIONS] COMMAND [ARG...]"), program))?;
    warn(&parsed);
    let flags = RootFlags::from_parsed(&parsed);
    check_log_level(&flags)?;
    let session = Session::new(program, flags);
    let Some((first, rest)) = parsed.args.split_first() else {
        return Ok(no_command(&session, &parsed));
    };
    if first == "help" {
        return help_about(&session, rest);
    }
    // `docker --help ps` is `docker ps --help`
    let mut rest = rest.to_vec();
    if parsed.help() {
        rest.insert(0, "--help".into());
    }
    if let Some(group) = GROUPS.iter().find(|group| group.name == first) {
        return in_group(&session, group, &rest);
    }
    if let Some((command, name)) = find_command(first) {
        return invoke(&session, command, format!("{program} {name}"), &rest);
    }
    plugin::run(&session, first, words)?;
    refuse_not_yet(&session, first)?;
    Err(Failure::new(format!(
        "{program}: unknown command: {program} {first}\n\nRun '{program} --help' for more information"
    )))
}

fn refuse_not_yet(session: &Session, spelling: &str) -> Result<(), Failure> {
    let program = session.program;
    match not_yet::is_known(spelling) {
        true => Err(Failure::new(format!("{program}: '{program} {spelling}' is not supported yet"))),
        false => Ok(()),
    }
}

/// Warnings about deprecated flags; on stdout, where the docker client has them.
fn warn(parsed: &Parsed) {
    use std::io::Write;
    for warning in &parsed.warnings {
        let _ = writeln!(std::io::stdout(), "{warning}");
    }
}

/// Docker refuses a level it does not know before anything else; what we log does not depend on it.
fn check_log_level(flags: &RootFlags) -> Result<(), Failure> {
    const LEVELS: &[&str] = &["panic", "fatal", "error", "warn", "warning", "info", "debug", "trace"];
    match &flags.log_level {
        Some(level) if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) => {
            Err(Failure::new(format!("Unable to parse logging level: {level}")))
        }
        _ => Ok(()),
    }
}

/// Words only scripts use: the shells' completion protocol and the makers of manuals.
fn hidden(program: &'static str, words: &[String]) -> Result<Option<u8>, Failure> {
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    match first.as_str() {
        "__complete" | "__completeNoDesc" => Ok(Some(completion::answer(program, rest, first == "__complete"))),
        "completion" => completion::script(program, rest).map(Some),
        "__man" => man::write(program, rest).map(Some),
        _ => Ok(None),
    }
}

fn no_command(session: &Session, parsed: &Parsed) -> u8 {
    let version = parsed.given.iter().any(|(name, value)| *name == "version" && value == "true");
    if version {
        session.println(version_line(session.program));
    } else if parsed.help() {
        session.print(root_help(session));
    } else {
        eprint(root_help(session).trim_end_matches('\n'));
    }
    0
}

/// `--version`
fn version_line(program: &str) -> String {
    let name = if program == "docker" { "Docker" } else { "Lighter" };
    format!("{name} version {}, build {}", values::VERSION, crate::BUILD)
}

fn root_help(session: &Session) -> String {
    let directory = config::default_dir();
    help::root(session.program, &directory.to_string_lossy(), help::width())
}

/// `docker help [COMMAND…]`
fn help_about(session: &Session, words: &[String]) -> Result<u8, Failure> {
    let words: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let unknown = |word: &str| Failure::new(format!("unknown help topic: {word}"));
    match words.as_slice() {
        [] => session.print(root_help(session)),
        [group, rest @ ..] if GROUPS.iter().any(|g| g.name == group.as_str()) => {
            let row = GROUPS.iter().find(|g| g.name == group.as_str()).expect("just found");
            match rest {
                [] => session.print(help::group(session.program, row)),
                [name, ..] => {
                    let (command, name) = find_command(&format!("{group} {name}")).ok_or_else(|| unknown(name))?;
                    print_help(session, command, name);
                }
            }
        }
        [name] => {
            let (command, name) = find_command(name).ok_or_else(|| unknown(name))?;
            print_help(session, command, name);
        }
        [_, extra, ..] => return Err(unknown(extra)),
    }
    Ok(0)
}

fn print_help(session: &Session, command: &Command, name: &str) {
    let path = format!("{} {name}", session.program);
    session.print(help::command(session.program, &path, command, help::width()));
}

fn in_group(session: &Session, group: &'static Group, words: &[String]) -> Result<u8, Failure> {
    let path = format!("{} {}", session.program, group.name);
    let find = |wanted: Wanted<'_>| [&HELP].into_iter().find(|flag| wanted.is(flag));
    let parsed = parse(words, &find, false).map_err(|error| usage_error(&error, &path, &path))?;
    warn(&parsed);
    let Some((name, rest)) = parsed.args.split_first() else {
        let text = help::group(session.program, group);
        if parsed.help() {
            session.print(text);
        } else {
            eprint(text.trim_end_matches('\n'));
        }
        return Ok(0);
    };
    let spelling = format!("{} {name}", group.name);
    let Some((command, name)) = find_command(&spelling) else {
        refuse_not_yet(session, &spelling)?;
        return Err(Failure::new(format!(
            "{program}: unknown command: {path} {name}\n\nUsage:  {path}\n\nRun '{path} --help' for more information",
            program = session.program,
        )));
    };
    let mut rest = rest.to_vec();
    if parsed.help() {
        rest.insert(0, "--help".into());
    }
    invoke(session, command, format!("{} {name}", session.program), &rest)
}

/// The command typed as `spelling` and the name help gives it: its first spelling with the same parent.
pub fn find_command(spelling: &str) -> Option<(&'static Command, &'static str)> {
    let parent = |spelling: &str| spelling.split_once(' ').map(|(parent, _)| parent.to_owned());
    let command = COMMANDS.iter().find(|command| command.spellings.contains(&spelling))?;
    let name = command.spellings.iter().find(|other| parent(other) == parent(spelling))?;
    Some((command, name))
}

fn invoke(session: &Session, command: &'static Command, path: String, words: &[String]) -> Result<u8, Failure> {
    let own_help = help::has_own_help(command);
    let find = |wanted: Wanted<'_>| {
        let own = command.flags().find(|flag| wanted.is(flag));
        own.or_else(|| (!own_help && wanted.is(&HELP)).then_some(&HELP))
    };
    let usage = help::usage_line(&path, command);
    let parsed = parse(words, &find, command.interspersed).map_err(|error| usage_error(&error, &usage, &path))?;
    warn(&parsed);
    if parsed.help() {
        session.print(help::command(session.program, &path, command, help::width()));
        return Ok(0);
    }
    count_args(session.program, command.args, &parsed.args, &usage, &path)?;
    refuse_absent(command, &parsed, &usage, &path)?;
    let call = Invocation { command, path, args: parsed.args, given: parsed.given };
    (command.run)(session, &call)
}

fn usage_error(error: &str, usage: &str, path: &str) -> Failure {
    let text = format!("{error}\n\nUsage:  {usage}\n\nRun '{path} --help' for more information");
    Failure::new(text).status(USAGE)
}

/// A flag that is known, but whose feature is not there, must not be taken for one that works.
fn refuse_absent(command: &Command, parsed: &Parsed, usage: &str, path: &str) -> Result<(), Failure> {
    let given = || parsed.given.iter().filter_map(|(name, _)| command.flag(name));
    let windows = given().filter(|flag| flag.absent == WINDOWS);
    let windows: Vec<String> = windows.map(|flag| format!("\"--{}\" is {}", flag.name, flag.absent)).collect();
    if !windows.is_empty() {
        return Err(Failure::new(windows.join("\n")));
    }
    match given().find(|flag| !flag.absent.is_empty()) {
        None => Ok(()),
        Some(flag) => Err(usage_error(&format!("flag --{} is not supported: {}", flag.name, flag.absent), usage, path)),
    }
}

fn count_args(program: &str, args: Args, given: &[String], usage: &str, path: &str) -> Result<(), Failure> {
    let count = given.len();
    let arguments = |n: usize| if n == 1 { "argument" } else { "arguments" };
    let (fits, wants, see) = match args {
        Args::Any => (true, String::new(), ""),
        Args::None => (count == 0, "accepts no arguments".into(), "Run"),
        Args::Exactly(n) => (count == n, format!("requires {n} {}", arguments(n)), "Run"),
        Args::AtLeast(n) => (count >= n, format!("requires at least {n} {}", arguments(n)), "See"),
        Args::AtMost(n) => (count <= n, format!("requires at most {n} {}", arguments(n)), "Run"),
        Args::Between(min, max) => {
            let wants = format!("requires at least {min} and at most {max} {}", arguments(max));
            ((min..=max).contains(&count), wants, "Run")
        }
    };
    if fits {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{program}: '{path}' {wants}\n\nUsage:  {usage}\n\n{see} '{path} --help' for more information"
    )))
}
