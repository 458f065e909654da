//! The three files of `/etc` that are the engine's: `hostname`, `hosts`, `resolv.conf`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use network::Endpoint;
use network::files::{hosts, resolv};
use values::{Error, Result, ResultExt};

use super::modes::NetworkMode;
use super::record::Record;
use crate::oci::EtcFiles;
use crate::shared::Shared;

/// Host paths of the files to be mounted.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pub hostname: PathBuf,
    pub hosts: PathBuf,
    pub resolv_conf: PathBuf,
}

impl Files {
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            hostname: directory.join("hostname"),
            hosts: directory.join("hosts"),
            resolv_conf: directory.join("resolv.conf"),
        }
    }

    pub fn as_input(&self) -> EtcFiles<'_> {
        EtcFiles { hostname: Some(&self.hostname), hosts: Some(&self.hosts), resolv_conf: Some(&self.resolv_conf) }
    }
}

/// The files of `record`; those of the container it shares its network with, where it does.
pub fn files(shared: &Shared, record: &Record) -> Result<Files> {
    let own = Files::in_directory(&shared.container_dir(record));
    match record.network() {
        NetworkMode::Container(other) => {
            let other = shared.registry.find(other)?.record();
            files(shared, &other)
        }
        _ => Ok(own),
    }
}

/// Writes them for a start.
pub fn write(
    shared: &Arc<Shared>,
    record: &Record,
    endpoints: &[Endpoint],
    links: &[super::links::Link],
) -> Result<Files> {
    let mode = record.network();
    let files = files(shared, record)?;
    if matches!(mode, NetworkMode::Container(_)) {
        return Ok(files);
    }
    let directory = shared.container_dir(record);
    std::fs::create_dir_all(&directory).during(|| format!("mkdir {}", directory.display()))?;
    let put = |path: &Path, text: &str| std::fs::write(path, text).during(|| format!("write {}", path.display()));
    put(&files.hostname, &format!("{}\n", record.hostname()))?;
    let mut extra = extra_hosts(shared, record)?;
    extra.extend(super::links::entries(links));
    let hosts = if mode == NetworkMode::Host {
        hosts::on_host_network(&std::fs::read_to_string("/etc/hosts").unwrap_or_default(), &extra)
    } else {
        let addresses = endpoints.iter().flat_map(Endpoint::addresses);
        let own: Vec<_> =
            addresses.map(|ip| hosts::Entry::own(ip, record.hostname(), &record.config.domainname)).collect();
        hosts::generate(&extra, &own)
    };
    put(&files.hosts, &hosts)?;
    write_resolv_conf(shared, record, endpoints, &files.resolv_conf)?;
    if let Some(remap) = crate::oci::of_remap(&record.host, &shared.config.defaults) {
        // root inside may change them, as it may without a mapping
        let (uid, gid) = remap.root();
        for path in [&files.hostname, &files.hosts, &files.resolv_conf] {
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).during(|| format!("chown {}", path.display()))?;
        }
    }
    Ok(files)
}

/// After a running container's networks changed: whom it asks for names, and its own lines of the hosts file. `left`:
/// addresses it has no more.
pub fn renew(shared: &Shared, record: &Record, endpoints: &[Endpoint], left: &[IpAddr]) -> Result<()> {
    let files = files(shared, record)?;
    write_resolv_conf(shared, record, endpoints, &files.resolv_conf)?;
    let own = |ip: IpAddr| {
        let entry = hosts::Entry::own(ip, record.hostname(), &record.config.domainname);
        format!("{ip}\t{}\n", entry.names.join(" "))
    };
    let gone: Vec<String> = left.iter().copied().map(own).collect();
    let there = endpoints.iter().flat_map(Endpoint::addresses).map(own);
    let _held = shared.serving.following();
    let path = &files.hosts;
    let old = std::fs::read_to_string(path).during(|| format!("read {}", path.display()))?;
    // what the user wrote stays where it is
    let mut new: String = old.split_inclusive('\n').filter(|line| !gone.iter().any(|own| own == line)).collect();
    for line in there {
        if !new.split_inclusive('\n').any(|known| known == line) {
            new.push_str(&line);
        }
    }
    if new == old { Ok(()) } else { rewrite(path, new).during(|| format!("write {}", path.display())) }
}

/// Lets a name of a live container's hosts file lead to another address. One that is not written yet is left to whoever
/// writes it.
pub fn move_host(shared: &Shared, record: &Record, name: &str, ip: std::net::Ipv4Addr) -> Result<()> {
    let path = files(shared, record)?.hosts;
    let old = match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        read => read.during(|| format!("read {}", path.display()))?,
    };
    let moved = |line: &str| match line.split_once('\t') {
        Some((_, names)) if names.split(' ').next() == Some(name) => format!("{ip}\t{names}\n"),
        _ => format!("{line}\n"),
    };
    let new: String = old.lines().map(moved).collect();
    if new == old { Ok(()) } else { rewrite(&path, new).during(|| format!("write {}", path.display())) }
}

/// Writes a file that is mounted, and so cannot be replaced: in one call, without emptying it first, so that whoever reads
/// it meanwhile never finds half of it.
fn rewrite(path: &Path, mut text: String) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let (length, before) = (text.len(), usize::try_from(file.metadata()?.len()).unwrap_or(0));
    // what is longer ends in empty lines for a moment
    text.extend(std::iter::repeat_n('\n', before.saturating_sub(length)));
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(length as u64)
}

/// Takes a link's line out of a running container's hosts file.
pub fn forget_host(shared: &Shared, record: &Record, name: &str) -> Result<()> {
    let path = files(shared, record)?.hosts;
    let old = std::fs::read_to_string(&path).during(|| format!("read {}", path.display()))?;
    let is_it = |line: &&str| line.split_once('\t').is_some_and(|(_, names)| names.split(' ').next() == Some(name));
    let new: String = old.lines().filter(|line| !is_it(line)).map(|line| format!("{line}\n")).collect();
    if new == old { Ok(()) } else { rewrite(&path, new).during(|| format!("write {}", path.display())) }
}

/// A user's edits are kept: the file is only written when it is as we last left it.
fn write_resolv_conf(shared: &Shared, record: &Record, endpoints: &[Endpoint], path: &Path) -> Result<()> {
    let mark = path.with_extension("conf.hash");
    if let (Ok(now), Ok(last)) = (std::fs::read(path), std::fs::read_to_string(&mark))
        && image::sha256(&now).as_str() != last.trim()
    {
        return Ok(());
    }
    let defaults = &shared.config.defaults;
    let pick = |own: &Option<Vec<String>>, default: &[String]| match own {
        Some(list) if !list.is_empty() => list.clone(),
        _ => default.to_vec(),
    };
    let overrides = resolv::Overrides {
        servers: pick(&record.host.dns, &defaults.dns),
        search: pick(&record.host.dns_search, &defaults.dns_search),
        options: pick(&record.host.dns_options, &defaults.dns_options),
    };
    let text = match record.network() {
        NetworkMode::Host => resolv::on_host_network(&resolv::HostFile::read_plain(), &overrides),
        _ if super::networks::has_dns(endpoints) => {
            let outside = if overrides.servers.is_empty() {
                resolv::servers()
            } else {
                overrides.servers.iter().filter_map(|text| text.parse().ok()).collect()
            };
            resolv::internal(&resolv::HostFile::read(), &overrides, &outside)
        }
        _ => resolv::generate(&resolv::HostFile::read(), &overrides, endpoints.iter().any(|e| e.ip6.is_some())),
    };
    rewrite(path, text.clone()).during(|| format!("write {}", path.display()))?;
    // a --rm container is never started a second time by its own will: nothing to compare with
    if !record.host.auto_remove {
        let digest = image::sha256(text.as_bytes());
        std::fs::write(&mark, digest.as_str()).during(|| format!("write {}", mark.display()))?;
    }
    Ok(())
}

/// `--add-host`: name and address, `host-gateway` being the bridge's.
fn extra_hosts(shared: &Shared, record: &Record) -> Result<Vec<hosts::Entry>> {
    let mut extra = vec![];
    for entry in record.host.extra_hosts.iter().flatten() {
        let bad = || Error::invalid(format!("bad format for add-host: {entry:?}"));
        let (name, address) = entry.split_once(':').ok_or_else(bad)?;
        if address == "host-gateway" {
            extra.extend(host_gateways(shared)?.into_iter().map(|gateway| hosts::Entry::new(gateway, name)));
            continue;
        }
        let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| bad())?;
        extra.push(hosts::Entry::new(address, name));
    }
    Ok(extra)
}

/// What `host-gateway` means: daemon.json's word, or the default bridge's addresses.
fn host_gateways(shared: &Shared) -> Result<Vec<IpAddr>> {
    if !shared.config.bridge.host_gateways.is_empty() {
        return Ok(shared.config.bridge.host_gateways.clone());
    }
    let v4 = shared.networks.default_gateway().map(IpAddr::V4);
    let v6 = shared.networks.default_gateway6().map(IpAddr::V6);
    let all: Vec<IpAddr> = v4.into_iter().chain(v6).collect();
    if all.is_empty() {
        return Err(Error::invalid("unable to derive the IP value for host-gateway: there is no default bridge"));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_never_finds_a_file_empty() {
        let path = std::env::temp_dir().join(format!("lighter-etc-{}", std::process::id()));
        rewrite(&path, "127.0.0.1\tlocalhost\n".into()).unwrap();
        let (long, short) = ("10.0.0.1\tredis\n".repeat(9), "10.0.0.12\tredis\n".to_owned());
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for _ in 0..2000 {
                    rewrite(&path, long.clone()).unwrap();
                    rewrite(&path, short.clone()).unwrap();
                }
            });
            while !writer.is_finished() {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.contains("\tredis\n") || text.contains("localhost"), "{text:?}");
            }
        });
        assert_eq!(std::fs::read_to_string(&path).unwrap(), short);
        std::fs::remove_file(path).unwrap();
    }
}
