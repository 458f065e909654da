use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// What a container asks of its place on one network.
#[derive(Clone, Debug, Default)]
pub struct EndpointRequest {
    /// Id of the network.
    pub network: String,
    /// `None` derives it from the address.
    pub mac: Option<[u8; 6]>,
    /// `None` takes the next free one.
    pub ip: Option<Ipv4Addr>,
    pub ip6: Option<Ipv6Addr>,
    pub link_local: Vec<IpAddr>,
    /// `None`: the network's prefix and the next free number.
    pub ifname: Option<String>,
    /// Of several networks the one with the highest has the default route.
    pub gateway_priority: i64,
    /// `net.….IFNAME.… = value`, `IFNAME` being the link's.
    pub sysctls: Vec<(String, String)>,
}

/// A container's place on one network, to be recorded and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Empty in records of the first release, which knew the default bridge alone.
    #[serde(default)]
    pub network_id: String,
    #[serde(default = "default_bridge")]
    pub network: String,
    pub endpoint_id: String,
    /// Inside: `eth0`.
    #[serde(default = "first_link")]
    pub ifname: String,
    /// The other end, a port of the bridge: `veth` and seven digits. Empty where there is none.
    pub host_ifname: String,
    /// `02:42:ac:11:00:02`; empty where the link has none of its own.
    pub mac: String,
    #[serde(default)]
    pub ip: Option<Ipv4Addr>,
    #[serde(default)]
    pub prefix_len: u8,
    #[serde(default)]
    pub gateway: Option<Ipv4Addr>,
    #[serde(default)]
    pub ip6: Option<Ipv6Addr>,
    #[serde(default)]
    pub prefix_len6: u8,
    #[serde(default)]
    pub gateway6: Option<Ipv6Addr>,
    #[serde(default)]
    pub gateway_priority: i64,
    /// More addresses, which are nobody's but its link's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link_local: Vec<IpAddr>,
}

fn default_bridge() -> String {
    "bridge".into()
}

fn first_link() -> String {
    "eth0".into()
}

impl Endpoint {
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.ip.map(IpAddr::V4).into_iter().chain(self.ip6.map(IpAddr::V6))
    }
}

/// As Docker writes it: `02:42:ac:11:00:02`.
pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// The other way.
pub(crate) fn mac_bytes(text: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> = text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// Which endpoints lead to the outside, by IPv4 and by IPv6: the highest priority, then the name's order.
pub fn ways_out(endpoints: &[Endpoint]) -> (Option<&Endpoint>, Option<&Endpoint>) {
    let best = |has: fn(&Endpoint) -> bool| {
        endpoints
            .iter()
            .filter(|e| has(e))
            .min_by(|a, b| b.gateway_priority.cmp(&a.gateway_priority).then_with(|| a.network.cmp(&b.network)))
    };
    (best(|e| e.gateway.is_some()), best(|e| e.gateway6.is_some()))
}

#[cfg(test)]
pub(crate) fn example(network: &str, last: u8) -> Endpoint {
    Endpoint {
        network_id: network.into(),
        network: network.into(),
        endpoint_id: "e".into(),
        ifname: "eth0".into(),
        host_ifname: "veth1234567".into(),
        mac: mac_text([2, 0x42, 172, 17, 0, last]),
        ip: Some(Ipv4Addr::new(172, 17, 0, last)),
        prefix_len: 16,
        gateway: Some(Ipv4Addr::new(172, 17, 0, 1)),
        ip6: None,
        prefix_len6: 0,
        gateway6: None,
        gateway_priority: 0,
        link_local: vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_kept_as_json() {
        let endpoint = example("bridge", 2);
        let text = serde_json::to_string(&endpoint).unwrap();
        assert_eq!(serde_json::from_str::<Endpoint>(&text).unwrap(), endpoint);
        let first_release = r#"{"endpoint_id":"e","host_ifname":"veth1234567","mac":"02:42:ac:11:00:02",
            "ip":"172.17.0.2","prefix_len":16,"gateway":"172.17.0.1"}"#;
        let read: Endpoint = serde_json::from_str(first_release).unwrap();
        assert_eq!(read, Endpoint { network_id: String::new(), ..endpoint });
    }

    #[test]
    fn hardware_addresses() {
        let mac = [2, 0x42, 172, 17, 0, 255];
        assert_eq!(mac_bytes(&mac_text(mac)), Some(mac));
        assert_eq!(["", "02:42", "02:42:ac:11:00:02:03", "x:42:ac:11:00:02"].map(mac_bytes), [None; 4]);
    }

    #[test]
    fn the_way_out() {
        let (a, b) = (example("b", 2), Endpoint { gateway_priority: 1, ..example("c", 3) });
        let internal = Endpoint { gateway: None, gateway_priority: 9, ..example("a", 4) };
        let way = |all: &[Endpoint]| ways_out(all).0.map(|e| e.network.clone());
        assert_eq!(way(&[b.clone(), a.clone(), internal.clone()]), Some("c".into()));
        assert_eq!(way(&[example("z", 5), a]), Some("b".into()));
        assert_eq!(way(&[internal]), None);
    }
}
