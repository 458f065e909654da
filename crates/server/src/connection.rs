//! One client's connection: HTTP/1.1 until it ends or is hijacked.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, watch};

use crate::answer::Answer;
use crate::router::Router;
use crate::socket::Socket;

/// Bytes of a connection's buffer at most; heads of requests are far smaller, and uploads come in pieces of this.
const BUFFER: usize = 128 * 1024;

/// Serves a connection to its end. When `stopping` becomes true, requests under way are finished and no more are taken.
pub(crate) async fn serve<S: Send + Sync + 'static>(
    socket: Socket,
    router: Arc<Router<S>>,
    mut stopping: watch::Receiver<bool>,
) {
    let (hijacks, mut hijacked) = mpsc::channel(1);
    let service = service_fn(move |request| {
        let (router, hijacks) = (router.clone(), hijacks.clone());
        Box::pin(async move {
            match router.answer(request).await {
                Answer::Reply(response) => Ok::<_, Infallible>(response),
                Answer::Hijack(hijack) => {
                    // From here on the connection is no longer hyper's: this future is dropped with it.
                    let _ = hijacks.send(hijack).await;
                    std::future::pending().await
                }
            }
        })
    });
    let mut connection = http1::Builder::new()
        .title_case_headers(true)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(socket), service);
    let hijack = loop {
        tokio::select! {
            biased;
            Some(hijack) = hijacked.recv() => break hijack,
            outcome = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            true = stopped(&mut stopping) => std::pin::Pin::new(&mut connection).graceful_shutdown(),
        }
    };
    let parts = connection.into_parts();
    hijack.run(parts.io.into_inner(), parts.read_buf).await;
}

/// Waits until the server stops, once: a second wait never ends.
async fn stopped(stopping: &mut watch::Receiver<bool>) -> bool {
    match stopping.changed().await {
        Ok(()) => *stopping.borrow_and_update(),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
