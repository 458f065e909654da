//! `lighter daemon --help`, laid out as dockerd's.

use super::{Kind, ROWS, Row, Support};

struct Line {
    left: String,
    /// What it is sorted by.
    name: &'static str,
    right: String,
}

/// The text, ending with a newline. Options that are always refused are not shown.
pub fn text() -> String {
    let mut lines: Vec<Line> = ROWS.iter().filter(|row| shown(row)).map(line).collect();
    lines.extend([
        special(
            "config-file",
            "      --config-file string",
            "Configuration file (default \"/etc/lighter/daemon.json\")",
        ),
        special("help", "  -h, --help", "Print this and end"),
        special("validate", "      --validate", "Check the configuration and end"),
        special("version", "  -v, --version", "Print the version and end"),
    ]);
    lines.sort_by_key(|line| line.name);
    let width = lines.iter().map(|line| line.left.len()).max().unwrap_or(0) + 3;
    let options: String = lines.iter().map(|line| format!("{:width$}{}\n", line.left, line.right)).collect();
    format!(
        "\nUsage:  lighter daemon [OPTIONS]\n\nThe container engine: runs containers and serves the API\n\nOptions:\n{options}"
    )
}

fn shown(row: &Row) -> bool {
    !row.flag.is_empty() && !row.doc.is_empty()
}

fn special(name: &'static str, left: &str, right: &str) -> Line {
    Line { left: left.into(), name, right: right.into() }
}

fn line(row: &Row) -> Line {
    let short = row.short.map_or_else(|| "    ".into(), |letter| format!("-{letter}, "));
    let left = format!("  {short}--{} {}", row.flag, type_name(row.kind));
    let quoted = matches!(row.kind, Kind::Text);
    let default = match row.default {
        "" => String::new(),
        default if quoted => format!(" (default {default:?})"),
        default => format!(" (default {default})"),
    };
    debug_assert!(row.support != Support::No);
    Line { left: left.trim_end().into(), name: row.flag, right: format!("{}{default}", row.doc) }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "",
        Kind::Int => "int",
        Kind::Size => "bytes",
        Kind::Text | Kind::Other => "string",
        Kind::List => "list",
        Kind::Map => "map",
        Kind::Ulimits => "ulimit",
        Kind::Options => "mapmap",
        Kind::Runtimes => "runtime",
        Kind::Pools => "pool-options",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn layout() {
        let text = super::text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["", "Usage:  lighter daemon [OPTIONS]"]);
        let line = |flag: &str| *lines.iter().find(|line| line.contains(flag)).unwrap();
        let column = line("--mtu").find("Largest").unwrap();
        for (flag, start) in
            [("--debug", "  -D, --debug  "), ("--host ", "  -H, --host list  "), ("--mtu", "      --mtu int  ")]
        {
            assert!(line(flag).starts_with(start), "{:?}", line(flag));
        }
        for line in &lines[6..] {
            assert!(line.as_bytes()[column - 1] == b' ' && line.as_bytes()[column] != b' ', "{line:?}");
        }
        assert!(line("--data-root").ends_with("(default \"/var/lib/lighter\")"));
        assert!(!text.contains("userland-proxy-path"));
    }
}
