//! A client on another host: a network namespace at the other end of a cable. The daemon plays in a namespace of its own,
//! so ports and addresses are the test's alone.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use testkit::world::{HOST, HOST6, WORLD, WORLD6, echo, hear, ip};
use testkit::{Cli, Daemon, World, eventually, real_docker};

/// This program in a container tells whoever connects or sends a datagram to port 80 its address, and writes it down.
#[test]
fn mirror_in_a_container() {
    if std::env::var_os("MIRROR").is_none() {
        return;
    }
    let name = |address: SocketAddr| {
        let ip = address.ip().to_canonical().to_string();
        println!("from {ip}");
        ip
    };
    let (tcp, udp) = (TcpListener::bind("[::]:80").unwrap(), UdpSocket::bind("[::]:80").unwrap());
    std::thread::spawn(move || {
        while let Ok((_, from)) = udp.recv_from(&mut [0; 99]) {
            let _ = udp.send_to(name(from).as_bytes(), from);
        }
    });
    while let Ok((mut client, from)) = tcp.accept() {
        let _ = client.write_all(name(from).as_bytes());
    }
}

fn mirror(daemon: &Daemon, name: &str, flags: &[&str]) {
    let program = format!("{}:/mirror:ro", std::env::current_exe().unwrap().display());
    let base = ["run", "-d", "--name", name, "-e", "MIRROR=1", "-v", &program];
    let program = ["busybox", "/mirror", "--exact", "mirror_in_a_container", "--nocapture"];
    daemon.run(&[&base[..], flags, &program].concat()).ok();
    let listens =
        || daemon.command(&["exec", name, "sh", "-c", "netstat -ltn | grep -q :80"]).status().unwrap().success();
    eventually("it listens", listens);
}

fn address(daemon: &Daemon, container: &str, field: &str) -> String {
    daemon.inspect(container, &format!("{{{{range .NetworkSettings.Networks}}}}{{{{.{field}}}}}{{{{end}}}}"))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn published_ports_are_reached_and_see_who_asks() {
    let world = World::cabled();
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        daemon.run(&["network", "create", "--ipv6", "both"]).ok();
        mirror(&daemon, "four", &["-p", "80:80", "-p", "80:80/udp"]);
        mirror(&daemon, "six", &["--network", "both", "-p", "81:80", "-p", "81:80/udp", "-p", "[::]:82:80"]);
        mirror(&daemon, "one", &["-p", &format!("{HOST}:83:80"), "-p", &format!("[{HOST6}]:83:80"), "-p", "84-86:80"]);
        for port in ["80", "81", "83"] {
            let (v4, v6) = (format!("{HOST}:{port}"), format!("[{HOST6}]:{port}"));
            assert_eq!(world.hears(&v4), some(WORLD), "{port}");
            // a container without IPv6 is reached through the daemon, as by docker-proxy: it sees the bridge
            let seen = if port == "81" { WORLD6.to_owned() } else { address(&daemon, "four", "Gateway") };
            assert_eq!(world.hears(&v6), Some(seen), "{port}");
        }
        assert_eq!(world.echo(&format!("{HOST}:80")), some(WORLD));
        assert_eq!(world.echo(&format!("{HOST}:81")), some(WORLD));
        assert_eq!(world.echo(&format!("[{HOST6}]:81")), some(WORLD6));
        assert_eq!(world.echo(&format!("[{HOST6}]:80")), some(&address(&daemon, "four", "Gateway")));
        assert_eq!(world.hears(&format!("[{HOST6}]:82")), some(WORLD6), "[::]");
        assert_eq!(world.hears(&format!("{HOST}:82")), None, "[::] is no address of IPv4");
        let log = daemon.run(&["logs", "six"]).ok().stdout;
        for line in [format!("from {WORLD}\n"), format!("from {WORLD6}\n")] {
            assert!(log.contains(&line), "{log}");
        }
        let ranged = daemon.run(&["port", "one", "80"]).ok().stdout;
        assert!(ranged.contains("0.0.0.0:84\n"), "{ranged}");
        assert_eq!(world.hears(&format!("{HOST}:84")), some(WORLD));
    }
}

/// All that is open to the world is what was published.
#[test]
fn nothing_else_is_reached() {
    let world = World::cabled();
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "--ipv6", "both"]).ok();
    mirror(&daemon, "open", &["-p", "8080:80"]);
    mirror(
        &daemon,
        "own",
        &["--network", "both", "-p", "127.0.0.1:8081:80", "-p", "127.0.0.1:8081:80/udp", "-p", "[::1]:8082:80"],
    );
    mirror(&daemon, "hidden", &["--network", "both", "--expose", "80"]);
    for at in ["127.0.0.1:8080", "127.0.0.1:8081", "[::1]:8082"] {
        eventually("it is reached from here", || hear(at).is_some());
    }
    let mut containers = vec![];
    for name in ["open", "own", "hidden"] {
        containers.push(format!("{}:80", address(&daemon, name, "IPAddress")));
        let ip6 = address(&daemon, name, "GlobalIPv6Address");
        containers.extend((!ip6.is_empty()).then(|| format!("[{ip6}]:80")));
    }
    assert!(containers.iter().all(|at| hear(at).is_some()), "from the host: {containers:?}");
    assert_eq!(echo("127.0.0.1:8081"), some(&address(&daemon, "own", "Gateway")));
    // the world leads all of that to the host, and what is loopback's as well
    world.inside(|| {
        ip(&["route", "add", "default", "via", HOST]);
        ip(&["-6", "route", "add", "default", "via", HOST6]);
        ip(&["route", "del", "table", "local", "127.0.0.0/8", "dev", "lo"]);
        ip(&["route", "del", "table", "local", "127.0.0.1", "dev", "lo"]);
        ip(&["route", "add", "127.0.0.0/8", "via", HOST, "src", WORLD]);
        std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
    });
    let closed = || {
        let at = |port: u16| [format!("{HOST}:{port}"), format!("[{HOST6}]:{port}"), format!("127.0.0.1:{port}")];
        let mut all: Vec<String> = [8081, 8082].into_iter().flat_map(at).chain(containers.clone()).collect();
        all.push("127.0.0.1:8080".into());
        let reached = |at: &String| hear(at).or_else(|| echo(at)).map(|said| format!("{at}: {said}"));
        let reached: Vec<String> = world.inside(|| {
            std::thread::scope(|scope| {
                let tries: Vec<_> = all.iter().map(|at| scope.spawn(move || reached(at))).collect();
                tries.into_iter().filter_map(|one| one.join().unwrap()).collect()
            })
        });
        assert!(reached.is_empty(), "{reached:?}");
    };
    closed();
    let open = |address: &str| -> Vec<u16> {
        let is_open = |port: &u16| {
            let at: SocketAddr = format!("{address}:{port}").parse().unwrap();
            TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_ok()
        };
        world.inside(|| (1..9_000).chain(32_768..33_000).filter(is_open).collect())
    };
    assert_eq!((open(HOST), open(&format!("[{HOST6}]"))), (vec![8080], vec![8080]));
    // what the daemon answers inside is nobody's outside: names are asked at 127.0.0.11 only
    let gateway = address(&daemon, "own", "Gateway");
    for at in [format!("{HOST}:53"), format!("{gateway}:53"), "127.0.0.11:53".into()] {
        assert_eq!((world.hears(&at), world.echo(&at)), (None, None), "{at}");
    }
    // whoever takes the rules away opens nothing
    let _ = std::process::Command::new("nft").args(["flush", "ruleset"]).output().expect("nft");
    closed();
    assert_eq!(world.hears(&format!("{HOST}:8080")), some(WORLD));
}

/// No container gets at what is the host's loopback's, or another's resolver, by leading packets there.
#[test]
fn loopback_is_not_reached_from_inside() {
    let _world = World::cabled();
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "both"]).ok();
    let listener = std::net::TcpListener::bind("127.0.0.1:8080").unwrap();
    mirror(&daemon, "own", &["--network", "both", "-p", "127.0.0.1:8081:80"]);
    eventually("it is reached from here", || hear("127.0.0.1:8081").is_some());
    let script = "mount -o remount,rw /proc/sys; echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; \
        ip route del local 127.0.0.0/8 dev lo table local; ip route del local 127.0.0.1 dev lo table local; \
        ip route add 127.0.0.0/8 via GATEWAY; for at in '127.0.0.1 8080' '127.0.0.1 8081'; do nc -w 1 $at </dev/null && echo open; done; echo done";
    let gateway = address(&daemon, "own", "Gateway");
    let script = script.replace("GATEWAY", &gateway);
    let run = ["run", "--rm", "--privileged", "--network", "both", "busybox", "sh", "-c", &script];
    daemon.run(&run).ok().stdout("done\n");
    drop(listener);
}

/// Containers on the host's own cable, by drivers that not every kernel has.
#[test]
fn containers_beside_the_host() {
    let world = World::cabled();
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        for driver in ["macvlan", "ipvlan"] {
            let subnet = ["--subnet", "203.0.113.0/24", "--ip-range", "203.0.113.64/27", "--gateway", WORLD];
            let create = ["network", "create", "-d", driver, "-o", "parent=uplink"];
            let made = daemon.run(&[&create[..], &subnet, &["beside"]].concat());
            if made.status != 0 {
                made.stderr_has(&format!("the kernel has no {driver} links (CONFIG_"));
                daemon.run(&["network", "inspect", "beside"]).status(1);
                continue;
            }
            mirror(&daemon, "web", &["--network", "beside"]);
            let ip = address(&daemon, "web", "IPAddress");
            assert_eq!((ip.as_str(), world.hears(&format!("{ip}:80"))), ("203.0.113.64", some(WORLD)));
            let show = ["network", "inspect", "-f", "{{.Driver}} {{.Options.parent}}", "beside"];
            daemon.run(&show).ok().stdout(&format!("{driver} uplink\n"));
            daemon.run(&["rm", "-f", "web"]).ok();
            daemon.run(&["network", "rm", "beside"]).ok();
        }
    }
}
