//! Whether networks are as they should be (an endpoint of ours).

use crate::wire::wire;

wire! {
    /// The reply of `GET /lighter/networks/doctor`.
    #[serde(rename_all = "PascalCase")]
    pub struct NetworkDoctor {
        /// In the order of the checks; each says at least that all is well.
        pub findings: Vec<NetworkFinding>,
    }
}

wire! {
    /// What one check found.
    #[serde(rename_all = "PascalCase")]
    pub struct NetworkFinding {
        /// `bridges`, `mtu`, `forwarding`, `bridge-nf`, `rp_filter`, `firewall`, `ports`, `rules`, `overlaps`, `conntrack`,
        /// `stale` or `dns`.
        pub check: String,
        /// `ok`, `note` or `problem`.
        pub severity: String,
        /// A sentence.
        pub text: String,
        /// What to do about it; empty where nothing is to be done.
        pub advice: String,
    }
}
