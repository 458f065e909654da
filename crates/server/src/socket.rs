//! Connections of clients, whatever they come over.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// One client's connection.
#[derive(Debug)]
pub enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    /// Waits until there is something to read, be it the end.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await
    }

    /// Reads what is there; 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing after all; else the socket's.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(s) => s.try_read(buffer),
            Socket::Tcp(s) => s.try_read(buffer),
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.ready(Interest::WRITABLE).await?;
            let written = match self {
                Socket::Unix(s) => s.try_write(bytes),
                Socket::Tcp(s) => s.try_write(bytes),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => bytes = &bytes[n..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Waits a little until the peer has taken everything that was written.
    ///
    /// Clients exist which read the head of a reply into a buffer and what follows from the bare socket: to them, what comes
    /// together with the head is lost (docker-py). Most have read it long before anything follows.
    pub(crate) async fn taken(&self) {
        const PATIENCE: u32 = 50;
        const STEP: Duration = Duration::from_micros(400);
        let Socket::Unix(socket) = self else { return };
        for _ in 0..PATIENCE {
            match sys::fd::untaken(socket) {
                Ok(0) | Err(_) => return,
                Ok(_) => tokio::time::sleep(STEP).await,
            }
        }
    }

    async fn ready(&self, interest: Interest) -> io::Result<()> {
        match self {
            Socket::Unix(s) => s.ready(interest).await.map(drop),
            Socket::Tcp(s) => s.ready(interest).await.map(drop),
        }
    }

    /// Waits until the peer has closed its socket altogether, as opposed to its writing half.
    ///
    /// Only a Unix socket tells the two apart; over TCP this never ends.
    pub(crate) async fn peer_gone(&self) {
        if let Socket::Unix(socket) = self
            && let Ok(watch) = duplicate(socket)
        {
            // A descriptor of its own: forgetting its readiness must not make the writer of `self` miss its turn.
            while let Ok(ready) = watch.ready(Interest::WRITABLE).await {
                if ready.is_write_closed() {
                    return;
                }
                let forget = || -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) };
                let _ = watch.try_io(Interest::WRITABLE, forget);
            }
        }
        std::future::pending().await
    }
}

fn duplicate(socket: &UnixStream) -> io::Result<UnixStream> {
    UnixStream::from_std(StdUnixStream::from(socket.as_fd().try_clone_to_owned()?))
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Unix(s) => s.as_fd(),
            Socket::Tcp(s) => s.as_fd(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Unix(s) => Pin::new(s).poll_read(cx, buf),
            Socket::Tcp(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Unix(s) => Pin::new(s).poll_write(cx, buf),
            Socket::Tcp(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Unix(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Socket::Tcp(s) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Unix(s) => Pin::new(s).poll_flush(cx),
            Socket::Tcp(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Unix(s) => Pin::new(s).poll_shutdown(cx),
            Socket::Tcp(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
