//! Where a registry is to be found: which hosts are tried, in which order.

use values::{DEFAULT_DOMAIN, Result};

use crate::config::Config;
use crate::origin::Origin;

/// How clients' credentials name Docker Hub.
pub const INDEX_SERVER: &str = "https://index.docker.io/v1/";
/// Where Docker Hub's registry is.
const HUB: &str = "registry-1.docker.io";

/// One place that may have a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The registry as in image names.
    pub registry: String,
    /// Tried in order until one answers.
    pub origins: Vec<Origin>,
    /// Before `/v2/`.
    pub prefix: String,
    /// Its certificate is not checked.
    pub insecure: bool,
    /// It stands for the registry, and does not get its credentials unless it is the same host.
    pub mirror: bool,
}

/// The mirrors of `registry`, then itself.
///
/// # Errors
/// `InvalidArgument` for a name that is no host.
pub(crate) fn endpoints(config: &Config, registry: &str) -> Result<Vec<Endpoint>> {
    let mut all: Vec<Endpoint> = Vec::new();
    for mirror in config.mirrors.iter().filter(|mirror| mirror.of == registry) {
        all.push(Endpoint {
            registry: registry.into(),
            origins: vec![mirror.origin.clone()],
            prefix: mirror.prefix.clone(),
            insecure: config.is_insecure(&mirror.origin),
            mirror: true,
        });
    }
    all.push(own(config, registry)?);
    Ok(all)
}

/// The registry itself. One that is insecure may speak TLS all the same: that is tried first.
pub(crate) fn own(config: &Config, registry: &str) -> Result<Endpoint> {
    let host = if registry == DEFAULT_DOMAIN { HUB } else { registry };
    let secure = Origin::new(true, host)?;
    let insecure = config.is_insecure(&secure);
    let mut origins = vec![secure];
    if insecure {
        origins.push(Origin::new(false, host)?);
    }
    Ok(Endpoint { registry: registry.into(), origins, prefix: String::new(), insecure, mirror: false })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use values::Reference;

    use super::*;

    proptest! {
        /// A name is refused or comes back as it was understood, and then has a place to be looked for.
        #[test]
        fn names(text in "[a-zA-Z0-9.:/@_\\-\\[\\]]{0,80}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference.clone());
                let _ = endpoints(&Config::default(), &reference.domain);
            }
        }
    }

    #[test]
    fn order() {
        let config = Config {
            mirrors: vec!["https://m1".parse().unwrap(), "ghcr.io=http://127.0.0.1:7/x".parse().unwrap()],
            ..Config::default()
        };
        let shown = |registry: &str| -> Vec<String> {
            let all = endpoints(&config, registry).unwrap();
            all.iter().flat_map(|e| e.origins.iter().map(move |o| format!("{o}{} {}", e.prefix, e.insecure))).collect()
        };
        assert_eq!(shown("docker.io"), ["https://m1 false", "https://registry-1.docker.io false"]);
        assert_eq!(shown("ghcr.io"), ["http://127.0.0.1:7/x true", "https://ghcr.io false"]);
        assert_eq!(shown("localhost:5000"), ["https://localhost:5000 true", "http://localhost:5000 true"]);
    }
}
