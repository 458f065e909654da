//! Replies of Docker 28.5 at 1.51, read and written again: every field, null and order must come back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::version::Version;
use crate::versions::Lower;

fn check<T: Serialize + DeserializeOwned>(name: &str, golden: &str) {
    let value: T = serde_json::from_str(golden).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(serde_json::to_string(&value).expect("plain data"), golden.trim_end(), "{name}");
}

#[test]
fn same_bytes() {
    check::<Vec<ContainerSummary>>("container list", include_str!("golden/container_list.json"));
    check::<Vec<ImageSummary>>("image list", include_str!("golden/image_list.json"));
    check::<SystemVersion>("version", include_str!("golden/version.json"));
    check::<SystemInfo>("info", include_str!("golden/info.json"));
    check::<Vec<Network>>("network list", include_str!("golden/network_list.json"));
    check::<Network>("network inspect", include_str!("golden/network_inspect.json"));
    check::<VolumeList>("volume list", include_str!("golden/volume_list.json"));
    check::<Vec<HistoryItem>>("history", include_str!("golden/history.json"));
    check::<TopResponse>("top", include_str!("golden/top.json"));
    check::<ExecInspect>("exec inspect", include_str!("golden/exec_inspect.json"));
}

#[test]
fn same_bytes_for_an_older_client() {
    let golden = include_str!("golden/container_inspect.json");
    let mut container: ContainerInspect = serde_json::from_str(golden).expect("golden");
    container.lower(Version::new(1, 51));
    assert_eq!(serde_json::to_string(&container).expect("plain data"), golden.trim_end());
}

#[test]
fn image_inspect_has_the_same_fields() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/image_inspect.json")).expect("golden");
    let mut image: ImageInspect = serde_json::from_value(golden.clone()).expect("golden");
    image.lower(Version::new(1, 51));
    assert_eq!(serde_json::to_value(&image).expect("plain data"), golden);
}

#[test]
fn nulls_and_strings_are_accepted() {
    let request: ContainerCreateRequest = serde_json::from_str(
        r#"{"Image":"x","Cmd":"echo hi","Env":null,"Labels":null,"Tty":null,"ExposedPorts":{"80/tcp":null},
            "Unknown":[1,{}],"HostConfig":{"Binds":null,"PortBindings":{"80/tcp":null},"ConsoleSize":null,
            "Memory":null,"Mounts":null,"RestartPolicy":null,"CapAdd":"NET_ADMIN"},"NetworkingConfig":null}"#,
    )
    .expect("lenient");
    assert_eq!(request.config.cmd.as_deref(), Some(&vec!["echo hi".to_owned()]));
    let host = request.host_config.expect("given");
    assert_eq!(host.cap_add.as_deref(), Some(&vec!["NET_ADMIN".to_owned()]));
    assert_eq!(host.port_bindings.expect("given")["80/tcp"], None);
    assert!(serde_json::from_str::<ContainerCreateRequest>(r#"{"Image":3}"#).is_err());
}
