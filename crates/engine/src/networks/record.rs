use api::types::Network;
use network::Plan;
use serde::{Deserialize, Serialize};

/// A network somebody created, as it is kept on disk: what it is in the kernel, and what lists show.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// None for one that only lends its configuration.
    pub plan: Option<Plan>,
    pub shown: Network,
}

impl NetworkRecord {
    pub fn id(&self) -> &str {
        &self.shown.id
    }

    pub fn name(&self) -> &str {
        &self.shown.name
    }
}
