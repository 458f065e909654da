//! Root filesystems whose layer is an EROFS in files.

// of what they share, not all is needed here
#[allow(dead_code)]
mod support;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use archive::pack::{Marks, Packer};
use oci::runtime::{IdMapping, Namespace, NamespaceKind};
use runtime::{Fds, Launch};
use support::{Scratch, pipes, read_all, run, wait, write};
use values::{Erofs, Lower, RootMount};

/// The scratch image as a tar and an index over it.
fn packed(scratch: &Scratch) -> Erofs {
    let image = scratch.image();
    std::fs::write(image.join("big"), vec![b'x'; 3 << 20]).unwrap();
    let setuid = image.join("bin/raise");
    std::fs::copy(image.join("bin/busybox"), &setuid).unwrap();
    chown(&setuid, Some(1000), Some(5)).unwrap();
    std::fs::set_permissions(&setuid, std::fs::Permissions::from_mode(0o4755)).unwrap();
    rustix::fs::setxattr(image.join("big"), "user.note", b"kept", rustix::fs::XattrFlags::empty()).unwrap();
    let dir = scratch.path.join("layer");
    std::fs::create_dir(&dir).unwrap();
    let erofs = Erofs { index: dir.join("index"), devices: vec![dir.join("tar")] };
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
    let mut packer = Packer::new(Vec::new(), Marks::Plain);
    packer.tree(rustix::fs::open(&image, flags, rustix::fs::Mode::empty()).unwrap(), b"").unwrap();
    let tar = packer.finish().unwrap();
    let tree = erofs::index(&tar[..], erofs::Device::new("layer", 0).unwrap()).unwrap().tree;
    std::fs::write(&erofs.devices[0], &tar).unwrap();
    let data =
        |_: &erofs::Device, at, buffer: &mut [u8]| std::fs::File::open(&erofs.devices[0])?.read_exact_at(buffer, at);
    let mut index = Vec::new();
    erofs::write(&tree, &data, &mut index).unwrap();
    std::fs::write(&erofs.index, index).unwrap();
    erofs
}

fn launch(scratch: &Scratch, args: &[&str], lower: Vec<Lower>) -> Launch {
    let mut launch = scratch.launch(args);
    match &mut launch.rootfs {
        RootMount::Overlay { lower: old, .. } => *old = lower,
        other => panic!("{other:?}"),
    }
    launch
}

const SCRIPT: &str = "cat /etc/group | head -n 1; wc -c < /big; echo changed > /etc/passwd; mkdir /etc/new; rm /etc/group; ls /etc; \
    stat -c '%a %u %g' /bin/raise; mount | grep -c ' on / type overlay'; stat -c %d / /etc /big /etc/passwd | sort -u | wc -l; \
    stat -c %i /bin/raise > /1; touch /bin/raise; stat -c %i /bin/raise | cmp /1 - && echo same";
const OUT: &str = "root:x:0:root\n3145728\nnew\npasswd\n4755 1000 5\n1\n1\nsame\n";

fn run_with(launch: &Launch, lowest: Option<OwnedFd>) -> (i32, String, String) {
    let (stdio, streams) = pipes();
    let running = runtime::create(launch, Fds { lowest, ..stdio.into() }).unwrap().start().unwrap();
    let (out, err) = (read_all(streams.stdout), read_all(streams.stderr));
    let status = wait(&running.pidfd);
    running.cgroup.remove().unwrap();
    (status, out, err)
}

fn remap(launch: &mut Launch) {
    let range = IdMapping { container_id: 0, host_id: 100_000, size: 65_536 };
    let linux = launch.spec.linux.as_mut().unwrap();
    (linux.uid_mappings, linux.gid_mappings) = (vec![range], vec![range]);
    linux.namespaces.push(Namespace { kind: NamespaceKind::User, path: String::new() });
    launch.map_root = true;
}

#[test]
fn it_is_mounted_by_its_files_or_given_and_mapped_or_not() {
    let scratch = Scratch::new();
    let erofs = packed(&scratch);
    let shared = sys::erofs::mount(&erofs.index, &erofs.devices).unwrap();
    for is_mapped in [false, true] {
        for is_given in [false, true, true] {
            for part in ["upper", "work"] {
                let dir: PathBuf = scratch.path.join(part);
                std::fs::remove_dir_all(&dir).unwrap();
                std::fs::create_dir(dir).unwrap();
            }
            let mut launch = launch(&scratch, &["sh", "-c", SCRIPT], vec![Lower::Erofs(erofs.clone())]);
            if is_mapped {
                remap(&mut launch);
            }
            println!("mapped {is_mapped}, given {is_given}");
            let lowest = is_given.then(|| shared.try_clone().unwrap());
            let outcome = run_with(&launch, lowest);
            assert_eq!(outcome, (0, OUT.to_owned(), String::new()), "mapped {is_mapped}, given {is_given}");
            let changed = std::fs::metadata(scratch.path.join("upper/etc/passwd")).unwrap();
            assert_eq!((changed.uid(), changed.len()), (0, 8));
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(scratch.path.to_str().unwrap()), "{mounts}");
}

#[test]
fn directories_lie_on_it() {
    let scratch = Scratch::new();
    let erofs = packed(&scratch);
    let above = scratch.path.join("above");
    std::fs::create_dir_all(above.join("etc")).unwrap();
    write(&above.join("etc/group"), "above:x:0:\n");
    let lower = vec![Lower::Directory(above), Lower::Erofs(erofs)];
    let script = "cat /etc/group; head -c 3 /big; echo; head -n 1 /etc/passwd";
    let (status, out, err) = run(&launch(&scratch, &["sh", "-c", script], lower)).unwrap();
    assert_eq!((status, err.as_str()), (0, ""));
    assert_eq!(out, "above:x:0:\nxxx\nroot:x:0:0:root:/root:/bin/sh\n");
}

#[test]
fn a_read_only_stack_of_one_or_more() {
    let scratch = Scratch::new();
    let erofs = packed(&scratch);
    let shared = sys::erofs::mount(&erofs.index, &erofs.devices).unwrap();
    let above = scratch.path.join("above");
    std::fs::create_dir(&above).unwrap();
    write(&above.join("more"), "more");
    let erofs = Lower::Erofs(erofs);
    for lower in [vec![erofs.clone()], vec![Lower::Directory(above), erofs]] {
        for lowest in [None, Some(shared.as_fd())] {
            let root = runtime::mount_root(&RootMount::Stack { lower: lower.clone() }, lowest, "").unwrap();
            let root = archive::Root::of(root);
            assert_eq!(root.stat(b"big", false).unwrap().st_size, 3 << 20);
            assert_eq!(root.stat(b"more", false).is_ok(), lower.len() > 1);
        }
    }
}

#[test]
fn what_is_missing_is_said() {
    let scratch = Scratch::new();
    let erofs = packed(&scratch);
    std::fs::remove_file(&erofs.devices[0]).unwrap();
    let error = run(&launch(&scratch, &["true"], vec![Lower::Erofs(erofs)])).unwrap_err();
    assert!(error.message.contains("failed to mount the overlay of"), "{}", error.message);
    assert!(error.message.ends_with("no such file or directory"), "{}", error.message);
}
