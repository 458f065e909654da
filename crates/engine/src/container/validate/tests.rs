use super::*;
use api::types::{EndpointIpamConfig, EndpointSettings, PortBinding};
use values::ErrorKind;

use crate::machine::Limits;

fn machine() -> Machine {
    let limits = Limits { memory: true, swap: true, cpu_cfs: true, pids: true, ..Limits::default() };
    Machine { cpus: 2, cgroup_version: 1, limits, seccomp: true, cgroup_namespaces: true, ..Machine::default() }
}

fn outcome(json: &str) -> Result<Vec<String>> {
    let mut body: ContainerCreateRequest = serde_json::from_str(json).expect(json);
    request(&mut body, &machine(), &Defaults::default())
}

#[track_caller]
fn check(json: &str, expected: &str) {
    let got = outcome(json).map_err(|e| e.message).err().unwrap_or_default();
    assert_eq!(got, expected, "{json}");
}

#[track_caller]
fn check_host(json: &str, expected: &str) {
    check(&format!(r#"{{"HostConfig":{{{json}}}}}"#), expected);
}

#[test]
fn names() {
    for good in ["web", "/web", "a1", "a_b.c-d", "0x"] {
        assert_eq!(name(good), Ok(good.trim_start_matches('/')));
    }
    for bad in ["", "/", "a", "_ab", "-x", "a b", "a/b", "//ab", "é1", "ab\n"] {
        assert_eq!(
            name(bad).unwrap_err().message,
            format!("Invalid container name ({bad}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        );
    }
}

#[test]
fn plain_requests_pass() {
    for json in [
        "{}",
        r#"{"Image":"x","Cmd":["true"],"Env":["A=1","B"],"WorkingDir":"/w/../x","StopSignal":"SIGTERM"}"#,
        r#"{"ExposedPorts":{"80/tcp":{},"53/udp":{},"8000-8010":{}},"Volumes":null,"Healthcheck":{"Test":["NONE"]}}"#,
        r#"{"HostConfig":{"NetworkMode":"default","PortBindings":{},"Links":[],"VolumesFrom":null,"Runtime":"runc","IpcMode":"","Isolation":"","UsernsMode":"host","RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}},"NetworkingConfig":{"EndpointsConfig":{"default":{}}}}"#,
        r#"{"HostConfig":{"NetworkMode":"host","PublishAllPorts":false,"Tmpfs":{"/run":"size=64m"},"Binds":["/tmp:/x:ro"],"Memory":6291456}}"#,
        r#"{"Hostname":"h","HostConfig":{"NetworkMode":"host","ExtraHosts":["a:1.2.3.4","b=::1","c:host-gateway"],"Dns":["1.1.1.1","fe80::1%eth0"]}}"#,
    ] {
        assert_eq!(outcome(json), Ok(vec![]), "{json}");
    }
}

#[test]
fn working_directory_is_cleaned() {
    let mut body: ContainerCreateRequest = serde_json::from_str(r#"{"WorkingDir":"/a/./b/../c/"}"#).unwrap();
    request(&mut body, &machine(), &Defaults::default()).unwrap();
    assert_eq!(body.config.working_dir, "/a/c");
}

#[test]
fn portable_half() {
    check(r#"{"WorkingDir":"w"}"#, "the working directory 'w' is invalid, it needs to be an absolute path");
    check(r#"{"StopSignal":"FOO"}"#, "invalid signal: FOO");
    check(r#"{"Env":["=x"]}"#, "invalid environment variable: =x");
    check(r#"{"ExposedPorts":{"x/tcp":{}}}"#, "invalid port specification: \"x\"");
    check(r#"{"ExposedPorts":{"80/icmp":{}}}"#, "invalid proto: icmp");
    check(r#"{"ExposedPorts":{"90-80/tcp":{}}}"#, "invalid port specification: \"90-80\"");
    check(r#"{"Healthcheck":{"Test":["NONE"],"Interval":1000}}"#, "Interval in Healthcheck cannot be less than 1ms");
    check(r#"{"Healthcheck":{"Test":["NONE"],"Retries":-1}}"#, "Retries in Healthcheck cannot be negative");
    check("{\"Cmd\":[\"a\\u0000\"]}", "invalid argument: \"a\\0\" contains a NUL byte");
}

#[test]
fn of_two_faults_the_one_that_docker_says() {
    check_host(r#""CpuShares":-1,"Memory":1"#, "invalid CPU shares (-1): value must be a positive integer");
    check_host(r#""CpuShares":-1,"CapAdd":["x"]"#, "invalid CPU shares (-1): value must be a positive integer");
    check_host(r#""Memory":1,"CapAdd":["x"]"#, "invalid CapAdd: unknown capability: \"CAP_X\"");
    for later in [
        r#""OomScoreAdj":2000"#,
        r#""ShmSize":-1"#,
        r#""IpcMode":"x""#,
        r#""Tmpfs":{"x":""}"#,
        r#""LogConfig":{"Type":"x"}"#,
    ] {
        check_host(&format!(r#"{later},"Memory":1"#), "Minimum memory limit allowed is 6MB");
    }
}

#[test]
fn host_half() {
    check_host(
        r#""AutoRemove":true,"RestartPolicy":{"Name":"always"}"#,
        "can't create 'AutoRemove' container with restart policy",
    );
    check_host(
        r#""RestartPolicy":{"Name":"x"}"#,
        "invalid restart policy: unknown policy 'x'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    );
    check_host(
        r#""RestartPolicy":{"Name":"","MaximumRetryCount":1}"#,
        "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
    check_host(
        r#""RestartPolicy":{"Name":"always","MaximumRetryCount":1}"#,
        "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
    check_host(
        r#""RestartPolicy":{"Name":"on-failure","MaximumRetryCount":-1}"#,
        "invalid restart policy: maximum retry count cannot be negative",
    );
    check_host(r#""CapAdd":["FOO"]"#, "invalid CapAdd: unknown capability: \"CAP_FOO\"");
    check_host(r#""CapDrop":"net""#, "invalid CapDrop: unknown capability: \"CAP_NET\"");
    check_host(r#""Isolation":"hyperv""#, "invalid isolation (hyperv): linux only supports 'default'");
    check_host(
        r#""Annotations":{"":"x"}"#,
        "invalid Annotations: the empty string is not permitted as an annotation key",
    );
    check_host(r#""IpcMode":"x""#, "invalid IPC mode: x");
    check_host(r#""PidMode":"x""#, "invalid PID mode: x");
    check_host(r#""UTSMode":"x""#, "invalid UTS mode: x");
    check_host(r#""CgroupnsMode":"x""#, "invalid cgroup namespace mode: x");
    check_host(r#""ShmSize":-1"#, "SHM size can not be less than 0");
    check_host(r#""OomScoreAdj":2000"#, "Invalid value 2000, range for oom score adj is [-1000, 1000]");
    check_host(r#""Memory":1024"#, "Minimum memory limit allowed is 6MB");
    check_host(r#""Tmpfs":{"/":""}"#, "invalid specification: destination can't be '/'");
    check_host(r#""Tmpfs":{"/x":"y"}"#, "invalid tmpfs option \"y\"");
    check_host(r#""Tmpfs":{"/x":""},"Binds":["/tmp:/x"]"#, "Duplicate mount point: /x");
    check_host(r#""LogConfig":{"Type":"x"}"#, "error looking up logging plugin x: plugin \"x\" not found");
    check_host(r#""LogConfig":{"Config":{"a":"b"}}"#, "unknown log opt 'a' for json-file log driver");
    check_host(r#""SecurityOpt":["x"]"#, "invalid --security-opt 1: \"x\"");
    check_host(r#""Ulimits":[{"Name":"x","Soft":1,"Hard":1}]"#, "invalid ulimit type: x");
    check_host(r#""DeviceCgroupRules":["x"]"#, "invalid device cgroup rule format: 'x'");
    check_host(r#""StorageOpt":{"size":"much"}"#, "invalid size: 'much'");
    check_host(r#""StorageOpt":{"siez":"1g"}"#, "Unknown option siez");
    check_host(r#""Sysctls":{"vm.x":"1"}"#, "sysctl \"vm.x\" is not in a separate kernel namespace");
}

#[test]
fn what_needs_the_hosts_ids() {
    let range = vec![::oci::runtime::IdMapping { container_id: 0, host_id: 100_000, size: 65_536 }];
    let remap = crate::remap::Remap { uids: range.clone(), gids: range };
    let defaults = Defaults { remap: Some(remap), ..Defaults::default() };
    let outcome = |host: &str| {
        let mut body: ContainerCreateRequest =
            serde_json::from_str(&format!(r#"{{"HostConfig":{{{host}}}}}"#)).unwrap();
        request(&mut body, &machine(), &defaults).map_err(|e| e.message).err().unwrap_or_default()
    };
    for (mode, start) in [
        (r#""Privileged":true"#, "privileged mode is incompatible with user namespaces."),
        (r#""NetworkMode":"host""#, "cannot share the host's network namespace when user namespaces are enabled"),
        (r#""PidMode":"host""#, "cannot share the host PID namespace when user namespaces are enabled"),
    ] {
        assert!(outcome(mode).starts_with(start), "{mode}");
        assert_eq!(outcome(&format!(r#"{mode},"UsernsMode":"host""#)), "");
    }
    assert_eq!(outcome(r#""UsernsMode":"keep-id""#), "invalid user namespace mode: keep-id");
}

#[test]
fn network_conflicts() {
    for (json, what) in [
        (r#"{"Hostname":"h","HostConfig":{"UTSMode":"host"}}"#, "hostname and the UTS mode"),
        (r#"{"Hostname":"h","HostConfig":{"NetworkMode":"container:x"}}"#, "hostname and the network mode"),
        (r#"{"HostConfig":{"NetworkMode":"container:x","Dns":["1.1.1.1"]}}"#, "dns and the network mode"),
        (
            r#"{"HostConfig":{"NetworkMode":"container:x","ExtraHosts":["a:1.1.1.1"]}}"#,
            "custom host-to-IP mapping and the network mode",
        ),
        (
            r#"{"HostConfig":{"NetworkMode":"container:x","PortBindings":{"80/tcp":[]}}}"#,
            "port publishing and the container type network mode",
        ),
        (
            r#"{"ExposedPorts":{"80/tcp":{}},"HostConfig":{"NetworkMode":"container:x"}}"#,
            "port exposing and the container type network mode",
        ),
        (
            r#"{"MacAddress":"02:42:ac:11:00:02","HostConfig":{"NetworkMode":"host"}}"#,
            "mac-address and the network mode",
        ),
    ] {
        check(json, &format!("conflicting options: {what}"));
    }
    check_host(r#""NetworkMode":"container:""#, "invalid network mode: invalid container format container:<name|id>");
    check_host(r#""Dns":["x"]"#, "bad nameserver address: x");
    check_host(r#""ExtraHosts":["x"]"#, "bad format for add-host: \"x\"");
    check_host(r#""ExtraHosts":["x:y"]"#, "invalid IP address in add-host: \"y\"");
    check_host(r#""NetworkMode":"host","PortBindings":{"80":[{"HostPort":"x"}]}"#, "invalid port specification: \"x\"");
}

#[test]
fn endpoints() {
    let subnets = ["10.1.0.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()];
    let check = |user_defined: bool, v4: &str, v6: &str, aliases: &[&str], expected: &str| {
        let ipam =
            EndpointIpamConfig { ipv4_address: v4.into(), ipv6_address: v6.into(), ..EndpointIpamConfig::default() };
        let aliases = Some(aliases.iter().map(|a| (*a).to_owned()).collect());
        let settings = EndpointSettings { ipam_config: Some(ipam), aliases, ..EndpointSettings::default() };
        let outcome = network::endpoint(&settings, user_defined, Some(&subnets)).map_err(|e| e.message);
        let expected =
            if expected.is_empty() { Ok(()) } else { Err(format!("invalid endpoint settings:\n{expected}")) };
        assert_eq!(outcome, expected);
    };
    let (alone, configured) = (
        "user specified IP address is supported on user defined networks only",
        "user specified IP address is supported only when connecting to networks with user configured subnets",
    );
    check(false, "", "", &[], "");
    check(false, "1.2.3.4", "", &[], &format!("* {alone}\n* {configured}"));
    check(false, "", "", &["x"], "network-scoped alias is supported only for containers in user defined networks");
    check(true, "10.1.0.9", "fd00::9", &["x"], "");
    check(true, "10.2.0.9", "", &[], "no configured subnet or ip-range contain the IP address 10.2.0.9");
    let nonsense = "* invalid IPv4 address: x\n* no configured subnet or ip-range contain the IP address x";
    check(true, "x", "", &[], nonsense);
    let mac = EndpointSettings { mac_address: "02:42".into(), ..EndpointSettings::default() };
    assert_eq!(network::endpoint(&mac, false, None).unwrap_err().message, "invalid MAC address: 02:42");
}

#[test]
fn volumes_where_something_is_mounted() {
    check(
        r#"{"Volumes":{"/a":{},"/b/":{},"/c":{}},"HostConfig":{"Binds":["/tmp:/a:ro"],"Tmpfs":{"/b":""},"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/c"}]}}"#,
        "",
    );
}

#[test]
fn not_yet() {
    for json in [
        r#"{"HostConfig":{"Mounts":[{"Type":"cluster","Source":"v","Target":"/data"}]}}"#,
        r#"{"HostConfig":{"LogConfig":{"Type":"syslog"}}}"#,
    ] {
        let error = outcome(json).expect_err(json);
        assert_eq!(error.kind, ErrorKind::NotImplemented, "{json}: {error}");
    }
}

#[test]
fn warnings_for_what_is_dropped() {
    let port = PortBinding { host_port: "80".into(), ..PortBinding::default() };
    let host = HostConfig {
        network_mode: "host".into(),
        port_bindings: Some([("80/tcp".into(), Some(vec![port]))].into()),
        ..HostConfig::default()
    };
    let mut body = ContainerCreateRequest { host_config: Some(host), ..ContainerCreateRequest::default() };
    let warnings = request(&mut body, &machine(), &Defaults::default()).unwrap();
    assert_eq!(warnings, ["Published ports are discarded when using host network mode"]);
}

#[test]
fn an_init_beside_others_processes_is_warned_of() {
    for (json, warnings) in [
        (r#"{"Init":true,"PidMode":"host"}"#, 1),
        (r#"{"Init":true,"PidMode":"container:x"}"#, 1),
        (r#"{"Init":true}"#, 0),
        (r#"{"PidMode":"host"}"#, 0),
    ] {
        let told = outcome(&format!(r#"{{"HostConfig":{json}}}"#)).unwrap();
        assert_eq!(told.len(), warnings, "{json}: {told:?}");
    }
}

#[test]
fn platforms() {
    let of = |text: &str| text.parse::<Platform>().unwrap();
    assert!(platform("x", &of("linux/amd64"), &of("linux/amd64")).is_ok());
    assert_eq!(platform("x", &of("linux/arm64"), &of("linux/amd64")).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(platform_warning(&of("linux/amd64"), &of("linux/amd64")), None);
    assert_eq!(
        platform_warning(&of("linux/arm64"), &of("linux/amd64")).unwrap(),
        "The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64) and no specific platform was requested"
    );
}
