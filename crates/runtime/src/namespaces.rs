//! Which namespaces are made, and which are joined.

use std::os::fd::OwnedFd;

use oci::runtime::{Linux, NamespaceKind};
use rustix::fs::{Mode, OFlags};
use sys::namespace::Kinds;

use crate::StartError;

/// The plan for a container.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// Made by the clone.
    pub(crate) new: Option<Kinds>,
    /// Joined by the child, in this order.
    pub(crate) join: Vec<(OwnedFd, Kinds)>,
    /// Joined by the parent for the child's sake: nobody can change his own pid namespace.
    pub(crate) pid: Option<OwnedFd>,
    /// Made by the child once it is in its cgroup, which becomes the root.
    pub(crate) cgroup: bool,
    pub(crate) time: bool,
    /// Every kind that is not the host's.
    private: Vec<NamespaceKind>,
}

impl Namespaces {
    pub(crate) fn plan(linux: &Linux, netns: Option<OwnedFd>) -> Result<Self, StartError> {
        let mut plan = Self::default();
        let given = netns.is_some();
        if let Some(fd) = netns {
            plan.join.push((fd, Kinds::NETWORK));
            plan.private.push(NamespaceKind::Network);
        }
        for namespace in &linux.namespaces {
            let kind = namespace.kind;
            if given && kind == NamespaceKind::Network {
                continue;
            }
            if plan.private.contains(&kind) {
                return Err(StartError::other(format!("malformed spec file: duplicated ns {kind:?}")));
            }
            plan.private.push(kind);
            if namespace.path.is_empty() {
                plan.make(kind)?;
            } else {
                plan.join(kind, &namespace.path)?;
            }
        }
        if !plan.has(NamespaceKind::Mount) {
            return Err(StartError::other("a container without a mount namespace of its own is not supported"));
        }
        Ok(plan)
    }

    /// Whether the container has a namespace of this kind that is not the host's.
    pub(crate) fn has(&self, kind: NamespaceKind) -> bool {
        self.private.contains(&kind)
    }

    fn make(&mut self, kind: NamespaceKind) -> Result<(), StartError> {
        match kind {
            NamespaceKind::Cgroup => self.cgroup = true,
            NamespaceKind::Time => self.time = true,
            NamespaceKind::User => {
                return Err(StartError::other("user namespaces are not supported by this runtime yet"));
            }
            _ => self.new = Some(self.new.unwrap_or(Kinds::empty()) | kinds(kind)),
        }
        Ok(())
    }

    fn join(&mut self, kind: NamespaceKind, path: &str) -> Result<(), StartError> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| {
            StartError::other(format!("namespace path: lstat {path}: {}", crate::failure::text(errno)))
        })?;
        match kind {
            NamespaceKind::Mount => {
                return Err(StartError::other("joining an existing mount namespace is not supported"));
            }
            NamespaceKind::Pid => self.pid = Some(fd),
            NamespaceKind::User => self.join.insert(0, (fd, kinds(kind))),
            _ => self.join.push((fd, kinds(kind))),
        }
        Ok(())
    }
}

fn kinds(kind: NamespaceKind) -> Kinds {
    match kind {
        NamespaceKind::Pid => Kinds::PROCESS_ID,
        NamespaceKind::Network => Kinds::NETWORK,
        NamespaceKind::Mount => Kinds::MOUNT,
        NamespaceKind::Ipc => Kinds::INTER_PROCESS_COMMUNICATION,
        NamespaceKind::Uts => Kinds::HOST_NAME_AND_NIS_DOMAIN_NAME,
        NamespaceKind::User => Kinds::USER,
        NamespaceKind::Cgroup => Kinds::CONTROL_GROUP,
        NamespaceKind::Time => Kinds::TIME,
    }
}
