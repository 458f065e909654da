//! Ports that the kernel cannot lead to a container: those of `[::1]`, and of IPv6 where the container has none.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use network::{Protocol, Relay};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use values::{Result, ResultExt};

/// A datagram's answer is waited for as long as the kernel keeps a one-sided flow (nf_conntrack_udp_timeout_stream).
const QUIET: Duration = Duration::from_secs(120);
/// Senders of datagrams that are served at once.
const SENDERS: usize = 4096;
const DATAGRAM: usize = 65_535;

/// Serves until the task is aborted.
///
/// # Errors
/// The socket's.
pub fn start(relay: Relay) -> Result<JoinHandle<()>> {
    let Relay { protocol, socket, target } = relay;
    Ok(match protocol {
        Protocol::Udp => {
            let socket = UdpSocket::from_std(socket.into()).during(|| "datagrams")?;
            tokio::spawn(datagrams(Arc::new(socket), target))
        }
        Protocol::Tcp | Protocol::Sctp => {
            let listener = TcpListener::from_std(socket.into()).during(|| "connections")?;
            tokio::spawn(connections(listener, target))
        }
    })
}

async fn connections(listener: TcpListener, target: SocketAddr) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    open.spawn(connection(client, target));
                }
                // no descriptor left: one is free again soon
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

async fn connection(mut client: TcpStream, target: SocketAddr) {
    // who cannot be reached closes, as a port that nobody listens on
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// A socket for each sender, so that answers find back.
async fn datagrams(socket: Arc<UdpSocket>, target: SocketAddr) {
    let mut senders: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut answering = JoinSet::new();
    let (gone, mut quiet) = mpsc::unbounded_channel();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, from)) = received else { continue };
                let to = match senders.get(&from) {
                    Some(to) => to.clone(),
                    None if senders.len() >= SENDERS => continue,
                    None => {
                        let Ok(to) = connected(target).await else { continue };
                        let to = Arc::new(to);
                        senders.insert(from, to.clone());
                        answering.spawn(answers(to.clone(), socket.clone(), from, gone.clone()));
                        to
                    }
                };
                let _ = to.send(&buffer[..length]).await;
            }
            Some(from) = quiet.recv() => {
                senders.remove(&from);
            }
            Some(_) = answering.join_next(), if !answering.is_empty() => {}
        }
    }
}

async fn answers(
    from: Arc<UdpSocket>,
    to: Arc<UdpSocket>,
    sender: SocketAddr,
    gone: mpsc::UnboundedSender<SocketAddr>,
) {
    let mut buffer = vec![0; DATAGRAM];
    while let Ok(Ok(length)) = tokio::time::timeout(QUIET, from.recv(&mut buffer)).await {
        let _ = to.send_to(&buffer[..length], sender).await;
    }
    let _ = gone.send(sender);
}

async fn connected(target: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: IpAddr =
        if target.is_ipv4() { std::net::Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(target).await?;
    Ok(socket)
}
