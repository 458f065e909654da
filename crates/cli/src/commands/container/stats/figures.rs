//! From counters to what people read.

use api::types::{BlkioStats, CpuStats, MemoryStats, Stats};
use values::size;

use crate::output::human;
use crate::output::listing::{Column, Listing};

/// One line.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// As the user named it, or its short id.
    pub container: String,
    /// `None` while nothing is known.
    pub figures: Option<Figures>,
    pub trunc: bool,
}

impl Row {
    pub fn new(container: &str, figures: Option<Figures>) -> Self {
        Self { container: container.to_owned(), figures, trunc: true }
    }
}

/// What one report says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub id: String,
    /// With its slash.
    pub name: String,
    /// Percent of one processor.
    pub cpu: f64,
    /// Bytes, without the page cache that can go at any time.
    pub memory: u64,
    pub memory_limit: u64,
    pub received: u64,
    pub sent: u64,
    pub read: u64,
    pub written: u64,
    pub pids: u64,
}

impl Figures {
    pub fn of(stats: &Stats) -> Self {
        let (read, written) = block(&stats.blkio_stats);
        Self {
            id: stats.id.clone(),
            name: stats.name.clone(),
            cpu: cpu_percent(&stats.precpu_stats, &stats.cpu_stats),
            memory: memory(&stats.memory_stats),
            memory_limit: stats.memory_stats.limit,
            received: stats.networks.values().map(|one| one.rx_bytes).sum(),
            sent: stats.networks.values().map(|one| one.tx_bytes).sum(),
            read,
            written,
            pids: stats.pids_stats.current,
        }
    }
}

/// The container's share of the machine's time since the earlier sample, times the number of processors.
fn cpu_percent(earlier: &CpuStats, now: &CpuStats) -> f64 {
    let used = now.cpu_usage.total_usage as f64 - earlier.cpu_usage.total_usage as f64;
    let passed = now.system_cpu_usage as f64 - earlier.system_cpu_usage as f64;
    let cpus = match now.online_cpus {
        0 => now.cpu_usage.percpu_usage.len() as f64,
        cpus => cpus as f64,
    };
    if used > 0.0 && passed > 0.0 { used / passed * cpus * 100.0 } else { 0.0 }
}

/// v1 and v2 call the inactive page cache differently.
fn memory(memory: &MemoryStats) -> u64 {
    let inactive = memory.stats.get("total_inactive_file").or_else(|| memory.stats.get("inactive_file"));
    inactive.filter(|cache| **cache < memory.usage).map_or(memory.usage, |cache| memory.usage - cache)
}

fn block(stats: &BlkioStats) -> (u64, u64) {
    let sum = |letter: char| {
        let entries = stats.io_service_bytes_recursive.iter().flatten();
        entries.filter(|entry| entry.op.to_lowercase().starts_with(letter)).map(|entry| entry.value).sum()
    };
    (sum('r'), sum('w'))
}

fn memory_percent(figures: &Figures) -> f64 {
    match figures.memory_limit {
        0 => 0.0,
        limit => figures.memory as f64 / limit as f64 * 100.0,
    }
}

/// What is shown of the figures, or dashes.
fn shown(row: &Row, dashes: &str, text: impl Fn(&Figures) -> String) -> gotemplate::Value {
    row.figures.as_ref().map_or_else(|| dashes.to_owned(), text).into()
}

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

fn pair(a: u64, b: u64) -> String {
    let size = |bytes: u64| size::human_with_precision(bytes as f64, 3);
    format!("{} / {}", size(a), size(b))
}

fn memory_pair(figures: &Figures) -> String {
    let size = |bytes: u64| size::human_binary(bytes as f64);
    format!("{} / {}", size(figures.memory), size(figures.memory_limit))
}

fn name(figures: &Figures) -> String {
    match figures.name.strip_prefix('/').unwrap_or(&figures.name) {
        "" => "--".into(),
        name => name.into(),
    }
}

fn id(row: &Row) -> String {
    let id = row.figures.as_ref().map_or("", |figures| figures.id.as_str());
    if row.trunc { human::short_id(id).into() } else { id.into() }
}

pub static LISTING: Listing<Row> = Listing {
    type_name: "*container.statsContext",
    columns: &[
        Column { name: "BlockIO", caption: "BLOCK I/O", value: |row| shown(row, "--", |f| pair(f.read, f.written)) },
        Column { name: "CPUPerc", caption: "CPU %", value: |row| shown(row, "--", |f| percent(f.cpu)) },
        Column { name: "Container", caption: "CONTAINER", value: |row| row.container.as_str().into() },
        Column { name: "ID", caption: "CONTAINER ID", value: |row| id(row).into() },
        Column { name: "MemPerc", caption: "MEM %", value: |row| shown(row, "--", |f| percent(memory_percent(f))) },
        Column { name: "MemUsage", caption: "MEM USAGE / LIMIT", value: |row| shown(row, "-- / --", memory_pair) },
        Column { name: "Name", caption: "NAME", value: |row| shown(row, "--", name) },
        Column { name: "NetIO", caption: "NET I/O", value: |row| shown(row, "--", |f| pair(f.received, f.sent)) },
        Column { name: "PIDs", caption: "PIDS", value: |row| shown(row, "--", |f| f.pids.to_string()) },
    ],
    label: None,
};

#[cfg(test)]
mod tests {
    use super::*;
    use api::types::{BlkioEntry, CpuUsage};

    fn cpu(total: u64, system: u64, online: u64) -> CpuStats {
        let cpu_usage = CpuUsage { total_usage: total, percpu_usage: vec![0; 4], ..CpuUsage::default() };
        CpuStats { cpu_usage, system_cpu_usage: system, online_cpus: online, ..CpuStats::default() }
    }

    #[test]
    fn shares_of_the_processor() {
        for (earlier, now, expected) in [
            (cpu(0, 0, 0), cpu(0, 0, 0), 0.0),
            (cpu(100, 1000, 2), cpu(150, 1100, 2), 100.0),
            (cpu(100, 1000, 2), cpu(125, 1100, 0), 100.0),
            (cpu(150, 1000, 2), cpu(100, 1100, 2), 0.0),
            (cpu(100, 1000, 2), cpu(150, 1000, 2), 0.0),
        ] {
            assert_eq!(cpu_percent(&earlier, &now), expected, "{now:?}");
        }
    }

    #[test]
    fn memory_without_cache() {
        for (usage, stats, expected) in [
            (100, vec![("total_inactive_file", 30), ("inactive_file", 10)], 70),
            (100, vec![("inactive_file", 10)], 90),
            (100, vec![("inactive_file", 200)], 100),
            (100, vec![], 100),
        ] {
            let stats = stats.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            assert_eq!(memory(&MemoryStats { usage, stats, ..MemoryStats::default() }), expected);
        }
    }

    #[test]
    fn block_devices_add_up() {
        let entry = |op: &str, value| BlkioEntry { op: op.into(), value, ..BlkioEntry::default() };
        let list = vec![entry("read", 1), entry("Read", 2), entry("write", 4), entry("", 8), entry("total", 16)];
        assert_eq!(block(&BlkioStats { io_service_bytes_recursive: Some(list), ..BlkioStats::default() }), (3, 4));
    }

    #[test]
    fn rows() {
        let figures = Figures { id: "0123456789abcdef".into(), name: "/web".into(), cpu: 12.345, ..Figures::default() };
        let format = "{{.Container}} {{.ID}} {{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.PIDs}}";
        let text = LISTING.render(format, [Row::new("web", Some(figures)), Row::new("x", None)]).unwrap();
        assert_eq!(text, "web 0123456789ab web 12.35% 0B / 0B 0.00% 0B / 0B 0\nx  -- -- -- / -- -- -- --\n");
    }
}
