//! The processes of a container as `ps` shows them.
//!
//! `-ef`, the default, is answered from proc_pid_stat(5) directly; other arguments are given to the host's `ps`, whose
//! lines are then kept by their PID, as Docker does.

mod native;

use std::collections::BTreeSet;
use std::time::Duration;

use api::types::TopResponse;
use values::{Error, Result};

/// Who takes longer waits for a process that the kernel holds.
const PATIENCE: Duration = Duration::from_secs(10);

fn late(who: &str) -> Error {
    Error::unavailable(format!(
        "{who} has not answered for {} seconds: a process is stuck in the kernel",
        PATIENCE.as_secs()
    ))
}

/// What `ps` prints for these processes; `ps_args` may be empty.
///
/// # Errors
/// `InvalidArgument` for arguments which `ps` does not understand, which rename its PID column or leave it out;
/// `Internal` when there is no `ps`.
pub async fn top(pids: &[i32], ps_args: &str) -> Result<TopResponse> {
    let args: Vec<&str> = ps_args.split_whitespace().collect();
    if matches!(args[..], [] | ["-ef"] | ["-fe"] | ["-e", "-f"] | ["-f", "-e"]) {
        let pids = pids.to_vec();
        // a process whose memory is locked keeps whoever looks at it waiting
        let list = crate::shared::blocking(move || Ok(native::list(&pids)));
        return tokio::time::timeout(PATIENCE, list).await.unwrap_or_else(|_| Err(late("/proc")));
    }
    check(&args)?;
    parse(&run(&args, pids).await?, pids)
}

/// Docker's rule: the PID column is how lines are told apart, so no other may take its name.
fn check(args: &[&str]) -> Result<()> {
    for word in args.iter().flat_map(|arg| arg.split(',')) {
        let word = word.trim_start_matches("-o").trim_start_matches('o');
        if let Some((column, title)) = word.split_once('=')
            && column != "pid"
            && title.starts_with("PID")
        {
            return Err(Error::invalid(format!("specifying \"{column}={title}\" is not allowed")));
        }
    }
    Ok(())
}

/// Runs `ps` for these processes alone, or for all where the arguments do not go with a selection.
async fn run(args: &[&str], pids: &[i32]) -> Result<String> {
    let numbers: Vec<String> = pids.iter().map(i32::to_string).collect();
    let selection = format!("-q{}", numbers.join(","));
    let selected = if pids.is_empty() { None } else { Some(ps(args, Some(&selection)).await?) };
    let output = match selected.filter(|output| output.status.success()) {
        Some(output) => output,
        None => ps(args, None).await?,
    };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        // the first line tells why; the rest is the usage
        let why = text.lines().find(|line| !line.trim().is_empty()).map(str::to_owned);
        let why = why.unwrap_or_else(|| output.status.to_string().replace(": ", " "));
        return Err(Error::invalid(format!("ps: {why}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn ps(args: &[&str], selection: Option<&str>) -> Result<std::process::Output> {
    let mut command = tokio::process::Command::new("ps");
    command.args(args).args(selection).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.map_err(|_| late("ps"))?;
    output.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::internal("ps: executable file not found in $PATH: install procps on the host, or use no arguments")
        }
        _ => Error::internal(format!("ps: {e}")),
    })
}

/// The lines of a `ps` which are of these processes.
fn parse(output: &str, pids: &[i32]) -> Result<TopResponse> {
    let pids: BTreeSet<i32> = pids.iter().copied().collect();
    let mut lines = output.lines();
    let titles: Vec<String> = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let column = titles
        .iter()
        .position(|title| title == "PID")
        .ok_or_else(|| Error::invalid("Couldn't find PID field in ps output"))?;
    let mut processes = Vec::new();
    // `ps m` prints a process and then its threads, with `-` for the PID
    let mut threads_follow = false;
    for line in lines {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let Some(field) = fields.get(column) else { continue };
        let wanted = match *field {
            "-" => threads_follow,
            number => {
                let pid = number
                    .parse()
                    .map_err(|_| Error::internal(format!("Unexpected pid '{number}' in the output of ps")))?;
                pids.contains(&pid)
            }
        };
        threads_follow = wanted;
        if wanted {
            processes.push(row(&fields, titles.len()));
        }
    }
    Ok(TopResponse { processes: Some(processes), titles: Some(titles) })
}

/// As many fields as there are titles: the last takes what is left over.
fn row(fields: &[&str], width: usize) -> Vec<String> {
    let last = width.saturating_sub(1).min(fields.len());
    let mut row: Vec<String> = fields[..last].iter().map(|field| (*field).to_owned()).collect();
    row.push(fields[last..].join(" "));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_by_pid() {
        let output = "USER   PID COMMAND\nroot     1 init  a   b\nroot    22 sh -c  x\nroot     - -\nme      33 y\nroot     - -\n";
        let got = parse(output, &[22]).unwrap();
        assert_eq!(got.titles.unwrap(), ["USER", "PID", "COMMAND"]);
        assert_eq!(got.processes.unwrap(), [["root", "22", "sh -c x"], ["root", "-", "-"]]);
        assert_eq!(parse("A B\n1 2\n", &[1]).unwrap_err().message, "Couldn't find PID field in ps output");
        assert!(parse("PID\nx\n", &[1]).is_err());
        assert_eq!(parse("PID TTY\n\n1\n", &[1]).unwrap().processes.unwrap(), [["1", ""]]);
    }

    #[test]
    fn renamed_columns() {
        for (args, refused) in [
            ("-o pid,cmd", false),
            ("-o pid=PID", false),
            ("-o cmd=PID", true),
            ("-opid=X", false),
            ("-o pid=X,cmd", false),
            ("-o cmd=COMMAND,pid", false),
            ("aux", false),
        ] {
            let words: Vec<&str> = args.split_whitespace().collect();
            assert_eq!(check(&words).is_err(), refused, "{args}");
        }
    }

    #[tokio::test]
    async fn the_hosts_ps() {
        let own = std::process::id() as i32;
        let got = top(&[own], "-o pid,comm").await.unwrap();
        let rows = got.processes.unwrap();
        assert_eq!((got.titles.unwrap()[0].as_str(), rows.len(), rows[0][0].clone()), ("PID", 1, own.to_string()));
        let got = top(&[own], "aux").await.unwrap();
        assert_eq!(got.processes.unwrap().len(), 1);
        assert!(top(&[own], "--no-such-option").await.unwrap_err().message.starts_with("ps: "));
        // it selects nothing, and says nothing
        assert_eq!(top(&[], "-p 99999999").await.unwrap_err().message, "ps: exit status 1");
        assert_eq!(top(&[own], "-o comm").await.unwrap_err().message, "Couldn't find PID field in ps output");
    }

    /// What procps itself prints is the measure.
    #[tokio::test]
    async fn native_as_procps() {
        // a process of ours that does nothing: its times do not change between the two looks
        let mut child = tokio::process::Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap() as i32;
        // until exec has happened
        while std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default() != b"sleep\x0060\0" {
            tokio::task::yield_now().await;
        }
        let native = top(&[pid], "").await.unwrap();
        let theirs = parse(&run(&["-ef"], &[pid]).await.unwrap(), &[pid]).unwrap();
        child.kill().await.unwrap();
        assert_eq!(native.titles, theirs.titles);
        assert_eq!(native.processes, theirs.processes);
    }
}
