//! `--security-opt`: filters of system calls, profiles, labels, hidden paths.

use testkit::{Daemon, Finished, eventually, through_both};

fn with_profile(daemon: &Daemon, profile: &str, flags: &[&str], script: &str) -> Finished {
    let path = daemon.directory.join("profile.json");
    std::fs::write(&path, profile).unwrap();
    let option = format!("seccomp={}", path.display());
    daemon.run(&[&["run", "--rm", "--security-opt", &option], flags, &["busybox", "sh", "-c", script]].concat())
}

/// A profile that allows all but what `rule` is for.
fn profile(rule: &str) -> String {
    format!(
        r#"{{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64"],"syscalls":[{rule}]}}"#
    )
}

#[test]
fn actions_of_a_profile_of_ones_own() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for (action, said, status) in [
            (r#""SCMP_ACT_ERRNO""#, "Operation not permitted", 1),
            (r#""SCMP_ACT_ERRNO","errnoRet":28"#, "No space left on device", 1),
            (r#""SCMP_ACT_KILL_PROCESS""#, "", 159),
            (r#""SCMP_ACT_TRAP""#, "", 159),
            (r#""SCMP_ACT_LOG""#, "", 0),
            (r#""SCMP_ACT_ALLOW""#, "", 0),
        ] {
            let rule = format!(r#"{{"names":["mkdir","mkdirat"],"action":{action}}}"#);
            let got = with_profile(daemon, &profile(&rule), &[], "exec mkdir /tmp-made").status(status);
            assert!(got.stderr.contains(said), "{action}: {}", got.stderr);
        }
    });
}

/// It lets a program neither begin nor say why it cannot.
#[test]
fn a_profile_that_refuses_all_is_named() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for action in ["SCMP_ACT_ERRNO", "SCMP_ACT_TRAP", "SCMP_ACT_KILL_PROCESS"] {
            let profile = format!(r#"{{"defaultAction":"{action}","syscalls":[]}}"#);
            with_profile(daemon, &profile, &[], "true")
                .status(125)
                .stderr_has("the seccomp profile forbids system calls that every start takes");
        }
    });
}

/// A profile's listener is told of the container and gets its filter; here it ends at once, and so does the call.
#[test]
fn calls_that_somebody_else_answers() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let socket = daemon.directory.join("agent");
        let _ = std::fs::remove_file(&socket);
        let agent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let told = std::thread::spawn(move || {
            [(); 2].map(|()| {
                let (mut socket, _) = agent.accept().unwrap();
                let mut text = String::new();
                std::io::Read::read_to_string(&mut socket, &mut text).unwrap();
                text
            })
        });
        let rule = r#"{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_NOTIFY"}"#;
        let listener = format!(r#""defaultAction":"SCMP_ACT_ALLOW","listenerPath":"{}""#, socket.display());
        let profile = profile(rule).replace(r#""defaultAction":"SCMP_ACT_ALLOW""#, &listener);
        std::fs::write(daemon.directory.join("notify.json"), profile).unwrap();
        let option = format!("seccomp={}", daemon.directory.join("notify.json").display());
        let script = "mkdir /made; sleep 1000";
        daemon.run(&["run", "-d", "--name", "nn", "--security-opt", &option, "busybox", "sh", "-c", script]).ok();
        daemon.run(&["exec", "nn", "mkdir", "/made"]).status(1).stderr_has("Function not implemented");
        eventually("it is said", || daemon.run(&["logs", "nn"]).stderr.contains("Function not implemented"));
        let id = daemon.inspect("nn", "{{.Id}}");
        let [of_container, of_exec] = told.join().unwrap();
        for (text, status) in [(of_container, "creating"), (of_exec, "running")] {
            assert!(text.contains(&id) && text.contains(status) && text.contains("seccompFd"), "{text}");
        }
        daemon.run(&["rm", "-f", "nn"]).ok();
    });
}

/// `kill -SIGNAL 1` as the call whose second argument is looked at; PID 1 ignores what it has no handler for.
#[test]
fn operators_on_arguments() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for (condition, refused) in [
            (r#""op":"SCMP_CMP_EQ","value":10"#, "10"),
            (r#""op":"SCMP_CMP_NE","value":10"#, "12 14"),
            (r#""op":"SCMP_CMP_LT","value":12"#, "10"),
            (r#""op":"SCMP_CMP_LE","value":12"#, "10 12"),
            (r#""op":"SCMP_CMP_GT","value":12"#, "14"),
            (r#""op":"SCMP_CMP_GE","value":12"#, "12 14"),
            (r#""op":"SCMP_CMP_MASKED_EQ","value":6,"valueTwo":4"#, "12"),
        ] {
            let rule = format!(r#"{{"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{{"index":1,{condition}}}]}}"#);
            let script = "trap : 10 12 14; for s in 10 12 14; do kill -$s 1 2> /dev/null || echo $s; done";
            let got = with_profile(daemon, &profile(&rule), &[], script).ok();
            assert_eq!(got.stdout.split_whitespace().collect::<Vec<_>>().join(" "), refused, "{condition}");
        }
    });
}

#[test]
fn conditions_of_rules() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for (condition, flags, applies) in [
            (r#""includes":{"caps":["CAP_NET_ADMIN"]}"#, &[][..], false),
            (r#""includes":{"caps":["CAP_NET_ADMIN"]}"#, &["--cap-add", "NET_ADMIN"], true),
            (r#""excludes":{"caps":["CAP_NET_ADMIN"]}"#, &["--cap-add", "NET_ADMIN"], false),
            (r#""includes":{"minKernel":"4.8"}"#, &[], true),
            (r#""includes":{"minKernel":"99.0"}"#, &[], false),
            (r#""includes":{"arches":["s390x"]}"#, &[], false),
            (r#""excludes":{"arches":["amd64","arm64"]}"#, &[], false),
        ] {
            let rule = format!(r#"{{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO",{condition}}}"#);
            with_profile(daemon, &profile(&rule), flags, "mkdir /made").status(i32::from(applies));
        }
        let broken = with_profile(daemon, r#"{"defaultActoin":"SCMP_ACT_ALLOW"}"#, &[], "true").status(125);
        assert!(broken.stderr.contains("Decoding seccomp profile failed"), "{}", broken.stderr);
    });
}

#[test]
fn switches() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let status = |option: &str, field: &str| {
            let script = format!("grep ^{field}: /proc/self/status | cut -f 2");
            let args = ["run", "--rm", "--security-opt", option, "busybox", "sh", "-c", &script];
            daemon.run(&args).ok().text().to_owned()
        };
        for (option, field, expected) in [
            ("seccomp=unconfined", "Seccomp", "0"),
            ("seccomp=builtin", "Seccomp", "2"),
            ("no-new-privileges", "NoNewPrivs", "1"),
            ("no-new-privileges:true", "NoNewPrivs", "1"),
            ("no-new-privileges=false", "NoNewPrivs", "0"),
            ("apparmor=unconfined", "NoNewPrivs", "0"),
            ("label=disable", "Seccomp", "2"),
        ] {
            assert_eq!(status(option, field), expected, "{option}");
        }
    });
}

#[test]
fn paths_of_the_system() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let script = "grep -c ' /proc/sys ' /proc/mounts; ls /proc/acpi /sys/firmware 2> /dev/null | wc -l";
        let run = |options: &[&str], script: &str| {
            daemon.run(&[&["run", "--rm"], options, &["busybox", "sh", "-c", script]].concat()).stdout.clone()
        };
        assert!(run(&[], script).starts_with("1\n"));
        assert!(run(&["--security-opt", "systempaths=unconfined"], script).starts_with("0\n"));
        let cgroup = "d=/sys/fs/cgroup; test -d $d/memory && d=$d/memory; mkdir $d/made 2> /dev/null && echo made";
        assert_eq!(run(&[], cgroup), "");
        assert_eq!(run(&["--security-opt", "writable-cgroups=true"], cgroup), "made\n");
    });
}

/// Profiles and labels for a security module that is off mean nothing, as with Docker.
#[test]
fn what_this_kernel_lacks_is_let_pass() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let has = |path: &str, begin: &str| std::fs::read_to_string(path).is_ok_and(|text| text.starts_with(begin));
    let apparmor = has("/sys/module/apparmor/parameters/enabled", "Y");
    let selinux = has("/sys/fs/selinux/enforce", "");
    through_both(&mut daemon, |daemon| {
        for (option, on) in [
            ("apparmor=nosuch", apparmor),
            ("label=disable", false),
            ("label=type:container_t", selinux),
            ("label=nonsense", selinux),
        ] {
            if on {
                continue;
            }
            daemon.run(&["create", "--name", "cc", "--security-opt", option, "busybox", "echo", "ran"]).ok();
            let shown = "{{json .HostConfig.SecurityOpt}} {{.ProcessLabel}}{{.MountLabel}}";
            assert_eq!(daemon.inspect("cc", shown).trim_end(), format!("[\"{option}\"]"));
            let profile = option.strip_prefix("apparmor=").unwrap_or_default();
            assert_eq!(daemon.inspect("cc", "{{.AppArmorProfile}}"), profile);
            daemon.run(&["start", "-a", "cc"]).ok().stdout("ran\n");
            if !apparmor {
                assert_eq!(daemon.inspect("cc", "{{.AppArmorProfile}}"), "");
            }
            daemon.run(&["rm", "cc"]).ok();
        }
        let refused = daemon.run(&["run", "--rm", "--security-opt", "nonsense=1", "busybox", "true"]).status(125);
        assert!(refused.stderr.contains("invalid --security-opt 2: \"nonsense=1\""), "{}", refused.stderr);
    });
}
