//! Entrances for `fuzz/`: what of the engine reads what users wrote.

use std::path::Path;

use api::types::ContainerCreateRequest;
use values::RootMount;

pub use crate::oci::seccomp::profile as seccomp;

use crate::config::Defaults;
use crate::container::{adapt, health, merge, mounts, validate};
use crate::dns::message::{self, Query, Record};
use crate::machine::{Limits, Machine};
use crate::oci;

/// The body of `POST /containers/create`, as far as its OCI specification.
pub fn create(data: &[u8]) {
    let _ = try_create(data);
}

fn try_create(data: &[u8]) -> Option<runtime::Launch> {
    let mut body: ContainerCreateRequest = serde_json::from_slice(data).ok()?;
    api::versions::raise_create(&mut body, api::version::Version::MIN).ok()?;
    let limits = Limits { memory: true, swap: true, cpu_cfs: true, pids: true, ..Limits::default() };
    let machine =
        Machine { cpus: 2, cgroup_version: 1, limits, seccomp: true, cgroup_namespaces: true, ..Machine::default() };
    let defaults = Defaults::default();
    validate::request(&mut body, &machine, &defaults).ok()?;
    let mut host = body.host_config.unwrap_or_default();
    let mut config = body.config;
    let mounts = mounts::resolve(&host).ok()?;
    merge::merge(&mut config, &::oci::image::Config::default()).ok()?;
    health::check::validate_merged(&config).ok()?;
    adapt::adapt(&mut host, &defaults, &machine);
    let input = oci::Input {
        id: "0123",
        hostname: "box",
        config: &config,
        host: &host,
        mounts: &mounts,
        etc: oci::EtcFiles { hostname: Some(Path::new("/run/x/hostname")), ..oci::EtcFiles::default() },
        plain: false,
        cgroup_path: "/lighter/0123".into(),
        defaults: &defaults,
        machine: &machine,
        joined: oci::Joined::default(),
        rootfs: RootMount::Directory { path: "/does/not/matter".into() },
        link_env: &[],
        process_label: "",
        mount_label: "",
    };
    oci::launch(&input).ok()
}

/// A file of CDI devices, read and carried out on a container. `is_json`: not YAML.
pub fn cdi(text: &str, is_json: bool) {
    let Ok(spec) = crate::cdi::parse(text, is_json) else { return };
    for device in &spec.devices {
        let mut launch = try_create(br#"{"Image":"x","Cmd":["x"]}"#).expect("a container without wishes");
        let _ = crate::cdi::apply(&[&spec.container_edits, &device.container_edits], &mut launch);
    }
}

/// A DNS message, as a container's question and as the answer of a server outside.
pub fn dns(data: &[u8]) {
    let mut reply = data.to_vec();
    let before = message::lifetime(&reply);
    message::age(&mut reply, 1);
    assert_eq!(message::lifetime(&reply), before.map(|seconds| seconds.saturating_sub(1)));
    message::set_id(&mut reply, 1);
    let query = match Query::parse(data) {
        Ok(query) => query,
        Err((id, code)) => return assert!(id == 0 || message::refusal(id, code).starts_with(&data[..2])),
    };
    let _ = (query.reverse(), query.key(), query.is_internet());
    assert!(query.size() >= 512);
    let answer = query.answer(message::NO_ERROR, &[Record::Address([10, 0, 0, 1].into()), Record::Name("db".into())]);
    assert!(query.is_answered_by(&answer, query.id), "{answer:?}");
    assert_eq!(message::lifetime(&answer), Some(600), "{answer:?}");
    assert!(query.is_answered_by(&query.truncated(), query.id));
}
