//! Tells the images, a while after something was committed, that it is not recent any more (`image`, `recent.rs`).

use std::sync::Arc;

use image::Images;
use tokio::sync::Notify;

use crate::shared::blocking;

/// To be told when layers were committed.
#[derive(Clone, Default)]
pub struct Settling(Arc<Notify>);

impl Settling {
    /// Begins in a task that sleeps while nothing is recent.
    pub fn start(&self, images: Arc<Images>) {
        let told = self.0.clone();
        tokio::spawn(async move {
            loop {
                told.notified().await;
                loop {
                    let images = images.clone();
                    match blocking(move || images.settle()).await {
                        Ok(Some(wait)) => tokio::time::sleep(wait).await,
                        Ok(None) => break,
                        Err(e) => {
                            // they are looked at once more after an unclean end, nothing worse
                            tracing::warn!("layers stay recent: {e}");
                            break;
                        }
                    }
                }
            }
        });
    }

    pub fn soon(&self) {
        self.0.notify_one();
    }
}
