use std::sync::Arc;

use tokio::sync::Semaphore;
use values::Result;

use crate::config::Config;
use crate::endpoint::{self, Endpoint};

/// What a daemon has one of: the configuration, and limits that all transfers share.
pub struct Client {
    pub(crate) config: Arc<Config>,
    pub(crate) downloads: Arc<Semaphore>,
    pub(crate) uploads: Arc<Semaphore>,
}

impl Client {
    pub fn new(config: Config) -> Self {
        Self {
            downloads: Arc::new(Semaphore::new(config.downloads.max(1))),
            uploads: Arc::new(Semaphore::new(config.uploads.max(1))),
            config: Arc::new(config),
        }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where to look for images of `registry`: its mirrors, then itself.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is no host.
    pub fn endpoints(&self, registry: &str) -> Result<Vec<Endpoint>> {
        endpoint::endpoints(&self.config, registry)
    }

    /// The registry itself, taken for insecure.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is no host.
    pub fn insecure_endpoint(&self, registry: &str) -> Result<Endpoint> {
        let mut endpoint = endpoint::own(&self.config, registry)?;
        if !endpoint.insecure {
            let plain = endpoint.origins.first().map(|o| crate::Origin {
                secure: false,
                port: if o.port == 443 { 80 } else { o.port },
                ..o.clone()
            });
            endpoint.origins.extend(plain);
            endpoint.insecure = true;
        }
        Ok(endpoint)
    }

    /// The registry itself, where pushes go.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is no host.
    pub fn own_endpoint(&self, registry: &str) -> Result<Endpoint> {
        endpoint::own(&self.config, registry)
    }
}
