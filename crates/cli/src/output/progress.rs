//! Progress streams (load, import, pull, …): on a terminal every id has a line of its own which is written over; else
//! bars are left out and what remains is printed line by line. What takes longer has its speed, and below all lines their
//! total, which goes with the last of them: a short stream, and what stays of a long one, is as Docker's client shows it.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use api::progress::{JsonMessage, ProgressDetail};

use super::speed::Speed;
use crate::failure::Failure;

/// So long there is no total.
const SHORT: Duration = Duration::from_secs(1);
/// What a line is about when it is through.
const DONE: [&str; 4] = ["Pull complete", "Already exists", "Pushed", "Layer already exists"];
/// While bytes come or go.
const MOVING: [&str; 3] = ["Downloading", "Pushing", LOADING];
const LOADING: &str = "Loading layer";
/// All came or went.
const MOVED: [&str; 3] = ["Download complete", "Pull complete", "Pushed"];

/// Shows the messages on stdout as they come.
///
/// # Errors
/// The stream's own error, or the connection's.
pub fn show(messages: impl Iterator<Item = Result<JsonMessage, client::Error>>) -> Result<(), Failure> {
    let stdout = std::io::stdout();
    let width = stdout.is_terminal().then(|| columns(&stdout));
    Display::new(stdout.lock(), width).show_all(messages)
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
    Display::new(stderr.lock(), width).show_all(messages)
}

struct Display<W: Write> {
    out: W,
    /// `Some` on a terminal.
    width: Option<usize>,
    /// Those that can be reached, from the top.
    lines: Vec<Line>,
    /// Of all lines together.
    speed: Speed,
    /// When their first bytes moved.
    begin: Option<Duration>,
    /// There is a total below the lines, where the cursor is.
    has_total: bool,
}

/// One id.
#[derive(Default)]
struct Line {
    id: String,
    status: String,
    speed: Speed,
    /// Bytes that came or went, those of earlier tries included; how many there were when it began.
    moved: i64,
    before: Option<i64>,
    size: i64,
    is_done: bool,
}

impl Line {
    fn tell(&mut self, message: &JsonMessage, now: Duration) {
        if self.status != message.status {
            (self.status, self.speed) = (message.status.clone(), Speed::default());
        }
        let detail = message.progress_detail.clone().unwrap_or_default();
        if detail.current > 0 && detail.units.is_empty() {
            self.speed.reached(now, detail.current);
            self.size = self.size.max(detail.total);
        }
        let status = self.status.as_str();
        if MOVING.contains(&status) {
            self.before.get_or_insert(detail.current);
            self.moved = detail.current;
        } else if MOVED.contains(&status) && self.before.is_some() {
            self.moved = self.size;
        }
        let is_loaded = status == LOADING && detail.total > 0 && detail.current >= detail.total;
        self.is_done = is_loaded || DONE.contains(&status) || status.starts_with("Mounted from ");
    }
}

impl<W: Write> Display<W> {
    fn new(out: W, width: Option<usize>) -> Self {
        Self { out, width, lines: Vec::new(), speed: Speed::default(), begin: None, has_total: false }
    }

    fn show_all(mut self, messages: impl Iterator<Item = Result<JsonMessage, client::Error>>) -> Result<(), Failure> {
        let begin = Instant::now();
        for message in messages {
            match message {
                Ok(message) => self.message(&message, begin.elapsed())?,
                Err(e) => {
                    self.take_total_away()?;
                    return Err(e.into());
                }
            }
        }
        self.take_total_away()
    }

    /// `now`: by any clock that goes on.
    fn message(&mut self, message: &JsonMessage, now: Duration) -> Result<(), Failure> {
        if message.aux.is_some() && message.status.is_empty() && message.failure().is_none() {
            return Ok(());
        }
        let mut up = 0;
        let mut speed = None;
        let progresses = message.progress_detail.is_some() || !message.progress.is_empty();
        if !message.id.is_empty() && progresses {
            let known = self.lines.iter().position(|line| line.id == message.id);
            let line = known.unwrap_or(self.lines.len());
            if known.is_none() {
                self.lines.push(Line { id: message.id.clone(), ..Line::default() });
                self.write(if self.width.is_some() { "\n" } else { "" })?;
            }
            self.lines[line].tell(message, now);
            speed = self.lines[line].speed.per_second();
            up = self.lines.len() - line;
            self.cursor(up, 'A')?;
        } else {
            // Anything else ends the block of lines that can be reached.
            self.take_total_away()?;
            self.lines.clear();
            (self.speed, self.begin) = (Speed::default(), None);
        }
        if let Some(failure) = message.failure() {
            self.take_total_away()?;
            return Err(Failure::new(failure));
        }
        let text = self.text(message, speed);
        self.write(&text)?;
        if !message.id.is_empty() {
            self.cursor(up, 'B')?;
        }
        self.show_total(now)?;
        self.out.flush().map_err(Failure::from)
    }

    /// Where the cursor rests, below the lines: the next new one takes its place.
    fn show_total(&mut self, now: Duration) -> Result<(), Failure> {
        let Some(width) = self.width.filter(|_| self.lines.iter().any(|line| line.before.is_some())) else {
            return Ok(());
        };
        let begin = *self.begin.get_or_insert(now);
        let moved = |line: &Line| line.moved - line.before.unwrap_or(line.moved);
        self.speed.reached(now, self.lines.iter().map(moved).sum());
        if now.saturating_sub(begin) < SHORT || self.lines.len() < 2 {
            return Ok(());
        }
        let all: i64 = self.lines.iter().map(|line| line.moved).sum();
        let amount = |value: f64| values::size::human(value);
        let text = format!(
            "Total: {} of {}, {}, {}/s, {}s",
            self.lines.iter().filter(|line| line.is_done).count(),
            self.lines.len(),
            amount(all as f64),
            amount(self.speed.per_second().unwrap_or_default()),
            now.saturating_sub(begin).as_secs(),
        );
        if text.len() < width {
            self.has_total = true;
            self.write(&format!("\x1b[2K{text}\r"))?;
        }
        Ok(())
    }

    fn take_total_away(&mut self) -> Result<(), Failure> {
        if !std::mem::take(&mut self.has_total) {
            return Ok(());
        }
        self.write("\x1b[2K")?;
        // what comes next may go to the other stream
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

    fn text(&self, message: &JsonMessage, speed: Option<f64>) -> String {
        let mut bar = message.progress_detail.as_ref().map(|detail| bar(detail, self.width.unwrap_or(200), now()));
        if let (Some(bar), Some(speed)) = (&mut bar, speed.filter(|_| self.width.is_some_and(|width| width > 60))) {
            bar.push_str(&format!("  {}/s", values::size::human(speed)));
        }
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
        shown_at(width, messages.iter().map(|message| (0, message)))
    }

    /// With the milliseconds at which they come.
    fn shown_at<'a>(width: Option<usize>, messages: impl Iterator<Item = (u64, &'a JsonMessage)>) -> String {
        let mut display = Display::new(Vec::new(), width);
        for (millis, message) in messages {
            display.message(message, Duration::from_millis(millis)).unwrap();
        }
        display.take_total_away().unwrap();
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
    fn what_takes_long_has_its_speed_and_a_total() {
        let detail = |current, total| ProgressDetail { current, total, ..Default::default() };
        let message =
            |id: &str, status: &str, current, total| JsonMessage::progress(id, status, detail(current, total));
        let messages = [
            (0, message("a", "Downloading", 1_000_000, 9_000_000)),
            (100, message("b", "Waiting", 0, 0)),
            (900, message("a", "Downloading", 2_800_000, 9_000_000)),
            (2000, message("a", "Downloading", 5_000_000, 9_000_000)),
            (3000, message("a", "Download complete", 0, 0)),
            (3000, message("c", "Already exists", 0, 0)),
            (3000, JsonMessage::status("done")),
        ];
        let text = shown_at(Some(80), messages.iter().map(|(at, message)| (*at, message)));
        let expected = [
            "\n\x1b[1A\x1b[2K\ra: Downloading      1MB/9MB\r\x1b[1B",
            "\n\x1b[1A\x1b[2K\rb: Waiting \r\x1b[1B",
            "\x1b[2A\x1b[2K\ra: Downloading    2.8MB/9MB  2MB/s\r\x1b[2B",
            "\x1b[2A\x1b[2K\ra: Downloading      5MB/9MB  2MB/s\r\x1b[2B",
            "\x1b[2KTotal: 0 of 2, 5MB, 2MB/s, 2s\r",
            "\x1b[2A\x1b[2K\ra: Download complete \r\x1b[2B",
            "\x1b[2KTotal: 0 of 2, 9MB, 2.667MB/s, 3s\r",
            // takes the total's place, which moves on
            "\n\x1b[1A\x1b[2K\rc: Already exists \r\x1b[1B",
            "\x1b[2KTotal: 1 of 3, 9MB, 2.667MB/s, 3s\r",
            "\x1b[2Kdone\n",
        ];
        assert_eq!(text, expected.concat());
        let quick = messages.iter().map(|(_, message)| (0, message));
        assert!(!shown_at(Some(80), quick).contains("/s"));
        assert!(!shown_at(None, messages.iter().map(|(at, message)| (*at, message))).contains("/s"));
        let narrow = shown_at(Some(20), messages.iter().map(|(at, message)| (*at, message)));
        assert!(!narrow.contains("/s"), "{narrow}");
    }

    #[test]
    fn an_error_ends_the_stream() {
        let mut display = Display::new(Vec::new(), None);
        let failure = display.message(&JsonMessage::error("no space"), Duration::ZERO).unwrap_err();
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
