//! `network.Inspect`.

use gotemplate::{Struct, Type};

use super::{BOOL, INT, MAP, TEXT, TEXTS, maybe, named, same};

/// What `GET /networks/{id}` answers.
pub const INSPECT: Type = Type::Struct(&Struct {
    name: "network.Inspect",
    fields: &[
        same("Name", &TEXT),
        named("ID", "Id", &TEXT),
        same("Created", &Type::Time),
        same("Scope", &TEXT),
        same("Driver", &TEXT),
        same("EnableIPv4", &BOOL),
        same("EnableIPv6", &BOOL),
        same("IPAM", &IPAM),
        same("Internal", &BOOL),
        same("Attachable", &BOOL),
        same("Ingress", &BOOL),
        same("ConfigFrom", &CONFIG_FROM),
        same("ConfigOnly", &BOOL),
        same("Containers", &Type::Map(&ENDPOINT)),
        same("Options", &MAP),
        same("Labels", &MAP),
        maybe("Peers", &Type::List(&PEER)),
        maybe("Services", &Type::Map(&SERVICE)),
    ],
});

const IPAM: Type = Type::Struct(&Struct {
    name: "network.IPAM",
    fields: &[same("Driver", &TEXT), same("Options", &MAP), same("Config", &Type::List(&IPAM_CONFIG))],
});

const IPAM_CONFIG: Type = Type::Struct(&Struct {
    name: "network.IPAMConfig",
    fields: &[
        maybe("Subnet", &TEXT),
        maybe("IPRange", &TEXT),
        maybe("Gateway", &TEXT),
        named("AuxAddress", "AuxiliaryAddresses", &MAP).omit_empty(),
    ],
});

const CONFIG_FROM: Type = Type::Struct(&Struct { name: "network.ConfigReference", fields: &[same("Network", &TEXT)] });

const ENDPOINT: Type = Type::Struct(&Struct {
    name: "network.EndpointResource",
    fields: &[
        same("Name", &TEXT),
        same("EndpointID", &TEXT),
        same("MacAddress", &TEXT),
        same("IPv4Address", &TEXT),
        same("IPv6Address", &TEXT),
    ],
});

const PEER: Type =
    Type::Struct(&Struct { name: "network.PeerInfo", fields: &[same("Name", &TEXT), same("IP", &TEXT)] });

const SERVICE: Type = Type::Struct(&Struct {
    name: "network.ServiceInfo",
    fields: &[same("VIP", &TEXT), same("Ports", &TEXTS), same("LocalLBIndex", &INT), same("Tasks", &Type::List(&TASK))],
});

const TASK: Type = Type::Struct(&Struct {
    name: "network.Task",
    fields: &[same("Name", &TEXT), same("EndpointID", &TEXT), same("EndpointIP", &TEXT), same("Info", &MAP)],
});
