//! What the options mean: checked, defaulted, typed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::cgroups::Driver;
use engine::config::{Bridge, Defaults, Runtime};
use serde_json::Value;
use values::{Error, Result, kernel_names::ULIMITS};

use crate::hosts::{self, Host};
use crate::log;
use crate::options::merge::Values;

const DATA_ROOT: &str = "/var/lib/lighter";
const EXEC_ROOT: &str = "/run/lighter";
const GROUP: &str = "docker";
const PIDFILE: &str = "lighter.pid";
/// Docker's, in seconds.
const SHUTDOWN_TIMEOUT: i64 = 15;
const STOP_TIMEOUT: i64 = 10;

/// Everything the daemon was told, or Docker's defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data_root: PathBuf,
    pub exec_root: PathBuf,
    pub pidfile: PathBuf,
    pub hosts: Vec<Host>,
    pub group: Group,
    pub log: log::Config,
    pub live_restore: bool,
    pub shutdown_timeout: Duration,
    pub labels: Vec<String>,
    /// None: systemd where it is in charge (cgroup v2), else the cgroup file system.
    pub cgroup_driver: Option<Driver>,
    /// Empty: derived from the data root.
    pub cgroup_parent: String,
    pub storage_driver: Option<String>,
    pub runtimes: BTreeMap<String, Runtime>,
    pub bridge: Bridge,
    /// `default`, `USER` or `USER:GROUP`; looked up when the engine is opened.
    pub userns_remap: Option<String>,
    pub defaults: Defaults,
    pub registries: registry::Config,
    pub selinux: bool,
    pub image_gc: engine::GcPolicy,
}

/// Whose the socket is, besides root's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// A name, or digits.
    pub name: String,
    /// One that was asked for must be there; the default one need not.
    pub required: bool,
}

impl Settings {
    /// Errors: `InvalidArgument` naming the option.
    pub fn new(values: &Values) -> Result<Self> {
        let v = Reader(values);
        let exec_root = v.path("exec-root").unwrap_or_else(|| EXEC_ROOT.into());
        let mut settings = Self {
            data_root: v.path("data-root").unwrap_or_else(|| DATA_ROOT.into()),
            pidfile: v.path("pidfile").unwrap_or_else(|| exec_root.join(PIDFILE)),
            exec_root,
            hosts: hosts::parse(&v.list("hosts"), v.bool("tls") == Some(false) || v.bool("tlsverify") == Some(false))?,
            group: Group { name: v.text("group").unwrap_or(GROUP).into(), required: v.text("group").is_some() },
            log: log_config(&v)?,
            live_restore: v.bool("live-restore").unwrap_or(true),
            shutdown_timeout: seconds("shutdown-timeout", v.int("shutdown-timeout").unwrap_or(SHUTDOWN_TIMEOUT))?,
            labels: labels(v.list("labels"))?,
            cgroup_driver: cgroup_driver(&v.list("exec-opts"))?,
            cgroup_parent: v.text("cgroup-parent").unwrap_or_default().to_owned(),
            storage_driver: storage_driver(v.text("storage-driver"))?,
            runtimes: runtimes(&v)?,
            bridge: bridge(&v)?,
            userns_remap: v.text("userns-remap").map(str::to_owned),
            defaults: defaults(&v)?,
            registries: registries(&v)?,
            selinux: v.bool("selinux-enabled").unwrap_or(false),
            image_gc: image_gc(&v)?,
        };
        // a slice is checked as one once the driver is known
        if settings.cgroup_driver == Some(Driver::Cgroupfs) || !settings.cgroup_parent.ends_with(".slice") {
            settings.cgroup_parent = cgroup_parent(v.text("cgroup-parent"))?;
        }
        Ok(settings)
    }

    /// For the engine, once the roots are there and canonical.
    pub fn engine(&self, data_root: &Path, exec_root: &Path, shim: PathBuf) -> engine::Config {
        let owner = network::Names::of_data_root(data_root).owner;
        let instance = if owner == "0" { String::new() } else { owner };
        let cgroup_driver = self.cgroup_driver.unwrap_or_else(Driver::usual);
        let derived = cgroup_driver.default_parent(&instance);
        engine::Config {
            data_root: data_root.into(),
            run_root: exec_root.into(),
            shim,
            cgroup_driver,
            cgroup_parent: if self.cgroup_parent.is_empty() { derived } else { self.cgroup_parent.clone() },
            instance,
            bridge: self.bridge.clone(),
            defaults: self.defaults.clone(),
            runtimes: self.runtimes.clone(),
            storage_driver: self.storage_driver.clone(),
            labels: self.labels.clone(),
            registries: self.registries.clone(),
            selinux: self.selinux,
            image_gc: self.image_gc.clone(),
            debug: self.log.level == log::Level::Debug,
            live_restore: self.live_restore,
            shutdown_timeout: self.shutdown_timeout,
        }
    }
}

/// Typed access; types were checked when the values were read.
struct Reader<'a>(&'a Values);

impl<'a> Reader<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key)?.as_str()
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    fn bool(&self, key: &str) -> Option<bool> {
        self.0.get(key)?.as_bool()
    }

    fn int(&self, key: &str) -> Option<i64> {
        self.0.get(key)?.as_i64()
    }

    fn list(&self, key: &str) -> Vec<String> {
        let list = self.0.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

fn bad(key: &str, value: impl std::fmt::Display, wanted: &str) -> Error {
    Error::invalid(format!("invalid {key} {value}: {wanted}"))
}

/// −1 means without end.
fn seconds(key: &str, value: i64) -> Result<Duration> {
    match value {
        -1 => Ok(Duration::MAX),
        0.. => Ok(Duration::from_secs(value.unsigned_abs())),
        _ => Err(bad(key, value, "it must be a number of seconds, or -1")),
    }
}

fn log_config(v: &Reader<'_>) -> Result<log::Config> {
    let text = v.text("log-level").unwrap_or("info");
    let level = log::Level::parse(text).ok_or_else(|| Error::invalid(format!("invalid logging level: {text}")))?;
    let json = match v.text("log-format").unwrap_or("text") {
        "text" => false,
        "json" => true,
        other => return Err(Error::invalid(format!("invalid log format: {other}"))),
    };
    let level = if v.bool("debug") == Some(true) { log::Level::Debug } else { level };
    Ok(log::Config { level, json })
}

fn labels(labels: Vec<String>) -> Result<Vec<String>> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for label in &labels {
        let (key, value) = label
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| Error::invalid(format!("bad attribute format: {label}")))?;
        if seen.insert(key, value).is_some_and(|before| before != value) {
            return Err(Error::invalid(format!("conflict labels for {key}")));
        }
    }
    Ok(labels)
}

/// `native.cgroupdriver=…`; Docker has no other of these options.
fn cgroup_driver(options: &[String]) -> Result<Option<Driver>> {
    let mut driver = None;
    for option in options {
        driver = match option.split_once('=') {
            Some(("native.cgroupdriver", "cgroupfs")) => Some(Driver::Cgroupfs),
            Some(("native.cgroupdriver", "systemd")) => Some(Driver::Systemd),
            Some(("native.cgroupdriver", _)) => {
                return Err(bad("exec-opts", option, "native.cgroupdriver must be cgroupfs or systemd"));
            }
            _ => return Err(bad("exec-opts", option, "only native.cgroupdriver is known")),
        };
    }
    Ok(driver)
}

/// A path below the cgroup root, which a leading slash says too. Empty: derived.
fn cgroup_parent(path: Option<&str>) -> Result<String> {
    let Some(path) = path else { return Ok(String::new()) };
    let inner = path.trim_matches('/');
    if inner.is_empty() || inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(bad("cgroup-parent", path, "it must be a path below the cgroup root without '.' and '..'"));
    }
    Ok(format!("/{inner}"))
}

/// Docker's name for overlayfs is accepted, it is what people have in their files.
fn storage_driver(name: Option<&str>) -> Result<Option<String>> {
    match name {
        None => Ok(None),
        Some("overlay2" | "overlay" | "overlayfs") => Ok(Some("overlay".into())),
        Some(name @ ("erofs" | "native")) => Ok(Some(name.into())),
        Some(other) => Err(bad("storage-driver", other, "only erofs, overlay2 and native are supported")),
    }
}

/// External runtimes; the name of the one built in is taken.
fn runtimes(v: &Reader<'_>) -> Result<BTreeMap<String, Runtime>> {
    let given = v.0.get("runtimes").and_then(Value::as_object).into_iter().flatten();
    let runtime = |(name, value): (&String, &Value)| {
        if name.is_empty() || engine::BUILT_IN_RUNTIMES.contains(&name.as_str()) {
            return Err(Error::invalid(format!("runtime name '{name}' is reserved")));
        }
        let path = value["path"].as_str().unwrap_or_default();
        if path.is_empty() {
            return Err(bad("runtimes", name, "its path must not be empty"));
        }
        let args = value["runtimeArgs"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok((name.clone(), Runtime { path: path.to_owned(), args: args.map(str::to_owned).collect() }))
    };
    given.map(runtime).collect()
}

fn bridge(v: &Reader<'_>) -> Result<Bridge> {
    let name = v.text("bridge").unwrap_or_default();
    let bip = v.text("bip").map(str::to_owned);
    if let Some(text) = &bip {
        let parsed: Result<network::Ipv4Net, _> = text.parse();
        parsed.map_err(|_| bad("bip", text, "it must be an IPv4 address with a prefix length, such as 10.9.0.1/24"))?;
    }
    let mtu = match v.int("mtu").unwrap_or(0) {
        0 => None,
        mtu @ 68..=65535 => Some(mtu as u32),
        mtu => return Err(Error::invalid(format!("invalid default MTU: {mtu}"))),
    };
    let host_ip = v.text("ip").map(|text| text.parse().map_err(|_| bad("ip", text, "it must be an IP address")));
    let respect_firewall = match v.text("host-firewall").unwrap_or("bypass") {
        "bypass" => false,
        "respect" => true,
        other => return Err(bad("host-firewall", other, "it must be bypass or respect")),
    };
    let foreign_addresses = match v.text("foreign-addresses").unwrap_or("refuse") {
        "refuse" => false,
        "allow" => true,
        other => return Err(bad("foreign-addresses", other, "it must be refuse or allow")),
    };
    let fixed = parsed(v, "fixed-cidr", "it must be an IPv4 network, such as 10.9.1.0/24")?;
    Ok(Bridge {
        fixed,
        gateway: parsed(v, "default-gateway", "it must be an IPv4 address")?,
        ipv6: ipv6(v)?,
        relays: v.bool("userland-proxy").unwrap_or(true),
        network_options: network_options(v),
        host_gateways: host_gateways(v)?,
        respect_firewall,
        foreign_addresses,
        direct_routing: v.bool("allow-direct-routing").unwrap_or(false),
        host_ip: host_ip.transpose()?,
        disabled: name == "none",
        name: if name == "none" { String::new() } else { name.into() },
        bip,
        mtu,
        ip_masq: v.bool("ip-masq").unwrap_or(true),
        icc: v.bool("icc").unwrap_or(true),
        address_pools: pools(v)?,
    })
}

fn parsed<T: std::str::FromStr>(v: &Reader<'_>, key: &str, wanted: &str) -> Result<Option<T>> {
    v.text(key).map(|text| text.parse().map_err(|_| bad(key, text, wanted))).transpose()
}

/// The keys that are about it ask for `ipv6`.
fn ipv6(v: &Reader<'_>) -> Result<Option<network::Ipv6Config>> {
    let config = network::Ipv6Config {
        bip: parsed(v, "bip6", "it must be an IPv6 address with a prefix length, such as fd00:9::1/64")?,
        fixed: parsed(v, "fixed-cidr-v6", "it must be an IPv6 network, such as fd00:9:1::/80")?,
        gateway: parsed(v, "default-gateway-v6", "it must be an IPv6 address")?,
    };
    if v.bool("ipv6") == Some(true) {
        return Ok(Some(config));
    }
    let keys = ["bip6", "fixed-cidr-v6", "default-gateway-v6"];
    match keys.into_iter().find(|key| v.text(key).is_some()) {
        Some(key) => Err(Error::invalid(format!("{key} needs \"ipv6\": true"))),
        None => Ok(None),
    }
}

fn network_options(v: &Reader<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let drivers = v.0.get("default-network-opts").and_then(Value::as_object).into_iter().flatten();
    let of = |options: &Value| {
        let pairs = options.as_object().into_iter().flatten();
        pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    };
    drivers.map(|(driver, options)| (driver.clone(), of(options))).collect()
}

/// At most one of each family.
fn host_gateways(v: &Reader<'_>) -> Result<Vec<std::net::IpAddr>> {
    let list = v.list("host-gateway-ips");
    let wanted = "one IPv4 and one IPv6 address at most are wanted";
    let all: Vec<std::net::IpAddr> = list
        .iter()
        .map(|text| text.parse().map_err(|_| bad("host-gateway-ips", text, wanted)))
        .collect::<Result<_>>()?;
    let count = |v4: bool| all.iter().filter(|ip| ip.is_ipv4() == v4).count();
    if count(true) > 1 || count(false) > 1 {
        return Err(bad("host-gateway-ips", list.join(", "), wanted));
    }
    Ok(all)
}

fn pools(v: &Reader<'_>) -> Result<Vec<(String, u8)>> {
    let list = v.0.get("default-address-pools").and_then(Value::as_array).into_iter().flatten();
    let pool = |value: &Value| {
        let base = value["base"].as_str().unwrap_or_default();
        let size = value["size"].as_u64().and_then(|size| u8::try_from(size).ok()).unwrap_or(0);
        let wanted = "base must be an IPv4 network, and size a prefix length from the base's to 30";
        let network: network::Ipv4Net = base.parse().map_err(|_| bad("default-address-pools", value, wanted))?;
        if size < network.prefix_len() || size > 30 {
            return Err(bad("default-address-pools", value, wanted));
        }
        Ok((base.to_owned(), size))
    };
    list.map(pool).collect()
}

fn defaults(v: &Reader<'_>) -> Result<Defaults> {
    let mut defaults = Defaults::default();
    if let Some(size) = v.0.get("default-shm-size") {
        defaults.shm_size = match size.as_str() {
            Some(text) => values::size::parse_binary(text)?,
            None => size.as_i64().unwrap_or(0),
        };
        if defaults.shm_size <= 0 {
            return Err(bad("default-shm-size", size, "it must be larger than 0"));
        }
    }
    defaults.init = v.bool("init").unwrap_or(false);
    if let Some(name) = v.text("default-runtime") {
        if !runtimes(v)?.contains_key(name) && !engine::BUILT_IN_RUNTIMES.contains(&name) {
            return Err(Error::invalid(format!("specified default runtime '{name}' does not exist")));
        }
        defaults.runtime = name.into();
    }
    if let Some(driver) = v.text("log-driver") {
        defaults.log_driver = driver.into();
    }
    defaults.log_opts = texts(v, "log-opts");
    defaults.ulimits = ulimits(v)?;
    defaults.dns = v.list("dns");
    if let Some(server) = defaults.dns.iter().find(|server| server.parse::<std::net::IpAddr>().is_err()) {
        return Err(Error::invalid(format!("{server} is not an ip address")));
    }
    defaults.dns_options = v.list("dns-opts");
    let cdi = v.list("cdi-spec-dirs");
    if !cdi.is_empty() {
        defaults.cdi_directories = cdi.into_iter().map(PathBuf::from).collect();
    }
    defaults.dns_search = v.list("dns-search");
    defaults.stop_timeout = seconds("default-stop-timeout", v.int("default-stop-timeout").unwrap_or(STOP_TIMEOUT))?;
    defaults.no_new_privileges = v.bool("no-new-privileges").unwrap_or(false);
    defaults.cgroupns = mode(v, "default-cgroupns-mode", &["host", "private"])?;
    if let Some(ipc) = mode(v, "default-ipc-mode", &["private", "shareable"])? {
        defaults.ipc = ipc;
    }
    Ok(defaults)
}

fn mode(v: &Reader<'_>, key: &str, allowed: &[&str]) -> Result<Option<String>> {
    match v.text(key) {
        None => Ok(None),
        Some(mode) if allowed.contains(&mode) => Ok(Some(mode.into())),
        Some(mode) => Err(bad(key, mode, &format!("it must be one of {}", allowed.join(", ")))),
    }
}

fn texts(v: &Reader<'_>, key: &str) -> BTreeMap<String, String> {
    let pairs = v.0.get(key).and_then(Value::as_object).into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn image_gc(v: &Reader<'_>) -> Result<engine::GcPolicy> {
    let default = engine::GcPolicy::default();
    let percent = |key: &str, default: u8| match v.int(key) {
        None => Ok(default),
        Some(n @ 1..=100) => Ok(n as u8),
        Some(n) => Err(bad(key, n, "it must be a percentage from 1 to 100")),
    };
    let (high, low) = (percent("image-gc-high", default.high)?, percent("image-gc-low", default.low)?);
    if low > high {
        return Err(bad("image-gc-low", low, &format!("it must not be larger than image-gc-high ({high})")));
    }
    let max_size = match v.0.get("image-gc-max-size") {
        None => default.max_size,
        Some(size) => {
            let bytes = size.as_str().map_or_else(|| Ok(size.as_i64().unwrap_or(-1)), values::size::parse_binary)?;
            u64::try_from(bytes).map_err(|_| bad("image-gc-max-size", size, "it must not be negative"))?
        }
    };
    let min_age = match v.text("image-gc-min-age") {
        None => default.min_age,
        Some(text) => {
            let nanos = values::duration::parse_go(text).ok().and_then(|nanos| u64::try_from(nanos).ok());
            Duration::from_nanos(
                nanos.ok_or_else(|| bad("image-gc-min-age", text, "it must be a duration such as 168h"))?,
            )
        }
    };
    let enabled = v.bool("image-gc").unwrap_or(default.enabled);
    Ok(engine::GcPolicy { enabled, high, low, max_size, min_age, keep: v.list("image-gc-keep") })
}

fn registries(v: &Reader<'_>) -> Result<registry::Config> {
    fn all<T: std::str::FromStr<Err = Error>>(texts: Vec<String>) -> Result<Vec<T>> {
        texts.iter().map(|text| text.parse()).collect()
    }
    let defaults = registry::Config::default();
    let count = |key: &str, default: usize| match v.int(key) {
        None => Ok(default),
        Some(n) => usize::try_from(n)
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| Error::invalid(format!("invalid {}: {n}", key.replace('-', " ")))),
    };
    let mut in_file = texts(v, "proxies");
    let mut said = |key: &str| v.text(key).map(str::to_owned).or_else(|| in_file.remove(key)).unwrap_or_default();
    let proxies = registry::Proxies { http: said("http-proxy"), https: said("https-proxy"), none: said("no-proxy") };
    if let Some(unknown) = in_file.keys().find(|key| !["http-proxy", "https-proxy", "no-proxy"].contains(&key.as_str()))
    {
        return Err(bad("proxies", unknown, "only http-proxy, https-proxy and no-proxy are known"));
    }
    let proxies = proxies.or(registry::Proxies::from_environment(|name| std::env::var(name).ok()));
    proxies.check()?;
    Ok(registry::Config {
        mirrors: all(v.list("registry-mirrors"))?,
        insecure: [defaults.insecure, all(v.list("insecure-registries"))?].concat(),
        token_hosts: all(v.list("registry-token-hosts"))?,
        proxies,
        downloads: count("max-concurrent-downloads", defaults.downloads)?,
        uploads: count("max-concurrent-uploads", defaults.uploads)?,
        attempts: count("max-download-attempts", defaults.attempts as usize)?.try_into().unwrap_or(u32::MAX),
        ..registry::Config::default()
    })
}

fn ulimits(v: &Reader<'_>) -> Result<BTreeMap<String, (i64, i64)>> {
    let list = v.0.get("default-ulimits").and_then(Value::as_object).into_iter().flatten();
    let limit = |(name, value): (&String, &Value)| {
        if !ULIMITS.contains(&name.as_str()) {
            return Err(Error::invalid(format!("invalid ulimit type: {name}")));
        }
        let (soft, hard) = (value["Soft"].as_i64().unwrap_or(0), value["Hard"].as_i64().unwrap_or(0));
        if hard != -1 && (soft == -1 || soft > hard) {
            return Err(Error::invalid(format!(
                "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
            )));
        }
        Ok((name.clone(), (soft, hard)))
    };
    list.map(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{file, flags, merge};

    fn settings(line: &str, text: &str) -> Result<Settings> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Settings::new(&merge::merge(flags::parse(&args)?.values, file::parse(text)?)?)
    }

    #[test]
    fn defaults_are_dockers() {
        let s = settings("", "").unwrap();
        assert_eq!((s.data_root.to_str(), s.exec_root.to_str()), (Some("/var/lib/lighter"), Some("/run/lighter")));
        assert_eq!(s.pidfile.to_str(), Some("/run/lighter/lighter.pid"));
        assert_eq!(s.hosts, [Host::Unix("/run/lighter.sock".into())]);
        assert_eq!(s.group, Group { name: "docker".into(), required: false });
        assert_eq!((s.live_restore, s.shutdown_timeout), (true, Duration::from_secs(15)));
        assert_eq!((s.defaults.shm_size, s.defaults.log_driver.as_str()), (64 << 20, "json-file"));
        assert_eq!((s.bridge.mtu, s.bridge.icc, s.bridge.disabled), (None, true, false));
        let engine = s.engine(&s.data_root, &s.exec_root, "/shim".into());
        assert_eq!((engine.instance.as_str(), engine.cgroup_parent.as_str()), ("", "/lighter"));
        let other = s.engine(Path::new("/srv/a"), &s.exec_root, "/shim".into());
        assert_eq!((other.instance.as_str(), other.cgroup_parent.as_str()), ("49a15bd2", "/lighter-49a15bd2"));
    }

    #[test]
    fn networks() {
        let s = settings(
            "--ipv6 --fixed-cidr 10.9.1.0/24 --default-gateway 10.9.0.7 --userland-proxy=false --host-firewall respect",
            r#"{"bip6": "fd00::1/64", "default-network-opts": {"bridge": {"a": "b"}}, "host-gateway-ips": ["1.2.3.4", "::9"]}"#,
        );
        let bridge = s.unwrap().bridge;
        assert_eq!(bridge.fixed.map(|net| net.to_string()), Some("10.9.1.0/24".into()));
        assert_eq!(bridge.gateway, Some([10, 9, 0, 7].into()));
        assert_eq!(bridge.ipv6.unwrap().bip.map(|net| net.to_string()), Some("fd00::1/64".into()));
        assert_eq!((bridge.relays, bridge.respect_firewall, bridge.host_gateways.len()), (false, true, 2));
        assert_eq!(bridge.network_options["bridge"]["a"], "b");
        let check = |line: &str, words: &str| {
            let error = settings(line, "").unwrap_err().message;
            assert!(error.contains(words), "{error}");
        };
        check("--fixed-cidr x", "invalid fixed-cidr x: it must be an IPv4 network");
        check("--fixed-cidr-v6 fd00::/64", "fixed-cidr-v6 needs \"ipv6\": true");
        check("--ipv6 --bip6 x", "invalid bip6 x");
        check("--default-gateway ::1", "invalid default-gateway ::1: it must be an IPv4 address");
        check("--host-gateway-ip 1.2.3.4 --host-gateway-ip 1.2.3.5", "one IPv4 and one IPv6 address at most");
        check("--host-firewall maybe", "it must be bypass or respect");
        check("--foreign-addresses no", "it must be refuse or allow");
        let of = |line: &str| settings(line, "").unwrap().bridge.foreign_addresses;
        assert_eq!((of(""), of("--foreign-addresses allow")), (false, true));
    }

    #[test]
    fn meanings() {
        let s = settings(
            "--exec-root /x -G 27 --shutdown-timeout -1 --bridge none --mtu 1400 -s overlay2 -D --default-ulimit core=-1",
            r#"{"default-shm-size": "1g", "log-level": "warn", "log-opts": {"max-size": "1m"}, "dns": ["1.1.1.1"],
                "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}], "labels": ["a=b", "a=b"]}"#,
        )
        .unwrap();
        assert_eq!(s.pidfile.to_str(), Some("/x/lighter.pid"));
        assert_eq!(s.group, Group { name: "27".into(), required: true });
        assert_eq!(s.shutdown_timeout, Duration::MAX);
        assert_eq!((s.bridge.disabled, s.bridge.name.as_str(), s.bridge.mtu), (true, "", Some(1400)));
        assert_eq!(s.bridge.address_pools, [("10.0.0.0/8".to_owned(), 24)]);
        assert_eq!((s.storage_driver.as_deref(), s.log.level), (Some("overlay"), log::Level::Debug));
        assert_eq!((s.defaults.shm_size, s.defaults.ulimits["core"]), (1 << 30, (-1, -1)));
        assert_eq!(s.defaults.log_opts["max-size"], "1m");
        let s = settings("--image-gc=false --image-gc-max-size 1g --image-gc-keep a/* --image-gc-min-age 36h", "");
        let gc = s.unwrap().image_gc;
        assert_eq!((gc.enabled, gc.high, gc.low, gc.max_size), (false, 90, 80, 1 << 30));
        assert_eq!((gc.keep, gc.min_age), (vec!["a/*".to_owned()], Duration::from_secs(36 * 3600)));
        let s = settings("--default-runtime b --add-runtime a=/a", "").map_err(|e| e.message);
        assert!(s.is_err());
        let s =
            settings("--default-runtime b", r#"{"runtimes": {"b": {"path": "b", "runtimeArgs": ["-x"]}}}"#).unwrap();
        let expected = Runtime { path: "b".into(), args: vec!["-x".into()] };
        assert_eq!((s.defaults.runtime.as_str(), &s.runtimes["b"]), ("b", &expected));
        assert_eq!(settings("--cgroup-parent a/b/", "").unwrap().cgroup_parent, "/a/b");
        let driver =
            |name: &str| settings(&format!("--exec-opt native.cgroupdriver={name}"), "").unwrap().cgroup_driver;
        assert_eq!((driver("systemd"), driver("cgroupfs")), (Some(Driver::Systemd), Some(Driver::Cgroupfs)));
    }

    #[test]
    fn mistakes() {
        let check = |line: &str, expected: &str| {
            let message = settings(line, "").map_or_else(|e| e.message, |_| "fine".into());
            assert_eq!(message, expected, "{line}");
        };
        check("-l loud", "invalid logging level: loud");
        check("--log-format xml", "invalid log format: xml");
        check("--mtu 20", "invalid default MTU: 20");
        check(
            "--bip 10.0.0.1",
            "invalid bip 10.0.0.1: it must be an IPv4 address with a prefix length, such as 10.9.0.1/24",
        );
        check("--label a", "bad attribute format: a");
        check("--label a=1 --label a=2", "conflict labels for a");
        check("-s btrfs", "invalid storage-driver btrfs: only erofs, overlay2 and native are supported");
        check(
            "--cgroup-parent a/../../b",
            "invalid cgroup-parent a/../../b: it must be a path below the cgroup root without '.' and '..'",
        );
        check("--add-runtime runc=/x", "runtime name 'runc' is reserved");
        check("--default-runtime crun", "specified default runtime 'crun' does not exist");
        check(
            "--exec-opt native.cgroupdriver=x",
            "invalid exec-opts native.cgroupdriver=x: native.cgroupdriver must be cgroupfs or systemd",
        );
        check("--exec-opt x=y", "invalid exec-opts x=y: only native.cgroupdriver is known");
        check("--dns example.org", "example.org is not an ip address");
        check("--default-ulimit sky=1", "invalid ulimit type: sky");
        check("--default-ulimit nofile=2:1", "ulimit soft limit must be less than or equal to hard limit: 2 > 1");
        check("--default-ipc-mode host", "invalid default-ipc-mode host: it must be one of private, shareable");
        check("--image-gc-high 101", "invalid image-gc-high 101: it must be a percentage from 1 to 100");
        check("--image-gc-high 50", "invalid image-gc-low 80: it must not be larger than image-gc-high (50)");
        check("--image-gc-min-age 3d", "invalid image-gc-min-age 3d: it must be a duration such as 168h");
        check("--image-gc-max-size -1", "invalid size: '-1'");
        check("--shutdown-timeout -2", "invalid shutdown-timeout -2: it must be a number of seconds, or -1");
        for line in ["--default-shm-size 0", "--default-shm-size x"] {
            assert!(settings(line, "").is_err(), "{line}");
        }
        for pool in ["base=10.0.0.0/8,size=4", "base=10.0.0.0/8,size=31", "base=fd00::/8,size=64", "base=x,size=24"] {
            assert!(settings(&format!("--default-address-pool {pool}"), "").is_err(), "{pool}");
        }
    }
}
