//! What a container runs: the portable half of its configuration.

use std::collections::BTreeMap;

use crate::lenient::{Empty, StrSlice, is_default};
use crate::types::HealthConfig;
use crate::wire::wire;

wire! {
    /// The portable configuration of a container (`Config` of an inspect, the top level of a create).
    ///
    /// As Docker does, fields that were never set are `null`; which of them are left out instead is the swagger's `omitempty`.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerConfig {
        /// Host name inside; empty until the daemon fills in the short id.
        pub hostname: String,
        pub domainname: String,
        /// `user[:group]`, names or numbers; empty is root.
        pub user: String,
        pub attach_stdin: bool,
        pub attach_stdout: bool,
        pub attach_stderr: bool,
        /// Keys are `PORT[-PORT]/PROTO`.
        #[serde(skip_serializing_if = "is_default")]
        pub exposed_ports: BTreeMap<String, Empty>,
        pub tty: bool,
        pub open_stdin: bool,
        /// Close stdin when the one attached client leaves.
        pub stdin_once: bool,
        /// `KEY=VALUE`; a bare `KEY` removes the image's variable.
        pub env: Option<Vec<String>>,
        pub cmd: Option<StrSlice>,
        #[serde(skip_serializing_if = "is_default")]
        pub healthcheck: Option<HealthConfig>,
        /// Windows only; accepted and echoed.
        #[serde(skip_serializing_if = "is_default")]
        pub args_escaped: bool,
        /// The image as the user named it.
        pub image: String,
        /// Keys are paths inside that get an anonymous volume.
        pub volumes: Option<BTreeMap<String, Empty>>,
        pub working_dir: String,
        pub entrypoint: Option<StrSlice>,
        #[serde(skip_serializing_if = "is_default")]
        pub network_disabled: bool,
        /// Only read from clients below 1.44; newer ones put it in the endpoint settings.
        #[serde(skip_serializing_if = "is_default")]
        pub mac_address: String,
        /// The outer `None` leaves it out, as newer versions do with an empty one; `Some(None)` is `null`.
        #[serde(skip_serializing_if = "is_default")]
        pub on_build: Option<Option<Vec<String>>>,
        pub labels: Option<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "is_default")]
        pub stop_signal: String,
        /// Seconds between the stop signal and SIGKILL; -1 waits for ever.
        #[serde(skip_serializing_if = "is_default")]
        pub stop_timeout: Option<i64>,
        #[serde(skip_serializing_if = "is_default")]
        pub shell: Vec<String>,
    }
}
