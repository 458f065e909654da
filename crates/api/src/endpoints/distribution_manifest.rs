//! `GET /distribution/{name}/manifest`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types::ManifestDocument;
use crate::version::Version;

/// A manifest as a registry has it. Ours: Docker has its client ask registries.
pub struct DistributionManifest;

impl Endpoint for DistributionManifest {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/distribution/{name}/manifest";
    const SINCE: Version = Version::new(1, 24);
    type Query = DistributionManifestQuery;
    type Body = NoBody;
    type Reply = Json<ManifestDocument>;
}

query! {
    /// Parameters of [`DistributionManifest`] and of [`DistributionPut`](crate::endpoints::DistributionPut).
    pub struct DistributionManifestQuery {
        /// The registry need not have TLS, or a certificate anybody vouches for.
        "insecure" => pub insecure: bool,
    }
}
