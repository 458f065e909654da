//! `version` and `info` as their templates see them: the client's part and the daemon's.

use gotemplate::{Field, Struct, Type};

use super::{BOOL, INT, INT64, MAP, TEXT, TEXTS, maybe, named, same};

/// What `version --format` reads.
pub const VERSION: Type = Type::Struct(&Struct {
    name: "system.versionInfo",
    fields: &[same("Client", &CLIENT_VERSION), same("Server", &Type::Pointer(&SERVER_VERSION))],
});

const CLIENT_FIELDS: &[Field] = &[
    maybe("Platform", &Type::Pointer(&PLATFORM)),
    maybe("Version", &TEXT),
    named("APIVersion", "ApiVersion", &TEXT).omit_empty(),
    maybe("DefaultAPIVersion", &TEXT),
    maybe("GitCommit", &TEXT),
    maybe("GoVersion", &TEXT),
    maybe("Os", &TEXT),
    maybe("Arch", &TEXT),
    maybe("BuildTime", &TEXT),
    same("Context", &TEXT),
];

const CLIENT_VERSION: Type = Type::Struct(&Struct { name: "system.clientVersion", fields: CLIENT_FIELDS });

const PLATFORM: Type = Type::Struct(&Struct { name: "struct { Name string }", fields: &[same("Name", &TEXT)] });

const SERVER_VERSION: Type = Type::Struct(&Struct {
    name: "types.Version",
    fields: &[
        same("Platform", &PLATFORM),
        maybe("Components", &Type::List(&COMPONENT)),
        same("Version", &TEXT),
        named("APIVersion", "ApiVersion", &TEXT),
        maybe("MinAPIVersion", &TEXT),
        same("GitCommit", &TEXT),
        same("GoVersion", &TEXT),
        same("Os", &TEXT),
        same("Arch", &TEXT),
        maybe("KernelVersion", &TEXT),
        maybe("Experimental", &BOOL),
        maybe("BuildTime", &TEXT),
    ],
});

const COMPONENT: Type = Type::Struct(&Struct {
    name: "types.ComponentVersion",
    fields: &[same("Name", &TEXT), same("Version", &TEXT), maybe("Details", &MAP)],
});

/// What `info --format` reads.
pub const INFO: Type = Type::Struct(&Struct { name: "system.dockerInfo", fields: INFO_FIELDS });

const INFO_FIELDS: &[Field] = &[
    same("ID", &TEXT),
    same("Containers", &INT),
    same("ContainersRunning", &INT),
    same("ContainersPaused", &INT),
    same("ContainersStopped", &INT),
    same("Images", &INT),
    same("Driver", &TEXT),
    same("DriverStatus", &Type::List(&TEXTS)),
    maybe("SystemStatus", &Type::List(&TEXTS)),
    same("Plugins", &PLUGINS),
    same("MemoryLimit", &BOOL),
    same("SwapLimit", &BOOL),
    maybe("KernelMemory", &BOOL),
    maybe("KernelMemoryTCP", &BOOL),
    named("CPUCfsPeriod", "CpuCfsPeriod", &BOOL),
    named("CPUCfsQuota", "CpuCfsQuota", &BOOL),
    same("CPUShares", &BOOL),
    same("CPUSet", &BOOL),
    same("PidsLimit", &BOOL),
    same("IPv4Forwarding", &BOOL),
    same("Debug", &BOOL),
    same("NFd", &INT),
    same("OomKillDisable", &BOOL),
    same("NGoroutines", &INT),
    same("SystemTime", &TEXT),
    same("LoggingDriver", &TEXT),
    same("CgroupDriver", &TEXT),
    maybe("CgroupVersion", &TEXT),
    same("NEventsListener", &INT),
    same("KernelVersion", &TEXT),
    same("OperatingSystem", &TEXT),
    same("OSVersion", &TEXT),
    same("OSType", &TEXT),
    same("Architecture", &TEXT),
    same("IndexServerAddress", &TEXT),
    same("RegistryConfig", &Type::Pointer(&REGISTRY_CONFIG)),
    same("NCPU", &INT),
    same("MemTotal", &INT64),
    same("GenericResources", &Type::List(&Type::Any)),
    same("DockerRootDir", &TEXT),
    named("HTTPProxy", "HttpProxy", &TEXT),
    named("HTTPSProxy", "HttpsProxy", &TEXT),
    same("NoProxy", &TEXT),
    same("Name", &TEXT),
    same("Labels", &TEXTS),
    same("ExperimentalBuild", &BOOL),
    same("ServerVersion", &TEXT),
    same("Runtimes", &Type::Map(&RUNTIME)),
    same("DefaultRuntime", &TEXT),
    same("Swarm", &SWARM),
    same("LiveRestoreEnabled", &BOOL),
    same("Isolation", &Type::Named("container.Isolation")),
    same("InitBinary", &TEXT),
    same("ContainerdCommit", &COMMIT),
    same("RuncCommit", &COMMIT),
    same("InitCommit", &COMMIT),
    same("SecurityOptions", &TEXTS),
    maybe("ProductLicense", &TEXT),
    maybe("DefaultAddressPools", &Type::List(&ADDRESS_POOL)),
    maybe("FirewallBackend", &Type::Pointer(&FIREWALL)),
    same("CDISpecDirs", &TEXTS),
    maybe("Containerd", &Type::Pointer(&CONTAINERD)),
    same("Warnings", &TEXTS),
    maybe("ServerErrors", &TEXTS),
    maybe("ClientInfo", &Type::Pointer(&CLIENT_INFO)),
    maybe("ClientErrors", &TEXTS),
];

const PLUGINS: Type = Type::Struct(&Struct {
    name: "system.PluginsInfo",
    fields: &[same("Volume", &TEXTS), same("Network", &TEXTS), same("Authorization", &TEXTS), same("Log", &TEXTS)],
});

const REGISTRY_CONFIG: Type = Type::Struct(&Struct {
    name: "registry.ServiceConfig",
    fields: &[
        same("IndexConfigs", &Type::Map(&Type::Pointer(&INDEX))),
        same("InsecureRegistryCIDRs", &TEXTS),
        same("Mirrors", &TEXTS),
    ],
});

const INDEX: Type = Type::Struct(&Struct {
    name: "registry.IndexInfo",
    fields: &[same("Mirrors", &TEXTS), same("Name", &TEXT), same("Official", &BOOL), same("Secure", &BOOL)],
});

const RUNTIME: Type = Type::Struct(&Struct {
    name: "system.RuntimeWithStatus",
    fields: &[
        named("Path", "path", &TEXT).omit_empty(),
        named("Args", "runtimeArgs", &TEXTS).omit_empty(),
        named("Type", "runtimeType", &TEXT).omit_empty(),
        named("Options", "options", &Type::Map(&Type::Any)).omit_empty(),
        named("Status", "status", &MAP).omit_empty(),
    ],
});

const SWARM: Type = Type::Struct(&Struct {
    name: "swarm.Info",
    fields: &[
        same("NodeID", &TEXT),
        same("NodeAddr", &TEXT),
        same("LocalNodeState", &Type::Named("swarm.LocalNodeState")),
        same("ControlAvailable", &BOOL),
        same("Error", &TEXT),
        same("RemoteManagers", &Type::List(&PEER)),
        maybe("Nodes", &INT),
        maybe("Managers", &INT),
        maybe("Cluster", &Type::Any),
        maybe("Warnings", &TEXTS),
    ],
});

const PEER: Type = Type::Struct(&Struct { name: "swarm.Peer", fields: &[same("NodeID", &TEXT), same("Addr", &TEXT)] });

const COMMIT: Type =
    Type::Struct(&Struct { name: "system.Commit", fields: &[same("ID", &TEXT), maybe("Expected", &TEXT)] });

const ADDRESS_POOL: Type =
    Type::Struct(&Struct { name: "system.NetworkAddressPool", fields: &[same("Base", &TEXT), same("Size", &INT)] });

const FIREWALL: Type = Type::Struct(&Struct {
    name: "system.FirewallInfo",
    fields: &[same("Driver", &TEXT), maybe("Info", &Type::List(&TEXTS))],
});

const CONTAINERD: Type = Type::Struct(&Struct {
    name: "system.ContainerdInfo",
    fields: &[maybe("Address", &TEXT), same("Namespaces", &NAMESPACES)],
});

const NAMESPACES: Type = Type::Struct(&Struct {
    name: "system.ContainerdNamespaces",
    fields: &[same("Containers", &TEXT), same("Plugins", &TEXT)],
});

/// The client in `info`.
pub const CLIENT_INFO: Type = Type::Struct(&Struct {
    name: "system.clientInfo",
    fields: &[
        same("Debug", &BOOL),
        maybe("Platform", &Type::Pointer(&PLATFORM)),
        maybe("Version", &TEXT),
        named("APIVersion", "ApiVersion", &TEXT).omit_empty(),
        maybe("DefaultAPIVersion", &TEXT),
        maybe("GitCommit", &TEXT),
        maybe("GoVersion", &TEXT),
        maybe("Os", &TEXT),
        maybe("Arch", &TEXT),
        maybe("BuildTime", &TEXT),
        same("Context", &TEXT),
        same("Plugins", &Type::List(&PLUGIN)),
        same("Warnings", &TEXTS),
    ],
});

const PLUGIN: Type = Type::Struct(&Struct {
    name: "manager.Plugin",
    fields: &[
        maybe("SchemaVersion", &TEXT),
        maybe("Vendor", &TEXT),
        maybe("Version", &TEXT),
        maybe("ShortDescription", &TEXT),
        maybe("URL", &TEXT),
        maybe("Hidden", &BOOL),
        maybe("Name", &TEXT),
        maybe("Path", &TEXT),
    ],
});
