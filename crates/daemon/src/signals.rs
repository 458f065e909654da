//! What the daemon does on signals: SIGTERM and SIGINT end it, SIGHUP reads the file again.

use engine::Engine;
use tokio::signal::unix::{Signal, SignalKind, signal};
use values::{Result, ResultExt};

use crate::configuration::Configuration;
use crate::log;
use crate::systemd::Notifier;

/// So many further signals to end, and it ends at once.
const IMPATIENCE: usize = 2;

pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on these signals do not kill the process. Needs a runtime.
    pub fn catch() -> Result<Self> {
        let catch = |kind| signal(kind).during(|| "catch signals");
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }

    /// Ready when the daemon shall end; reloads meanwhile.
    pub async fn until_end(&mut self, configuration: &mut Configuration, engine: &Engine, notifier: &Notifier) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    notifier.reloading();
                    reload(configuration, engine);
                    notifier.ready();
                }
            }
        }
    }

    /// Ready when somebody has lost patience with a graceful end.
    pub async fn until_impatient(&mut self) {
        for _ in 0..IMPATIENCE {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        }
    }
}

fn reload(configuration: &mut Configuration, engine: &Engine) {
    let changes = match configuration.reload() {
        Ok(changes) => changes,
        Err(error) => {
            tracing::error!("the configuration stays as it is: {error}");
            return;
        }
    };
    log::set_level(configuration.settings.log.level);
    engine.set_image_gc(configuration.settings.image_gc.clone());
    engine.set_registries(configuration.settings.registries.clone());
    if !changes.later.is_empty() {
        let keys = changes.later.join(", ");
        tracing::warn!("these directives count from the daemon's next start on: {keys}");
    }
    tracing::info!("configuration read again, changed: [{}]", changes.applied.join(", "));
    engine.emit_daemon_event("reload");
}
