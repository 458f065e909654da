//! What removing an image did.

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// One step; exactly one field is set.
    #[serde(rename_all = "PascalCase")]
    pub struct ImageDeleteItem {
        #[serde(skip_serializing_if = "is_default")]
        pub deleted: String,
        #[serde(skip_serializing_if = "is_default")]
        pub untagged: String,
    }
}
