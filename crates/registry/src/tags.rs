//! The tags of a repository (OCI distribution-spec, "Listing Tags").

use http::Method;
use http::header::LINK;
use serde::Deserialize;
use values::{Error, Result};

use crate::failure::Failure;
use crate::origin;
use crate::repository::Repository;
use crate::transport::Ask;

/// Pages of a registry that never comes to an end.
const PAGES_MAX: usize = 1000;

#[derive(Deserialize)]
struct Page {
    /// Docker's registry sends null for none.
    tags: Option<Vec<String>>,
}

impl Repository {
    /// All tags, in the registry's order.
    ///
    /// # Errors
    /// The registry's.
    pub async fn tags(&self) -> Result<Vec<String>, Failure> {
        let mut all = Vec::new();
        let mut path = self.ask(Method::GET, "tags/list").path;
        for _ in 0..PAGES_MAX {
            let (headers, body) = self.document(|| Ask::new(Method::GET, &self.origin, path.clone())).await?;
            let link = headers.get(LINK).and_then(|link| link.to_str().ok()).unwrap_or_default();
            let next = next_page(link).map(|link| origin::resolve(&self.origin, &path, link)).transpose()?;
            let page: Page = serde_json::from_slice(&body)
                .map_err(|e| Error::invalid(format!("the registry's list of tags is no list: {e}")))?;
            all.extend(page.tags.unwrap_or_default());
            match next {
                Some((origin, next)) if origin == self.origin && next != path => path = next,
                _ => return Ok(all),
            }
        }
        Err(Error::invalid("the registry's list of tags has no end").into())
    }
}

/// The target of `<…>; rel="next"` (RFC 8288).
fn next_page(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    parameters.replace('"', "").split(';').any(|p| p.trim() == "rel=next").then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        assert_eq!(next_page(r#"</v2/a/tags/list?last=b&n=1>; rel="next""#), Some("/v2/a/tags/list?last=b&n=1"));
        assert_eq!(next_page("</x>; rel=prev"), None);
        assert_eq!(next_page(""), None);
    }
}
