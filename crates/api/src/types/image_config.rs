//! What an image says about the containers made from it.

use std::collections::BTreeMap;

use crate::lenient::{Empty, StrSlice, is_default};
use crate::types::HealthConfig;
use crate::wire::wire;

wire! {
    /// The `Config` of an image inspect.
    #[serde(rename_all = "PascalCase")]
    pub struct ImageConfig {
        #[serde(skip_serializing_if = "is_default")]
        pub user: String,
        #[serde(skip_serializing_if = "is_default")]
        pub exposed_ports: BTreeMap<String, Empty>,
        #[serde(skip_serializing_if = "is_default")]
        pub env: Option<Vec<String>>,
        #[serde(skip_serializing_if = "is_default")]
        pub entrypoint: Option<StrSlice>,
        #[serde(skip_serializing_if = "is_default")]
        pub cmd: Option<StrSlice>,
        #[serde(skip_serializing_if = "is_default")]
        pub volumes: BTreeMap<String, Empty>,
        #[serde(skip_serializing_if = "is_default")]
        pub working_dir: String,
        #[serde(skip_serializing_if = "is_default")]
        pub labels: Option<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "is_default")]
        pub stop_signal: String,
        #[serde(skip_serializing_if = "is_default")]
        pub args_escaped: bool,
        #[serde(skip_serializing_if = "is_default")]
        pub healthcheck: Option<HealthConfig>,
        #[serde(skip_serializing_if = "is_default")]
        pub on_build: Vec<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub shell: Vec<String>,
        #[flatten]
        /// Fields that only clients below 1.52 see, empty or null; filled by `versions`.
        #[serde(skip_deserializing)]
        pub legacy: BTreeMap<String, serde_json::Value>,
    }
}
