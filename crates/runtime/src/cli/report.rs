//! `state`, `list` and `ps`.

use cgroup::Cgroup;
use serde::Serialize;

use super::arguments::{Arguments, Flag};
use super::bundle::Home;
use super::{Failure, Global, Outcome};

pub(super) const LIST_FLAGS: &[Flag] = &[Flag::text("format", "f"), Flag::switch("quiet", "q")];
pub(super) const PS_FLAGS: &[Flag] = &[Flag::text("format", "f")];

/// What `state` and `list` print: the OCI state with runc's additions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(flatten)]
    state: oci::runtime::State,
    /// Also 0.
    pid: i32,
    rootfs: String,
    created: String,
    owner: String,
}

fn report(home: &Home) -> Result<Report, Failure> {
    let record = home.read()?;
    let mut state = record.state(home);
    let pid = std::mem::take(&mut state.pid);
    Ok(Report { state, pid, rootfs: record.rootfs, created: record.created, owner: String::new() })
}

pub(super) fn state(global: &Global, arguments: &Arguments) -> Outcome {
    let report = report(&Home::of(global, arguments.id()?))?;
    super::log::say(&serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?);
    Ok(0)
}

pub(super) fn list(global: &Global, arguments: &Arguments) -> Outcome {
    let mut reports: Vec<Report> = std::fs::read_dir(&global.root)
        .into_iter()
        .flatten()
        .flatten()
        // One that is being made or removed right now is not there.
        .filter_map(|entry| report(&Home::of(global, &entry.file_name().to_string_lossy())).ok())
        .collect();
    reports.sort_by(|a, b| a.state.id.cmp(&b.state.id));
    if arguments.has("quiet") {
        reports.iter().for_each(|report| super::log::say(&report.state.id));
        return Ok(0);
    }
    match arguments.text("format").unwrap_or("table") {
        "json" => super::log::say(&serde_json::to_string(&reports).map_err(|error| error.to_string())?),
        "table" => table(&reports),
        other => return Err(format!("invalid format option {other:?}")),
    }
    Ok(0)
}

fn table(reports: &[Report]) {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    for report in reports {
        let state = &report.state;
        rows.push([
            state.id.clone(),
            report.pid.to_string(),
            state.status.clone(),
            state.bundle.clone(),
            report.created.clone(),
            "root".to_owned(),
        ]);
    }
    let widths: Vec<usize> =
        (0..6).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0) + 3).collect();
    for row in rows {
        let line: String = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}")).collect();
        super::log::say(line.trim_end());
    }
}

/// Process numbers as JSON, or the lines of `ps` for them.
pub(super) fn ps(global: &Global, arguments: &Arguments) -> Outcome {
    let record = Home::of(global, arguments.id()?).read()?;
    let pids = Cgroup::open(&record.cgroup).and_then(|group| group.pids()).map_err(|error| error.message)?;
    match arguments.text("format").unwrap_or("table") {
        "json" => {
            super::log::say(&serde_json::to_string(&pids).map_err(|error| error.to_string())?);
            Ok(0)
        }
        "table" => filter_ps(&arguments.rest[1..], &pids),
        other => Err(format!("invalid format option {other:?}")),
    }
}

fn filter_ps(options: &[String], pids: &[i32]) -> Outcome {
    let default = ["-ef".to_owned()];
    let options = if options.is_empty() { &default[..] } else { options };
    let output = std::process::Command::new("ps").args(options).output().map_err(|error| format!("ps: {error}"))?;
    if !output.status.success() {
        return Err(format!("ps: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let column =
        header.split_whitespace().position(|name| name == "PID").ok_or("couldn't find PID field in ps output")?;
    super::log::say(header);
    for line in lines {
        let pid = line.split_whitespace().nth(column).and_then(|text| text.parse().ok());
        if pid.is_some_and(|pid| pids.contains(&pid)) {
            super::log::say(line);
        }
    }
    Ok(0)
}
