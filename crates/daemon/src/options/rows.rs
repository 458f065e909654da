use super::Kind::{Bool, Int, List, Map, Options, Other, Pools, Runtimes, Size, Text, Ulimits};
use super::Row;

/// All options, by key.
pub const ROWS: &[Row] = &[
    Row::new(
        "allow-direct-routing",
        Bool,
        "Whoever has a route to a container's address reaches its published ports there",
    ),
    Row::missing("authorization-plugins", List).flag("authorization-plugin"),
    Row::new("bip", Text, "Address and network of the default bridge, such as 10.9.0.1/24"),
    Row::new("bip6", Text, "IPv6 address and network of the default bridge, such as fd00:9::1/64"),
    Row::new("bridge", Text, "Use this bridge for containers; \"none\" does without one"),
    Row::missing("bridge-accept-fwmark", Text),
    Row::missing("builder", Other).flag(""),
    Row::new("cdi-spec-dirs", List, "Directory with files of the Container Device Interface; later ones win")
        .flag("cdi-spec-dir")
        .default("/etc/cdi, /var/run/cdi"),
    Row::new("cgroup-parent", Text, "Make the cgroups of containers below this one, or in this slice of systemd")
        .default("/lighter, or system.slice"),
    Row::missing("containerd", Text),
    Row::missing("containerd-namespace", Text),
    Row::missing("containerd-plugin-namespace", Text).flag("containerd-plugins-namespace"),
    Row::missing("cpu-rt-period", Int).only(&["0"]),
    Row::missing("cpu-rt-runtime", Int).only(&["0"]),
    Row::new("data-root", Text, "Directory of all that lasts").default("/var/lib/lighter"),
    Row::new("debug", Bool, "Log in detail").short('D').reload(),
    Row::new("default-address-pools", Pools, "Networks to choose subnets from (base=10.0.0.0/8,size=24)")
        .flag("default-address-pool"),
    Row::new("default-cgroupns-mode", Text, "Cgroup namespace of containers: host or private"),
    Row::new("default-gateway", Text, "Default gateway of containers on the default bridge").default("the bridge"),
    Row::new("default-gateway-v6", Text, "The same of IPv6").default("the bridge"),
    // Docker's name in the file for `--init` was this one once.
    Row::missing("default-init", Bool).flag("").only(&["false"]),
    Row::new("default-ipc-mode", Text, "IPC mode of containers: shareable or private").default("private"),
    Row::new("default-network-opts", Options, "Option of new networks that do not say otherwise (DRIVER=KEY=VALUE)")
        .flag("default-network-opt"),
    Row::new("default-runtime", Text, "OCI runtime of containers").default("runc"),
    Row::new("default-shm-size", Size, "Size of /dev/shm in containers").default("64MiB"),
    Row::new("default-stop-timeout", Int, "Seconds between a container's stop signal and its end").default("10"),
    Row::new("default-ulimits", Ulimits, "Resource limits of containers (nofile=1024:2048)").flag("default-ulimit"),
    Row::new("dns", List, "DNS server of containers"),
    Row::new("dns-opts", List, "DNS option of containers").flag("dns-opt"),
    Row::new("dns-search", List, "DNS search domain of containers"),
    Row::new("exec-opts", List, "Option of the runtime: native.cgroupdriver=cgroupfs or native.cgroupdriver=systemd")
        .flag("exec-opt"),
    Row::new("exec-root", Text, "Directory of what ends with this boot").default("/run/lighter"),
    Row::missing("experimental", Bool).only(&["false"]),
    Row::missing("features", Other).flag("feature").only(&["{\"containerd-snapshotter\":true}"]),
    Row::missing("firewall-backend", Text).only(&["\"nftables\""]),
    Row::new("fixed-cidr", Text, "Network that containers on the default bridge have their addresses from"),
    Row::new("fixed-cidr-v6", Text, "The same of IPv6"),
    Row::new(
        "foreign-addresses",
        Text,
        "Whether containers may claim addresses that are not theirs (ARP, neighbour discovery): refuse or allow",
    )
    .default("refuse"),
    Row::new("group", Text, "Group that may use the socket: name or number").short('G').default("docker"),
    Row::new("host-gateway-ips", List, "Address that --add-host NAME:host-gateway means")
        .flag("host-gateway-ip")
        .default("the default bridge's"),
    Row::new(
        "host-firewall",
        Text,
        "Whether the host's firewall decides who reaches published ports: bypass or respect",
    )
    .default("bypass"),
    Row::new("hosts", List, "Listen here: unix://PATH, tcp://ADDRESS:PORT or fd://")
        .flag("host")
        .short('H')
        .default("unix:///run/lighter.sock"),
    Row::new("http-proxy", Text, "Proxy for registries without TLS (URL)"),
    Row::new("https-proxy", Text, "Proxy for registries with TLS (URL)"),
    Row::new("icc", Bool, "Containers on the default bridge reach each other").default("true"),
    Row::new("image-gc", Bool, "Remove images that were not used for long when the disk fills up")
        .default("true")
        .reload(),
    Row::new("image-gc-high", Int, "Percent of the disk in use at which removing them begins").default("90").reload(),
    Row::new("image-gc-keep", List, "Image that is never removed by itself (NAME[:TAG], * and ? fit anything)")
        .reload(),
    Row::new("image-gc-low", Int, "Percent of the disk in use at which removing them ends").default("80").reload(),
    Row::new("image-gc-max-size", Size, "Bytes that images may take before removing them begins; 0: any")
        .default("0")
        .reload(),
    Row::new("image-gc-min-age", Text, "Time after its last use for which a named image is kept")
        .default("168h")
        .reload(),
    Row::new("init", Bool, "Run an init in containers that forwards signals and reaps processes"),
    Row::missing("init-path", Text),
    Row::new("insecure-registries", List, "Registry without TLS or a known certificate: host[:port] or network")
        .flag("insecure-registry")
        .default("127.0.0.0/8")
        .reload(),
    Row::new("ip", Text, "Publish ports on this address unless another is named").default("0.0.0.0"),
    Row::missing("ip-forward", Bool).only(&["true"]),
    Row::missing("ip-forward-no-drop", Bool).only(&["true"]),
    Row::new("ip-masq", Bool, "Containers' packets leave with the machine's address").default("true"),
    Row::missing("ip6tables", Bool).only(&["true"]),
    Row::missing("iptables", Bool).only(&["true"]),
    Row::new("ipv6", Bool, "IPv6 on the default bridge, too"),
    Row::new("labels", List, "Label of the daemon (key=value)").flag("label"),
    Row::new("live-restore", Bool, "Containers go on when the daemon ends").default("true").reload(),
    Row::new("log-driver", Text, "Where the logs of containers go").default("json-file"),
    Row::new("log-format", Text, "Format of the daemon's own log: text or json").default("text"),
    Row::new("log-level", Text, "Least level of the daemon's own log: debug, info, warn, error or fatal")
        .short('l')
        .default("info")
        .reload(),
    Row::new("log-opts", Map, "Option of the log driver (key=value)").flag("log-opt"),
    Row::new("max-concurrent-downloads", Int, "Layers that are downloaded at the same time").default("3").reload(),
    Row::new("max-concurrent-uploads", Int, "Layers that are uploaded at the same time").default("5").reload(),
    Row::new("max-download-attempts", Int, "Tries of a download that does not get on").default("5").reload(),
    Row::missing("metrics-addr", Text),
    Row::missing("min-api-version", Text).flag("").only(&["\"1.24\""]),
    Row::new("mtu", Int, "Largest packet of containers, in bytes; 0 follows the route to the outside").default("0"),
    Row::missing("network-control-plane-mtu", Int),
    Row::missing("network-diagnostic-port", Int).only(&["0"]),
    Row::new("no-new-privileges", Bool, "Containers can't gain privileges by executing programs"),
    Row::new("no-proxy", Text, "Hosts that are reached without a proxy (a.example,.b.example,10.0.0.0/8)"),
    Row::missing("node-generic-resources", List).flag("node-generic-resource"),
    Row::missing("nri-opts", Other).flag("nri-opt"),
    Row::new("pidfile", Text, "File for the daemon's process id").short('p').default("EXEC-ROOT/lighter.pid"),
    Row::new(
        "proxies",
        Map,
        "Proxies in daemon.json: {\"http-proxy\": URL, \"https-proxy\": URL, \"no-proxy\": HOSTS}",
    )
    .flag(""),
    Row::missing("raw-logs", Bool).only(&["true", "false"]),
    Row::new("registry-mirrors", List, "Mirror of Docker Hub (URL) or of any registry (HOST=URL)")
        .flag("registry-mirror")
        .reload(),
    Row::new("registry-token-hosts", List, "Token server of a registry on a host of another name (HOST=HOST)")
        .flag("registry-token-host")
        .reload(),
    Row::missing("resolv-conf", Text).flag(""),
    Row::missing("rootless", Bool).only(&["false"]),
    Row::new("runtimes", Runtimes, "External OCI runtime (NAME=PATH)").flag("add-runtime"),
    Row::missing("seccomp-profile", Text).only(&["\"builtin\""]),
    Row::new("selinux-enabled", Bool, "Label containers' processes and files for SELinux, where the kernel has it"),
    Row::new("shutdown-timeout", Int, "Seconds for containers to end with the daemon, if live-restore is off; -1: any")
        .default("15")
        .reload(),
    Row::new("storage-driver", Text, "Storage driver: erofs, overlay2 or native").short('s'),
    Row::missing("storage-opts", List).flag("storage-opt"),
    Row::missing("swarm-default-advertise-addr", Text),
    Row::missing("swarm-raft-election-tick", Int).flag(""),
    Row::missing("swarm-raft-heartbeat-tick", Int).flag(""),
    Row::new("tls", Bool, "TLS is not supported yet; \"false\" allows tcp:// without it").only(&["false"]),
    Row::missing("tlscacert", Text),
    Row::missing("tlscert", Text),
    Row::missing("tlskey", Text),
    Row::missing("tlsverify", Bool).only(&["false"]),
    Row::new("userland-proxy", Bool, "Pass on connections to [::1], and by IPv6 to containers without it")
        .default("true"),
    Row::missing("userland-proxy-path", Text),
    Row::new("userns-remap", Text, "Containers get these subordinate ids (subuid(5)): default, USER or USER:GROUP"),
];
