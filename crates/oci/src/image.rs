//! Manifests, indexes, configurations and layouts of the OCI image specification 1.1, with Docker's additions.
//!
//! Source: <https://github.com/opencontainers/image-spec> (descriptor.md, manifest.md, image-index.md, config.md,
//! image-layout.md) and Docker's image specification 1.2/1.3 for what only Docker writes (`Healthcheck`, `OnBuild`,
//! `Shell`, `ArgsEscaped`, `docker_version`, `container`, `parent`, and an archive's `manifest.json`).
//!
//! Reading is lenient: `null` is the same as absent, unknown fields are ignored, a date which is none is no date.
//! These types are for looking in; whoever passes content on passes the bytes as they came, because a digest is over
//! bytes, not over what they mean.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use values::{Digest, Timestamp};

/// Media types, by their short names.
pub mod media {
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    /// An index or Docker's manifest list.
    pub fn is_index(media_type: &str) -> bool {
        matches!(media_type, OCI_INDEX | DOCKER_LIST)
    }

    /// A manifest of one image, OCI's or Docker's (schema 2).
    pub fn is_manifest(media_type: &str) -> bool {
        matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
    }

    /// An image's configuration, not an artifact's.
    pub fn is_config(media_type: &str) -> bool {
        matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
    }

    /// Anything that unpacks to a filesystem layer, compressed or not.
    pub fn is_layer(media_type: &str) -> bool {
        media_type.starts_with(OCI_LAYER)
            || media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
            || media_type.starts_with("application/vnd.docker.image.rootfs.diff.tar")
            || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar")
    }
}

/// Annotation by which `docker save` gives a descriptor of `index.json` its full name.
pub const ANNOTATION_IMAGE_NAME: &str = "io.containerd.image.name";
/// OCI's annotation for a name in a layout: a tag, or a whole reference.
pub const ANNOTATION_REF_NAME: &str = "org.opencontainers.image.ref.name";

fn null_is_default<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

/// A date, or nothing where the text is no date: an odd clock must not make an image unusable.
fn lenient_time<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(d)?.and_then(|s| s.parse().ok()))
}

/// A list of words, also from a single string (very old images).
fn words<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        Many(Vec<String>),
        One(String),
    }
    Ok(Option::<Words>::deserialize(d)?.map(|w| match w {
        Words::Many(v) => v,
        Words::One(s) => vec![s],
    }))
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

fn is_false(b: &bool) -> bool {
    !*b
}

/// Points at content: what it is, its digest, its length in bytes (descriptor.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default, deserialize_with = "null_is_default")]
    pub media_type: String,
    pub digest: Digest,
    #[serde(default)]
    pub size: u64,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// The three fields every descriptor has, nothing else.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
        }
    }
}

/// What a manifest of an index runs on (image-index.md), in Go's names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    #[serde(deserialize_with = "null_is_default")]
    pub architecture: String,
    #[serde(deserialize_with = "null_is_default")]
    pub os: String,
    #[serde(rename = "os.version", deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    #[serde(rename = "os.features", deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl From<&Platform> for values::Platform {
    fn from(p: &Platform) -> Self {
        Self { os: p.os.clone(), architecture: p.architecture.clone(), variant: p.variant.clone() }
    }
}

impl From<&values::Platform> for Platform {
    fn from(p: &values::Platform) -> Self {
        let (os, architecture, variant) = (p.os.clone(), p.architecture.clone(), p.variant.clone());
        Self { os, architecture, variant, ..Self::default() }
    }
}

/// One image for one platform: its configuration and its layers, lowest first (manifest.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    #[serde(default)]
    pub schema_version: u32,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    #[serde(default, deserialize_with = "null_is_default")]
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Several manifests under one digest, usually one a platform (image-index.md); also Docker's manifest list and the
/// `index.json` of a layout.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Index {
    pub schema_version: u32,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub manifests: Vec<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The `oci-layout` file (image-layout.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    pub image_layout_version: String,
}

impl Layout {
    /// Name of the file.
    pub const FILE: &'static str = "oci-layout";
}

impl Default for Layout {
    fn default() -> Self {
        Self { image_layout_version: "1.0.0".into() }
    }
}

/// One entry of the `manifest.json` of a `docker save` archive; paths are members of the archive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ArchiveEntry {
    pub config: String,
    #[serde(deserialize_with = "null_is_default")]
    pub repo_tags: Vec<String>,
    /// Lowest first.
    #[serde(deserialize_with = "null_is_default")]
    pub layers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What is known of layers by diff id (foreign layers' URLs and media types).
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub layer_sources: BTreeMap<String, Descriptor>,
}

/// An image's configuration file (config.md) with Docker's additions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    #[serde(deserialize_with = "null_is_default")]
    pub architecture: String,
    #[serde(deserialize_with = "null_is_default")]
    pub os: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub variant: String,
    #[serde(rename = "os.version", deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    #[serde(rename = "os.features", deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    #[serde(deserialize_with = "lenient_time", skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What a container of this image starts with.
    #[serde(deserialize_with = "null_is_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_is_default")]
    pub rootfs: RootFs,
    /// Lowest first.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// Docker's: the message of a commit or import.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Docker's: id of the container a commit was made of.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// Docker's: version of the engine which made the image.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub docker_version: String,
    /// Docker's: id of the image this one was built on, where it is known here.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub parent: String,
}

/// A set of names, in JSON an object with empty objects as values.
pub type Set = BTreeMap<String, Empty>;

/// The empty object, whatever it was in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Empty;

impl Serialize for Empty {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        s.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(d).map(|_| Self)
    }
}

/// What a container starts with: the `config` object of [`Image`].
///
/// `None` and an empty list differ: `CMD []` takes an inherited command away, an absent `Cmd` says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Config {
    /// `user[:group]`, names or numbers; empty is root.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `80/tcp`.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: Set,
    /// `NAME=value` each, in order.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "words", skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    #[serde(deserialize_with = "words", skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Absolute paths in the container.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: Set,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// A name (`SIGTERM`, `TERM`) or a number.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    #[serde(deserialize_with = "words", skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// Instructions for images built on this one.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// Windows only: `Cmd` is one escaped string.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub args_escaped: bool,
}

/// How a container's health is asked for. Times are nanoseconds; 0 means the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`; empty means inherited.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub interval: i64,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub timeout: i64,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub start_period: i64,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// Failures in a row until it counts as unhealthy.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The layers by the digests of their uncompressed tars, lowest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RootFs {
    #[serde(rename = "type", deserialize_with = "null_is_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".into(), diff_ids: Vec::new() }
    }
}

/// One step of an image's making.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    #[serde(deserialize_with = "lenient_time", skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub author: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// The step made no layer.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub empty_layer: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:0123456789012345678901234567890123456789012345678901234567890123";

    #[test]
    fn reads_what_docker_writes() {
        let text = format!(
            r#"{{"architecture":"amd64","os":"linux","created":"2024-05-01T10:00:00.5Z","container":"abc",
            "docker_version":"20.10.1","container_config":{{"Cmd":["x"]}},
            "config":{{"Hostname":"","User":"web:web","ExposedPorts":{{"80/tcp":{{}}}},"Env":["A=b"],"Cmd":["sh"],
              "Entrypoint":null,"Volumes":{{"/data":{{}}}},"WorkingDir":"/w","OnBuild":null,"Labels":null,
              "Healthcheck":{{"Test":["CMD-SHELL","true"],"Interval":5000000000,"Retries":3}},"Shell":["/bin/bash","-c"],
              "StopSignal":"SIGQUIT","ArgsEscaped":true}},
            "history":[{{"created":"garbage","created_by":"ADD","empty_layer":true}}],
            "rootfs":{{"type":"layers","diff_ids":["{D}"]}}}}"#
        );
        let image: Image = serde_json::from_str(&text).unwrap();
        assert_eq!(image.created.unwrap().to_string(), "2024-05-01T10:00:00.5Z");
        assert_eq!(image.config.user, "web:web");
        assert!(image.config.exposed_ports.contains_key("80/tcp") && image.config.volumes.contains_key("/data"));
        assert_eq!(image.config.cmd.as_deref(), Some(&["sh".to_owned()][..]));
        assert_eq!(image.config.entrypoint, None);
        assert_eq!(image.config.healthcheck.as_ref().unwrap().interval, 5_000_000_000);
        assert!(image.config.args_escaped);
        assert_eq!(image.history[0].created, None);
        assert_eq!(image.rootfs.diff_ids[0].as_str(), D);
        let again: Image = serde_json::from_slice(&serde_json::to_vec(&image).unwrap()).unwrap();
        assert_eq!(again, image);
    }

    #[test]
    fn nulls_and_absences_are_no_errors() {
        for text in [r#"{}"#, r#"{"config":null,"rootfs":null,"history":null,"created":null,"architecture":null}"#] {
            let image: Image = serde_json::from_str(text).unwrap();
            assert_eq!(image, Image::default(), "{text}");
        }
        let index: Index = serde_json::from_str(r#"{"schemaVersion":2,"manifests":null}"#).unwrap();
        assert!(index.manifests.is_empty());
        let one: Config = serde_json::from_str(r#"{"Cmd":"echo"}"#).unwrap();
        assert_eq!(one.cmd, Some(vec!["echo".to_owned()]));
    }

    #[test]
    fn a_manifest_and_its_index() {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{D}","size":7,
            "platform":{{"architecture":"arm","os":"linux","variant":"v7"}},"annotations":{{"a":"b"}}}}]}}"#,
            media::OCI_INDEX,
            media::OCI_MANIFEST
        );
        let index: Index = serde_json::from_str(&text).unwrap();
        let platform = values::Platform::from(index.manifests[0].platform.as_ref().unwrap());
        assert_eq!(platform.to_string(), "linux/arm/v7");
        assert!(media::is_index(&index.media_type) && media::is_manifest(&index.manifests[0].media_type));
        for bad in [r#"{"config":{"digest":"md5:00","size":1}}"#, r#"{"layers":[]}"#, "[]"] {
            assert!(serde_json::from_str::<Manifest>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn layer_media_types() {
        for (kind, expected) in [
            (media::OCI_LAYER_ZSTD, true),
            (media::DOCKER_LAYER_GZIP, true),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", true),
            ("application/vnd.in-toto+json", false),
            (media::OCI_CONFIG, false),
        ] {
            assert_eq!(media::is_layer(kind), expected, "{kind}");
        }
    }
}
