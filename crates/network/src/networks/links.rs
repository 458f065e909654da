//! Links that go: deleted in the background, or found to be nobody's.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use netlink::route::{self, Target};
use netlink::{Batch, Socket};
use values::Result;

use super::Networks;
use super::shared::Shared;
use crate::bridge::failed;
use crate::claims::Claims;
use crate::endpoint::{Endpoint, mac_bytes};
use crate::owner;

/// A link that an earlier daemon made and nothing tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    pub link: String,
    /// The container it was for, or what else.
    pub purpose: String,
}

impl Networks {
    /// Deletes a link in the background, which is cut off already. `whose`: who waits for that with [`removed`](Self::removed).
    /// A daemon that comes after this one finds it by its alias.
    pub(super) fn remove_later(&self, whose: &str, index: Option<u32>) {
        let Some(index) = index else { return };
        *self.shared.dying().entry(whose.to_owned()).or_default() += 1;
        let (shared, whose) = (Arc::clone(&self.shared), whose.to_owned());
        self.removals.later(move |_| {
            shared.delete(index);
            let mut dying = shared.dying();
            if let Some(count) = dying.get_mut(&whose) {
                *count -= 1;
                if *count == 0 {
                    dying.remove(&whose);
                }
            }
        });
    }

    /// Waits for the links that are being removed of `whose`.
    pub(super) fn removed(&self, whose: &str) -> Result<()> {
        let waits = self.shared.dying().contains_key(whose);
        if waits { self.removals.run(|_| Ok(())) } else { Ok(()) }
    }

    /// Removes those of our links that are still there, whose places are [released](Self::release). Waits for the kernel. For the daemon's own network namespace.
    pub fn sweep(&self, links: &[String]) -> Result<()> {
        // a socket of its own: others do not wait as well
        let mut host = Socket::route().map_err(failed)?;
        for name in links.iter().filter(|name| !name.is_empty()) {
            let found = route::link(&mut host, Target::Name(name)).map_err(failed)?;
            let Some(link) = found.filter(|l| owner::owns(&self.shared.owner, l.alias.as_deref())) else { continue };
            let mut batch = Batch::new();
            route::delete_link(&mut batch, Target::Index(link.index));
            match host.execute(batch) {
                Err(error) if !error.missing() => return Err(failed(error)),
                _ => {}
            }
        }
        Claims::forget(&self.shared.firewall, links).map_err(failed)
    }

    /// After a restart of the daemon: `live` containers keep their addresses, and links of this daemon that belong to none
    /// of them, or to no network, are removed in the background. Returns these.
    pub fn restore(&self, live: &[(String, Vec<Endpoint>)]) -> Result<Vec<Stale>> {
        for (container, endpoints) in live {
            for endpoint in endpoints {
                let Ok(net) = self.shared.net(&endpoint.network_id) else { continue };
                net.notice(mac_bytes(&endpoint.mac), endpoint.ip, endpoint.ip6);
                // One outside the subnet (`--bip` was changed) is of no concern to it.
                let mut leases = net.leases();
                for ip in endpoint.addresses() {
                    if let Some(of_it) = leases.iter_mut().find(|leases| leases.covers(ip)) {
                        of_it.claim(container, ip)?;
                    }
                }
            }
            self.shared.admit(container, endpoints)?;
        }
        let mut stale = self.shared.own_links()?;
        stale.retain(|(_, stale)| !self.is_kept(&stale.link, live));
        let (indexes, stale): (Vec<u32>, Vec<Stale>) = stale.into_iter().unzip();
        let links: Vec<String> = stale.iter().map(|stale| stale.link.clone()).collect();
        // somebody may still be behind one
        Claims::mute(&self.shared.firewall, &links).map_err(failed)?;
        let shared = Arc::clone(&self.shared);
        self.removals.later(move |_| {
            indexes.iter().for_each(|index| shared.delete(*index));
            let _ = Claims::forget(&shared.firewall, &links);
        });
        Ok(stale)
    }

    /// Whether a link of this daemon belongs to something.
    pub(super) fn is_kept(&self, name: &str, live: &[(String, Vec<Endpoint>)]) -> bool {
        live.iter().flat_map(|(_, e)| e).any(|e| e.host_ifname == name)
            || self.shared.has_bridge(name)
            || self.shared.has_gate(name)
    }
}

impl Shared {
    /// All links that this daemon made.
    pub(super) fn own_links(&self) -> Result<Vec<(u32, Stale)>> {
        let links = route::links(&mut self.host()).map_err(failed)?;
        let own = |link: route::Link| {
            let purpose = owner::purpose(&self.owner, link.alias.as_deref())?.to_owned();
            Some((link.index, Stale { link: link.name, purpose }))
        };
        Ok(links.into_iter().filter_map(own).collect())
    }

    /// Its namespace may take it first, which is as good. By its number: the next one of its name is not meant.
    /// A socket of its own: nobody else waits as well.
    fn delete(&self, index: u32) {
        let mut batch = Batch::new();
        route::delete_link(&mut batch, Target::Index(index));
        let _ = Socket::route().and_then(|mut host| host.execute(batch));
    }

    pub(super) fn dying(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.dying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
