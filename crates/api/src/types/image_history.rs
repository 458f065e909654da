//! How an image was made.

use crate::wire::wire;

wire! {
    /// One entry of `GET /images/{name}/history`, newest first.
    #[serde(rename_all = "PascalCase")]
    pub struct HistoryItem {
        pub comment: String,
        /// UNIX seconds.
        pub created: i64,
        pub created_by: String,
        /// `<missing>` for layers without an image of their own.
        pub id: String,
        pub size: i64,
        pub tags: Option<Vec<String>>,
    }
}
