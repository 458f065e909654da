//! `--link` on the default bridge: lines in `/etc/hosts`, variables, and where containers do not reach each other, a way.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use network::files::hosts;
use network::{Endpoint, Passage, Protocol};
use values::{Error, Id, Result};

use super::handle::Container;
use super::modes::NetworkMode;
use super::networks;
use super::record::Record;
use crate::networks::BRIDGE;
use crate::shared::{Shared, blocking};

/// Another container, by a name of one's own.
#[derive(Clone)]
pub struct Link {
    target: Arc<Record>,
    alias: String,
    ip: Ipv4Addr,
}

/// `TARGET[:ALIAS]`; what `inspect` shows (`/TARGET:/ME/ALIAS`) is understood, too.
pub fn parse(text: &str) -> Result<(&str, &str)> {
    let (target, alias) = text.split_once(':').unwrap_or((text, text));
    let (target, alias) = (target.trim_start_matches('/'), alias.rsplit('/').next().unwrap_or(alias));
    if target.is_empty() || alias.is_empty() || alias.contains([':', ' ', '\t']) {
        return Err(Error::invalid(format!("bad format for links: {text}")));
    }
    Ok((target, alias))
}

/// The targets of a new container's links, by alias.
///
/// # Errors
/// `InvalidArgument` for one that is not there (a 404 would have clients look for the image).
pub fn targets(shared: &Shared, links: &[String]) -> Result<BTreeMap<String, Id>> {
    let target = |text: &String| {
        let (target, alias) = parse(text)?;
        let found = shared.registry.find(target);
        let found = found.map_err(|e| Error::invalid(format!("could not get container for {target}: {e}")))?;
        Ok((alias.to_owned(), found.id.clone()))
    };
    links.iter().map(target).collect()
}

/// Whom a link leads to: whom it led to first, under whatever name, or who has that name since.
fn target(shared: &Shared, record: &Record, text: &str) -> Result<Arc<Container>> {
    let (name, alias) = parse(text)?;
    let first = record.link_targets.get(alias).and_then(|id| shared.registry.get(id));
    first.map_or_else(|| shared.registry.find(name), Ok)
}

/// The links a container has on the default bridge.
fn of(record: &Record) -> impl Iterator<Item = &String> {
    let has_some = record.network() == NetworkMode::Bridge;
    record.host.links.iter().flatten().filter(move |_| has_some)
}

/// The names that links give to their targets: `/PARENT/ALIAS`.
pub fn names(shared: &Shared) -> HashMap<Id, Vec<String>> {
    let mut names: HashMap<Id, Vec<String>> = HashMap::new();
    for container in shared.registry.all() {
        let record = container.record();
        for text in of(&record) {
            if let (Ok((_, alias)), Ok(target)) = (parse(text), target(shared, &record, text)) {
                names.entry(target.id.clone()).or_default().push(format!("/{}/{alias}", record.name));
            }
        }
    }
    names
}

/// The container that a link's name means, and whose link that is.
fn by_name(shared: &Shared, name: &str) -> Option<(Arc<Container>, Arc<Container>)> {
    let (parent, alias) = name.trim_start_matches('/').rsplit_once('/')?;
    let parent = shared.registry.find(parent).ok().filter(|found| found.name() == parent)?;
    let record = parent.record();
    let text = of(&record).find(|text| parse(text).is_ok_and(|(_, of_it)| of_it == alias))?;
    Some((target(shared, &record, text).ok()?, parent))
}

/// A container by what a user may call it: its id, its name, or one that a link gives it.
///
/// # Errors
/// As those of the registry.
pub fn find(shared: &Shared, key: &str) -> Result<Arc<Container>> {
    shared.registry.find(key).or_else(|error| by_name(shared, key).map(|(found, _)| found).ok_or(error))
}

/// `rm --link PARENT/ALIAS`: the parent no longer finds the target by it.
///
/// # Errors
/// `NotFound` where there is no such link; Docker's sentence for a container's own name.
pub async fn remove(shared: &Arc<Shared>, asked: &str) -> Result<()> {
    let Some((_, parent)) = by_name(shared, asked) else {
        shared.registry.find(asked)?;
        return Err(Error::internal("Conflict, cannot remove the default link name of the container"));
    };
    let alias = asked.rsplit('/').next().unwrap_or_default().to_owned();
    let _turn = parent.change("update").await?;
    let mut record = (*parent.record()).clone();
    let is_it = |text: &String| parse(text).is_ok_and(|(_, of_it)| of_it == alias);
    record.host.links.get_or_insert_default().retain(|text| !is_it(text));
    record.link_targets.remove(&alias);
    let (s, r) = (shared.clone(), record.clone());
    blocking(move || s.records.update(&r)).await?;
    parent.set_record(record);
    if !parent.state().is_running() {
        return Ok(());
    }
    let (s, p) = (shared.clone(), parent.clone());
    blocking(move || {
        let record = p.record();
        let links = resolve(&s, &record).unwrap_or_default();
        s.serving.open(&s.networks, &p.id, passages(&s, &links, &p.volatile().endpoints));
        super::etc::forget_host(&s, &record, &alias)
    })
    .await
}

/// The links of a container that is being started.
///
/// # Errors
/// `Conflict` in Docker's words for one that does not run.
pub fn resolve(shared: &Shared, record: &Record) -> Result<Vec<Link>> {
    resolve_with(shared, record, None)
}

/// `begun`: one that runs already, although its state does not say so yet.
fn resolve_with(shared: &Shared, record: &Record, begun: Option<(&Id, Ipv4Addr)>) -> Result<Vec<Link>> {
    let link = |text: &String| {
        let (_, alias) = parse(text)?;
        let target = target(shared, record, text)?;
        let volatile = target.volatile();
        let place = volatile.endpoints.iter().find(|e| e.network == BRIDGE).and_then(|e| e.ip);
        if volatile.state.is_running() && !volatile.endpoints.is_empty() && place.is_none() {
            return Err(Error::invalid(format!("container {} not attached to default bridge network", target.id)));
        }
        let begun = begun.filter(|(id, _)| **id == target.id).map(|(_, ip)| ip);
        let ip = begun.or(place.filter(|_| volatile.state.is_running())).ok_or_else(|| {
            Error::conflict(format!(
                "Cannot link to a non running container: /{} AS /{}/{alias}",
                target.name(),
                record.name
            ))
        })?;
        Ok(Link { target: target.record(), alias: alias.to_owned(), ip })
    };
    of(record).map(link).collect()
}

/// Their lines of `/etc/hosts`.
pub fn entries(links: &[Link]) -> Vec<hosts::Entry> {
    let entry = |link: &Link| {
        let mut names = vec![link.alias.clone()];
        for name in [link.target.hostname(), &link.target.name] {
            if !name.is_empty() && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        hosts::Entry { ip: link.ip.into(), names }
    };
    links.iter().map(entry).collect()
}

/// The ports of a link's target, TCP first.
fn ports(record: &Record) -> Vec<(Protocol, u16)> {
    let mut ports = networks::exposed(&record.config);
    ports.sort_by_key(|(protocol, port)| (*protocol != Protocol::Tcp, *port, protocol.name()));
    ports.dedup();
    ports
}

/// Their variables, as Docker has named them since 2013.
pub fn variables(links: &[Link], me: &str) -> Vec<String> {
    links
        .iter()
        .flat_map(|link| of_one(&link.alias, me, link.ip, &ports(&link.target), link.target.config.env.as_deref()))
        .collect()
}

/// The variables as of now, for an exec: of the links whose targets run.
pub fn now(shared: &Shared, record: &Record) -> Vec<String> {
    resolve(shared, record).map(|links| variables(&links, &record.name)).unwrap_or_default()
}

fn of_one(alias: &str, me: &str, ip: Ipv4Addr, ports: &[(Protocol, u16)], env: Option<&[String]>) -> Vec<String> {
    let prefix = alias.to_uppercase().replace('-', "_");
    let mut variables = vec![];
    if let Some((protocol, port)) = ports.first() {
        variables.push(format!("{prefix}_PORT={}://{ip}:{port}", protocol.name()));
    }
    for run in ports.chunk_by(|a, b| a.0 == b.0 && b.1 == a.1.wrapping_add(1)).filter(|run| run.len() > 1) {
        let ((protocol, first), last) = (run[0], run[run.len() - 1].1);
        let name = protocol.name();
        let key = format!("{prefix}_PORT_{first}_{}", name.to_uppercase());
        variables.push(format!("{key}_START={name}://{ip}:{first}"));
        variables.push(format!("{key}_PORT_START={first}"));
        variables.push(format!("{key}_END={name}://{ip}:{last}"));
        variables.push(format!("{key}_PORT_END={last}"));
    }
    for (protocol, port) in ports {
        let name = protocol.name();
        let key = format!("{prefix}_PORT_{port}_{}", name.to_uppercase());
        variables.push(format!("{key}={name}://{ip}:{port}"));
        variables.push(format!("{key}_ADDR={ip}"));
        variables.push(format!("{key}_PORT={port}"));
        variables.push(format!("{key}_PROTO={name}"));
    }
    variables.push(format!("{prefix}_NAME=/{me}/{alias}"));
    let own = |variable: &&String| !matches!(variable.split('=').next(), Some("HOME" | "PATH"));
    variables.extend(env.unwrap_or_default().iter().filter(own).map(|variable| format!("{prefix}_ENV_{variable}")));
    variables
}

/// The ways that links open where containers do not reach each other.
pub fn passages(shared: &Shared, links: &[Link], endpoints: &[Endpoint]) -> Vec<Passage> {
    passages_from(shared, links, on_bridge(endpoints))
}

fn on_bridge(endpoints: &[Endpoint]) -> Option<Ipv4Addr> {
    endpoints.iter().find(|e| e.network == BRIDGE).and_then(|e| e.ip)
}

/// Also of one that runs already, although its state does not say so yet.
fn place_now(shared: &Shared, container: &Container) -> Option<Ipv4Addr> {
    let volatile = container.volatile();
    if volatile.state.is_running() { on_bridge(&volatile.endpoints) } else { shared.serving.place(&container.id) }
}

fn passages_from(shared: &Shared, links: &[Link], own: Option<Ipv4Addr>) -> Vec<Passage> {
    if shared.config.bridge.icc {
        return vec![];
    }
    let passage = |link: &Link, from: Ipv4Addr| Passage { from, to: link.ip, ports: ports(&link.target) };
    own.into_iter().flat_map(|from| links.iter().map(move |link| passage(link, from))).collect()
}

/// A container started anew, maybe at another address: whoever is linked to it finds it there. Before its state says that
/// it runs: who waited for that shall find it, too.
pub fn follow(shared: &Shared, target: &Container, endpoints: &[Endpoint]) {
    let Some(ip) = on_bridge(endpoints) else { return };
    let _held = shared.serving.following();
    shared.serving.is_at(&target.id, ip);
    for container in shared.registry.all() {
        let record = container.record();
        // one that is just being started, too, once its files are written: see `catch_up`
        let own = place_now(shared, &container);
        if (own.is_none() && !container.state().is_running()) || record.host.links.as_ref().is_none_or(Vec::is_empty) {
            continue;
        }
        for text in record.host.links.iter().flatten() {
            let Ok((name, alias)) = parse(text) else { continue };
            if self::target(shared, &record, text).is_ok_and(|found| found.id == target.id)
                && let Err(e) = super::etc::move_host(shared, &record, alias, ip)
            {
                tracing::warn!("the link of container {} to {name} is not up to date: {e}", record.id);
            }
        }
        if let Ok(links) = resolve_with(shared, &record, Some((&target.id, ip))) {
            shared.serving.open(&shared.networks, &record.id, passages_from(shared, &links, own));
        }
    }
}

/// The files of a container that is being started are written: what `links` led to may have moved since they were resolved, and
/// [`follow`] may have been too early. From here on it is not.
///
/// # Errors
/// Those of writing its hosts file.
pub fn catch_up(shared: &Shared, record: &Record, links: &[Link], endpoints: &[Endpoint]) -> Result<()> {
    let _held = shared.serving.following();
    if let Some(own) = on_bridge(endpoints) {
        shared.serving.is_at(&record.id, own);
    }
    let mut now = links.to_vec();
    for link in &mut now {
        let target = shared.registry.get(&link.target.id);
        link.ip = target.and_then(|target| place_now(shared, &target)).unwrap_or(link.ip);
    }
    let moved: Vec<&Link> = now.iter().zip(links).filter(|(now, was)| now.ip != was.ip).map(|(now, _)| now).collect();
    if moved.is_empty() {
        return Ok(());
    }
    moved.iter().try_for_each(|link| super::etc::move_host(shared, record, &link.alias, link.ip))?;
    shared.serving.open(&shared.networks, &record.id, passages(shared, &now, endpoints));
    Ok(())
}

/// As `inspect` shows them.
pub fn shown(shared: &Shared, record: &Record) -> Option<Vec<String>> {
    // on networks of one's own they are the endpoint's
    let links = record.host.links.as_ref().filter(|_| record.network() == NetworkMode::Bridge)?;
    let show = |text: &String| match parse(text) {
        Ok((name, alias)) => {
            let name = target(shared, record, text).map_or_else(|_| name.to_owned(), |found| found.name());
            format!("/{name}:/{}/{alias}", record.name)
        }
        Err(_) => text.clone(),
    };
    Some(links.iter().map(show).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_link() {
        let ports = [(Protocol::Tcp, 80), (Protocol::Udp, 53)];
        let env = ["PATH=/bin".to_owned(), "KEY=v".to_owned()];
        let expected = [
            "MY_DB_PORT=tcp://172.17.0.2:80",
            "MY_DB_PORT_80_TCP=tcp://172.17.0.2:80",
            "MY_DB_PORT_80_TCP_ADDR=172.17.0.2",
            "MY_DB_PORT_80_TCP_PORT=80",
            "MY_DB_PORT_80_TCP_PROTO=tcp",
            "MY_DB_PORT_53_UDP=udp://172.17.0.2:53",
            "MY_DB_PORT_53_UDP_ADDR=172.17.0.2",
            "MY_DB_PORT_53_UDP_PORT=53",
            "MY_DB_PORT_53_UDP_PROTO=udp",
            "MY_DB_NAME=/web/my-db",
            "MY_DB_ENV_KEY=v",
        ];
        assert_eq!(of_one("my-db", "web", Ipv4Addr::new(172, 17, 0, 2), &ports, Some(&env)), expected);
        let run: Vec<_> = (80..84).map(|port| (Protocol::Tcp, port)).collect();
        let text = of_one("db", "web", Ipv4Addr::new(172, 17, 0, 2), &run, None).join(" ");
        assert!(text.contains("DB_PORT_80_TCP_START=tcp://172.17.0.2:80 DB_PORT_80_TCP_PORT_START=80"), "{text}");
        assert!(text.contains("DB_PORT_80_TCP_END=tcp://172.17.0.2:83 DB_PORT_80_TCP_PORT_END=83"), "{text}");
    }

    #[test]
    fn links_are_read() {
        assert_eq!(parse("db").unwrap(), ("db", "db"));
        assert_eq!(parse("db:store").unwrap(), ("db", "store"));
        assert_eq!(parse("/db:/web/store").unwrap(), ("db", "store"));
        assert!(parse(":x").is_err() && parse("x:").is_err() && parse("a:b:c").is_err());
    }
}
