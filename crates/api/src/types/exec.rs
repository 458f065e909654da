//! Processes run in a running container.

use crate::lenient::{StrSlice, is_default};
use crate::wire::wire;

wire! {
    /// The body of `POST /containers/{id}/exec`.
    #[serde(rename_all = "PascalCase")]
    pub struct ExecCreateRequest {
        pub user: String,
        pub privileged: bool,
        pub tty: bool,
        /// Height, width.
        #[serde(skip_serializing_if = "is_default")]
        pub console_size: Option<[u32; 2]>,
        pub attach_stdin: bool,
        pub attach_stderr: bool,
        pub attach_stdout: bool,
        /// Kept from old clients; `ExecStartRequest.Detach` is what counts.
        pub detach: bool,
        pub detach_keys: String,
        pub env: Option<Vec<String>>,
        pub working_dir: String,
        pub cmd: Option<StrSlice>,
    }
}

wire! {
    /// The body of `POST /exec/{id}/start`.
    #[serde(rename_all = "PascalCase")]
    pub struct ExecStartRequest {
        pub detach: bool,
        pub tty: bool,
        /// Height, width.
        #[serde(skip_serializing_if = "is_default")]
        pub console_size: Option<[u32; 2]>,
    }
}

wire! {
    /// The reply of `GET /exec/{id}/json`.
    #[serde(rename_all = "PascalCase")]
    pub struct ExecInspect {
        #[serde(rename = "ID")]
        pub id: String,
        pub running: bool,
        /// Null while it runs.
        pub exit_code: Option<i64>,
        pub process_config: ExecProcessConfig,
        pub open_stdin: bool,
        pub open_stderr: bool,
        pub open_stdout: bool,
        pub can_remove: bool,
        #[serde(rename = "ContainerID")]
        pub container_id: String,
        /// Base64 of the bytes.
        pub detach_keys: String,
        pub pid: i64,
    }
}

wire! {
    /// The process of an exec.
    #[serde(rename_all = "snake_case")]
    pub struct ExecProcessConfig {
        pub tty: bool,
        pub entrypoint: String,
        pub arguments: Vec<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub privileged: Option<bool>,
        #[serde(skip_serializing_if = "is_default")]
        pub user: String,
    }
}
