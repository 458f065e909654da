use super::*;

/// A container that asks for nothing, to be changed by each test.
pub(crate) struct Scene {
    pub config: ContainerConfig,
    pub host: HostConfig,
    pub mounts: Vec<Resolved>,
    pub defaults: Defaults,
    pub machine: Machine,
    pub joined: Joined,
}

impl Default for Scene {
    fn default() -> Self {
        let config = ContainerConfig { cmd: Some(vec!["sh".to_owned()].into()), ..ContainerConfig::default() };
        let machine = Machine { cgroup_version: 2, hostname: "host".into(), ..Machine::default() };
        Self {
            config,
            host: HostConfig { shm_size: 64 << 20, ..HostConfig::default() },
            mounts: Vec::new(),
            defaults: Defaults::default(),
            machine,
            joined: Joined::default(),
        }
    }
}

impl Scene {
    pub(crate) fn input(&self) -> Input<'_> {
        Input {
            id: "0123",
            hostname: "box",
            config: &self.config,
            host: &self.host,
            mounts: &self.mounts,
            etc: EtcFiles {
                hostname: Some(Path::new("/run/x/hostname")),
                hosts: Some(Path::new("/run/x/hosts")),
                resolv_conf: Some(Path::new("/run/x/resolv.conf")),
            },
            plain: false,
            cgroup_path: "/lighter/0123".into(),
            defaults: &self.defaults,
            machine: &self.machine,
            joined: self.joined,
            rootfs: RootMount::Directory { path: "/does/not/matter".into() },
            link_env: &[],
            process_label: "",
            mount_label: "",
        }
    }
}

#[test]
fn whole() {
    let mut scene = Scene::default();
    scene.config.user = "web:1".into();
    scene.config.domainname = "example".into();
    scene.host.group_add = Some(vec!["video".into()]);
    scene.host.init = Some(true);
    scene.host.readonly_rootfs = true;
    scene.host.annotations.insert("k".into(), "v".into());
    let launch = launch(&scene.input()).unwrap();
    assert_eq!((launch.user.as_deref(), launch.additional_groups.join(",")), (Some("web:1"), "video".into()));
    assert!(launch.init && launch.spec.root.as_ref().unwrap().readonly);
    assert_eq!((launch.spec.hostname.as_str(), launch.spec.domainname.as_str()), ("box", "example"));
    assert_eq!(launch.spec.annotations["k"], "v");
    assert_eq!(launch.spec.linux.unwrap().cgroups_path, "/lighter/0123");
    // no seccomp in this machine's description
    assert!(launch.seccomp.is_none());
}

#[test]
fn shared_names() {
    let mut scene = Scene::default();
    scene.host.uts_mode = "host".into();
    scene.host.pid_mode = "host".into();
    scene.host.init = Some(true);
    let launch = launch(&scene.input()).unwrap();
    assert_eq!((launch.spec.hostname.as_str(), launch.init), ("", false));
    assert!(launch.spec.process.unwrap().env.contains(&"HOSTNAME=host".into()));
}

#[test]
fn filters_are_compiled_once() {
    let mut scene = Scene::default();
    scene.machine.seccomp = true;
    let first = launch(&scene.input()).unwrap().seccomp;
    assert!(first.is_some());
    assert_eq!(launch(&scene.input()).unwrap().seccomp, first);
    scene.host.security_opt = Some(vec!["seccomp=unconfined".into()]);
    assert_eq!(launch(&scene.input()).unwrap().seccomp, None);
    scene.host.security_opt = None;
    scene.host.privileged = true;
    assert_eq!(launch(&scene.input()).unwrap().seccomp, None);
}
