//! Copying between a client's WebSocket and the streams of a process.

use std::io;

use bytes::Bytes;
use engine::Attached;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;

use super::frame::{Decoder, Event, Opcode, encode, reason, status};
use super::multiplexed::Multiplexed;
use crate::relay::{End, Input, Sink, finish};
use crate::socket::Socket;

/// What is read at once, either way.
const BUFFER: usize = 16 * 1024;

/// How a client wants it.
pub(crate) struct Relay {
    /// Data is passed on to the process.
    pub(crate) stdin: bool,
    /// What output is sent as: binary messages, text ones to old clients.
    pub(crate) opcode: Opcode,
}

/// Serves an attached client: what was written before, then the live streams, until one side ends.
pub(crate) async fn serve(attached: Attached, relay: Relay, socket: Socket, early: Bytes) {
    let Attached { tty, stream, prefix, detach_keys, detached, mut ended, .. } = attached;
    let client = Client { socket, turn: Mutex::new(()) };
    let mut output = Output { client: &client, opcode: relay.opcode, framed: (!tty).then(Multiplexed::default) };
    if let Some(mut logs) = prefix {
        while let Some(piece) = logs.next().await {
            if output.send(&piece).await.is_err() {
                return;
            }
        }
    }
    let input = if relay.stdin { Input::Forward { detach_keys } } else { Input::Discard };
    let (from_process, to_process) = stream.into_split();
    let end = tokio::select! {
        end = copy_output(from_process, output) => end,
        end = copy_input(&client, &early, to_process, input) => end,
    };
    let (end, code) = match end {
        Closed::End(end) => (end, Some(status::NORMAL)),
        Closed::Violation => (End::Gone, Some(status::PROTOCOL_ERROR)),
        Closed::Answered => (End::Gone, None),
    };
    match end {
        End::Output => ended.wait().await,
        End::Detached => detached.notify(),
        End::Gone => {}
    }
    if let Some(code) = code {
        let _ = client.send(Opcode::Close, &reason(code)).await;
    }
    finish(client.socket).await;
}

/// Why it ended.
enum Closed {
    End(End),
    /// The client closed and was answered.
    Answered,
    Violation,
}

/// A client that both directions write to: frames must not mix.
struct Client {
    socket: Socket,
    turn: Mutex<()>,
}

impl Client {
    async fn send(&self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        self.socket.write_all(&encode(opcode, payload)).await
    }
}

struct Output<'a> {
    client: &'a Client,
    opcode: Opcode,
    /// `None` for a terminal, whose output has no frames.
    framed: Option<Multiplexed>,
}

impl Output<'_> {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(framed) = &mut self.framed else { return self.client.send(self.opcode, bytes).await };
        match framed.strip(bytes) {
            payload if payload.is_empty() => Ok(()),
            payload => self.client.send(self.opcode, &payload).await,
        }
    }
}

async fn copy_output(process: OwnedReadHalf, mut output: Output<'_>) -> Closed {
    while process.readable().await.is_ok() {
        let mut buffer = vec![0; BUFFER];
        match process.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                if output.send(&buffer[..n]).await.is_err() {
                    return Closed::End(End::Gone);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    Closed::End(End::Output)
}

async fn copy_input(client: &Client, early: &[u8], process: OwnedWriteHalf, input: Input) -> Closed {
    let mut sink = Sink::new(process, input);
    let mut decoder = Decoder::default();
    decoder.push(early);
    loop {
        if let Some(closed) = take_events(client, &mut decoder, &mut sink).await {
            return closed;
        }
        if client.socket.readable().await.is_err() {
            return Closed::End(End::Gone);
        }
        let mut buffer = vec![0; BUFFER];
        match client.socket.try_read(&mut buffer) {
            // there is no half of a WebSocket
            Ok(0) => return Closed::End(End::Gone),
            Ok(n) => decoder.push(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Closed::End(End::Gone),
        }
    }
}

async fn take_events(client: &Client, decoder: &mut Decoder, sink: &mut Sink) -> Option<Closed> {
    loop {
        let event = match decoder.next() {
            Ok(event) => event?,
            Err(_) => return Some(Closed::Violation),
        };
        match event {
            Event::Data(data) => {
                if let Some(end) = sink.take(&data).await {
                    return Some(Closed::End(end));
                }
            }
            Event::Ping(payload) => drop(client.send(Opcode::Pong, &payload).await),
            Event::Pong => {}
            Event::Close(reason) => {
                sink.close().await;
                let _ = client.send(Opcode::Close, &reason).await;
                return Some(Closed::Answered);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    /// What the process reads and what the client reads, when each has written all.
    async fn exchange(client: &[u8], process: &[u8], stdin: bool) -> (Vec<u8>, Vec<u8>) {
        let (mut ours, theirs) = UnixStream::pair().expect("pair");
        let (engine, mut program) = UnixStream::pair().expect("pair");
        let (from, to) = engine.into_split();
        let socket = Client { socket: Socket::Unix(theirs), turn: Mutex::new(()) };
        ours.write_all(client).await.expect("write");
        let input = if stdin { Input::Forward { detach_keys: Vec::new() } } else { Input::Discard };
        let output = Output { client: &socket, opcode: Opcode::Binary, framed: Some(Multiplexed::default()) };
        let closed = copy_input(&socket, &[], to, input);
        program.write_all(process).await.expect("write");
        program.shutdown().await.expect("shutdown");
        tokio::join!(closed, copy_output(from, output));
        drop(socket);
        let (mut read, mut sent) = (Vec::new(), Vec::new());
        program.read_to_end(&mut read).await.expect("read");
        ours.read_to_end(&mut sent).await.expect("read");
        (read, sent)
    }

    #[tokio::test]
    async fn both_ways() {
        // masked with zeros: a ping, data, a close
        let client = b"\x89\x81\0\0\0\0p\x82\x85\0\0\0\0hello\x88\x80\0\0\0\0";
        let (read, sent) = exchange(client, b"\x01\0\0\0\0\0\0\x02ok", true).await;
        assert_eq!(read, b"hello");
        for frame in [&b"\x8a\x01p"[..], b"\x82\x02ok", b"\x88\0"] {
            assert!(sent.windows(frame.len()).any(|window| window == frame), "{frame:?} in {sent:?}");
        }
        let (read, _) = exchange(client, b"", false).await;
        assert_eq!(read, b"");
    }
}
