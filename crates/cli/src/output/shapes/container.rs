//! `container.InspectResponse`.

use gotemplate::{Field, Struct, Type};

use super::host_config::{HOST_CONFIG, PORT_MAP};
use super::image::{DESCRIPTOR, DRIVER_DATA, HEALTH_CONFIG};
use super::{BOOL, INT, INT64, MAP, PORT_SET, SET, TEXT, TEXTS, maybe, named, same};

/// What `GET /containers/{id}/json` answers.
pub const INSPECT: Type = Type::Struct(&Struct { name: "container.InspectResponse", fields: FIELDS });

const FIELDS: &[Field] = &[
    named("ID", "Id", &TEXT),
    same("Created", &TEXT),
    same("Path", &TEXT),
    same("Args", &TEXTS),
    same("State", &Type::Pointer(&STATE)),
    same("Image", &TEXT),
    same("ResolvConfPath", &TEXT),
    same("HostnamePath", &TEXT),
    same("HostsPath", &TEXT),
    same("LogPath", &TEXT),
    same("Name", &TEXT),
    same("RestartCount", &INT),
    same("Driver", &TEXT),
    same("Platform", &TEXT),
    same("MountLabel", &TEXT),
    same("ProcessLabel", &TEXT),
    same("AppArmorProfile", &TEXT),
    same("ExecIDs", &TEXTS),
    same("HostConfig", &Type::Pointer(&HOST_CONFIG)),
    same("GraphDriver", &DRIVER_DATA),
    maybe("SizeRw", &Type::Pointer(&INT64)),
    maybe("SizeRootFs", &Type::Pointer(&INT64)),
    same("Mounts", &Type::List(&MOUNT_POINT)),
    same("Config", &Type::Pointer(&CONFIG)),
    same("NetworkSettings", &Type::Pointer(&NETWORK_SETTINGS)),
    maybe("ImageManifestDescriptor", &Type::Pointer(&DESCRIPTOR)),
];

const STATE: Type = Type::Struct(&Struct {
    name: "container.State",
    fields: &[
        same("Status", &TEXT),
        same("Running", &BOOL),
        same("Paused", &BOOL),
        same("Restarting", &BOOL),
        same("OOMKilled", &BOOL),
        same("Dead", &BOOL),
        same("Pid", &INT),
        same("ExitCode", &INT),
        same("Error", &TEXT),
        same("StartedAt", &TEXT),
        same("FinishedAt", &TEXT),
        maybe("Health", &Type::Pointer(&HEALTH)),
    ],
});

const HEALTH: Type = Type::Struct(&Struct {
    name: "container.Health",
    fields: &[same("Status", &TEXT), same("FailingStreak", &INT), same("Log", &Type::List(&HEALTH_RESULT))],
});

const HEALTH_RESULT: Type = Type::Struct(&Struct {
    name: "container.HealthcheckResult",
    fields: &[same("Start", &Type::Time), same("End", &Type::Time), same("ExitCode", &INT), same("Output", &TEXT)],
});

const MOUNT_POINT: Type = Type::Struct(&Struct {
    name: "container.MountPoint",
    fields: &[
        maybe("Type", &Type::Named("mount.Type")),
        maybe("Name", &TEXT),
        same("Source", &TEXT),
        same("Destination", &TEXT),
        maybe("Driver", &TEXT),
        same("Mode", &TEXT),
        same("RW", &BOOL),
        same("Propagation", &Type::Named("mount.Propagation")),
    ],
});

/// What a container runs.
pub const CONFIG: Type = Type::Struct(&Struct {
    name: "container.Config",
    fields: &[
        same("Hostname", &TEXT),
        same("Domainname", &TEXT),
        same("User", &TEXT),
        same("AttachStdin", &BOOL),
        same("AttachStdout", &BOOL),
        same("AttachStderr", &BOOL),
        maybe("ExposedPorts", &PORT_SET),
        same("Tty", &BOOL),
        same("OpenStdin", &BOOL),
        same("StdinOnce", &BOOL),
        same("Env", &TEXTS),
        same("Cmd", &TEXTS),
        maybe("Healthcheck", &Type::Pointer(&HEALTH_CONFIG)),
        maybe("ArgsEscaped", &BOOL),
        same("Image", &TEXT),
        same("Volumes", &SET),
        same("WorkingDir", &TEXT),
        same("Entrypoint", &TEXTS),
        maybe("NetworkDisabled", &BOOL),
        maybe("MacAddress", &TEXT),
        same("OnBuild", &TEXTS),
        same("Labels", &MAP),
        maybe("StopSignal", &TEXT),
        maybe("StopTimeout", &Type::Pointer(&INT)),
        maybe("Shell", &TEXTS),
    ],
});

const NETWORK_SETTINGS: Type = Type::Struct(&Struct {
    name: "container.NetworkSettings",
    fields: &[
        same("Bridge", &TEXT),
        same("SandboxID", &TEXT),
        same("SandboxKey", &TEXT),
        same("Ports", &PORT_MAP),
        same("HairpinMode", &BOOL),
        same("LinkLocalIPv6Address", &TEXT),
        same("LinkLocalIPv6PrefixLen", &INT),
        same("SecondaryIPAddresses", &Type::List(&ADDRESS)),
        same("SecondaryIPv6Addresses", &Type::List(&ADDRESS)),
        same("EndpointID", &TEXT),
        same("Gateway", &TEXT),
        same("GlobalIPv6Address", &TEXT),
        same("GlobalIPv6PrefixLen", &INT),
        same("IPAddress", &TEXT),
        same("IPPrefixLen", &INT),
        same("IPv6Gateway", &TEXT),
        same("MacAddress", &TEXT),
        same("Networks", &Type::Map(&Type::Pointer(&ENDPOINT))),
    ],
});

const ADDRESS: Type =
    Type::Struct(&Struct { name: "network.Address", fields: &[same("Addr", &TEXT), same("PrefixLen", &INT)] });

const ENDPOINT: Type = Type::Struct(&Struct {
    name: "network.EndpointSettings",
    fields: &[
        same("IPAMConfig", &Type::Pointer(&ENDPOINT_IPAM)),
        same("Links", &TEXTS),
        same("Aliases", &TEXTS),
        same("MacAddress", &TEXT),
        same("DriverOpts", &MAP),
        same("GwPriority", &INT),
        same("NetworkID", &TEXT),
        same("EndpointID", &TEXT),
        same("Gateway", &TEXT),
        same("IPAddress", &TEXT),
        same("IPPrefixLen", &INT),
        same("IPv6Gateway", &TEXT),
        same("GlobalIPv6Address", &TEXT),
        same("GlobalIPv6PrefixLen", &INT),
        same("DNSNames", &TEXTS),
    ],
});

const ENDPOINT_IPAM: Type = Type::Struct(&Struct {
    name: "network.EndpointIPAMConfig",
    fields: &[maybe("IPv4Address", &TEXT), maybe("IPv6Address", &TEXT), maybe("LinkLocalIPs", &TEXTS)],
});
