//! systemd's side of a service: readiness (sd_notify(3)) and inherited sockets (sd_listen_fds(3)). Both are plain
//! environment variables, handed in here so that nothing else reads them.

use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// Number of the first inherited descriptor.
const FIRST: i32 = 3;
/// More than anybody hands over, so that a wrong variable does no harm.
const MOST: i32 = 64;

/// Where to say how the daemon is; does nothing without systemd.
#[derive(Debug, Default)]
pub struct Notifier {
    address: Option<String>,
}

impl Notifier {
    /// `address` is the value of `NOTIFY_SOCKET`.
    pub fn new(address: Option<String>) -> Self {
        Self { address: address.filter(|address| !address.is_empty()) }
    }

    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// A reload has begun; [`ready`](Self::ready) ends it.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec as i128 * 1_000_000 + now.tv_nsec as i128 / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, state: &str) {
        let Some(address) = &self.address else { return };
        let sent = UnixDatagram::unbound().and_then(|socket| {
            let to = match address.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name)?,
                None => SocketAddr::from_pathname(address)?,
            };
            socket.send_to_addr(state.as_bytes(), &to)
        });
        if let Err(error) = sent {
            tracing::warn!(%error, "cannot notify systemd at {address}");
        }
    }
}

/// The sockets handed over, if they are meant for this process: `pid` and `count` are `LISTEN_PID` and `LISTEN_FDS`.
/// Also keeps whatever else was inherited away from the programs started later.
pub fn inherited(pid: Option<&str>, count: Option<&str>) -> Vec<OwnedFd> {
    let ours = pid.and_then(|pid| pid.parse().ok()) == Some(std::process::id());
    let count = count.and_then(|count| count.parse().ok()).filter(|_| ours).unwrap_or(0);
    let sockets = (FIRST..FIRST + i32::min(count, MOST)).filter_map(sys::fd::inherited).collect();
    // Fails only on kernels before 5.11; then shims hold what we inherited, which is untidy but harmless.
    let _ = sys::fd::close_at_exec_from(FIRST as u32);
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_arrive() {
        let path = std::env::temp_dir().join(format!("lighter-notify-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        let abstract_name = format!("lighter-notify-{}", std::process::id());
        let other = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap();
        let received = |socket: &UnixDatagram| {
            let mut buffer = [0; 100];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        let notifier = Notifier::new(Some(path.to_str().unwrap().into()));
        notifier.ready();
        assert_eq!(received(&socket), "READY=1");
        notifier.reloading();
        assert!(received(&socket).starts_with("RELOADING=1\nMONOTONIC_USEC="));
        Notifier::new(Some(format!("@{abstract_name}"))).stopping();
        assert_eq!(received(&other), "STOPPING=1");
        Notifier::new(None).ready();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn sockets_of_others_are_not_taken() {
        assert!(inherited(Some("1"), Some("1")).is_empty());
        assert!(inherited(None, Some("1")).is_empty());
        assert!(inherited(Some(&std::process::id().to_string()), None).is_empty());
        assert!(inherited(Some(&std::process::id().to_string()), Some("-5")).is_empty());
    }
}
