use super::*;
use api::types::{BindOptions, ImageOptions, VolumeOptions};
use std::collections::BTreeMap;

#[test]
fn binds() {
    let check = |raw: &str, expected: Result<(&str, &str, bool, &str), &str>| {
        let got = parse_bind(raw);
        let got = got
            .as_ref()
            .map(|m| (m.source.as_str(), m.destination.as_str(), m.read_only, m.propagation.as_str()))
            .map_err(|e| e.message.as_str());
        assert_eq!(got, expected, "{raw}");
    };
    check("/a:/b", Ok(("/a", "/b", false, "rprivate")));
    check("/a//x/../y/:/b/", Ok(("/a/y", "/b", false, "rprivate")));
    check("/a:/b:ro", Ok(("/a", "/b", true, "rprivate")));
    check("/a:/b:ro,z,rslave", Ok(("/a", "/b", true, "rslave")));
    check("/a:/b:rw,cached", Ok(("/a", "/b", false, "rprivate")));
    check("", Err("invalid volume specification: ''"));
    check(":/b", Err("invalid volume specification: ':/b'"));
    check("/a:/b:ro:x", Err("invalid volume specification: '/a:/b:ro:x'"));
    check("/a:ro", Err("invalid volume specification: '/a:ro'"));
    check("/a:/b:ro,rw", Err("invalid mode: ro,rw"));
    check("/a:/b:fast", Err("invalid mode: fast"));
    check(
        "/a:b",
        Err(
            "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: 'b' mount path must be absolute",
        ),
    );
    check(
        "/a:/",
        Err(
            "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
        ),
    );
    check(
        "/a:/b:nocopy",
        Err(
            "invalid volume specification: '/a:/b:nocopy': invalid mount config for type \"bind\": field VolumeOptions must not be specified",
        ),
    );
}

#[test]
fn volumes() {
    let check = |raw: &str, expected: Result<&str, &str>| {
        let got = parse_bind(raw).map_err(|e| e.message).map(|mount| {
            let volume = mount.volume.unwrap();
            format!(
                "{} {} {} ro={} copy={}",
                volume.request.name, mount.destination, mount.mode, mount.read_only, volume.copy
            )
        });
        assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{raw}");
    };
    check("data:/b", Ok("data /b z ro=false copy=true"));
    check("/b", Ok(" /b z ro=false copy=true"));
    check("data:/b/:ro,nocopy", Ok("data /b ro,nocopy ro=true copy=false"));
    check(
        "data:/b:rslave",
        Err(
            "invalid volume specification: 'data:/b:rslave': invalid mount config for type \"volume\": field BindOptions must not be specified",
        ),
    );
    check(
        "data:/",
        Err(
            "invalid volume specification: 'data:/': invalid mount config for type \"volume\": invalid specification: destination can't be '/'",
        ),
    );
    let of = |options: VolumeOptions| Mount { volume_options: Some(options), ..mount("volume", "data", "/b") };
    let whole = from_mount(&of(VolumeOptions { no_copy: true, ..VolumeOptions::default() })).unwrap();
    assert_eq!((whole.kind, whole.volume.unwrap().copy, whole.mode.as_str()), (Kind::Volume, false, "z"));
    let refused = |mount: Mount| from_mount(&mount).unwrap_err();
    let part = |path: &str| of(VolumeOptions { subpath: path.into(), ..VolumeOptions::default() });
    for (path, expected) in [("x", "x"), ("a//b/", "a/b"), ("./x/../y", "y"), ("..x", "..x"), (".", ""), ("a/..", "")] {
        assert_eq!(from_mount(&part(path)).unwrap().part, expected);
    }
    for path in ["/x", "..", "../x", "a/../../b", "a\0b"] {
        assert_eq!(
            refused(part(path)).message,
            "invalid mount config for type \"volume\": subpath must be a relative path within the volume",
            "{path:?}"
        );
    }
    assert_eq!(
        refused(Mount { source: String::new(), ..part("x") }).message,
        "invalid mount config for type \"volume\": must not set Subpath when using anonymous volumes"
    );
    assert_eq!(
        refused(Mount { read_only: true, ..mount("volume", "", "/b") }).message,
        "invalid mount config for type \"volume\": must not set ReadOnly mode when using anonymous volumes"
    );
    assert_eq!(
        refused(Mount { bind_options: Some(BindOptions::default()), ..mount("volume", "v", "/b") }).message,
        "invalid mount config for type \"volume\": field BindOptions must not be specified"
    );
}

#[test]
fn images() {
    let of = |part: &str| Mount {
        image_options: Some(ImageOptions { subpath: part.into() }),
        ..mount("image", "busybox", "/b/")
    };
    let whole = from_mount(&of("")).unwrap();
    assert_eq!((whole.kind, whole.source.as_str(), whole.destination.as_str()), (Kind::Image, "busybox", "/b"));
    assert!(whole.read_only && whole.is_tree() && !whole.is_on_host());
    assert_eq!(whole.runtime_source(), None, "nothing is mounted before it is known which image that is");
    assert_eq!(from_mount(&of("usr/bin")).unwrap().part, "usr/bin");
    let refused = |mount: Mount| from_mount(&mount).unwrap_err().message;
    assert_eq!(
        refused(of("../etc")),
        "invalid mount config for type \"image\": subpath must be a relative path within the volume"
    );
    assert_eq!(
        refused(mount("image", "", "/b")),
        "invalid mount config for type \"image\": field Source must not be empty"
    );
    assert_eq!(
        refused(Mount { bind_options: Some(BindOptions::default()), ..of("") }),
        "invalid mount config for type \"image\": field BindOptions must not be specified"
    );
}

fn mount(kind: &str, source: &str, target: &str) -> Mount {
    Mount { kind: kind.into(), source: source.into(), target: target.into(), ..Mount::default() }
}

#[test]
fn mounts_refused() {
    let check = |mount: Mount, expected: &str| assert_eq!(from_mount(&mount).unwrap_err().message, expected);
    check(mount("bind", "/", ""), "invalid mount config for type \"bind\": field Target must not be empty");
    check(mount("bind", "", "/b"), "invalid mount config for type \"bind\": field Source must not be empty");
    check(
        mount("bind", "rel", "/b"),
        "invalid mount config for type \"bind\": invalid mount path: 'rel' mount path must be absolute",
    );
    check(
        Mount { volume_options: Some(VolumeOptions::default()), ..mount("bind", "/tmp", "/b") },
        "invalid mount config for type \"bind\": field VolumeOptions must not be specified",
    );
    check(
        Mount {
            bind_options: Some(BindOptions { propagation: "x".into(), ..BindOptions::default() }),
            ..mount("bind", "/tmp", "/b")
        },
        "invalid mount config for type \"bind\": invalid propagation mode: x",
    );
    check(mount("tmpfs", "/a", "/b"), "invalid mount config for type \"tmpfs\": field Source must not be specified");
    check(mount("nfs", "/a", "/b"), "invalid mount config for type \"nfs\": mount type unknown");
}

#[test]
fn mounts_taken() {
    let bind = Mount {
        read_only: true,
        bind_options: Some(BindOptions { non_recursive: true, propagation: "slave".into(), ..Default::default() }),
        ..mount("bind", "/tmp/", "/b")
    };
    let got = from_mount(&bind).unwrap();
    assert_eq!((got.source.as_str(), got.read_only, got.recursive), ("/tmp", true, false));
    assert_eq!(got.propagation, "slave");
    let tmpfs = Mount {
        read_only: true,
        tmpfs_options: Some(TmpfsOptions { size_bytes: 65536, mode: 0o1770, options: vec![vec!["exec".into()]] }),
        ..mount("tmpfs", "", "/t")
    };
    assert_eq!(from_mount(&tmpfs).unwrap().data, "ro,mode=1770,size=65536,exec");
}

#[test]
fn order_and_duplicates() {
    let mut host = HostConfig {
        binds: Some(vec!["/tmp:/a/b/c".into(), "/tmp:/a".into()]),
        mounts: vec![mount("tmpfs", "", "/a/b")],
        tmpfs: BTreeMap::from([("/run".into(), "size=1m".into())]),
        ..HostConfig::default()
    };
    let list = resolve(&host).unwrap();
    let destinations: Vec<&str> = list.iter().map(|m| m.destination.as_str()).collect();
    assert_eq!(destinations, ["/a", "/run", "/a/b", "/a/b/c"]);
    let shown: Vec<String> = to_mount_points(&list).into_iter().map(|m| m.kind + " " + &m.destination).collect();
    assert_eq!(shown, ["bind /a", "tmpfs /a/b", "bind /a/b/c"]);
    host.mounts.push(mount("tmpfs", "", "/a/"));
    assert_eq!(resolve(&host).unwrap_err().message, "Duplicate mount point: /a");
}
