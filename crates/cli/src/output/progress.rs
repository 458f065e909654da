//! Progress streams (load, import, pull, …): on a terminal every id has a line of its own which is written over; else
//! bars are left out and what remains is printed line by line.

use std::io::{IsTerminal, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::progress::{JsonMessage, ProgressDetail};

use crate::failure::Failure;

/// Shows the messages on stdout as they come.
///
/// # Errors
/// The stream's own error, or the connection's.
pub fn show(messages: impl Iterator<Item = Result<JsonMessage, client::Error>>) -> Result<(), Failure> {
    let stdout = std::io::stdout();
    let width = stdout.is_terminal().then(|| columns(&stdout));
    let mut display = Display { out: stdout.lock(), width, lines: Vec::new() };
    for message in messages {
        display.message(&message?)?;
    }
    Ok(())
}

/// The terminal's width; Docker takes 200 where it is unknown.
fn columns(terminal: impl std::os::fd::AsFd) -> usize {
    match rustix::termios::tcgetwinsize(terminal) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => 200,
    }
}

/// As [`show`], on stderr: for a pull on the way to something else.
///
/// # Errors
/// As [`show`].
pub fn show_on_stderr(messages: impl Iterator<Item = Result<JsonMessage, client::Error>>) -> Result<(), Failure> {
    let stderr = std::io::stderr();
    let width = stderr.is_terminal().then(|| columns(&stderr));
    let mut display = Display { out: stderr.lock(), width, lines: Vec::new() };
    for message in messages {
        display.message(&message?)?;
    }
    Ok(())
}

struct Display<W: Write> {
    out: W,
    /// `Some` on a terminal.
    width: Option<usize>,
    /// The ids that have lines, from the top.
    lines: Vec<String>,
}

impl<W: Write> Display<W> {
    fn message(&mut self, message: &JsonMessage) -> Result<(), Failure> {
        if message.aux.is_some() && message.status.is_empty() && message.failure().is_none() {
            return Ok(());
        }
        let mut up = 0;
        let progresses = message.progress_detail.is_some() || !message.progress.is_empty();
        if !message.id.is_empty() && progresses {
            let known = self.lines.iter().position(|id| *id == message.id);
            let line = known.unwrap_or(self.lines.len());
            if known.is_none() {
                self.lines.push(message.id.clone());
                self.write(if self.width.is_some() { "\n" } else { "" })?;
            }
            up = self.lines.len() - line;
            self.cursor(up, 'A')?;
        } else {
            // Anything else ends the block of lines that can be reached.
            self.lines.clear();
        }
        if let Some(failure) = message.failure() {
            return Err(Failure::new(failure));
        }
        let text = self.text(message);
        self.write(&text)?;
        if !message.id.is_empty() {
            self.cursor(up, 'B')?;
        }
        self.out.flush().map_err(Failure::from)
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).map_err(Failure::from)
    }

    fn cursor(&mut self, lines: usize, direction: char) -> Result<(), Failure> {
        match lines {
            0 => Ok(()),
            _ if self.width.is_none() => Ok(()),
            lines => self.write(&format!("\x1b[{lines}{direction}")),
        }
    }

    fn text(&self, message: &JsonMessage) -> String {
        let bar = message.progress_detail.as_ref().map(|detail| bar(detail, self.width.unwrap_or(200), now()));
        let mut text = String::new();
        let mut end = "";
        match (&bar, self.width) {
            (Some(_), Some(_)) if message.stream.is_empty() => {
                end = "\r";
                text.push_str("\x1b[2K\r");
            }
            (Some(bar), _) if !bar.is_empty() => return String::new(),
            _ => {}
        }
        if !message.id.is_empty() {
            text.push_str(&format!("{}: ", message.id));
        }
        match bar {
            Some(bar) if self.width.is_some() => text.push_str(&format!("{} {bar}{end}", message.status)),
            _ if !message.progress.is_empty() => {
                text.push_str(&format!("{} {}{end}", message.status, message.progress));
            }
            _ if !message.stream.is_empty() => text.push_str(&format!("{}{end}", message.stream)),
            _ => text.push_str(&format!("{}{end}\n", message.status)),
        }
        text
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// `[=====>    ]  1.024kB/4.096kB 2s`: the bar from 110 columns, the time left from 50.
fn bar(detail: &ProgressDetail, width: usize, now: i64) -> String {
    let ProgressDetail { current, total, start, .. } = *detail;
    let amount = |value: i64| values::size::human(value as f64);
    if current <= 0 && total <= 0 {
        return String::new();
    }
    if total <= 0 {
        return match detail.units.as_str() {
            "" => format!("{:>8}", amount(current)),
            units => format!("{current} {units}"),
        };
    }
    let half = ((current as f64 / total as f64 * 100.0) as i64 / 2).clamp(0, 50) as usize;
    let mut text = String::new();
    if width > 110 {
        text.push_str(&format!("[{}>{}] ", "=".repeat(half), " ".repeat(50 - half)));
    }
    let units = detail.units.as_str();
    match (detail.hidecounts, units.is_empty(), current > total) {
        (true, ..) => {}
        (_, true, true) => text.push_str(&format!("{:>8}", amount(current))),
        (_, true, false) => text.push_str(&format!("{:>8}/{}", amount(current), amount(total))),
        (_, false, true) => text.push_str(&format!("{current} {units}")),
        (_, false, false) => text.push_str(&format!("{current}/{total} {units}")),
    }
    if width > 50 && current > 0 && start > 0 && half < 50 {
        let passed = now.saturating_sub(start).max(0) as f64;
        let left = (passed / current as f64 * (total - current) as f64).round();
        text.push_str(&format!(" {}", values::duration::format_go((left * 1e9) as i64)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: Option<usize>, messages: &[JsonMessage]) -> String {
        let mut display = Display { out: Vec::new(), width, lines: Vec::new() };
        for message in messages {
            display.message(message).unwrap();
        }
        String::from_utf8(display.out).unwrap()
    }

    fn layer(id: &str, current: i64) -> JsonMessage {
        JsonMessage::progress(id, "Loading layer", ProgressDetail { current, total: 4096, ..Default::default() })
    }

    #[test]
    fn plain_output_has_no_bars() {
        let messages = [layer("a", 1), layer("a", 4096), JsonMessage::stream("Loaded image: x:1\n")];
        assert_eq!(shown(None, &messages), "Loaded image: x:1\n");
        let done = JsonMessage::progress("a", "Pull complete", ProgressDetail::default());
        assert_eq!(shown(None, &[done]), "a: Pull complete\n");
    }

    #[test]
    fn a_terminal_has_a_line_for_each_id() {
        assert_eq!(
            shown(Some(60), &[layer("a", 1024), layer("b", 0), layer("a", 4096)]),
            "\n\x1b[1A\x1b[2K\ra: Loading layer  1.024kB/4.096kB\r\x1b[1B\
             \n\x1b[1A\x1b[2K\rb: Loading layer       0B/4.096kB\r\x1b[1B\
             \x1b[2A\x1b[2K\ra: Loading layer  4.096kB/4.096kB\r\x1b[2B"
        );
    }

    #[test]
    fn an_error_ends_the_stream() {
        let mut display = Display { out: Vec::new(), width: None, lines: Vec::new() };
        let failure = display.message(&JsonMessage::error("no space")).unwrap_err();
        assert_eq!(failure.message, "no space");
    }

    #[test]
    fn bars() {
        let detail = |current, total, units: &str, start| ProgressDetail {
            current,
            total,
            start,
            units: units.into(),
            ..Default::default()
        };
        for (given, width, expected) in [
            (detail(0, 0, "", 0), 200, String::new()),
            (detail(1, 0, "", 0), 200, "      1B".into()),
            (detail(7, 0, "files", 0), 200, "7 files".into()),
            (detail(50, 100, "", 0), 100, "     50B/100B".into()),
            (detail(50, 100, "", 0), 200, format!("[{}>{}]      50B/100B", "=".repeat(25), " ".repeat(25))),
            (detail(150, 100, "", 0), 100, "    150B".into()),
            (detail(5, 10, "files", 0), 100, "5/10 files".into()),
            (detail(50, 100, "", 990), 100, "     50B/100B 10s".into()),
        ] {
            assert_eq!(bar(&given, width, 1000), expected);
        }
    }
}
