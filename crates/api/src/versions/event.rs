//! `GET /events`

use super::Lower;
use crate::types::EventMessage;
use crate::version::Version;

impl Lower for EventMessage {
    /// Before 1.52 containers' and images' events repeated what the actor says.
    fn lower(&mut self, version: Version) {
        if !version.below(52) || !matches!(self.kind.as_str(), "container" | "image") {
            return;
        }
        self.status = Some(self.action.clone());
        self.id = Some(self.actor.id.clone());
        if self.kind == "container" {
            self.from = self.actor.attributes.get("image").filter(|image| !image.is_empty()).cloned();
        }
    }
}
