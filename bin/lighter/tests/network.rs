//! Networks that users create, and who reaches whom on them.

use testkit::{Cli, Daemon, eventually, real_docker};

const SLEEP: [&str; 3] = ["busybox", "sleep", "1000"];

fn run(daemon: &Daemon, name: &str, flags: &[&str]) {
    daemon.run(&[&["run", "-d", "--name", name][..], flags, &SLEEP].concat()).ok();
}

fn ip(daemon: &Daemon, container: &str, network: &str) -> String {
    daemon.inspect(container, &format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}"))
}

/// Whether `from` gets an answer to a ping.
fn reaches(daemon: &Daemon, from: &str, ip: &str) -> bool {
    let output = daemon.command(&["exec", from, "ping", "-c", "1", "-W", "1", ip]).output().expect("ping");
    output.status.success()
}

/// The seed's own example.
#[test]
fn a_network_of_its_own() {
    let daemon = Daemon::with_images(&["busybox"]);
    let create = ["network", "create", "--driver", "bridge", "--subnet", "182.18.0.0/16", "custom-isolated-network"];
    daemon.run(&create).ok();
    run(&daemon, "one", &["--network", "custom-isolated-network"]);
    run(&daemon, "two", &["--network", "custom-isolated-network", "--ip", "182.18.7.7"]);
    run(&daemon, "other", &[]);
    assert_eq!(ip(&daemon, "one", "custom-isolated-network"), "182.18.0.2");
    assert!(reaches(&daemon, "one", "182.18.7.7"));
    assert!(!reaches(&daemon, "other", "182.18.0.2"), "another bridge");
    assert!(!reaches(&daemon, "one", &ip(&daemon, "other", "bridge")));
    daemon.run(&["network", "rm", "custom-isolated-network"]).status(1).stderr_has("has active endpoints (name:\"");
    daemon.run(&["rm", "-f", "one", "two"]).ok();
    daemon.run(&["network", "rm", "custom-isolated-network"]).ok().stdout("custom-isolated-network\n");
}

#[test]
fn running_containers_come_and_go_and_a_killed_daemon_knows_it() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "front"]).ok();
    daemon.run(&["network", "create", "--internal", "back"]).ok();
    run(&daemon, "web", &["--network", "front"]);
    run(&daemon, "db", &["--network", "back"]);
    daemon.run(&["network", "connect", "--alias", "w", "back", "web"]).ok();
    let db = ip(&daemon, "db", "back");
    assert!(reaches(&daemon, "web", &db));
    let own = format!("{}\t{}\n", ip(&daemon, "web", "back"), daemon.inspect("web", "{{.Config.Hostname}}"));
    let hosts = |daemon: &Daemon| daemon.run(&["exec", "web", "cat", "/etc/hosts"]).ok().stdout;
    assert!(hosts(&daemon).contains(&own), "its own line for each place");
    daemon.run(&["network", "connect", "back", "web"]).status(1).stderr_has("endpoint with name web already exists");
    daemon.kill();
    daemon.start_again();
    assert_eq!(daemon.inspect("web", "{{len .NetworkSettings.Networks}}"), "2");
    assert!(reaches(&daemon, "web", &db));
    daemon.run(&["network", "disconnect", "back", "web"]).ok();
    assert!(!reaches(&daemon, "web", &db));
    assert!(!hosts(&daemon).contains(&own));
    daemon.run(&["network", "disconnect", "back", "web"]).status(1).stderr_has("is not connected to network back");
    daemon.run(&["restart", "-t", "0", "web"]).ok();
    assert_eq!(daemon.inspect("web", "{{len .NetworkSettings.Networks}}"), "1");
    daemon.run(&["rm", "-f", "web", "db"]).ok();
    daemon.run(&["network", "prune", "-f"]).ok().stdout_has("back\nfront");
}

/// One that ends at that moment comes onto the network with its next start.
#[test]
fn a_connection_beside_an_end() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "place"]).ok();
    for _ in 0..30 {
        daemon.run(&["run", "-d", "--name", "web", "busybox", "true"]).ok();
        daemon.run(&["network", "connect", "place", "web"]).ok();
        daemon.run(&["network", "disconnect", "bridge", "web"]).ok();
        assert_eq!(daemon.inspect("web", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"), "place");
        daemon.run(&["rm", "-f", "web"]).ok();
    }
}

#[test]
fn an_ipv6_address_of_choice() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        daemon.run(&["network", "create", "--ipv6", "--subnet", "fd00:c0:de::/64", "six"]).ok();
        run(&daemon, "web", &["--network", "six", "--ip6", "fd00:c0:de::42"]);
        daemon.run(&["exec", "web", "ip", "addr"]).ok().stdout_has("inet6 fd00:c0:de::42/64");
        assert_eq!(daemon.inspect("web", "{{.NetworkSettings.Networks.six.GlobalIPv6Address}}"), "fd00:c0:de::42");
        let taken = ["run", "--network", "six", "--ip6", "fd00:c0:de::42", "busybox", "true"];
        daemon.run(&taken).status(125).stderr_has("Address already in use");
    }
}

#[test]
fn several_networks_from_the_beginning() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "n1"]).ok();
    daemon.run(&["network", "create", "--ipv6", "n2"]).ok();
    let script =
        "ip -o addr show | grep -c 'scope global'; ip route | grep -c default; ip link show eth1 | grep -c mtu";
    let flags = ["run", "--rm", "--network", "n1", "--network", "name=n2,gw-priority=1,mac-address=02:00:00:00:00:09"];
    daemon.run(&[&flags[..], &["busybox", "sh", "-c", script]].concat()).ok().stdout("3\n1\n1\n");
    daemon
        .run(&["run", "--rm", "--network", "nowhere", "busybox", "true"])
        .status(125)
        .stderr_has("network nowhere not found");
    daemon.run(&["run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net"]).ok().stdout("lo\n");
}

/// Whoever joined a container's network keeps the namespace; the container's place on the network is gone all the same.
#[test]
fn a_place_ends_with_its_container() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "n1"]).ok();
    run(&daemon, "web", &["--network", "n1"]);
    run(&daemon, "guest", &["--network", "container:web"]);
    let at = ip(&daemon, "web", "n1");
    run(&daemon, "other", &["--network", "n1"]);
    assert!(reaches(&daemon, "other", &at));
    daemon.run(&["rm", "-f", "web"]).ok();
    testkit::eventually("the guest is alone", || {
        daemon.run(&["exec", "guest", "ls", "/sys/class/net"]).ok().stdout == "lo\n"
    });
    assert!(!reaches(&daemon, "other", &at));
    daemon.run(&["network", "disconnect", "n1", "other"]).ok();
    daemon.run(&["network", "rm", "n1"]).ok();
}

#[test]
fn what_is_wrong_is_said() {
    let daemon = Daemon::start();
    daemon.run(&["network", "create", "--subnet", "10.199.0.0/24", "n1"]).ok();
    for (args, message) in [
        (&["n1"][..], "network with name n1 already exists"),
        (&["bridge"], "operation is not permitted on predefined bridge network"),
        (&["--subnet", "10.199.0.0/25", "n2"], "Pool overlaps with other one on this address space"),
        (&[" "], "invalid name: name is empty"),
        (&["a/b"], "invalid network name \"a/b\": '/' is not allowed in it"),
        (&["--driver", "foo", "n2"], "plugin \"foo\" not found"),
        (&["-o", "foo=bar", "n2"], "unknown option \"foo\" of a network"),
        (&["--gateway", "10.1.0.1", "n2"], "every ip-range or gateway must have a corresponding subnet"),
        (&["-d", "macvlan", "-o", "parent=nolink", "n2"], "invalid subinterface vlan name nolink"),
        (&["-d", "macvlan", "-o", "parent=of-more-bytes-than-a-name", "n2"], "invalid subinterface vlan name of-more"),
    ] {
        daemon.run(&[&["network", "create"][..], args].concat()).status(1).stderr_has(message);
    }
    daemon
        .run(&["network", "rm", "bridge"])
        .status(1)
        .stderr_has("bridge is a pre-defined network and cannot be removed");
    daemon.run(&["network", "ls", "--format", "{{.Name}}"]).ok().stdout("bridge\nhost\nn1\nnone\n");
}

#[test]
fn through_dockers_own_client() {
    let Some(docker) = real_docker() else { return };
    let daemon = Daemon::with_images(&["busybox"]).through(Cli::Docker(docker));
    daemon.run(&["network", "create", "--label", "k=v", "-o", "com.docker.network.driver.mtu=1300", "n1"]).ok();
    run(&daemon, "web", &["--network", "n1", "--network-alias", "w"]);
    daemon.run(&["exec", "web", "cat", "/sys/class/net/eth0/mtu"]).ok().stdout("1300\n");
    daemon.run(&["network", "ls", "-q", "--filter", "label=k=v", "--format", "{{.Name}}"]).ok().stdout("n1\n");
    daemon.run(&["network", "inspect", "n1", "--format", "{{range .Containers}}{{.Name}}{{end}}"]).ok().stdout("web\n");
    daemon.run(&["network", "disconnect", "n1", "web"]).ok();
    daemon.run(&["network", "connect", "--ip", "1.2.3.4", "n1", "web"]).status(1).stderr_has("1.2.3.4");
    daemon.run(&["network", "connect", "n1", "web"]).ok();
    daemon.run(&["rm", "-f", "web"]).ok();
    daemon.run(&["network", "rm", "n1"]).ok();
}

#[test]
fn lists_of_networks() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        daemon.run(&["network", "create", "front"]).ok();
        daemon.run(&["network", "create", "back", "--label", "k=v"]).ok();
        run(&daemon, "web", &["--network", "front"]);
        let list = |filters: &[&str]| {
            let filters: Vec<&str> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
            daemon.run(&[&["network", "ls", "--format", "{{.Name}}"][..], &filters].concat()).ok().stdout
        };
        assert_eq!(list(&["type=custom"]), "back\nfront\n");
        assert_eq!(list(&["type=builtin", "driver=bridge"]), "bridge\n");
        assert_eq!(list(&["dangling=true"]), "back\n");
        assert_eq!(list(&["name=^f", "name=^none$"]), "front\nnone\n");
        assert_eq!(list(&["label=k", "scope=local"]), "back\n");
        assert_eq!(list(&["scope=swarm"]), "");
        let wrong = |filter: &str, words: &str| {
            daemon.run(&["network", "ls", "--filter", filter]).status(1).stderr_has(words);
        };
        wrong("type=x", "invalid filter: 'type'='x'");
        wrong(
            "dangling=x",
            "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")",
        );
        wrong("foo=x", "invalid filter 'foo'");
        let by_network = |network: &str| {
            daemon.run(&["ps", "--filter", &format!("network={network}"), "--format", "{{.Names}}"]).ok().stdout
        };
        let id = daemon.run(&["network", "inspect", "-f", "{{.Id}}", "front"]).ok().stdout;
        assert_eq!((by_network("front").as_str(), by_network(&id[..8]).as_str()), ("web\n", "web\n"));
        assert_eq!((by_network("back").as_str(), by_network("nobody").as_str()), ("", ""));
    }
}

#[test]
fn networks_with_a_borrowed_configuration() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        let create = ["network", "create"];
        let lend =
            ["--config-only", "--subnet", "10.91.0.0/24", "-o", "com.docker.network.driver.mtu=1300", "--label", "a=b"];
        daemon.run(&[&create[..], &lend, &["lender"]].concat()).ok();
        daemon.run(&["network", "create", "--config-from", "lender", "borrower"]).ok();
        let show = |name: &str| {
            let format =
                "{{.Driver}} {{(index .IPAM.Config 0).Subnet}} {{.ConfigOnly}} {{.ConfigFrom.Network}} {{.Labels}}";
            daemon.run(&["network", "inspect", "-f", format, name]).ok().stdout
        };
        assert_eq!(show("lender"), "null 10.91.0.0/24 true  map[a:b]\n");
        assert_eq!(show("borrower"), "bridge 10.91.0.0/24 false lender map[a:b]\n");
        let run = ["run", "--rm", "--network", "borrower", "busybox", "cat", "/sys/class/net/eth0/mtu"];
        daemon.run(&run).ok().stdout("1300\n");
        for (flags, words) in [
            (
                &["--config-from", "lender", "--subnet", "10.92.0.0/24"][..],
                "user specified configurations are not supported",
            ),
            (
                &["--config-from", "lender", "-o", "foo=bar"],
                "network driver options are not supported if the network depends",
            ),
            (&["--config-from", "nobody"], "configuration network \"nobody\" does not exist"),
            (&["--config-from", "borrower"], "configuration network \"borrower\" does not exist"),
            (&["--config-from", "lender", "--config-only"], "a configuration network cannot depend on another"),
        ] {
            daemon.run(&[&create[..], flags, &["other"]].concat()).status(1).stderr_has(words);
        }
        let on_lender = ["run", "--network", "lender", "busybox", "true"];
        daemon.run(&on_lender).status(125).stderr_has("cannot create endpoint on configuration-only network");
        daemon.run(&["network", "rm", "lender"]).status(1).stderr_has("configuration network \"lender\" is in use");
        daemon.run(&["network", "rm", "borrower", "lender"]).ok().stdout("borrower\nlender\n");
    }
}

/// A container's default route; empty for none.
fn default_route(daemon: &Daemon, container: &str) -> String {
    let routes = daemon.run(&["exec", container, "ip", "route"]).ok().stdout;
    routes.lines().find(|line| line.starts_with("default")).unwrap_or_default().trim().to_owned()
}

/// What one end on a network can be asked for.
#[test]
fn settings_of_endpoints() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        daemon.run(&["network", "create", "one"]).ok();
        daemon.run(&["network", "create", "two"]).ok();
        let sysctl = "driver-opt=com.docker.network.endpoint.sysctls";
        let one = format!("name=one,link-local-ip=169.254.9.9,{sysctl}=net.ipv4.conf.IFNAME.log_martians=1");
        run(&daemon, "web", &["--network", &one, "--network", "name=two,gw-priority=5"]);
        let inside = |command: &[&str]| daemon.run(&[&["exec", "web"][..], command].concat()).ok().stdout;
        assert_eq!(inside(&["cat", "/proc/sys/net/ipv4/conf/eth0/log_martians"]), "1\n");
        assert_eq!(inside(&["cat", "/proc/sys/net/ipv4/conf/eth1/log_martians"]), "0\n");
        assert!(inside(&["ip", "addr", "show", "eth0"]).contains("inet 169.254.9.9/16"));
        let way_out = || default_route(&daemon, "web");
        let gateway = daemon.inspect("web", "{{.NetworkSettings.Networks.two.Gateway}}");
        assert_eq!(way_out(), format!("default via {gateway} dev eth1"));
        assert_eq!(daemon.inspect("web", "{{.NetworkSettings.Networks.two.GwPriority}}"), "5");
        daemon.run(&["network", "disconnect", "two", "web"]).ok();
        let gateway = daemon.inspect("web", "{{.NetworkSettings.Networks.one.Gateway}}");
        assert_eq!(way_out(), format!("default via {gateway} dev eth0"));
        let connect = ["network", "connect", "--gw-priority", "7", "--link-local-ip", "169.254.9.10", "two", "web"];
        daemon.run(&connect).ok();
        let gateway = daemon.inspect("web", "{{.NetworkSettings.Networks.two.Gateway}}");
        assert_eq!(way_out(), format!("default via {gateway} dev eth1"));
        daemon
            .run(&["run", "--rm", "--link-local-ip", "169.254.9.9", "busybox", "ip", "addr"])
            .ok()
            .stdout_has("169.254.9.9");
        let wrong = format!("name=one,{sysctl}=net.ipv4.ip_forward=1");
        let words = "invalid config for network one: invalid endpoint settings:\nunrecognised network interface sysctl \
            'net.ipv4.ip_forward=1'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V'";
        daemon.run(&["run", "--network", &wrong, "busybox", "true"]).status(125).stderr_has(words);
        let missing = format!("name=one,{sysctl}=net.ipv4.conf.IFNAME.nosuch=1");
        daemon.run(&["run", "--network", &missing, "busybox", "true"]).status(125).stderr_has("nosuch");
    }
}

/// As Docker shows them: those on `none` and `host` while they run, names on a network from the first start on.
#[test]
fn who_is_on_host_and_none() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        let on = |network: &str| {
            let format = "{{range .Containers}}{{.Name}} {{len .EndpointID}} {{.IPv4Address}}{{end}}";
            daemon.run(&["network", "inspect", "-f", format, network]).ok().stdout
        };
        for network in ["none", "host"] {
            assert_eq!(on(network), "\n");
            run(&daemon, "one", &["--network", network]);
            assert_eq!(on(network), "one 64 \n");
            daemon.run(&["rm", "-f", "one"]).ok();
            assert_eq!(on(network), "\n");
        }
        daemon.run(&["network", "create", "back"]).ok();
        daemon.run(&["create", "--name", "db", "--network", "back", "busybox", "sleep", "1000"]).ok();
        let names = || daemon.inspect("db", "{{json .NetworkSettings.Networks.back.DNSNames}}");
        assert_eq!(names(), "null");
        daemon.run(&["start", "db"]).ok();
        assert!(names().starts_with("[\"db\""), "{}", names());
        daemon.run(&["stop", "-t", "0", "db"]).ok();
        assert!(names().starts_with("[\"db\""), "{}", names());
    }
}

#[test]
fn gateway_modes_as_docker_shows_them() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        let mode = |mode: &str| format!("com.docker.network.bridge.gateway_mode_ipv4={mode}");
        let create = |flags: &[&str]| daemon.run(&[&["network", "create"][..], flags].concat());
        create(&["-o", &mode("routed"), "routed"]).ok();
        run(&daemon, "web", &["--network", "routed", "-p", "80"]);
        let ports = daemon.inspect("web", "{{json .NetworkSettings.Ports}}");
        assert!(ports.starts_with("{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"\"}"), "{ports}");
        daemon.run(&["port", "web"]).ok().stdout_has("80/tcp -> 0.0.0.0:\n");
        create(&["-o", &mode("isolated"), "alone"]).status(1).stderr_has("can only be used for an internal network");
        let words = "failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: foo (unknown gateway mode foo)";
        create(&["-o", &mode("foo"), "alone"]).status(1).stderr_has(words);
        create(&["-o", &mode("isolated"), "--internal", "alone"]).ok();
        let gateway = "{{(index .IPAM.Config 0).Gateway}}";
        daemon.run(&["network", "inspect", "-f", gateway, "alone"]).ok().stdout("\n");
        run(&daemon, "hermit", &["--network", "alone"]);
        assert_eq!(daemon.inspect("hermit", "{{.NetworkSettings.Networks.alone.Gateway}}"), "");
        assert_eq!(default_route(&daemon, "hermit"), "");
    }
}

/// Which hardware address `from` remembers for another container.
fn remembered(daemon: &Daemon, from: &str, ip: &str) -> String {
    let table = daemon.run(&["exec", from, "ip", "neigh", "show", ip]).ok().stdout;
    table.split_once("lladdr ").map_or(String::new(), |(_, rest)| rest.split(' ').next().unwrap_or("").to_owned())
}

/// Neighbours learn at once that another container has an address now, where its hardware address is another one, too; and not
/// where they shall not be told.
#[test]
fn addresses_are_told_to_neighbours() {
    const OLD: &str = "02:00:00:00:00:01";
    const NEW: &str = "02:00:00:00:00:02";
    let daemon = Daemon::with_images(&["busybox"]);
    let silent = ["-o", "com.docker.network.advertise_addr_nmsgs=0"];
    let often = ["-o", "com.docker.network.advertise_addr_nmsgs=2", "-o", "com.docker.network.advertise_addr_ms=100"];
    // they are told in turn: had the silent one had something to say, it would have come first
    let nets = [("silent", &silent[..]), ("told", &[]), ("often", &often)];
    let ips = |net: usize| [format!("10.213.{net}.9"), format!("fd00:213:{net}::9")];
    let asker = |net: usize| format!("asker{net}");
    let web = |net: usize, mac: &str| {
        let [ip, ip6] = ips(net);
        let place = format!("name={},ip={ip},ip6={ip6},mac-address={mac}", nets[net].0);
        run(&daemon, "web", &["--network", &place]);
    };
    let known = |net: usize| ips(net).map(|ip| remembered(&daemon, &asker(net), &ip));
    for (net, (name, options)) in nets.iter().enumerate() {
        let (ipv4, ipv6) = (format!("10.213.{net}.0/24"), format!("fd00:213:{net}::/64"));
        let subnets = ["--ipv6", "--subnet", &ipv4, "--subnet", &ipv6];
        daemon.run(&[&["network", "create", name][..], &subnets, options].concat()).ok();
        run(&daemon, &asker(net), &["--network", name]);
        web(net, OLD);
        assert!(ips(net).iter().all(|ip| reaches(&daemon, &asker(net), ip)), "{name}");
        assert_eq!(known(net), [OLD; 2], "{name}");
        daemon.run(&["rm", "-f", "web"]).ok();
    }
    for (net, (name, options)) in nets.iter().enumerate() {
        web(net, NEW);
        if *options != silent {
            eventually(name, || known(net) == [NEW; 2]);
        }
        daemon.run(&["rm", "-f", "web"]).ok();
    }
    assert_eq!(known(0), [OLD; 2]);
}

#[test]
fn families_by_options() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        let option = |version: u8, value: &str| format!("com.docker.network.enable_ipv{version}={value}");
        let shown = |name: &str| {
            daemon
                .run(&["network", "inspect", "-f", "{{.EnableIPv4}} {{.EnableIPv6}} {{len .IPAM.Config}}", name])
                .ok()
                .stdout
        };
        daemon.run(&["network", "create", "-o", &option(4, "0"), "-o", &option(6, "1"), "six"]).ok();
        assert_eq!(shown("six"), "false true 1\n");
        daemon.run(&["network", "create", "--ipv6=false", "-o", &option(6, "true"), "four"]).ok();
        assert_eq!(shown("four"), "true false 1\n");
        daemon.run(&["network", "create", "-o", &option(4, "false"), "none"]).status(1);
        daemon.run(&["network", "create", "-o", &option(6, "maybe"), "maybe"]).status(1).stderr_has("invalid syntax");
    }
}

/// What a connection has made is taken back when it fails at its end.
#[test]
fn a_connection_that_fails_leaves_nothing() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "--subnet", "10.214.0.0/29", "place"]).ok();
    run(&daemon, "web", &[]);
    let links = || daemon.run(&["exec", "web", "ls", "/sys/class/net"]).ok().stdout;
    let before = links();
    let bad = "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.nonsense=1";
    for _ in 0..10 {
        daemon.run(&["network", "connect", "--driver-opt", bad, "place", "web"]).status(1).stderr_has("nonsense");
    }
    assert_eq!(links(), before);
    daemon.run(&["network", "connect", "--ip", "10.214.0.2", "place", "web"]).ok();
}

/// Of those that want one bridge at the same moment one has it, and the others leave it alone.
#[test]
fn a_bridge_by_its_name() {
    let daemon = Daemon::with_images(&["busybox"]);
    let named = |bridge: &str| format!("com.docker.network.bridge.name={bridge}");
    // what was not made has taken nothing
    for bridge in ["lgt%d", "longer-than-a-links-name"] {
        let create = ["network", "create", "--subnet", "10.215.0.0/24", "-o", &named(bridge), "odd"];
        daemon.run(&create).status(1).stderr_has("invalid bridge name");
    }
    daemon.run(&["network", "create", "--subnet", "10.215.0.0/24", "even"]).ok();
    daemon.run(&["network", "rm", "even"]).ok();
    assert!(!std::path::Path::new("/sys/class/net/lgt0").exists());
    let bridge = format!("lg-{}", std::process::id());
    for round in 0..6 {
        let create = |n: usize| {
            let args = ["network", "create", "-o", &named(&bridge), &format!("n{n}")].map(str::to_owned);
            daemon.command(&args.each_ref().map(String::as_str)).output().expect("lighter")
        };
        let outputs = std::thread::scope(|scope| {
            let all: Vec<_> = (0..12).map(|n| scope.spawn(move || create(n))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        });
        let made: Vec<usize> = (0..12).filter(|n| outputs[*n].status.success()).collect();
        let [one] = made[..] else { panic!("round {round}: {made:?}") };
        assert!(std::path::Path::new(&format!("/sys/class/net/{bridge}")).exists());
        daemon.run(&["network", "rm", &format!("n{one}")]).ok();
    }
}
