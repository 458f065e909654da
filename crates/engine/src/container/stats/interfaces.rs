//! Counters of network interfaces, as `/proc/PID/net/dev` shows those of a process' namespace (proc_pid_net(5)).

/// One interface since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub received: Counters,
    pub sent: Counters,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub bytes: u64,
    pub packets: u64,
    pub errors: u64,
    pub dropped: u64,
}

/// What the kernel puts into every namespace by itself.
const NOT_OURS: &[&str] = &[
    "lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0", "teql0",
    "dummy0", "ifb0", "ifb1",
];

/// Columns of one direction.
const COLUMNS: usize = 8;

/// Reads the table; lines which are none are skipped.
pub fn parse(table: &str) -> Vec<Interface> {
    table.lines().filter_map(line).filter(|one| !NOT_OURS.contains(&one.name.as_str())).collect()
}

fn line(line: &str) -> Option<Interface> {
    let (name, rest) = line.split_once(':')?;
    let numbers: Vec<u64> = rest.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let counters = |at: usize| {
        let columns = numbers.get(at..at + 4)?;
        Some(Counters { bytes: columns[0], packets: columns[1], errors: columns[2], dropped: columns[3] })
    };
    Some(Interface { name: name.trim().to_owned(), received: counters(0)?, sent: counters(COLUMNS)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let table = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0
  eth0:1296 16 1 2 0 0 0 0 126 3 4 5 0 0 0 0
  torn: 1 2
";
        let expected = Interface {
            name: "eth0".into(),
            received: Counters { bytes: 1296, packets: 16, errors: 1, dropped: 2 },
            sent: Counters { bytes: 126, packets: 3, errors: 4, dropped: 5 },
        };
        assert_eq!(parse(table), [expected]);
        assert_eq!(parse(""), []);
    }
}
