//! Which namespaces are made, and which are joined.

use std::os::fd::OwnedFd;

use oci::runtime::{Linux, NamespaceKind};
use sys::namespace::Kinds;

use crate::StartError;
use crate::user_namespace::{self, UserNamespace};

/// The plan for a container.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// Made by the clone.
    pub(crate) new: Option<Kinds>,
    /// The container's ids, joined before anything is made: all else belongs to it.
    pub(crate) user: Option<UserNamespace>,
    /// Joined by the child, in this order.
    pub(crate) join: Vec<(OwnedFd, Kinds)>,
    /// Joined by the parent for the child's sake: nobody can change his own pid namespace.
    pub(crate) pid: Option<OwnedFd>,
    /// Made by the child once it is in its cgroup, which becomes the root.
    pub(crate) cgroup: bool,
    pub(crate) time: bool,
    /// Gone to in the end by a container that has no mount namespace of its own: its mounts are made in one for the moment.
    pub(crate) mounts: Option<OwnedFd>,
    /// Every kind that is not the host's.
    private: Vec<NamespaceKind>,
}

impl Namespaces {
    pub(crate) fn plan(linux: &Linux, netns: Option<OwnedFd>, userns: Option<OwnedFd>) -> Result<Self, StartError> {
        let mut plan = Self::default();
        let mut given = Vec::new();
        if let Some(fd) = userns {
            plan.user = Some(UserNamespace::given(fd, linux, "")?);
            plan.private.push(NamespaceKind::User);
            given.push(NamespaceKind::User);
        }
        if let Some(fd) = netns {
            plan.join.push((fd, Kinds::NETWORK));
            plan.private.push(NamespaceKind::Network);
            given.push(NamespaceKind::Network);
        }
        for namespace in &linux.namespaces {
            let kind = namespace.kind;
            if given.contains(&kind) {
                continue;
            }
            if plan.private.contains(&kind) {
                return Err(StartError::other(format!("malformed spec file: duplicated ns {kind:?}")));
            }
            plan.private.push(kind);
            if namespace.path.is_empty() {
                plan.make(kind, linux)?;
            } else {
                plan.join(kind, &namespace.path, linux)?;
            }
        }
        if !plan.has(NamespaceKind::Mount) {
            plan.mounts = Some(user_namespace::open("/proc/thread-self/ns/mnt")?);
        }
        if plan.mounts.is_some() {
            plan.make(NamespaceKind::Mount, linux)?;
        }
        if plan.user.is_none() && !(linux.uid_mappings.is_empty() && linux.gid_mappings.is_empty()) {
            return Err(StartError::other("user id mappings without a user namespace"));
        }
        if !linux.time_offsets.is_empty() && !plan.time {
            return Err(StartError::other("timeOffsets need a new time namespace"));
        }
        Ok(plan)
    }

    /// Whether the container has a namespace of this kind that is not the host's.
    pub(crate) fn has(&self, kind: NamespaceKind) -> bool {
        self.private.contains(&kind)
    }

    fn make(&mut self, kind: NamespaceKind, linux: &Linux) -> Result<(), StartError> {
        match kind {
            NamespaceKind::Cgroup => self.cgroup = true,
            NamespaceKind::Time => self.time = true,
            NamespaceKind::User => {
                self.user = Some(UserNamespace::make(&linux.uid_mappings, &linux.gid_mappings)?);
            }
            _ => self.new = Some(self.new.unwrap_or(Kinds::empty()) | kinds(kind)),
        }
        Ok(())
    }

    fn join(&mut self, kind: NamespaceKind, path: &str, linux: &Linux) -> Result<(), StartError> {
        let fd = user_namespace::open(path)?;
        match kind {
            NamespaceKind::Mount => self.mounts = Some(fd),
            NamespaceKind::Pid => self.pid = Some(fd),
            NamespaceKind::User => self.user = Some(UserNamespace::given(fd, linux, path)?),
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
