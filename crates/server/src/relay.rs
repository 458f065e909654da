//! Copying between a client and the streams of a process.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::detach_keys::{DetachScanner, Scan};
use crate::socket::Socket;

/// Output comes in bulk.
const OUTPUT_BUFFER: usize = 64 * 1024;
/// Input is mostly keystrokes; a pipe's worth is enough for the rest.
const INPUT_BUFFER: usize = 16 * 1024;
/// How long a client may take to notice the end before its connection is cut.
const LINGER: Duration = Duration::from_secs(2);

/// Why a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The process wrote the last of its output.
    Output,
    /// The client typed the detach keys.
    Detached,
    /// The client went away.
    Gone,
}

/// What a client's input is for.
pub(crate) enum Input {
    /// Read, so that its end is seen, and thrown away.
    Discard,
    /// Passed on, but for the detach keys (none: everything is passed on).
    Forward { detach_keys: Vec<u8> },
}

/// Relays until the output ends, the client detaches or the client is gone.
///
/// The end of the input is passed on (the process sees the end of its stdin) and output goes on. `early` is input that came
/// with the request. A slow client holds up its own relay only.
pub(crate) async fn relay(client: &Socket, early: Bytes, process: UnixStream, input: Input) -> End {
    let (from_process, to_process) = process.into_split();
    tokio::select! {
        end = copy_output(from_process, client) => end,
        end = copy_input(client, early, to_process, input) => end,
    }
}

/// Ends a client's connection so that it reads everything, then the end.
///
/// Closing a socket that has unread input would let the client see a reset in place of the end.
pub(crate) async fn finish(mut client: Socket) {
    let drain = async {
        client.shutdown().await?;
        let mut rest = [0; 1024];
        loop {
            client.readable().await?;
            match client.try_read(&mut rest) {
                Ok(0) => return Ok(()),
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
                _ => {}
            }
        }
    };
    let _: Result<io::Result<()>, _> = tokio::time::timeout(LINGER, drain).await;
}

/// Copies until the process' output ends or the client is gone. A buffer is held only while there is something to copy:
/// most attached clients wait for output most of the time.
async fn copy_output(process: OwnedReadHalf, client: &Socket) -> End {
    let mut first = true;
    while process.readable().await.is_ok() {
        if std::mem::take(&mut first) {
            client.taken().await;
        }
        let mut buffer = vec![0; OUTPUT_BUFFER];
        loop {
            match process.try_read(&mut buffer) {
                Ok(0) => return End::Output,
                Ok(n) => {
                    if client.write_all(&buffer[..n]).await.is_err() {
                        return End::Gone;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return End::Output,
            }
        }
    }
    End::Output
}

/// Ends only for a reason to end the whole relay.
async fn copy_input(client: &Socket, early: Bytes, process: OwnedWriteHalf, input: Input) -> End {
    let mut sink = Sink::new(process, input);
    let mut end = sink.take(&early).await;
    drop(early);
    while end.is_none() {
        if client.readable().await.is_err() {
            return End::Gone;
        }
        let mut buffer = vec![0; INPUT_BUFFER];
        end = match client.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => sink.take(&buffer[..n]).await,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => Some(End::Gone),
        };
    }
    if let Some(end) = end {
        return end;
    }
    sink.close().await;
    client.peer_gone().await;
    End::Gone
}

/// Where input goes. A process that does not read any more is no error: its output counts.
pub(crate) struct Sink {
    process: OwnedWriteHalf,
    /// `None` discards.
    scanner: Option<DetachScanner>,
    scratch: Vec<u8>,
}

impl Sink {
    pub(crate) fn new(process: OwnedWriteHalf, input: Input) -> Sink {
        let scanner = match input {
            Input::Discard => None,
            Input::Forward { detach_keys } => Some(DetachScanner::new(detach_keys)),
        };
        Sink { process, scanner, scratch: Vec::new() }
    }

    pub(crate) async fn take(&mut self, input: &[u8]) -> Option<End> {
        let scanner = self.scanner.as_mut()?;
        if scanner.is_plain(input) {
            let _ = self.process.write_all(input).await;
            return None;
        }
        self.scratch.clear();
        let found = scanner.scan(input, &mut self.scratch);
        let _ = self.process.write_all(&self.scratch).await;
        (found == Scan::Detach).then_some(End::Detached)
    }

    pub(crate) async fn close(&mut self) {
        if self.scanner.is_some() {
            let _ = self.process.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    struct Ends {
        client: UnixStream,
        process: UnixStream,
        relay: tokio::task::JoinHandle<End>,
    }

    fn start(early: &'static [u8], input: Input) -> Ends {
        let (client, server_side) = UnixStream::pair().expect("socketpair");
        let (engine_side, process) = UnixStream::pair().expect("socketpair");
        let relay = tokio::spawn(async move {
            let socket = Socket::Unix(server_side);
            let end = relay(&socket, Bytes::from_static(early), engine_side, input).await;
            finish(socket).await;
            end
        });
        Ends { client, process, relay }
    }

    fn forward() -> Input {
        Input::Forward { detach_keys: Vec::new() }
    }

    #[tokio::test]
    async fn half_close_reaches_the_process_and_output_goes_on() {
        let Ends { mut client, mut process, relay } = start(b"early ", forward());
        client.write_all(b"late").await.expect("write");
        client.shutdown().await.expect("shutdown");
        let mut input = String::new();
        process.read_to_string(&mut input).await.expect("read");
        assert_eq!(input, "early late");
        process.write_all(b"answer").await.expect("write");
        drop(process);
        let mut output = String::new();
        client.read_to_string(&mut output).await.expect("read");
        assert_eq!(output, "answer");
        drop(client);
        assert_eq!(relay.await.expect("no panic"), End::Output);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_ends_it() {
        let Ends { client, process: _process, relay } = start(b"", forward());
        drop(client);
        assert_eq!(relay.await.expect("no panic"), End::Gone);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_later_ends_it() {
        let Ends { mut client, mut process, relay } = start(b"", forward());
        client.shutdown().await.expect("shutdown");
        assert_eq!(process.read(&mut [0; 8]).await.expect("read"), 0);
        process.write_all(b"x").await.expect("write");
        assert_eq!(client.read(&mut [0; 8]).await.expect("read"), 1);
        drop(client);
        assert_eq!(relay.await.expect("no panic"), End::Gone);
    }

    #[tokio::test]
    async fn detach_keys() {
        let keys = Input::Forward { detach_keys: vec![0x10, 0x11] };
        let Ends { mut client, mut process, relay } = start(b"", keys);
        client.write_all(b"ls\x10").await.expect("write");
        let mut seen = [0; 8];
        assert_eq!(process.read(&mut seen).await.expect("read"), 2);
        client.write_all(b"\x11more").await.expect("write");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("an end, no reset");
        drop(client);
        assert_eq!(relay.await.expect("no panic"), End::Detached);
    }

    #[tokio::test]
    async fn discarded_input() {
        let Ends { mut client, mut process, relay } = start(b"x", Input::Discard);
        client.write_all(b"ignored").await.expect("write");
        client.shutdown().await.expect("shutdown");
        process.write_all(b"out").await.expect("write");
        let mut seen = [0; 8];
        assert_eq!(client.read(&mut seen).await.expect("read"), 3);
        let nothing = tokio::time::timeout(Duration::from_millis(50), process.read(&mut seen)).await;
        assert!(nothing.is_err(), "neither input nor its end is passed on");
        drop(process);
        assert_eq!(client.read(&mut seen).await.expect("read"), 0);
        drop(client);
        assert_eq!(relay.await.expect("no panic"), End::Output);
    }

    #[tokio::test]
    async fn bulk_output_is_complete() {
        let Ends { mut client, mut process, relay } = start(b"", forward());
        let writer = tokio::spawn(async move {
            let piece = vec![b'x'; 100_000];
            for _ in 0..100 {
                process.write_all(&piece).await.expect("write");
            }
        });
        let mut total = 0;
        let mut buffer = vec![0; 65536];
        loop {
            match client.read(&mut buffer).await.expect("read") {
                0 => break,
                n => total += n,
            }
        }
        assert_eq!(total, 10_000_000);
        drop(client);
        writer.await.expect("no panic");
        assert_eq!(relay.await.expect("no panic"), End::Output);
    }
}
