//! Searching an index.

use ::registry::Credentials;
use api::Filters;
use api::types::SearchResult;
use values::{Error, Result};

use crate::shared::Shared;

const LIMIT: u32 = 25;
const LIMITS: std::ops::RangeInclusive<u32> = 1..=100;

#[derive(Clone, Debug, Default)]
pub struct SearchOptions {
    /// What to look for; with a registry's host in front, there.
    pub term: String,
    /// 0: Docker's default.
    pub limit: i64,
    pub filters: Filters,
    pub credentials: Credentials,
}

/// # Errors
/// `InvalidArgument` for an unknown filter or a limit out of range, the index's.
pub async fn search(shared: &Shared, options: SearchOptions) -> Result<Vec<SearchResult>> {
    let wanted = Wanted::new(&options.filters)?;
    let limit = match options.limit {
        0 => LIMIT,
        n => u32::try_from(n).ok().filter(|n| LIMITS.contains(n)).ok_or_else(|| {
            Error::invalid(format!("limit {n} is outside the range of [{}, {}]", LIMITS.start(), LIMITS.end()))
        })?,
    };
    let (registry, term) = split(&options.term)?;
    let found = shared.distribution().search(registry, term, limit, &options.credentials).await?;
    let results = found.into_iter().map(|one| SearchResult {
        star_count: one.star_count,
        is_official: one.is_official,
        name: one.name,
        is_automated: one.is_automated,
        description: one.description.unwrap_or_default(),
    });
    Ok(results.filter(|one| wanted.allows(one)).collect())
}

/// The registry and what is looked for in it.
fn split(term: &str) -> Result<(&str, &str)> {
    if term.contains("://") {
        return Err(Error::invalid(format!(
            "invalid repository name: repository name ({term}) should not have a scheme"
        )));
    }
    Ok(match term.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => match host {
            "docker.io" | "index.docker.io" => (values::DEFAULT_DOMAIN, rest),
            host => (host, rest),
        },
        _ => (values::DEFAULT_DOMAIN, term),
    })
}

struct Wanted {
    stars: i64,
    official: Option<bool>,
    automated: Option<bool>,
}

impl Wanted {
    fn new(filters: &Filters) -> Result<Self> {
        filters.validate(&["is-automated", "is-official", "stars"])?;
        let switch = |key: &str| filters.contains(key).then(|| filters.flag(key, false)).transpose();
        let mut stars = 0;
        for text in filters.get("stars") {
            stars = stars.max(text.parse().map_err(|_| Error::invalid(format!("invalid filter 'stars={text}'")))?);
        }
        Ok(Self { stars, official: switch("is-official")?, automated: switch("is-automated")? })
    }

    fn allows(&self, one: &SearchResult) -> bool {
        one.star_count >= self.stars
            && self.official.is_none_or(|wanted| wanted == one.is_official)
            && self.automated.is_none_or(|wanted| wanted == one.is_automated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms() {
        for (term, expected) in [
            ("redis", ("docker.io", "redis")),
            ("a/b", ("docker.io", "a/b")),
            ("docker.io/redis", ("docker.io", "redis")),
            ("localhost:5000/foo", ("localhost:5000", "foo")),
        ] {
            assert_eq!(split(term).unwrap(), expected);
        }
        assert!(split("https://x/y").is_err());
    }
}
