//! The daemon's end of a shim: a control connection served by one task, and connections that become byte streams.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use shim::protocol::{Attach, Exec, Fact, Launch, MAX_FRAME, Message, Reply, Request, SOCKET, State};
use sys::crash;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use values::{Error, Result, ResultExt};

/// No shim answers a control request slower than this unless it is stopped or the machine is.
const PATIENCE: Duration = Duration::from_secs(20);
/// A launch by an external runtime has deadlines of its own (create, start, delete), which the shim tells of.
const LAUNCH_PATIENCE: Duration = Duration::from_secs(40);
/// The same where it is asked to end its container: there is nothing to lose by losing patience.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
const QUEUE_PAUSE: Duration = Duration::from_millis(20);

/// What a shim tells unasked.
pub enum Told {
    Fact {
        number: u64,
        fact: Fact,
    },
    /// The connection ended.
    Gone,
}

type Waiter = Option<oneshot::Sender<Reply>>;

/// Sends requests to the task that serves a control connection.
#[derive(Clone)]
pub struct ShimLink {
    requests: mpsc::UnboundedSender<(Request, Waiter)>,
}

impl ShimLink {
    /// A link and what will serve it. They are made apart because whoever owns the container must know of the link
    /// before the first thing that is told over it.
    pub fn new() -> (Self, Service) {
        let (requests, inbox) = mpsc::unbounded_channel();
        (Self { requests }, Service { inbox })
    }

    /// Sends a request that has no answer, or whose answer does not matter.
    pub fn tell(&self, request: Request) {
        let _ = self.requests.send((request, None));
    }

    pub async fn ask(&self, request: Request) -> Result<Reply> {
        let (tx, rx) = oneshot::channel();
        let gone = || Error::internal("the container's shim is gone");
        self.requests.send((request, Some(tx))).map_err(|_| gone())?;
        match tokio::time::timeout(PATIENCE, rx).await {
            Ok(Ok(Reply::Refused(why))) => Err(Error::internal(why)),
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(unanswered(PATIENCE)),
        }
    }
}

/// The other half of a [`ShimLink`].
pub struct Service {
    inbox: mpsc::UnboundedReceiver<(Request, Waiter)>,
}

impl Service {
    /// Serves `stream` (already subscribed) in a task of its own until its end; what the shim tells goes to `told`.
    pub fn start(self, stream: UnixStream, told: impl Fn(Told) + Send + 'static) {
        tokio::spawn(serve(stream, self.inbox, told));
    }
}

async fn serve(stream: UnixStream, mut inbox: mpsc::UnboundedReceiver<(Request, Waiter)>, told: impl Fn(Told)) {
    let (mut read, mut write) = stream.into_split();
    let (answered, mut waiting) = mpsc::unbounded_channel::<Waiter>();
    let writer = tokio::spawn(async move {
        while let Some((request, waiter)) = inbox.recv().await {
            // an Ack is the one request without a reply
            if !matches!(request, Request::Ack(_)) && answered.send(waiter).is_err() {
                break;
            }
            if write_frame(&mut write, &request).await.is_err() {
                break;
            }
        }
    });
    while let Ok(Some(message)) = read_frame::<Message>(&mut read).await {
        match message {
            Message::Fact { number, fact } => told(Told::Fact { number, fact }),
            Message::Reply(reply) => {
                if let Ok(Some(waiter)) = waiting.try_recv() {
                    let _ = waiter.send(reply);
                }
            }
        }
    }
    writer.abort();
    told(Told::Gone);
}

/// Hands a new shim its work over the socket that is its descriptor 0, and waits for the outcome.
pub async fn launch(stream: &mut UnixStream, launch: Launch, fds: Vec<OwnedFd>) -> Result<Reply> {
    let patience = if launch.external.is_some() { LAUNCH_PATIENCE } else { PATIENCE };
    let frame = encode(&Request::Launch(Box::new(launch)))?;
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    let sent = send_with(stream, &frame, &fds).await.during(|| "cannot reach the new shim")?;
    stream.write_all(&frame[sent..]).await.during(|| "cannot reach the new shim")?;
    crash::point("start.ordered");
    reply_within(stream, patience).await
}

/// The first bytes with descriptors attached; a socket buffer of its own takes them at once.
async fn send_with(stream: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    loop {
        stream.writable().await?;
        let sent = stream.try_io(tokio::io::Interest::WRITABLE, || {
            let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(sys::scm::MAX_FDS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::Error::other("too many clients are attached to one start"));
            }
            Ok(sendmsg(stream, &[io::IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
        });
        match sent {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

/// Connects to the shim in `directory`.
pub async fn connect(directory: &Path) -> io::Result<UnixStream> {
    // A path below /proc/self/fd stays short however deep the directory is: a socket's name has 107 bytes at most.
    use rustix::fs::{Mode, OFlags, open};
    let dir = open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&dir);
    let path = format!("/proc/self/fd/{fd}/{SOCKET}");
    let until = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(&path).await {
            // its queue is full: it is busy, or stopped
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {
                tokio::time::sleep(QUEUE_PAUSE).await;
            }
            other => return other,
        }
    }
}

/// Has processes of a container killed (`request`). A shim that does not answer, or has not since the daemon's start (no
/// `link`), is killed itself: the end of its connection then leads to the end of its container.
pub async fn kill(link: Option<ShimLink>, directory: PathBuf, request: Request) {
    if let Some(link) = link
        && tokio::time::timeout(KILL_PATIENCE, link.ask(request)).await.is_ok()
    {
        return;
    }
    if let Ok(stream) = connect(&directory).await {
        tracing::warn!("the shim in {} does not answer: it is killed with its container", directory.display());
        kill_peer(&stream);
    }
}

/// Kills the shim at the other end of a connection made by [`connect`].
pub fn kill_peer(stream: &UnixStream) {
    if let Some(pid) = peer_of(stream).and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Who listens is who is told here; as it does not accept, only a living process can hold the socket.
fn peer_of(stream: &UnixStream) -> Option<i32> {
    stream.peer_cred().ok()?.pid()
}

/// The process of the shim in `directory`.
pub async fn peer(directory: &Path) -> Option<i32> {
    peer_of(&connect(directory).await.ok()?)
}

/// Whether there is no shim any more.
pub async fn is_gone(directory: &Path) -> bool {
    let gone = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    connect(directory).await.is_err_and(|e| gone.contains(&e.kind()))
}

/// Becomes the shim's subscriber. Without `patience` it is waited for as long as it lives.
pub async fn subscribe(stream: &mut UnixStream, patience: Option<Duration>) -> Result<State> {
    write_frame(stream, &Request::Subscribe).await.during(|| "cannot reach the shim")?;
    match reply_within(stream, patience.unwrap_or(Duration::MAX)).await? {
        Reply::State(state) => Ok(state),
        other => Err(unexpected(&other)),
    }
}

/// A byte stream of the container's own process.
pub async fn attach(directory: &Path, attach: Attach) -> Result<UnixStream> {
    let mut stream = connect(directory).await.during(|| "cannot reach the container's shim")?;
    write_in_time(&mut stream, &Request::Attach(attach)).await?;
    match reply(&mut stream).await? {
        Reply::Done => Ok(stream),
        Reply::Refused(why) => Err(Error::conflict(why)),
        other => Err(unexpected(&other)),
    }
}

/// Starts a process; the stream is its byte stream when it has any.
pub async fn exec(directory: &Path, exec: Exec) -> Result<(Reply, UnixStream)> {
    let mut stream = connect(directory).await.during(|| "cannot reach the container's shim")?;
    write_in_time(&mut stream, &Request::Exec(Box::new(exec))).await?;
    crash::point("exec.ordered");
    let reply = reply(&mut stream).await?;
    Ok((reply, stream))
}

async fn reply(stream: &mut UnixStream) -> Result<Reply> {
    reply_within(stream, PATIENCE).await
}

async fn reply_within(stream: &mut UnixStream, patience: Duration) -> Result<Reply> {
    match tokio::time::timeout(patience, read_frame(stream)).await {
        Ok(Ok(Some(Message::Reply(reply)))) => Ok(reply),
        Ok(Ok(Some(Message::Fact { .. }))) => Err(Error::internal("the shim spoke out of turn")),
        Ok(Ok(None)) => Err(Error::internal("the shim ended unexpectedly")),
        Ok(Err(e)) => Err(Error::from(e).context("the shim ended unexpectedly")),
        Err(_) => Err(unanswered(patience)),
    }
}

fn unanswered(patience: Duration) -> Error {
    Error::unavailable(format!("the container's shim has not answered for {} seconds", patience.as_secs()))
}

/// A request may be larger than what the kernel takes while nobody reads.
async fn write_in_time(stream: &mut UnixStream, request: &Request) -> Result<()> {
    let written = tokio::time::timeout(PATIENCE, write_frame(stream, request)).await;
    written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|e| match e.kind() {
        io::ErrorKind::TimedOut => unanswered(PATIENCE),
        _ => Error::from(e).context("cannot reach the container's shim"),
    })
}

fn unexpected(reply: &Reply) -> Error {
    Error::internal(format!("the shim answered unexpectedly: {reply:?}"))
}

fn encode(request: &Request) -> Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, request).map_err(|e| Error::internal(e.to_string()))?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(Error::invalid("the container's configuration is too large"));
    }
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

async fn write_frame(to: &mut (impl AsyncWriteExt + Unpin), request: &Request) -> io::Result<()> {
    let frame = encode(request).map_err(|e| io::Error::other(e.message))?;
    to.write_all(&frame).await
}

/// `None` at the end of the stream between frames.
///
/// Reads exactly the frame's bytes: what follows may be a byte stream for someone else.
async fn read_frame<T: serde::de::DeserializeOwned>(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::other("a frame from the shim is too large"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Ends a container nobody owns: kills it unless it has `ended`, waits for its end, releases the shim.
pub async fn end(stream: &mut UnixStream, ended: bool) {
    let farewell = async {
        // where it has, its cgroup may be its successor's already
        if !ended {
            write_frame(stream, &Request::KillAll).await?;
        }
        loop {
            match read_frame::<Message>(stream).await? {
                Some(Message::Fact { fact: Fact::Exited(_), .. }) => break,
                Some(_) => {}
                None => return Ok(()),
            }
        }
        write_frame(stream, &Request::Release).await?;
        while read_frame::<Message>(stream).await?.is_some() {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(PATIENCE, farewell).await;
}
