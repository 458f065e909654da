//! `POST /containers/create`.

use std::sync::Arc;

use api::types::{ContainerConfig, ContainerCreateRequest, CreateResponse, HostConfig};
use sys::crash;
use values::{Error, Id, Platform, Result, ResultExt, Timestamp};

use super::record::{Record, Volatile};
use super::supervisor::supervise;
use super::{adapt, health, merge, mounts, validate};
use crate::names;
use crate::oci::security;
use crate::selinux::Labels;
use crate::shared::{Shared, blocking, whole};
use crate::undo::Undo;
use crate::volumes;

pub async fn create(
    shared: &Arc<Shared>,
    name: Option<&str>,
    platform: Option<&str>,
    mut body: ContainerCreateRequest,
) -> Result<CreateResponse> {
    let name = name.filter(|n| !n.is_empty()).map(validate::name).transpose()?;
    let platform = platform.filter(|p| !p.is_empty()).map(str::parse::<Platform>).transpose()?;
    let mut warnings = validate::request(&mut body, &shared.machine, &shared.config.defaults)?;
    let mut host = body.host_config.unwrap_or_default();
    crate::runtimes::find(&shared.config.runtimes, &host.runtime)?;
    crate::cgroups::check_parent(shared.config.cgroup_driver, &host.resources.cgroup_parent)?;
    let reached = reach_wanted(shared, &host).await?;
    let kept = shared.images.keep(&body.config.image)?;
    let image = kept.image().clone();
    if image.is_artifact {
        let name = &body.config.image;
        return Err(Error::invalid(format!("{name} is an artifact and has no root filesystem to run")));
    }
    match &platform {
        Some(wanted) => validate::platform(&body.config.image, wanted, &image.platform)?,
        None => warnings.extend(validate::platform_warning(&image.platform, &Platform::host())),
    }
    let networking = body.networking_config.unwrap_or_default();
    let mut config = body.config;
    warnings.extend(merge::warnings(&config, image.run_config()));
    merge::merge(&mut config, image.run_config())?;
    health::check::validate_merged(&config)?;
    adapt::adapt(&mut host, &shared.config.defaults, &shared.machine);

    let id = Id::random();
    let mut undo = Undo::default();
    let name = reserve(shared, name, &id)?;
    let (s, i) = (shared.clone(), id.clone());
    undo.push(move || s.registry.remove(&i));
    crash::point("create.reserved");
    resolve_joined(shared, &mut host)?;
    let link_targets = super::links::targets(shared, host.links.as_deref().unwrap_or_default())?;
    name_host(shared, &mut config, &host, &id)?;
    let mut resolved = mounts::of_new(shared, &host, &config.volumes.clone().unwrap_or_default())?;
    mounts::place(shared, &mut resolved);
    let mounted = mounts::images::keep(shared, &mut resolved)?;
    let labels = labels(shared, &mut host)?;
    let networks = Some(super::networks::attachments(shared, &config, &host, &networking)?);
    let record = Record {
        id: id.clone(),
        name,
        created: Timestamp::now(),
        config,
        host,
        networking,
        image: image.id.clone(),
        layers: image.chain.clone(),
        platform: "linux".into(),
        mounts: mounts::to_mount_points(&resolved),
        images: mounts::images::all(&resolved),
        parts: mounts::parts_of(&resolved),
        networks,
        link_targets,
        process_label: labels.process,
        mount_label: labels.mount,
    };

    let shared = shared.clone();
    whole(async move {
        let (holds, mounted) = make(&shared, &record, &image, resolved, &reached, mounted).await?;
        undo.commit();
        // from here on it is somebody's
        let container = supervise(&shared, record, Volatile::default());
        shared.registry.insert(container.clone());
        crash::point("create.supervised");
        shared.emit_container("create", &container);
        shared.garbage.soon();
        // and the registry says that the images are in use
        drop((kept, mounted, holds));
        Ok(())
    })
    .await?;
    Ok(CreateResponse { id: id.to_string(), warnings })
}

/// Looks at the sources that must be there, as Docker before the image is looked for; returns them.
async fn reach_wanted(shared: &Arc<Shared>, host: &HostConfig) -> Result<Vec<mounts::Resolved>> {
    let mut wanted = mounts::resolve(host)?;
    wanted.retain(|mount| mount.kind == mounts::Kind::Bind && !mount.create_source);
    mounts::reach(shared, &wanted).await?;
    Ok(wanted)
}

/// A container has the names of the one whose network it shares, or its host's; else its own id's beginning.
fn name_host(shared: &Shared, config: &mut ContainerConfig, host: &HostConfig, id: &Id) -> Result<()> {
    if let Some(donor) = host.network_mode.strip_prefix("container:") {
        let donor = shared.registry.find(donor)?.record();
        config.hostname.clone_from(&donor.config.hostname);
        config.domainname.clone_from(&donor.config.domainname);
    } else if config.hostname.is_empty() {
        let is_hosts = host.network_mode == "host" || host.uts_mode == "host";
        config.hostname = if is_hosts { host_name() } else { id.short().into() };
    }
    Ok(())
}

/// All that the container has on the disk, its record last; the volumes do not go while they are held. `reached`: mounts whose
/// sources were looked at already.
async fn make(
    shared: &Arc<Shared>,
    record: &Record,
    image: &Arc<image::Image>,
    mut resolved: Vec<mounts::Resolved>,
    reached: &[mounts::Resolved],
    mounted: mounts::images::Wanted,
) -> Result<(Vec<volumes::Hold>, mounts::images::Wanted)> {
    let (s, r, image) = (shared.clone(), record.clone(), image.clone());
    let mut holds = Vec::new();
    if resolved.iter().any(mounts::Resolved::is_on_host) {
        let s = shared.clone();
        (holds, resolved) = blocking(move || {
            let holds = make_volumes(&s, &resolved)?;
            // those that are new have a place only now
            mounts::place(&s, &mut resolved);
            Ok((holds, resolved))
        })
        .await?;
        let others = resolved.iter().filter(|mount| !reached.contains(mount));
        // a part of a volume may still be made until the container starts
        let others: Vec<_> = others.map(|mount| mounts::Resolved { part: String::new(), ..mount.clone() }).collect();
        mounts::reach(shared, &others).await?;
    }
    blocking(move || {
        let mut undo = Undo::default();
        let (s2, id, images) = (s.clone(), r.id.clone(), r.images.clone());
        undo.push(move || {
            let _ = s2.snapshots.remove(id.as_str());
            let _ = mounts::images::close(&s2, &id, &images);
            let _ = s2.remove_directories(&id);
        });
        crash::point("create.sources");
        s.images.prepare(r.id.as_str(), &image, r.snapshot_options())?;
        if let Some(bytes) = r.storage_size() {
            s.snapshots.limit(r.id.as_str(), bytes)?;
        }
        crash::point("create.snapshot");
        mounts::images::hold(&s, &r.id, &mounted)?;
        // what that takes is not for the start to wait for
        mounts::images::open(&s, &r.id, &mut resolved)?;
        crash::point("create.images-opened");
        let log = s.log_path(&r);
        if let Some(directory) = log.parent() {
            std::fs::create_dir_all(directory).during(|| format!("mkdir {}", directory.display()))?;
        }
        crash::point("create.directory");
        volumes::populate(&s, &r, &resolved)?;
        crash::point("create.volumes");
        write_down(&s, &r, &mut holds)?;
        crash::point("create.recorded");
        undo.commit();
        r.all_images().for_each(|image| s.image_used(image));
        Ok((holds, mounted))
    })
    .await
}

/// The volumes that the container will have: none of them goes while this is held.
fn make_volumes(shared: &Arc<Shared>, mounts: &[mounts::Resolved]) -> Result<Vec<volumes::Hold>> {
    let wanted = mounts.iter().filter_map(|mount| mount.volume.as_ref());
    wanted.map(|volume| volumes::make(shared, volume.request.clone())).collect()
}

/// Named volumes stay whatever becomes of the container; the others are there from the moment it is.
fn write_down(shared: &Arc<Shared>, record: &Record, holds: &mut [volumes::Hold]) -> Result<()> {
    let new = || holds.iter().filter(|hold| hold.is_new);
    let named: Vec<_> = new().map(|hold| &*hold.record).filter(|volume| !volume.is_anonymous()).collect();
    let anonymous: Vec<_> = new().map(|hold| &*hold.record).filter(|volume| volume.is_anonymous()).collect();
    if !record.host.auto_remove || !named.is_empty() {
        new().try_for_each(volumes::Hold::sync)?;
    }
    if !named.is_empty() {
        shared.records.save_volumes(&named)?;
    }
    shared.records.create(record, &Volatile::default(), &anonymous)?;
    for hold in holds.iter_mut().filter(|hold| hold.is_new) {
        hold.settle();
    }
    Ok(())
}

fn reserve(shared: &Shared, name: Option<&str>, id: &Id) -> Result<String> {
    if let Some(name) = name {
        shared.registry.reserve(name, id)?;
        return Ok(name.into());
    }
    for _ in 0..8 {
        let name = names::generate(|n| shared.registry.is_taken(n));
        // someone may have been faster
        if shared.registry.reserve(&name, id).is_ok() {
            return Ok(name);
        }
    }
    let name = id.short().to_owned();
    shared.registry.reserve(&name, id)?;
    Ok(name)
}

/// `container:NAME` is kept as `container:ID`: a later rename does not matter.
fn resolve_joined(shared: &Shared, host: &mut HostConfig) -> Result<()> {
    for (mode, what) in [
        (&mut host.network_mode, "joining network namespace of container: "),
        (&mut host.ipc_mode, ""),
        (&mut host.pid_mode, ""),
    ] {
        let Some(other) = mode.strip_prefix("container:") else { continue };
        // a 404 would have clients look for the image
        let other = shared.registry.find(other).map_err(|e| Error::invalid(format!("{what}{e}")))?;
        *mode = format!("container:{}", other.id);
    }
    Ok(())
}

/// For SELinux. Who shares another one's processes or memory has its label, and says so in its options, as with Docker.
fn labels(shared: &Shared, host: &mut HostConfig) -> Result<Labels> {
    let Some(policy) = &shared.selinux else { return Ok(Labels::default()) };
    let mut options = security::parse(host, false)?.labels;
    if options.is_empty() {
        options = joined_label(shared, host)?;
        let words = options.iter().map(|option| format!("label={option}"));
        if !options.is_empty() {
            host.security_opt.get_or_insert_default().extend(words);
        }
    }
    let records: Vec<_> = shared.registry.all().iter().map(|container| container.record()).collect();
    let level = Labels::free_level(records.iter().map(|record| record.process_label.as_str()), random);
    Labels::new(policy, &options, &level)
}

fn joined_label(shared: &Shared, host: &HostConfig) -> Result<Vec<String>> {
    let of = |mode: &str| {
        let other = shared.registry.find(mode.strip_prefix("container:")?).ok()?;
        Some(Labels::options(&other.record().process_label))
    };
    match (of(&host.ipc_mode), of(&host.pid_mode)) {
        (Some(ipc), Some(pid)) if ipc != pid => {
            Err(Error::invalid("--ipc and --pid containers SELinux labels aren't the same"))
        }
        (Some(label), _) | (None, Some(label)) => Ok(label),
        (None, None) => Ok(Vec::new()),
    }
}

fn random() -> u32 {
    let id = Id::random();
    u32::from_str_radix(&id.as_str()[..8], 16).unwrap_or(0)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Removing an image asks who needs it. (Those that are being created from it keep it themselves.)
pub fn uses(shared: &Shared, image: &values::Digest) -> Vec<image::Use> {
    let mut uses = Vec::new();
    for container in shared.registry.all().iter() {
        let (record, running) = (container.record(), container.state().is_running());
        if record.image == *image {
            uses.push(image::Use { container: container.id.to_string(), mount: String::new(), running });
        }
        let mounted = record.images.iter().filter(|mounted| mounted.id == *image);
        uses.extend(mounted.map(|mounted| mounts::images::used_by(&container.id, mounted, running)));
    }
    uses
}
