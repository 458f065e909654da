use serde_json::{Value, json};

use super::*;
use crate::types::*;

fn lowered<T: Lower + serde::Serialize + Clone>(newest: &T, minor: u16) -> Value {
    let mut reply = newest.clone();
    reply.lower(Version::new(1, minor));
    serde_json::to_value(reply).expect("plain data")
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn container() -> ContainerInspect {
    let endpoint = |ip: &str| EndpointSettings {
        ip_address: ip.into(),
        dns_names: Some(vec!["web".into()]),
        ..EndpointSettings::default()
    };
    ContainerInspect {
        id: "783f30879b57fc8668f38b4e2300085edd07e9b1545f050270ff9bcfe7b5ddca".into(),
        driver: "overlayfs".into(),
        network_settings: NetworkSettings {
            networks: Some(
                [("bridge", endpoint("172.17.0.2")), ("mine", endpoint("172.18.0.2"))]
                    .map(|(n, e)| (n.into(), e))
                    .into(),
            ),
            ..NetworkSettings::default()
        },
        ..ContainerInspect::default()
    }
}

#[test]
fn newest_is_untouched() {
    assert_eq!(lowered(&container(), 55), serde_json::to_value(container()).expect("plain data"));
    assert_eq!(keys(&lowered(&container(), 55)["NetworkSettings"]), ["Networks", "Ports", "SandboxID", "SandboxKey"]);
}

#[test]
fn container_has_its_default_network_on_top() {
    let old = lowered(&container(), 51);
    let settings = &old["NetworkSettings"];
    assert_eq!(settings["IPAddress"], "172.17.0.2");
    assert_eq!(settings["SecondaryIPAddresses"], Value::Null);
    // The field set of Docker 28.5 at 1.51.
    assert_eq!(
        keys(settings),
        [
            "Bridge",
            "EndpointID",
            "Gateway",
            "GlobalIPv6Address",
            "GlobalIPv6PrefixLen",
            "HairpinMode",
            "IPAddress",
            "IPPrefixLen",
            "IPv6Gateway",
            "LinkLocalIPv6Address",
            "LinkLocalIPv6PrefixLen",
            "MacAddress",
            "Networks",
            "Ports",
            "SandboxID",
            "SandboxKey",
            "SecondaryIPAddresses",
            "SecondaryIPv6Addresses"
        ]
    );
    assert_eq!(old["GraphDriver"], json!({"Data": null, "Name": "overlayfs"}));
    assert_eq!(old["Config"]["OnBuild"], Value::Null);
    assert!(old["Config"].as_object().expect("object").contains_key("OnBuild"));
}

#[test]
fn container_aliases_and_names() {
    let old = lowered(&container(), 43);
    let networks = &old["NetworkSettings"]["Networks"];
    assert_eq!(networks["mine"]["Aliases"], json!(["783f30879b57"]));
    assert_eq!(networks["bridge"]["Aliases"], Value::Null);
    assert_eq!(networks["mine"]["DNSNames"], Value::Null);
    assert_eq!(lowered(&container(), 45)["NetworkSettings"]["Networks"]["mine"]["Aliases"], Value::Null);
}

#[test]
fn image_config_by_version() {
    let image = ImageInspect {
        config: Some(ImageConfig { cmd: Some(vec!["sh".to_owned()].into()), ..ImageConfig::default() }),
        size: 7,
        ..ImageInspect::default()
    };
    assert_eq!(lowered(&image, 52)["Config"], json!({"Cmd": ["sh"]}));
    assert_eq!(
        lowered(&image, 51)["Config"],
        json!({"Cmd":["sh"],"Entrypoint":null,"Env":null,"Labels":null,"OnBuild":null,"User":"","Volumes":null,"WorkingDir":""})
    );
    assert_eq!(
        keys(&lowered(&image, 49)["Config"]),
        [
            "AttachStderr",
            "AttachStdin",
            "AttachStdout",
            "Cmd",
            "Domainname",
            "Entrypoint",
            "Env",
            "Hostname",
            "Image",
            "Labels",
            "OnBuild",
            "OpenStdin",
            "StdinOnce",
            "Tty",
            "User",
            "Volumes",
            "WorkingDir"
        ]
    );
    let check = |minor, key: &str, there| {
        assert_eq!(lowered(&image, minor).as_object().expect("object").contains_key(key), there, "{key} in 1.{minor}");
    };
    check(44, "ContainerConfig", true);
    check(45, "ContainerConfig", false);
    check(43, "VirtualSize", true);
    check(44, "VirtualSize", false);
    check(51, "Parent", true);
    check(52, "Parent", false);
    check(51, "DockerVersion", true);
    check(52, "Author", false);
}

#[test]
fn image_list_by_version() {
    let image = ImageSummary { containers: 2, size: 9, ..ImageSummary::default() };
    assert_eq!(lowered(&image, 51)["Containers"], 2);
    assert_eq!(lowered(&image, 50)["Containers"], -1);
    assert_eq!(lowered(&image, 43)["VirtualSize"], 9);
    assert_eq!(lowered(&image, 42)["RepoTags"], json!(["<none>:<none>"]));
    assert_eq!(lowered(&image, 43)["RepoTags"], json!([]));
}

#[test]
fn events_by_version() {
    let event = |kind: &str| EventMessage {
        kind: kind.into(),
        action: "start".into(),
        actor: EventActor { id: "abc".into(), attributes: [("image".to_owned(), "x:1".to_owned())].into() },
        ..EventMessage::default()
    };
    assert_eq!(keys(&lowered(&event("container"), 52)), ["Action", "Actor", "Type"]);
    let old = lowered(&event("container"), 51);
    assert_eq!((&old["status"], &old["id"], &old["from"]), (&json!("start"), &json!("abc"), &json!("x:1")));
    assert_eq!(keys(&lowered(&event("image"), 51)), ["Action", "Actor", "Type", "id", "status"]);
    assert_eq!(keys(&lowered(&event("network"), 51)), ["Action", "Actor", "Type"]);
}

#[test]
fn info_by_version() {
    let info = SystemInfo {
        runc_commit: Commit { id: "v1".into(), ..Commit::default() },
        firewall_backend: Some(FirewallInfo::default()),
        security_options: vec!["name=seccomp,profile=builtin".into()],
        ..SystemInfo::default()
    };
    assert_eq!(lowered(&info, 24)["SecurityOptions"], json!(["seccomp"]));
    assert_eq!(lowered(&info, 48)["RuncCommit"], json!({"ID": "v1", "Expected": "v1"}));
    assert_eq!(lowered(&info, 48).get("FirewallBackend"), None);
    assert_eq!(lowered(&info, 49)["BridgeNfIptables"], false);
    assert_eq!(lowered(&info, 50).get("BridgeNfIptables"), None);
}

fn raised(body: Value, minor: u16) -> Value {
    let mut request: ContainerCreateRequest = serde_json::from_value(body).expect("a request");
    raise_create(&mut request, Version::new(1, minor)).expect("nothing that version does not have");
    serde_json::to_value(request).expect("plain data")
}

#[test]
fn old_defaults_of_create() {
    let check = |minor, key: &str, expected: Value| {
        assert_eq!(
            raised(json!({"Image": "x", "HostConfig": {}}), minor)["HostConfig"][key],
            expected,
            "{key} in 1.{minor}"
        );
    };
    check(39, "IpcMode", json!("shareable"));
    check(40, "IpcMode", json!(""));
    check(40, "CgroupnsMode", json!("host"));
    check(41, "CgroupnsMode", json!(""));
}

#[test]
fn what_could_not_be_mounted() {
    let check = |mount: Value, since: u16, why: &str| {
        let body = json!({"HostConfig": {"Mounts": [mount]}});
        assert_eq!(raised(body.clone(), since)["HostConfig"]["Mounts"], body["HostConfig"]["Mounts"]);
        let mut request: ContainerCreateRequest = serde_json::from_value(body).expect("a request");
        let refused = raise_create(&mut request, Version::new(1, since - 1)).expect_err("it came later");
        assert_eq!(refused.message, why);
    };
    let image = json!({"Type": "image", "Source": "a", "Target": "/b"});
    check(image, 48, "Mount type \"Image\" needs API v1.48 or newer");
    let part = json!({"Type": "volume", "Source": "a", "Target": "/b", "VolumeOptions": {"Subpath": "c"}});
    check(part, 45, "VolumeOptions.Subpath needs API v1.45 or newer");
}

#[test]
fn read_only_binds_were_not_recursive() {
    let body = json!({"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": true}]}});
    let options = |minor| raised(body.clone(), minor)["HostConfig"]["Mounts"][0]["BindOptions"].clone();
    assert_eq!(options(43), json!({"ReadOnlyNonRecursive": true}));
    assert_eq!(options(44), Value::Null);
}

#[test]
fn mac_address_moves_to_the_network() {
    let mac = |body: Value, minor, network: &str| {
        raised(body, minor)["NetworkingConfig"]["EndpointsConfig"][network]["MacAddress"].clone()
    };
    let body = json!({"MacAddress": "02:42:ac:11:00:02", "HostConfig": {"NetworkMode": "default"}});
    assert_eq!(mac(body.clone(), 43, "bridge"), "02:42:ac:11:00:02");
    assert_eq!(mac(body, 52, "bridge"), Value::Null);
    let body = json!({"MacAddress": "02:42:ac:11:00:02", "HostConfig": {"NetworkMode": "host"}});
    assert_eq!(mac(body, 43, "host"), Value::Null);
}

#[test]
fn network_lists_by_version() {
    assert_eq!(lowered(&Network::default(), 51)["Containers"], json!({}));
    assert_eq!(lowered(&Network::default(), 52).get("Containers"), None);
}
