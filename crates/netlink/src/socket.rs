use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use crate::batch::{Batch, HEADER, aligned};
use crate::error::{Error, Result};
use crate::parse::{self, Message};

const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;
/// `NLMSGERR_ATTR_MSG` (linux/netlink.h).
const ERROR_TEXT: u16 = 1;
const DUMP: u16 = libc::NLM_F_DUMP as u16;
/// The kernel's answer is in the queue before the request's system call returns, so waiting at all is exceptional.
const PATIENCE: Duration = Duration::from_secs(10);
/// The kernel fills at most 32 KiB per datagram of a dump.
const BUFFER: usize = 32 * 1024;
/// A dump during which something changed is asked for again, at once this often, then after pauses, for so long.
const DUMP_TRIES: u32 = 8;
const DUMP_PAUSE: Duration = Duration::from_millis(3);
const DUMP_PATIENCE: Duration = Duration::from_secs(10);

/// A netlink socket of the network namespace in which it was opened.
///
/// Blocking, with a bound of ten seconds. One user at a time (`&mut`): answers belong to the request before them.
pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// For links, addresses and routes (rtnetlink(7)).
    pub fn route() -> Result<Self> {
        Self::open(None)
    }

    /// For nftables and conntrack.
    pub fn netfilter() -> Result<Self> {
        Self::open(Some(NETFILTER))
    }

    /// What nf_tables does, told to the members of `group`. Waits for ever.
    pub(crate) fn netfilter_events(group: u32) -> Result<Self> {
        let failed = |errno| Error::new("listen to netlink events", errno);
        let socket = Self::open(Some(NETFILTER))?;
        rustix::net::bind(&socket.fd, &SocketAddrNetlink::new(0, 1 << (group - 1))).map_err(failed)?;
        set_socket_timeout(&socket.fd, Timeout::Recv, None).map_err(failed)?;
        Ok(socket)
    }

    /// Reads events until one is `wanted`, or some were lost.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&Message<'_>) -> bool) -> Result<()> {
        let mut buffer = vec![0u8; BUFFER];
        loop {
            match self.receive(&mut buffer, RecvFlags::empty()) {
                Ok(length) if parse::messages(&buffer[..length]).any(|message| wanted(&message)) => return Ok(()),
                Ok(_) => {}
                Err(Errno::NOBUFS | Errno::MSGSIZE) => return Ok(()),
                Err(errno) => return Err(Error::new("wait for netlink events", errno)),
            }
        }
    }

    fn open(protocol: Option<Protocol>) -> Result<Self> {
        let failed = |errno| Error::new("open netlink socket", errno);
        let fd =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol).map_err(failed)?;
        sys::netlink::set_netlink_options(&fd).map_err(failed)?;
        set_socket_timeout(&fd, Timeout::Recv, Some(PATIENCE)).map_err(failed)?;
        set_socket_timeout(&fd, Timeout::Send, Some(PATIENCE)).map_err(failed)?;
        Ok(Self { fd, sequence: 1 })
    }

    /// Sends the batch and waits until the kernel is through with it. The first failure is the result.
    pub fn execute(&mut self, batch: Batch) -> Result<()> {
        self.query(batch, |_| {})
    }

    /// Sends the batch and hands every answer to `each`. The first failure is the result, after all was read.
    /// At most one dump, and that as the last message.
    pub fn query(&mut self, mut batch: Batch, mut each: impl FnMut(Message<'_>)) -> Result<()> {
        let Some(last) = batch.confirmation() else { return Ok(()) };
        if !last_is_dump(&batch) {
            batch.add_flags(last, libc::NLM_F_ACK as u16);
        }
        let first = self.send(&mut batch)?;
        let mut failure = None;
        // a dump goes on to its end all the same
        let mut interrupted = None;
        let mut buffer = vec![0u8; BUFFER];
        loop {
            // After a failure the last answer may never come (out of memory in a transaction): take what is there.
            let wait = if failure.is_none() { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
            let length = match (self.receive(&mut buffer, wait), failure.take()) {
                (Ok(length), seen) => {
                    failure = seen;
                    length
                }
                (Err(_), Some(error)) => return Err(error),
                (Err(errno), None) => return Err(Error::new(batch.label(last), errno)),
            };
            for message in parse::messages(&buffer[..length]) {
                let position = message.sequence.wrapping_sub(first) as usize;
                if position >= batch.len() {
                    continue; // left over from an earlier request
                }
                if message.flags & libc::NLM_F_DUMP_INTR as u16 != 0 {
                    interrupted = interrupted.or(Some(Error::new(batch.label(position), Errno::INTR)));
                }
                match message.kind {
                    ERROR | DONE => {
                        if let Some(error) = refusal(&message, batch.label(position)) {
                            failure.get_or_insert(error);
                        }
                        if position == last {
                            return failure.or(interrupted).map_or(Ok(()), Err);
                        }
                    }
                    _ => each(message),
                }
            }
        }
    }

    /// Asks for a list. One that changed while it was read is asked for again. `request` adds the one message;
    /// `decode` takes its answers apart, `None` leaves one out.
    pub fn dump<T>(
        &mut self,
        request: impl Fn(&mut Batch),
        decode: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        let (found, interrupted) = self.dump_within(DUMP_PATIENCE, request, decode)?;
        interrupted.map_or(Ok(found), Err)
    }

    /// The same where others may change it all the while, as links of a busy host: then the last answer, which has what was there
    /// throughout.
    pub fn dump_amid_changes<T>(
        &mut self,
        request: impl Fn(&mut Batch),
        decode: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        self.dump_within(DUMP_PATIENCE / 10, request, decode).map(|(found, _)| found)
    }

    /// What was found, and what is to be said where all of that was never seen at one time.
    fn dump_within<T>(
        &mut self,
        patience: Duration,
        request: impl Fn(&mut Batch),
        mut decode: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Result<(Vec<T>, Option<Error>)> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            let mut batch = Batch::new();
            request(&mut batch);
            let mut found = Vec::new();
            match self.query(batch, |message| found.extend(decode(message))) {
                Err(error) if error.errno == Errno::INTR && begun.elapsed() >= patience => {
                    return Ok((found, Some(error)));
                }
                Err(error) if error.errno == Errno::INTR => {
                    tries += 1;
                    if tries > DUMP_TRIES {
                        // others add and remove all the while: somewhere between them is a gap
                        std::thread::sleep(DUMP_PAUSE * (tries % DUMP_TRIES));
                    }
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok((found, None)),
            }
        }
    }

    /// Numbers and sends; returns the first message's number.
    fn send(&mut self, batch: &mut Batch) -> Result<u32> {
        let first = self.sequence;
        self.sequence = first.wrapping_add(batch.len() as u32);
        batch.number_from(first);
        let kernel = SocketAddrNetlink::new(0, 0);
        let mut roomy = false;
        loop {
            match sendto(&self.fd, batch.bytes(), SendFlags::empty(), &kernel) {
                Err(Errno::INTR) => {}
                // a transaction goes as one, however many elements its sets have
                Err(Errno::MSGSIZE) if !roomy => {
                    roomy = sys::netlink::make_room(&self.fd, batch.bytes().len()).is_ok();
                    if !roomy {
                        return Err(Error::new(batch.label(0), Errno::MSGSIZE));
                    }
                }
                Err(errno) => return Err(Error::new(batch.label(0), errno)),
                Ok(_) => return Ok(first),
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8], wait: RecvFlags) -> Result<usize, Errno> {
        loop {
            match recv(&self.fd, &mut *buffer, RecvFlags::TRUNC | wait) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(Errno::TIMEDOUT),
                Err(errno) => return Err(errno),
                Ok((_, length)) if length > buffer.len() => return Err(Errno::MSGSIZE),
                Ok((_, length)) => return Ok(length),
            }
        }
    }
}

/// Whether the last message asks for a dump: that ends with `DONE`, anything else with its acknowledgement.
fn last_is_dump(batch: &Batch) -> bool {
    parse::messages(batch.bytes()).last().is_some_and(|m| m.flags & DUMP == DUMP && is_get(m.kind))
}

/// `NLM_F_DUMP`'s bits mean other things in a request that changes something (`NLM_F_REPLACE`, `NLM_F_EXCL`).
fn is_get(kind: u16) -> bool {
    let rtnetlink = (libc::RTM_NEWLINK..0x100).contains(&kind) && kind & 3 == 2;
    let message = i32::from(kind & 0xff);
    let gets = [
        libc::NFT_MSG_GETTABLE,
        libc::NFT_MSG_GETCHAIN,
        libc::NFT_MSG_GETRULE,
        libc::NFT_MSG_GETSET,
        libc::NFT_MSG_GETSETELEM,
    ];
    rtnetlink
        || kind == crate::conntrack::GET
        || (kind >> 8 == libc::NFNL_SUBSYS_NFTABLES as u16 && gets.contains(&message))
}

/// What a final message says: `None` for an acknowledgement, else the error with the kernel's words.
fn refusal(message: &Message<'_>, label: &str) -> Option<Error> {
    let code = parse::word(message.payload, 0).unwrap_or(0) as i32;
    if code == 0 {
        return None;
    }
    let mut error = Error::new(label, Errno::from_raw_os_error(code.saturating_neg()));
    error.detail = words(message);
    Some(error)
}

/// The text of an extended acknowledgement: behind the error number and (unless this is a dump's end) the header of
/// the refused request, which comes with its whole body unless it is marked as capped.
fn words(message: &Message<'_>) -> Option<String> {
    if message.flags & libc::NLM_F_ACK_TLVS as u16 == 0 {
        return None;
    }
    let request = match message.kind {
        DONE => 0,
        _ if message.flags & libc::NLM_F_CAPPED as u16 != 0 => HEADER,
        _ => aligned(parse::word(message.payload, 4)? as usize),
    };
    let text = parse::attribute(message.payload.get(4 + request..)?, ERROR_TEXT)?;
    Some(parse::string(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Message<'_> {
        Message { kind, flags, sequence: 1, payload }
    }

    #[test]
    fn an_acknowledgement_is_no_refusal() {
        assert_eq!(refusal(&message(ERROR, 0x100, &[0; 20]), "x"), None);
        assert_eq!(refusal(&message(DONE, 0, &[0; 4]), "x"), None);
        assert_eq!(refusal(&message(DONE, 0, &[]), "x"), None);
    }

    #[test]
    fn the_kernels_words_are_found_behind_the_request() {
        let code = (-17i32).to_ne_bytes();
        let text = [9, 0, 1, 0, b'b', b'u', b's', b'y', 0, 0, 0, 0];
        let capped = [&code[..], &[99, 0, 0, 0], &[0; 12], &text].concat();
        let whole = [&code[..], &[20, 0, 0, 0], &[0; 16], &text].concat();
        let done = [&code[..], &text].concat();
        for answer in [message(ERROR, 0x300, &capped), message(ERROR, 0x200, &whole), message(DONE, 0x200, &done)] {
            let error = refusal(&answer, "do").unwrap();
            assert_eq!((error.errno, error.detail.as_deref()), (Errno::EXIST, Some("busy")), "{answer:?}");
        }
        assert_eq!(refusal(&message(ERROR, 0x200, &code), "do").unwrap().detail, None);
    }

    #[test]
    fn only_questions_are_dumps() {
        for get in [libc::RTM_GETLINK, libc::RTM_GETADDR, libc::RTM_GETROUTE, 0x0a01, 0x0a04, 0x0a07, 0x0101] {
            assert!(is_get(get), "{get:#x}");
        }
        for set in
            [libc::RTM_NEWLINK, libc::RTM_DELLINK, libc::RTM_NEWROUTE, libc::RTM_SETLINK, 0x0a00, 0x0a06, 0x0102, 0x10]
        {
            assert!(!is_get(set), "{set:#x}");
        }
    }
}
