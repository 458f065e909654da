//! `/proc/PID/stat`: the one reader of it. Allocates.
//! <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>

/// What is needed of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Stat {
    /// The program's name, at most 15 bytes.
    pub name: String,
    /// `R`, `S`, `D`, `T`, `Z`, …
    pub state: char,
    pub ppid: i32,
    /// Device number of the controlling terminal; 0: none.
    pub tty: u32,
    /// Processor time, in clock ticks.
    pub ticks: u64,
    /// When it started, in clock ticks from the machine's start: with the pid it tells a process from all others.
    pub start: u64,
}

impl Stat {
    /// `None`: there is no such process.
    pub fn of(pid: i32) -> Option<Self> {
        Self::parse(&String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/stat")).ok()?))
    }

    fn parse(text: &str) -> Option<Self> {
        // the name may hold spaces and parentheses
        let (head, tail) = text.trim_end().rsplit_once(") ")?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split(' ').collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            name,
            state: fields.first()?.chars().next()?,
            ppid: fields.get(1)?.parse().ok()?,
            tty: fields.get(4)?.parse::<i32>().ok()?.cast_unsigned(),
            ticks: number(11)? + number(12)?,
            start: number(19)?,
        })
    }

    /// It has ended, and only waits to be taken note of.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// [`Stat::start`]; 0 when the process is gone already.
pub fn birth(pid: i32) -> u64 {
    Stat::of(pid).map_or(0, |stat| stat.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "42 (a) b (c) S 7 42 42 34816 42 4194304 1 2 3 4 150 250 5 6 20 0 1 0 98765 1 2 3\n";
        let stat = Stat { name: "a) b (c".into(), state: 'S', ppid: 7, tty: 34816, ticks: 400, start: 98765 };
        assert_eq!(Stat::parse(text), Some(stat));
        for bad in ["", "42 (x)", "42 (x) S", "42 x S 1 2"] {
            assert_eq!(Stat::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_living_one_and_none() {
        let own = Stat::of(std::process::id() as i32).unwrap();
        assert_eq!((own.start, own.has_ended()), (birth(std::process::id() as i32), false));
        assert_eq!((Stat::of(i32::MAX - 1), birth(i32::MAX - 1)), (None, 0));
    }
}
