//! Which names lead where, as of now: changed with the containers' states, read by each query.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use values::Id;

use super::message::{A, AAAA, Query, Record};

/// A container as others find it, and as it finds others.
#[derive(Clone, Debug, Default)]
pub struct Member {
    pub places: Vec<Place>,
    /// It may ask outside.
    pub forwards: bool,
    /// Servers outside in place of the host's.
    pub servers: Vec<IpAddr>,
}

/// It on one network.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub network_id: String,
    pub network: String,
    /// In lower case, its own name first.
    pub names: Vec<String>,
    pub addresses: Vec<IpAddr>,
    /// Names for this container alone: alias and what it stands for.
    pub links: Vec<(String, String)>,
}

/// What becomes of a query.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Known here.
    Records(Vec<Record>),
    /// To be asked of these; empty: of the host's.
    Forward(Vec<IpAddr>),
    Refuse,
}

#[derive(Default)]
pub struct Names(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    members: HashMap<Id, Member>,
    /// By network id.
    networks: HashMap<String, Table>,
}

#[derive(Default)]
struct Table {
    by_name: HashMap<String, Vec<(Id, Vec<IpAddr>)>>,
    by_address: HashMap<IpAddr, String>,
}

impl Names {
    /// From now on the container is found by these names, and by no others.
    pub fn set(&self, id: &Id, member: Member) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        inner.forget(id);
        for place in &member.places {
            let table = inner.networks.entry(place.network_id.clone()).or_default();
            for name in &place.names {
                table.by_name.entry(name.clone()).or_default().push((id.clone(), place.addresses.clone()));
            }
            if let Some(name) = place.names.first() {
                let whole = format!("{name}.{}", place.network);
                table.by_address.extend(place.addresses.iter().map(|ip| (*ip, whole.clone())));
            }
        }
        inner.members.insert(id.clone(), member);
    }

    /// At once.
    pub fn remove(&self, id: &Id) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).forget(id);
    }

    /// What `asker` is told.
    pub fn resolve(&self, asker: &Id, query: &Query) -> Outcome {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(member) = inner.members.get(asker) else { return Outcome::Refuse };
        if query.is_internet() {
            if let Some(ip) = query.reverse() {
                let names =
                    member.places.iter().filter_map(|place| inner.networks.get(&place.network_id)?.by_address.get(&ip));
                let found: Vec<Record> = names.map(|name| Record::Name(name.clone())).collect();
                if !found.is_empty() {
                    return Outcome::Records(found);
                }
            } else if let Some(addresses) = inner.addresses(member, &query.name) {
                let wanted = |ip: &IpAddr| match query.kind {
                    A => ip.is_ipv4(),
                    AAAA => ip.is_ipv6(),
                    _ => false,
                };
                return Outcome::Records(addresses.into_iter().filter(wanted).map(Record::Address).collect());
            }
        }
        if member.forwards { Outcome::Forward(member.servers.clone()) } else { Outcome::Refuse }
    }
}

impl Inner {
    fn forget(&mut self, id: &Id) {
        let Some(old) = self.members.remove(id) else { return };
        for place in &old.places {
            let Some(table) = self.networks.get_mut(&place.network_id) else { continue };
            for name in &place.names {
                if let Some(list) = table.by_name.get_mut(name) {
                    list.retain(|(other, _)| other != id);
                    if list.is_empty() {
                        table.by_name.remove(name);
                    }
                }
            }
            let own = place.names.first().map(|name| format!("{name}.{}", place.network));
            for ip in &place.addresses {
                if table.by_address.get(ip) == own.as_ref() {
                    table.by_address.remove(ip);
                }
            }
            if table.by_name.is_empty() {
                self.networks.remove(&place.network_id);
            }
        }
    }

    /// All addresses of a name on the asker's networks; `None` if nobody has it.
    fn addresses(&self, asker: &Member, name: &str) -> Option<Vec<IpAddr>> {
        let mut found = None;
        for place in &asker.places {
            let Some(table) = self.networks.get(&place.network_id) else { continue };
            let meant = place.links.iter().find(|(alias, _)| alias == name).map_or(name, |(_, target)| target);
            let of_network = meant.strip_suffix(place.network.as_str()).and_then(|name| name.strip_suffix('.'));
            let list = table.by_name.get(meant).or_else(|| table.by_name.get(of_network?));
            for (_, addresses) in list.into_iter().flatten() {
                found.get_or_insert_with(Vec::new).extend(addresses.iter().copied());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(network: &str, names: &[&str], ip: &str, forwards: bool) -> Member {
        let place = Place {
            network_id: format!("id-{network}"),
            network: network.into(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            addresses: vec![ip.parse().unwrap()],
            links: vec![("store".into(), "db".into())],
        };
        Member { places: vec![place], forwards, servers: vec![] }
    }

    fn query(name: &str, kind: u16) -> Query {
        let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.extend_from_slice(&[0, 0, kind as u8, 0, 1]);
        Query::parse(&bytes).unwrap()
    }

    #[test]
    fn who_is_found_by_whom() {
        let (names, web, db, other) = (Names::default(), Id::random(), Id::random(), Id::random());
        names.set(&web, member("back", &["web", "w"], "10.0.0.2", true));
        names.set(&db, member("back", &["db", "w"], "10.0.0.3", false));
        names.set(&other, member("front", &["db"], "10.9.0.3", true));
        let ask = |who: &Id, name: &str| match names.resolve(who, &query(name, A)) {
            Outcome::Records(list) => list.len().to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(ask(&web, "db"), "1");
        assert_eq!(ask(&web, "store"), "1", "a link");
        assert_eq!(ask(&web, "w"), "2", "an alias of several");
        assert_eq!(ask(&web, "db.back"), "1");
        assert_eq!(ask(&web, "db.front"), "Forward([])");
        assert_eq!(ask(&db, "example.org"), "Refuse", "nothing from outside");
        assert_eq!(names.resolve(&web, &query("db", AAAA)), Outcome::Records(vec![]), "there, but without IPv6");
        let whole = Outcome::Records(vec![Record::Name("db.back".into())]);
        assert_eq!(names.resolve(&web, &query("3.0.0.10.in-addr.arpa", super::super::message::PTR)), whole);
        names.remove(&db);
        assert_eq!((ask(&web, "db"), ask(&web, "w")), ("Forward([])".into(), "1".into()));
        assert_eq!(ask(&db, "web"), "Refuse");
    }
}
