//! `GET /images/{name}/json`

use serde_json::{Value, json};

use super::Lower;
use crate::types::{ContainerConfig, DriverData, ImageConfig, ImageInspect};
use crate::version::Version;

/// What 1.50 and 1.51 say when it is not set, and newer versions leave out.
const UNSET: [(&str, Value); 6] = [
    ("Cmd", Value::Null),
    ("Entrypoint", Value::Null),
    ("Env", Value::Null),
    ("Labels", Value::Null),
    ("OnBuild", Value::Null),
    ("Volumes", Value::Null),
];

/// What belongs to containers, not to images, and was always empty.
const CONTAINERS_ONLY: [(&str, Value); 6] = [
    ("AttachStderr", Value::Bool(false)),
    ("AttachStdin", Value::Bool(false)),
    ("AttachStdout", Value::Bool(false)),
    ("OpenStdin", Value::Bool(false)),
    ("StdinOnce", Value::Bool(false)),
    ("Tty", Value::Bool(false)),
];

impl Lower for ImageInspect {
    fn lower(&mut self, version: Version) {
        if version.below(52) {
            lower_top_level(self);
            lower_config(self.config.get_or_insert_default(), version);
        }
        if version.below(48) {
            self.descriptor = None;
            self.manifests.clear();
        }
        if version.below(45) {
            self.container_config = Some(ContainerConfig { on_build: Some(None), ..ContainerConfig::default() });
        }
        if version.below(44) {
            self.virtual_size = Some(self.size);
            self.created.get_or_insert_with(|| "0001-01-01T00:00:00Z".to_owned());
        }
    }
}

fn lower_top_level(image: &mut ImageInspect) {
    for text in [&mut image.parent, &mut image.comment, &mut image.docker_version, &mut image.author] {
        text.get_or_insert_default();
    }
    image.graph_driver.get_or_insert_with(|| DriverData { data: None, name: "overlay2".to_owned() });
}

fn lower_config(config: &mut ImageConfig, version: Version) {
    let is_set = |key: &str| match key {
        "Cmd" => config.cmd.is_some(),
        "Entrypoint" => config.entrypoint.is_some(),
        "Env" => config.env.is_some(),
        "Labels" => config.labels.is_some(),
        "OnBuild" => !config.on_build.is_empty(),
        "Volumes" => !config.volumes.is_empty(),
        _ => false,
    };
    let mut legacy: Vec<(&str, Value)> = UNSET.into_iter().filter(|(key, _)| !is_set(key)).collect();
    for (key, value) in [("User", &config.user), ("WorkingDir", &config.working_dir)] {
        if value.is_empty() {
            legacy.push((key, json!("")));
        }
    }
    if version.below(50) {
        legacy.extend(CONTAINERS_ONLY);
        legacy.extend(["Domainname", "Hostname", "Image"].map(|key| (key, json!(""))));
    }
    config.legacy = legacy.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
}
