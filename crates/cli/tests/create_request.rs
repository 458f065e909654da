//! `create` against a recording daemon: the body we send is the one the real docker client sends for the same
//! command line. Without a docker binary there is nothing to compare with, and the test says so.

mod recorder;

use std::os::unix::process::CommandExt;
use std::process::Command;

use recorder::Recorder;
use serde_json::Value;

const DOCKER: &str = "/usr/local/bin/docker";

/// One command line each, split at blanks (`~` stands for a blank inside a word).
const LINES: &[&str] = &[
    "img",
    "img cmd -v arg",
    "-it img sh",
    "-i img",
    "-a stdout img",
    "-a stdin -a STDERR -i img",
    "-e A=1 -e B= -e HOME -e SURELY_UNSET_X img",
    "--env-file env.list -e A=2 img",
    "-w /w -u 1:2 -h host --domainname dom --group-add audio --group-add 7 img",
    "--entrypoint prog img arg",
    "--entrypoint= img",
    "--name n --rm --cidfile cid.txt img",
    "--restart on-failure:3 img",
    "--restart always img",
    "--stop-signal INT --stop-timeout 3 --init img",
    "--init=false img",
    "-l a=b -l c --label-file label.list img",
    "--annotation k=v --annotation x img",
    "--runtime r --isolation default img",
    "--platform linux/amd64 img",
    "-p 80 -p 8080:80/udp -p 127.0.0.1::81 -p 8000-8001:90-91 -p [::1]:7:7 -P img",
    "-p published=80,target=81,protocol=tcp img",
    "-p 9000-9005:80 --expose 70-72 --expose 5/udp img",
    "--network host img",
    "--network none --dns 1.1.1.1 --dns-option ndots:1 --dns-search a.b img",
    "--network container:x img",
    "--net mynet --ip 1.2.3.4 --ip6 fe80::1 --link-local-ip 169.254.1.1 --network-alias a --net-alias b img",
    "--network name=n,alias=a,ip=1.2.3.4,gw-priority=5,driver-opt=k=v --network m img",
    "--network n --link other:o --mac-address 92:d0:c6:0a:29:33 img",
    "--link other img",
    "--add-host a:1.2.3.4 --add-host b=::1 --add-host c:host-gateway --add-host d=[::1] img",
    "-v /a:/b -v /c:/d:ro -v named:/e -v /anon img",
    "-v ./rel:/b -v .:/c img",
    "-v /a:/b:ro:x -v a::b img",
    "--volumes-from x:ro --volume-driver local img",
    "--mount type=bind,src=/a,dst=/b,ro,bind-propagation=rslave img",
    "--mount type=bind,src=./a,dst=/b,bind-recursive=disabled img",
    "--mount type=bind,src=/a,dst=/b,readonly,bind-recursive=writable img",
    "--mount src=v,dst=/b,volume-nocopy,volume-label=a=b,volume-driver=d,volume-opt=o=p,volume-subpath=s img",
    "--mount type=tmpfs,dst=/b,tmpfs-size=1m,tmpfs-mode=1777 img",
    "--mount type=image,src=i,dst=/b,image-subpath=s img",
    "--tmpfs /t --tmpfs /u:size=1m,mode=1777 --read-only --storage-opt size=1G img",
    "--privileged --cap-add ALL --cap-add net_admin --cap-drop MKNOD img",
    "--security-opt no-new-privileges --security-opt seccomp=unconfined --security-opt label=disable img",
    "--security-opt seccomp=profile.json --security-opt apparmor=p img",
    "--security-opt systempaths=unconfined img",
    "--sysctl net.ipv4.ip_forward=1 --sysctl kernel.sem=1~2 img",
    "--pid host --ipc shareable --uts host --userns host --cgroupns private --cgroup-parent /p img",
    "-m 500m --memory-swap -1 --memory-reservation 100m --memory-swappiness 10 --shm-size 128m img",
    "--cpus 1.5 -c 512 --cpu-period 100000 --cpu-quota 50000 --cpuset-cpus 0-1 --cpuset-mems 0 img",
    "--cpu-rt-period 1 --cpu-rt-runtime 2 --cpu-count 3 --cpu-percent 4 img",
    "--pids-limit 100 --oom-kill-disable --oom-score-adj -500 --kernel-memory 1g img",
    "--ulimit nofile=1:2 --ulimit core=-1 --ulimit nofile=3:4 img",
    "--blkio-weight 300 --blkio-weight-device /dev/sda:200 --device-read-bps /dev/sda:1mb img",
    "--device-write-bps /dev/sda:2kb --device-read-iops /dev/sda:3 --device-write-iops /dev/sda:4 img",
    "--io-maxbandwidth 1m --io-maxiops 7 img",
    "--device /dev/null --device /dev/zero:/dev/z --device /dev/full:/dev/f:r --device vendor.com/class=dev img",
    "--device /dev/null:rw --device-cgroup-rule c~1:3~rwm img",
    "--gpus all img",
    "--gpus 2 img",
    "--gpus driver=nvidia,\"device=0,1\",\"capabilities=compute,utility\" img",
    "--health-cmd true --health-interval 5s --health-timeout 1m --health-retries 3 img",
    "--health-start-period 1s --health-start-interval 2s img",
    "--no-healthcheck img",
    "--log-driver json-file --log-opt max-size=1m --log-opt max-file=3 img",
    "--log-driver none img",
    "localhost:5000/a/b:c@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

#[test]
fn bodies_are_dockers() {
    if !std::path::Path::new(DOCKER).exists() {
        eprintln!("no {DOCKER}: nothing to compare with");
        return;
    }
    let recorder = Recorder::start();
    let work = recorder.directory();
    std::fs::write(work.join("env.list"), "# comment\nA=1\nHOME\nSURELY_UNSET_X\n  C=x y \n").unwrap();
    std::fs::write(work.join("label.list"), "from=file\nbare\n").unwrap();
    std::fs::write(work.join("profile.json"), "{ \"defaultAction\" : \"SCMP_ACT_ALLOW\",\n \"x\": [ 1, 2 ] }").unwrap();

    let mut wrong = Vec::new();
    for line in LINES {
        let words: Vec<String> = line.split(' ').map(|word| word.replace('~', " ")).collect();
        let theirs = request(&recorder, DOCKER.as_ref(), &words);
        let ours = request(&recorder, &recorder::client(), &words);
        if theirs != ours {
            wrong.push(format!(
                "docker create {line}\n  docker: {} {}\n  ours:   {} {}",
                theirs.0, theirs.1, ours.0, ours.1
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Target (without its version) and body of the create request a program sends.
fn request(recorder: &Recorder, program: &std::path::Path, words: &[String]) -> (String, Value) {
    let _ = std::fs::remove_file(recorder.directory().join("cid.txt"));
    let output = Command::new(program)
        .arg0("docker")
        .arg("create")
        .args(words)
        .current_dir(recorder.directory())
        .env("DOCKER_HOST", recorder.address())
        .env("DOCKER_CONFIG", recorder.directory())
        .output()
        .unwrap();
    let sent = recorder.take();
    let create = sent.iter().find(|request| request.target.contains("/containers/create"));
    let Some(create) = create else {
        return (String::from_utf8_lossy(&output.stderr).into_owned(), Value::Null);
    };
    let target = create.target.split_once("/containers").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let mut body: Value = serde_json::from_slice(&create.body).unwrap();
    for list in ["Env", "Ulimits", "Binds"] {
        sort(&mut body, list);
    }
    (target, meaning(body))
}

/// What Go's maps left in no order.
fn sort(body: &mut Value, name: &str) {
    let inner = body.get("HostConfig").is_some_and(|host| host.get(name).is_some());
    let list = if inner { &mut body["HostConfig"][name] } else { &mut body[name] };
    if let Value::Array(items) = list {
        items.sort_by_key(ToString::to_string);
    }
}

/// The value without what a decoder takes for absent: nulls, zeros and empty things. Empty lists that differ from
/// none stay.
fn meaning(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let keep = |(name, value): (String, Value)| {
                let matters = matches!(name.as_str(), "MaskedPaths" | "ReadonlyPaths" | "Entrypoint");
                let value = meaning(value);
                let absent = match &value {
                    Value::Null => true,
                    Value::Bool(on) => !on,
                    Value::Number(number) => number.as_f64() == Some(0.0),
                    Value::String(text) => text.is_empty(),
                    Value::Array(items) => items.is_empty() && !matters,
                    Value::Object(fields) => fields.is_empty() && !name.contains(['/', '.']) && name != "default",
                };
                (!absent).then_some((name, value))
            };
            Value::Object(fields.into_iter().filter_map(keep).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(meaning).collect()),
        other => other,
    }
}
