//! `container cp`, `cp`.

mod local;
mod path;
mod plan;

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use api::endpoints::{
    ContainerArchiveGet, ContainerArchiveGetQuery, ContainerArchiveHead, ContainerArchiveHeadQuery,
    ContainerArchivePut, ContainerArchivePutQuery,
};
use api::types::PathStat;
use archive::unpack::{Copy, unpack_copy};
use base64::Engine as _;

use crate::command::{Args, Command, Complete, States};
use crate::flags::Flag;
use crate::output::human;
use crate::{Failure, Invocation, Outcome, Session};

use path::base;
use plan::{Ends, plan};

pub static COMMAND: Command = Command {
    spellings: &["container cp", "cp"],
    usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    about: "Copy files/folders between a container and the local filesystem",
    long: "Copy files/folders between a container and the local filesystem\n\nUse '-' as the source to read a tar archive from \
           stdin\nand extract it to a directory destination in a container.\nUse '-' as the destination to stream a tar \
           archive of a\ncontainer source to stdout.",
    args: Args::Exactly(2),
    complete: Complete::Containers(States::All),
    flags: &[
        Flag::bool("archive", "Archive mode (copy all uid/gid information)").short('a'),
        Flag::bool("follow-link", "Always follow symbol link in SRC_PATH").short('L'),
        Flag::bool(
            "quiet",
            "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
        )
        .short('q'),
    ],
    run,
    ..Command::DEFAULT
};

/// Go's `os.FileMode`.
const MODE_DIR: u32 = 1 << 31;
const MODE_LINK: u32 = 1 << 27;
const MODE_DEVICE: u32 = 1 << 26;

fn run(session: &Session, call: &Invocation) -> Outcome {
    let (source, destination) = (call.arg(0), call.arg(1));
    if source.is_empty() {
        return Err(Failure::new("source can not be empty"));
    }
    if destination.is_empty() {
        return Err(Failure::new("destination can not be empty"));
    }
    match (path::in_container(source), path::in_container(destination)) {
        (Some((container, source)), None) => copy_out(session, call, container, source, destination),
        (None, Some((container, destination))) => copy_in(session, call, source, container, destination),
        (Some(_), Some(_)) => Err(Failure::new("copying between containers is not supported")),
        (None, None) => Err(Failure::new("must specify at least one container source")),
    }
}

fn stat(session: &Session, container: &str, path: &str) -> Result<PathStat, Failure> {
    let query = ContainerArchiveHeadQuery { path: path.to_owned() };
    let client = session.client()?;
    let header = client.header::<ContainerArchiveHead>(&[container], &query, STAT)?;
    decode(header.as_deref().unwrap_or_default())
}

/// The header field with the stat of a path.
const STAT: &str = "X-Docker-Container-Path-Stat";

fn decode(header: &str) -> Result<PathStat, Failure> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(header).ok();
    let stat = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    stat.ok_or_else(|| Failure::new(format!("unable to decode container path stat header: {header:?}")))
}

fn copy_out(session: &Session, call: &Invocation, container: &str, source: &str, destination: &str) -> Outcome {
    let to_stdout = destination == "-";
    let place = if to_stdout { PathBuf::new() } else { local::absolute(destination)? };
    if !to_stdout {
        local::check_output(&place)?;
    }
    let (mut source, mut rename_to) = (source.to_owned(), None);
    if call.is("follow-link")
        && let Ok(found) = stat(session, container, &source)
        && found.mode & MODE_LINK != 0
    {
        let (target, rename) = path::rebase(&source, &path::joined(&source, &found.link_target));
        (source, rename_to) = (target, rename);
    }
    let query = ContainerArchiveGetQuery { path: source.clone() };
    let mut reply = session.client()?.download::<ContainerArchiveGet>(&[container], &query)?;
    if to_stdout {
        crate::output::file::write("", &mut reply)?;
        return Ok(0);
    }
    let found = decode(reply.head.field(STAT).unwrap_or_default())?;
    let from = Ends { name: rename_to.unwrap_or_else(|| base(&source)), is_dir: found.mode & MODE_DIR != 0 };
    let destination = local::destination(&place)?;
    let planned = plan(&from, &destination)?;
    // the archive names things after what was asked for
    let rename = planned.rename.map(|to| (root_name(&base(&source)), to));
    let mut counted = Counted { inner: reply, bytes: 0 };
    let root =
        archive::Root::open(std::path::Path::new(&planned.directory)).map_err(|e| Failure::new(e.to_string()))?;
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let options = Copy { owner: Some((uid, gid)), keep_kinds: true, rename, ..Copy::default() };
    unpack_copy(&mut counted, &root, &options).map_err(|e| Failure::new(e.message))?;
    report(session, call, counted.bytes, &place.to_string_lossy());
    Ok(0)
}

/// Entries of the root's archive begin with a slash.
fn root_name(base: &str) -> Vec<u8> {
    if base == "/" { Vec::new() } else { base.as_bytes().to_vec() }
}

fn copy_in(session: &Session, call: &Invocation, source: &str, container: &str, destination: &str) -> Outcome {
    let from_stdin = source == "-";
    let mut to = destination.to_owned();
    let mut found = stat(session, container, &to);
    if let Ok(link) = &found
        && link.mode & MODE_LINK != 0
    {
        to = path::joined(&to, &link.link_target);
        found = stat(session, container, &to);
    }
    if found.as_ref().is_ok_and(|there| there.mode & MODE_DEVICE != 0) {
        let place = format!("{container}:{destination}");
        return Err(Failure::new(format!(
            "destination \"{place}\" must be a directory or a regular file: got a device"
        )));
    }
    let there = plan::Destination {
        path: to.clone(),
        exists: found.is_ok(),
        is_dir: found.is_ok_and(|there| there.mode & MODE_DIR != 0),
    };
    let options = |path: String| ContainerArchivePutQuery {
        path,
        no_overwrite_dir_non_dir: true,
        copy_uid_gid: call.is("archive"),
    };
    let client = session.client()?;
    if from_stdin {
        if !there.is_dir {
            let place = format!("{container}:{destination}");
            return Err(Failure::new(format!("destination \"{place}\" must be a directory")));
        }
        client.upload_archive::<ContainerArchivePut>(&[container], &options(to), &mut io::stdin().lock())?;
        return Ok(0);
    }
    let source = local::source(source, call.is("follow-link"))?;
    let planned = plan(&source.ends, &there)?;
    let name = planned.rename.unwrap_or_else(|| source.ends.name.clone().into_bytes());
    let mut counted = Counted { inner: local::pack(&source, name)?, bytes: 0 };
    client.upload_archive::<ContainerArchivePut>(&[container], &options(planned.directory), &mut counted)?;
    counted.inner.outcome()?;
    report(session, call, counted.bytes, &format!("{container}:{destination}"));
    Ok(0)
}

/// Counts what is read through it.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

fn report(session: &Session, call: &Invocation, bytes: u64, place: &str) {
    if !call.is("quiet") && io::stderr().is_terminal() {
        session.eprintln(format_args!("Successfully copied {} to {place}", human::size(bytes as i64)));
    }
}
