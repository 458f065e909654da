//! `container.HostConfig` and its parts.

use gotemplate::{Field, Struct, Type};

use super::{BOOL, INT, INT64, MAP, TEXT, TEXTS, maybe, named, same};

/// How a container is to run on the host.
pub const HOST_CONFIG: Type = Type::Struct(&Struct { name: "container.HostConfig", fields: FIELDS });

const FIELDS: &[Field] = &[
    same("Binds", &TEXTS),
    same("ContainerIDFile", &TEXT),
    same("LogConfig", &LOG_CONFIG),
    same("NetworkMode", &Type::Named("container.NetworkMode")),
    same("PortBindings", &PORT_MAP),
    same("RestartPolicy", &RESTART_POLICY),
    same("AutoRemove", &BOOL),
    same("VolumeDriver", &TEXT),
    same("VolumesFrom", &TEXTS),
    same("ConsoleSize", &Type::List(&Type::Int("uint"))),
    maybe("Annotations", &MAP),
    same("CapAdd", &TEXTS),
    same("CapDrop", &TEXTS),
    same("CgroupnsMode", &Type::Named("container.CgroupnsMode")),
    named("DNS", "Dns", &TEXTS),
    named("DNSOptions", "DnsOptions", &TEXTS),
    named("DNSSearch", "DnsSearch", &TEXTS),
    same("ExtraHosts", &TEXTS),
    same("GroupAdd", &TEXTS),
    same("IpcMode", &Type::Named("container.IpcMode")),
    same("Cgroup", &Type::Named("container.CgroupSpec")),
    same("Links", &TEXTS),
    same("OomScoreAdj", &INT),
    same("PidMode", &Type::Named("container.PidMode")),
    same("Privileged", &BOOL),
    same("PublishAllPorts", &BOOL),
    same("ReadonlyRootfs", &BOOL),
    same("SecurityOpt", &TEXTS),
    maybe("StorageOpt", &MAP),
    maybe("Tmpfs", &MAP),
    same("UTSMode", &Type::Named("container.UTSMode")),
    same("UsernsMode", &Type::Named("container.UsernsMode")),
    same("ShmSize", &INT64),
    maybe("Sysctls", &MAP),
    maybe("Runtime", &TEXT),
    same("Isolation", &Type::Named("container.Isolation")),
    named("CPUShares", "CpuShares", &INT64),
    same("Memory", &INT64),
    named("NanoCPUs", "NanoCpus", &INT64),
    same("CgroupParent", &TEXT),
    same("BlkioWeight", &Type::Int("uint16")),
    same("BlkioWeightDevice", &Type::List(&WEIGHT_DEVICE)),
    same("BlkioDeviceReadBps", &Type::List(&THROTTLE_DEVICE)),
    same("BlkioDeviceWriteBps", &Type::List(&THROTTLE_DEVICE)),
    same("BlkioDeviceReadIOps", &Type::List(&THROTTLE_DEVICE)),
    same("BlkioDeviceWriteIOps", &Type::List(&THROTTLE_DEVICE)),
    named("CPUPeriod", "CpuPeriod", &INT64),
    named("CPUQuota", "CpuQuota", &INT64),
    named("CPURealtimePeriod", "CpuRealtimePeriod", &INT64),
    named("CPURealtimeRuntime", "CpuRealtimeRuntime", &INT64),
    same("CpusetCpus", &TEXT),
    same("CpusetMems", &TEXT),
    same("Devices", &Type::List(&DEVICE)),
    same("DeviceCgroupRules", &TEXTS),
    same("DeviceRequests", &Type::List(&DEVICE_REQUEST)),
    maybe("KernelMemory", &INT64),
    maybe("KernelMemoryTCP", &INT64),
    same("MemoryReservation", &INT64),
    same("MemorySwap", &INT64),
    same("MemorySwappiness", &Type::Pointer(&INT64)),
    same("OomKillDisable", &Type::Pointer(&BOOL)),
    same("PidsLimit", &Type::Pointer(&INT64)),
    same("Ulimits", &Type::List(&ULIMIT)),
    named("CPUCount", "CpuCount", &INT64),
    named("CPUPercent", "CpuPercent", &INT64),
    same("IOMaximumIOps", &Type::Int("uint64")),
    same("IOMaximumBandwidth", &Type::Int("uint64")),
    maybe("Mounts", &Type::List(&MOUNT)),
    same("MaskedPaths", &TEXTS),
    same("ReadonlyPaths", &TEXTS),
    maybe("Init", &Type::Pointer(&BOOL)),
];

/// Ports inside to where they are published: `nat.PortMap`.
pub const PORT_MAP: Type = Type::KeyedMap("nat.Port", &Type::List(&PORT_BINDING));

const PORT_BINDING: Type = Type::Struct(&Struct {
    name: "nat.PortBinding",
    fields: &[named("HostIP", "HostIp", &TEXT), same("HostPort", &TEXT)],
});

const LOG_CONFIG: Type =
    Type::Struct(&Struct { name: "container.LogConfig", fields: &[same("Type", &TEXT), same("Config", &MAP)] });

const RESTART_POLICY: Type = Type::Struct(&Struct {
    name: "container.RestartPolicy",
    fields: &[same("Name", &Type::Named("container.RestartPolicyMode")), same("MaximumRetryCount", &INT)],
});

const WEIGHT_DEVICE: Type = Type::Struct(&Struct {
    name: "blkiodev.WeightDevice",
    fields: &[same("Path", &TEXT), same("Weight", &Type::Int("uint16"))],
});

const THROTTLE_DEVICE: Type = Type::Struct(&Struct {
    name: "blkiodev.ThrottleDevice",
    fields: &[same("Path", &TEXT), same("Rate", &Type::Int("uint64"))],
});

const DEVICE: Type = Type::Struct(&Struct {
    name: "container.DeviceMapping",
    fields: &[same("PathOnHost", &TEXT), same("PathInContainer", &TEXT), same("CgroupPermissions", &TEXT)],
});

const DEVICE_REQUEST: Type = Type::Struct(&Struct {
    name: "container.DeviceRequest",
    fields: &[
        same("Driver", &TEXT),
        same("Count", &INT),
        same("DeviceIDs", &TEXTS),
        same("Capabilities", &Type::List(&TEXTS)),
        same("Options", &MAP),
    ],
});

const ULIMIT: Type = Type::Struct(&Struct {
    name: "units.Ulimit",
    fields: &[same("Name", &TEXT), same("Hard", &INT64), same("Soft", &INT64)],
});

const MOUNT: Type = Type::Struct(&Struct {
    name: "mount.Mount",
    fields: &[
        maybe("Type", &Type::Named("mount.Type")),
        maybe("Source", &TEXT),
        maybe("Target", &TEXT),
        maybe("ReadOnly", &BOOL),
        maybe("Consistency", &Type::Named("mount.Consistency")),
        maybe("BindOptions", &Type::Pointer(&BIND_OPTIONS)),
        maybe("VolumeOptions", &Type::Pointer(&VOLUME_OPTIONS)),
        maybe("ImageOptions", &Type::Pointer(&IMAGE_OPTIONS)),
        maybe("TmpfsOptions", &Type::Pointer(&TMPFS_OPTIONS)),
        maybe("ClusterOptions", &Type::Pointer(&CLUSTER_OPTIONS)),
    ],
});

const BIND_OPTIONS: Type = Type::Struct(&Struct {
    name: "mount.BindOptions",
    fields: &[
        maybe("Propagation", &Type::Named("mount.Propagation")),
        maybe("NonRecursive", &BOOL),
        maybe("CreateMountpoint", &BOOL),
        maybe("ReadOnlyNonRecursive", &BOOL),
        maybe("ReadOnlyForceRecursive", &BOOL),
    ],
});

const VOLUME_OPTIONS: Type = Type::Struct(&Struct {
    name: "mount.VolumeOptions",
    fields: &[
        maybe("NoCopy", &BOOL),
        maybe("Labels", &MAP),
        maybe("Subpath", &TEXT),
        maybe("DriverConfig", &Type::Pointer(&MOUNT_DRIVER)),
    ],
});

const MOUNT_DRIVER: Type =
    Type::Struct(&Struct { name: "mount.Driver", fields: &[maybe("Name", &TEXT), maybe("Options", &MAP)] });

const IMAGE_OPTIONS: Type = Type::Struct(&Struct { name: "mount.ImageOptions", fields: &[maybe("Subpath", &TEXT)] });

const CLUSTER_OPTIONS: Type = Type::Struct(&Struct { name: "mount.ClusterOptions", fields: &[] });

const TMPFS_OPTIONS: Type = Type::Struct(&Struct {
    name: "mount.TmpfsOptions",
    fields: &[
        maybe("SizeBytes", &INT64),
        maybe("Mode", &Type::Int("fs.FileMode")),
        maybe("Options", &Type::List(&TEXTS)),
    ],
});
