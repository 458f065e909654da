//! `POST /distribution/{name}/manifest`

use crate::endpoint::{Endpoint, Json, Method};
use crate::endpoints::DistributionManifestQuery;
use crate::types::{ManifestPut, ManifestStored};
use crate::version::Version;

/// Puts a manifest into a registry. Ours: Docker has its client do it.
pub struct DistributionPut;

impl Endpoint for DistributionPut {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/distribution/{name}/manifest";
    const SINCE: Version = Version::new(1, 24);
    type Query = DistributionManifestQuery;
    type Body = Json<ManifestPut>;
    type Reply = Json<ManifestStored>;
}
