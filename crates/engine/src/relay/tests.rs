use std::net::{IpAddr, Ipv4Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener as Listener, TcpStream, UdpSocket};

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Answers what it hears, to each in turn.
async fn echo() -> SocketAddr {
    let listener = Listener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn echo_datagrams() -> SocketAddr {
    let socket = UdpSocket::bind((HERE, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..length], from).await;
        }
    });
    address
}

fn listening(target: SocketAddr) -> (SocketAddr, Relay) {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (address, Relay { protocol: Protocol::Tcp, socket: listener.into(), target })
}

fn receiving(target: SocketAddr) -> (SocketAddr, Relay) {
    let socket = std::net::UdpSocket::bind((HERE, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    (address, Relay { protocol: Protocol::Udp, socket: socket.into(), target })
}

async fn say(stream: &mut TcpStream, words: &str) -> String {
    stream.write_all(words.as_bytes()).await.unwrap();
    let mut answer = vec![0; words.len()];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[test]
fn what_epoll_keeps() {
    let all = [About::Port { group: 1, index: 0 }, About::Port { group: u32::MAX, index: u32::MAX }, About::Sender(7)];
    for about in all {
        assert_eq!(About::of(about.data()), about);
    }
}

#[tokio::test]
async fn connections_are_passed_on_until_the_group_ends() {
    let (relays, target) = (Relays::default(), echo().await);
    let made: Vec<_> = (0..20).map(|_| listening(target)).collect();
    let addresses: Vec<_> = made.iter().map(|(address, _)| *address).collect();
    let group = relays.begin(made.into_iter().map(|(_, relay)| relay).collect()).unwrap();
    let mut open = vec![];
    for address in &addresses {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(say(&mut stream, "to and fro").await, "to and fro");
        open.push(stream);
    }
    for stream in &mut open {
        assert_eq!(say(stream, "once more").await, "once more");
    }
    drop(group);
    for stream in &mut open {
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)), "its connection has ended");
    }
    for address in addresses {
        TcpListener::bind(address).expect("the port is free at once");
    }
}

#[tokio::test]
async fn groups_are_one_anothers_neighbours() {
    let (relays, target) = (Relays::default(), echo().await);
    let ((one, first), (other, second)) = (listening(target), listening(target));
    let (first, _second) = (relays.begin(vec![first]).unwrap(), relays.begin(vec![second]).unwrap());
    drop(first);
    assert!(TcpStream::connect(one).await.is_err());
    assert_eq!(say(&mut TcpStream::connect(other).await.unwrap(), "there").await, "there");
}

#[tokio::test]
async fn a_socket_that_others_hold_as_well_is_served_no_more() {
    let (relays, target) = (Relays::default(), echo().await);
    let (address, relay) = listening(target);
    let _held = relay.socket.try_clone().unwrap();
    drop(relays.begin(vec![relay]).unwrap());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"anybody?").await.unwrap();
    let (other, relay) = listening(target);
    let _group = relays.begin(vec![relay]).unwrap();
    assert_eq!(say(&mut TcpStream::connect(other).await.unwrap(), "there").await, "there");
    assert!(matches!(stream.try_read(&mut [0]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock));
}

#[tokio::test]
async fn answers_find_back_to_each_sender() {
    let (relays, target) = (Relays::default(), echo_datagrams().await);
    let ((address, one), (other, two)) = (receiving(target), receiving(target));
    let group = relays.begin(vec![one, two]).unwrap();
    for _ in 0..2 {
        let (a, b) = (UdpSocket::bind((HERE, 0)).await.unwrap(), UdpSocket::bind((HERE, 0)).await.unwrap());
        a.send_to(b"a", address).await.unwrap();
        b.send_to(b"b", other).await.unwrap();
        let mut buffer = [0; 10];
        assert_eq!(b.recv_from(&mut buffer).await.unwrap(), (1, other));
        assert_eq!(buffer[0], b'b');
        assert_eq!(a.recv_from(&mut buffer).await.unwrap(), (1, address));
        assert_eq!(buffer[0], b'a');
    }
    assert!(group.served.table().senders.next_end().is_some());
    drop(group);
    std::net::UdpSocket::bind(address).expect("the port is free at once");
}

#[tokio::test]
async fn a_quiet_sender_is_forgotten() {
    let (relays, target) = (Relays::default(), echo_datagrams().await);
    let (address, relay) = receiving(target);
    let group = relays.begin(vec![relay]).unwrap();
    let sender = UdpSocket::bind((HERE, 0)).await.unwrap();
    let mut buffer = [0; 10];
    for _ in 0..2 {
        sender.send_to(b"a", address).await.unwrap();
        assert_eq!(sender.recv_from(&mut buffer).await.unwrap(), (1, address));
        group.served.table().forget_quiet(Instant::now() + Duration::from_secs(10));
        assert!(group.served.table().senders.next_end().is_some());
        group.served.table().forget_quiet(Instant::now() + Duration::from_secs(200));
        assert!(group.served.table().senders.next_end().is_none());
    }
}
