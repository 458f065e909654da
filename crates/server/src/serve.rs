//! The accept loop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use tokio::sync::watch;
use tokio::task::JoinSet;
use values::Result;

use crate::connection;
use crate::listener::Listener;
use crate::router::Router;
use crate::routes::ROUTES;

/// How long requests under way may take when the server stops.
const GRACE: Duration = Duration::from_secs(1);
/// How long to wait when the process has no descriptor left for a new connection.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// Serves the API on all listeners until `shutdown` is ready.
///
/// Then no more connections are taken, requests under way have a second to end, and streams (events, logs, attach) are cut.
/// What the engine has committed goes on regardless.
///
/// # Errors
/// `Internal` when a listener breaks.
pub async fn serve(
    listeners: Vec<Listener>,
    engine: Arc<Engine>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let version = engine.version().version;
    serve_routes(listeners, Arc::new(Router::new(engine, ROUTES, &version)), shutdown).await
}

/// As [`serve`], for any table of routes.
pub(crate) async fn serve_routes<S: Send + Sync + 'static>(
    listeners: Vec<Listener>,
    router: Arc<Router<S>>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let (stop, stopping) = watch::channel(false);
    let mut loops = JoinSet::new();
    for listener in listeners {
        loops.spawn(accept_loop(listener, router.clone(), stopping.clone()));
    }
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        Some(Ok(Err(e))) = loops.join_next() => Err(e.into()),
    };
    let _ = stop.send(true);
    // Dropped after that, the loops cut what is left.
    let _ = tokio::time::timeout(GRACE, async { while loops.join_next().await.is_some() {} }).await;
    outcome
}

/// Accepts until the server stops, then waits for the connections.
async fn accept_loop<S: Send + Sync + 'static>(
    listener: Listener,
    router: Arc<Router<S>>,
    mut stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopping.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(socket) => {
                    connections.spawn(connection::serve(socket, router.clone(), stopping.clone()));
                }
                Err(error) => survive(error).await?,
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Passes over errors of `accept(2)` that concern one client, or pass.
async fn survive(error: io::Error) -> io::Result<()> {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput, NotConnected};
    match error.kind() {
        // The client has gone already; `InvalidInput` is what TCP_NODELAY then says.
        ConnectionAborted | ConnectionReset | NotConnected | InvalidInput => Ok(()),
        _ if is_exhaustion(&error) => {
            tracing::error!(%error, "cannot accept a connection");
            tokio::time::sleep(EXHAUSTED).await;
            Ok(())
        }
        _ => Err(error),
    }
}

/// ENFILE, EMFILE, ENOBUFS, ENOMEM (`errno.h` of Linux).
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24 | 105 | 12))
}
