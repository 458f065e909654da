//! Registries: credentials, what they have under a name, what a search finds.

use crate::lenient::is_default;
use crate::types::{Descriptor, Platform};
use crate::wire::wire;

wire! {
    /// Credentials of one registry: the body of `POST /auth`, and, as base64url, the header `X-Registry-Auth`.
    #[serde(rename_all = "lowercase")]
    pub struct AuthConfig {
        #[serde(skip_serializing_if = "is_default")]
        pub username: String,
        #[serde(skip_serializing_if = "is_default")]
        pub password: String,
        /// Base64 of `user:password`.
        #[serde(skip_serializing_if = "is_default")]
        pub auth: String,
        #[serde(skip_serializing_if = "is_default")]
        pub serveraddress: String,
        /// A refresh token in place of a password.
        #[serde(skip_serializing_if = "is_default")]
        pub identitytoken: String,
        /// A bearer token.
        #[serde(skip_serializing_if = "is_default")]
        pub registrytoken: String,
    }
}

wire! {
    /// The reply of `POST /auth`.
    #[serde(rename_all = "PascalCase")]
    pub struct AuthResponse {
        pub identity_token: String,
        pub status: String,
    }
}

wire! {
    /// The reply of `GET /distribution/{name}/json`.
    #[serde(rename_all = "PascalCase")]
    pub struct DistributionInspect {
        pub descriptor: Descriptor,
        pub platforms: Vec<Platform>,
    }
}

wire! {
    /// One repository a search found.
    #[serde(rename_all = "snake_case")]
    pub struct SearchResult {
        pub star_count: i64,
        pub is_official: bool,
        pub name: String,
        pub is_automated: bool,
        pub description: String,
    }
}

wire! {
    /// A manifest or index as a registry has it (ours, not Docker's: its client asks registries itself).
    #[serde(rename_all = "PascalCase")]
    pub struct ManifestDocument {
        pub media_type: String,
        pub digest: String,
        /// The bytes.
        pub raw: String,
        /// What its configuration says.
        #[serde(skip_serializing_if = "is_default")]
        pub platform: Option<Platform>,
    }
}

wire! {
    /// A manifest or index to be put.
    #[serde(rename_all = "PascalCase")]
    pub struct ManifestPut {
        pub media_type: String,
        pub raw: String,
        /// Another repository of the registry that has its blobs.
        #[serde(skip_serializing_if = "is_default")]
        pub source: String,
    }
}

wire! {
    /// What was put.
    #[serde(rename_all = "PascalCase")]
    pub struct ManifestStored {
        pub digest: String,
    }
}
