//! Whether what is kept is sound (an endpoint of ours).

use crate::wire::wire;

wire! {
    /// The last message's `aux` of `POST /lighter/system/verify`.
    #[serde(rename_all = "PascalCase")]
    pub struct SystemVerified {
        /// What was looked at.
        pub blobs: i64,
        /// Of the blobs.
        pub bytes: i64,
        pub layers: i64,
        pub images: i64,
        pub containers: i64,
        pub findings: Vec<VerifyFinding>,
    }
}

wire! {
    /// One thing that is not as it should be.
    #[serde(rename_all = "PascalCase")]
    pub struct VerifyFinding {
        /// `content`, `layer`, `image`, `name`, `container` or `record`.
        pub kind: String,
        /// A digest (of a layer: its chain id), a name, a container's id.
        #[serde(rename = "ID")]
        pub id: String,
        pub why: String,
        /// Those that need it: names, or ids where they have none.
        pub images: Vec<String>,
        /// Names of those that need it.
        pub containers: Vec<String>,
        pub repaired: bool,
        /// What was done, or can be done.
        pub remedy: String,
    }
}
