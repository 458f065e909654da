//! `ps -ef` without `ps`: proc_pid_stat(5), proc_pid_cmdline(5), and the host's passwd(5) for names.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use api::types::TopResponse;
use sys::stat::Stat;

const TITLES: [&str; 8] = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
/// Clock ticks a second in /proc: the same on all architectures that we support (time(7)).
const USER_HZ: u64 = 100;
/// Width of the user's name in `ps -ef`.
const NAME_WIDTH: usize = 8;

/// The rows of these processes, by PID; those which have ended meanwhile are left out.
pub(super) fn list(pids: &[i32]) -> TopResponse {
    let scene = Scene::read();
    let mut pids = pids.to_vec();
    pids.sort_unstable();
    pids.dedup();
    let rows = pids.into_iter().filter_map(|pid| scene.row(pid)).collect();
    TopResponse { processes: Some(rows), titles: Some(TITLES.map(str::to_owned).to_vec()) }
}

/// What all rows are relative to.
struct Scene {
    /// Clock ticks a second.
    hertz: u64,
    /// Seconds since the machine's start.
    uptime: u64,
    now: jiff::Zoned,
    /// UNIX seconds of the machine's start.
    boot: i64,
    names: BTreeMap<u32, String>,
}

impl Scene {
    fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let uptime = text("/proc/uptime").split('.').next().and_then(|s| s.parse().ok()).unwrap_or(0);
        let stat = text("/proc/stat");
        let boot = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok()).unwrap_or(0);
        Self { hertz: USER_HZ, uptime, now: jiff::Zoned::now(), boot, names: names(&text("/etc/passwd")) }
    }

    fn row(&self, pid: i32) -> Option<Vec<String>> {
        let directory = format!("/proc/{pid}");
        let stat = Stat::of(pid)?;
        // the directory belongs to the process' effective user
        let uid = fs::metadata(&directory).ok()?.uid();
        let cmdline = fs::read(format!("{directory}/cmdline")).unwrap_or_default();
        Some(vec![
            self.user(uid),
            pid.to_string(),
            stat.ppid.to_string(),
            self.usage(&stat).to_string(),
            self.started(&stat),
            terminal(stat.tty),
            time(stat.ticks / self.hertz),
            command(&cmdline, &stat),
        ])
    }

    fn user(&self, uid: u32) -> String {
        match self.names.get(&uid) {
            None => uid.to_string(),
            Some(name) if name.chars().count() <= NAME_WIDTH => name.clone(),
            Some(name) => name.chars().take(NAME_WIDTH - 1).chain(['+']).collect(),
        }
    }

    /// Processor time in hundredths of the life time, at most 99.
    fn usage(&self, stat: &Stat) -> u64 {
        let seconds = self.uptime.saturating_sub(stat.start / self.hertz);
        let permille = (stat.ticks * 1000 / self.hertz).checked_div(seconds).unwrap_or(0);
        (permille / 10).min(99)
    }

    /// The hour on the same day, the day in the same year, else the year; in the host's time zone.
    fn started(&self, stat: &Stat) -> String {
        let seconds = self.boot.saturating_add_unsigned(stat.start / self.hertz);
        let Ok(start) = jiff::Timestamp::from_second(seconds) else { return "?".into() };
        let start = start.to_zoned(self.now.time_zone().clone());
        let format = match (start.year() == self.now.year(), start.day_of_year() == self.now.day_of_year()) {
            (true, true) => "%H:%M",
            (true, false) => "%b%d",
            (false, _) => "%Y",
        };
        start.strftime(format).to_string()
    }
}

/// Names by number; the first of a number counts.
fn names(passwd: &str) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(Ok(uid))) = (fields.next(), fields.nth(1).map(str::parse)) {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

/// The terminal's name by its device number (Documentation/admin-guide/devices.txt).
fn terminal(device: u32) -> String {
    let (major, minor) = (device >> 8 & 0xfff, (device & 0xff) | (device >> 12 & 0xf_ff00));
    match (major, minor) {
        (0, 0) => "?".into(),
        (4, 0..64) => format!("tty{minor}"),
        (4, _) => format!("ttyS{}", minor - 64),
        (5, 1) => "console".into(),
        (136..144, _) => format!("pts/{}", minor + (major - 136) * 256),
        (204, 64..) => format!("ttyAMA{}", minor - 64),
        (229, _) => format!("hvc{minor}"),
        _ => "?".into(),
    }
}

/// `[DAYS-]HH:MM:SS`.
fn time(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let prefix = if days > 0 { format!("{days:02}-") } else { String::new() };
    format!("{prefix}{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60)
}

/// The arguments, or the name in brackets where there are none; one blank between words, as clients get it from Docker.
fn command(cmdline: &[u8], stat: &Stat) -> String {
    let text = String::from_utf8_lossy(cmdline.trim_ascii_end().strip_suffix(b"\0").unwrap_or(cmdline));
    let text: String = text
        .chars()
        .map(|c| {
            if c == '\0' {
                ' '
            } else if c.is_control() {
                '?'
            } else {
                c
            }
        })
        .collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    match (stat.state, words.is_empty()) {
        ('Z', _) => format!("[{}] <defunct>", stat.name),
        (_, true) => format!("[{}]", stat.name),
        _ => words.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals() {
        for (device, name) in [
            (0, "?"),
            (34816, "pts/0"),
            (34817, "pts/1"),
            (1025, "tty1"),
            (1088, "ttyS0"),
            (1281, "console"),
            (0x0010_8800, "pts/256"),
        ] {
            assert_eq!(terminal(device), name, "{device}");
        }
    }

    #[test]
    fn times() {
        for (seconds, text) in [(0, "00:00:00"), (3_661, "01:01:01"), (90_061, "01-01:01:01")] {
            assert_eq!(time(seconds), text);
        }
    }

    #[test]
    fn commands() {
        let stat = |state| Stat { name: "x y".into(), state, ppid: 0, tty: 0, ticks: 0, start: 0 };
        let check = |cmdline: &[u8], state, expected| assert_eq!(command(cmdline, &stat(state)), expected);
        check(b"sh\0-c\0a  b\n\0", 'S', "sh -c a b?");
        check(b"", 'S', "[x y]");
        check(b"sh\0", 'Z', "[x y] <defunct>");
        check(b"nginx: master\0\0\0", 'S', "nginx: master");
    }

    #[test]
    fn rows() {
        let now = jiff::civil::date(2026, 11, 22).at(6, 30, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        let boot = now.timestamp().as_second() - 1000;
        let names = names("root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\nsystemd-network:x:998:998:::\nbad\n");
        let scene = Scene { hertz: 100, uptime: 1000, now, boot, names };
        assert_eq!([scene.user(0), scene.user(998), scene.user(5)], ["root", "systemd+", "5"]);
        let stat = |ticks, start| Stat { name: String::new(), state: 'S', ppid: 0, tty: 0, ticks, start };
        for (ticks, start, expected) in [(0, 0, 0), (5000, 90_000, 50), (100_000, 90_000, 99), (100, 100_000, 0)] {
            assert_eq!(scene.usage(&stat(ticks, start)), expected);
        }
        assert_eq!(scene.started(&stat(0, 60_000)), "06:23");
        let at = |boot: i64| Scene { boot, now: scene.now.clone(), names: BTreeMap::new(), ..scene };
        assert_eq!(at(boot - 86_400).started(&stat(0, 0)), "Nov21");
        assert_eq!(at(boot - 400 * 86_400).started(&stat(0, 0)), "2025");
    }

    #[test]
    fn ended_processes_are_left_out() {
        assert_eq!(list(&[i32::MAX - 1]).processes, Some(vec![]));
    }
}
