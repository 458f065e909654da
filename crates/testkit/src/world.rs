use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sys::namespace::{Kinds, join, unshare};

/// Addresses of the two ends of the cable (those of documentation: RFC 5737, RFC 3849).
pub const HOST: &str = "203.0.113.2";
pub const HOST6: &str = "2001:db8::2";
pub const WORLD: &str = "203.0.113.1";
pub const WORLD6: &str = "2001:db8::1";

/// Another host at the other end of a cable. Both are network namespaces that end with the threads and processes in them.
pub struct World(File);

impl World {
    /// Moves the calling thread, and what it starts from now on, into a namespace of its own, "the host", whose default
    /// routes lead to the world.
    pub fn cabled() -> Self {
        alone();
        let world = Self(current());
        alone();
        // `ip` takes a process for a namespace's name
        let mut there = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/fd/{}", std::process::id(), world.0.as_raw_fd()))
            .args(["sleep", "60"])
            .spawn()
            .expect("nsenter");
        let own = current_id();
        super::eventually("a process in the world", || namespace_of(there.id()).is_some_and(|id| id != own));
        ip(&["link", "add", "uplink", "type", "veth", "peer", "name", "cable", "netns", &there.id().to_string()]);
        let _ = (there.kill(), there.wait());
        let addresses = |link: &str, v4: &str, v6: &str| {
            ip(&["addr", "add", &format!("{v4}/24"), "dev", link]);
            ip(&["addr", "add", &format!("{v6}/64"), "dev", link, "nodad"]);
            ip(&["link", "set", link, "up"]);
        };
        addresses("uplink", HOST, HOST6);
        world.inside(|| addresses("cable", WORLD, WORLD6));
        ip(&["route", "add", "default", "via", WORLD]);
        ip(&["-6", "route", "add", "default", "via", WORLD6]);
        world
    }

    /// Runs `work` on a thread out there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                join(self.0.as_fd(), Kinds::NETWORK).expect("enter the world");
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// What a server says to whoever connects, `None` if nobody can.
    pub fn hears(&self, address: &str) -> Option<String> {
        self.inside(|| hear(address))
    }

    /// What comes back for a datagram, which is sent a few times.
    pub fn echo(&self, address: &str) -> Option<String> {
        self.inside(|| echo(address))
    }
}

/// Moves the calling thread, and what it starts from now on, into a network namespace of its own, with nothing but `lo`.
pub fn alone() {
    unshare(Kinds::NETWORK).expect("new network namespace (root needed)");
    ip(&["link", "set", "lo", "up"]);
}

/// The same with a mount namespace: what is mounted there is seen nowhere else.
pub fn own_mounts() {
    unshare(Kinds::MOUNT).expect("new mount namespace (root needed)");
    let private = Command::new("mount").args(["--make-rprivate", "/"]).status().expect("mount");
    assert!(private.success(), "mount --make-rprivate /");
}

/// Runs `work` on a thread in the network namespace of a process, a container's for instance.
pub fn beside<T: Send>(process: &str, work: impl FnOnce() -> T + Send) -> T {
    World(File::open(format!("/proc/{process}/ns/net")).expect("the process's network namespace")).inside(work)
}

fn namespace_of(process: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{process}/ns/net")).ok()
}

fn current_id() -> PathBuf {
    std::fs::read_link("/proc/thread-self/ns/net").expect("this thread's network namespace")
}

fn current() -> File {
    File::open("/proc/thread-self/ns/net").expect("this thread's network namespace")
}

/// `ip` in the namespace of the calling thread.
pub fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("ip (scripts/test-setup.sh installs it)");
    assert!(output.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
}

const PATIENCE: Duration = Duration::from_millis(250);

/// From the calling thread's namespace.
pub fn hear(address: &str) -> Option<String> {
    let address: SocketAddr = address.parse().expect("an address");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// From the calling thread's namespace.
pub fn echo(address: &str) -> Option<String> {
    let address: SocketAddr = address.parse().expect("an address");
    let any: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.set_read_timeout(Some(Duration::from_millis(80))).ok()?;
    let mut buffer = [0; 99];
    (0..3).find_map(|_| {
        socket.send_to(b"?", address).ok()?;
        let (length, _) = socket.recv_from(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    })
}
