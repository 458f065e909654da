//! The layout of `--help`: that of the real client, byte for byte (tests compare).

mod wrap;

use crate::command::{Command, Group};
use crate::commands::{COMMANDS, COMMON, GROUPS};
use crate::flags::Flag;
use crate::flags::parse::HELP;

/// Column limit for option texts: the terminal's width, 80 when stdin is none.
pub fn width() -> usize {
    match rustix::termios::tcgetwinsize(rustix::stdio::stdin()) {
        Ok(size) => usize::from(size.ws_col),
        Err(_) => 80,
    }
}

/// `--help` of a command called by `path` (`lighter container ls`).
pub fn command(program: &str, path: &str, command: &Command, width: usize) -> String {
    let mut text = format!("Usage:  {}\n\n", usage_line(path, command));
    let about = if command.long.is_empty() { command.about } else { command.long };
    text += &format!("{}\n", about.replace("{program}", program));
    if command.spellings.len() > 1 {
        let spelled: Vec<String> = command.spellings.iter().map(|spelling| format!("{program} {spelling}")).collect();
        text += &format!("\nAliases:\n  {}\n", spelled.join(", "));
    }
    let flags: Vec<&Flag> = command.flags().collect();
    let options = options(program, &flags, width, |text| text.to_owned());
    if !options.is_empty() {
        text += &format!("\nOptions:\n{options}");
    }
    text
}

/// The usage line without `Usage:  `.
pub fn usage_line(path: &str, command: &Command) -> String {
    // docker's `cp` and `container cp` alike name the short form in their second line
    let short = path.replace(" container ", " ");
    let ways: Vec<String> = command
        .usage
        .lines()
        .enumerate()
        .map(|(n, way)| if n == 0 { format!("{path} {way}") } else { format!("\t{short} {way}") })
        .collect();
    if ways.is_empty() { path.to_owned() } else { ways.join("\n") }
}

/// `--help` of a noun.
pub fn group(program: &str, group: &Group) -> String {
    let mut rows: Vec<(&str, &str)> = COMMANDS
        .iter()
        .filter(|command| command.is_listed(program))
        .filter_map(|command| {
            let name = command.spellings.iter().find_map(|spelling| {
                spelling.split_once(' ').filter(|(parent, _)| *parent == group.name).map(|(_, name)| name)
            })?;
            Some((name, command.about))
        })
        .collect();
    rows.sort_unstable();
    format!(
        "Usage:  {program} {name} COMMAND\n\n{about}\n\nCommands:\n{rows}\nRun '{program} {name} COMMAND --help' for more information on a command.\n",
        name = group.name,
        about = if group.long.is_empty() { group.about } else { group.long },
        rows = columns(&rows, 11),
    )
}

/// `--help` of the program.
pub fn root(program: &str, config_dir: &str, width: usize) -> String {
    let top = |command: &&'static Command| {
        let name = command.spellings.iter().find(|spelling| !spelling.contains(' '))?;
        command.is_listed(program).then_some((*name, command.about))
    };
    let all: Vec<(&str, &str)> = COMMANDS.iter().filter_map(top).collect();
    let common: Vec<(&str, &str)> =
        COMMON.iter().filter_map(|name| all.iter().find(|(top, _)| top == name).copied()).collect();
    let mut rest: Vec<(&str, &str)> = all.iter().filter(|(name, _)| !COMMON.contains(name)).copied().collect();
    rest.sort_unstable();
    let groups = |swarm: bool| {
        let mut rows: Vec<_> = GROUPS.iter().filter(|g| g.swarm == swarm).map(|g| (g.name, g.about)).collect();
        rows.sort_unstable();
        rows
    };

    let mut text = format!("Usage:  {program} [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n");
    for (title, rows) in [
        ("Common Commands", common),
        ("Management Commands", groups(false)),
        ("Swarm Commands", groups(true)),
        ("Commands", rest),
    ] {
        if !rows.is_empty() {
            text += &format!("\n{title}:\n{}", columns(&rows, 11));
        }
    }
    let flags: Vec<&Flag> = crate::root::FLAGS.iter().collect();
    let options = options(program, &flags, width, |text| text.replace("{config}", config_dir));
    text += &format!("\nGlobal Options:\n{options}");
    text += &format!("\nRun '{program} COMMAND --help' for more information on a command.\n");
    if program == "docker" {
        text += "\nFor more help on how to use Docker, head to https://docs.docker.com/go/guides/\n";
    }
    text
}

fn columns(rows: &[(&str, &str)], width: usize) -> String {
    rows.iter().map(|(name, about)| format!("  {name:width$} {about}\n")).collect()
}

/// The table of options, sorted by name.
fn options(program: &str, flags: &[&Flag], width: usize, fill: impl Fn(&str) -> String) -> String {
    let mut shown: Vec<&&Flag> = flags.iter().filter(|flag| flag.is_listed(program)).collect();
    shown.sort_unstable_by_key(|flag| flag.name);
    let heads: Vec<String> = shown.iter().map(|flag| head(flag)).collect();
    let column = heads.iter().map(String::len).max().unwrap_or(0) + 3;
    let mut text = String::new();
    for (flag, head) in shown.iter().zip(&heads) {
        let mut about = flag.help.to_owned();
        if !flag.default.is_empty() {
            about += &format!(" (default {})", fill(flag.default));
        }
        let wrapped = wrap::wrap(&about, column, width.saturating_sub(1));
        text += &format!("{head:w$}{wrapped}\n", w = column);
    }
    text
}

/// `  -m, --memory bytes`
fn head(flag: &Flag) -> String {
    let mut head = match flag.short {
        '\0' => format!("      --{}", flag.name),
        short => format!("  -{short}, --{}", flag.name),
    };
    if !flag.type_name.is_empty() {
        head += &format!(" {}", flag.type_name);
    }
    head
}

/// Whether a command's own rows already hold help's.
pub fn has_own_help(command: &Command) -> bool {
    command.flag(HELP.name).is_some()
}
