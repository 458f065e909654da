//! `system df -v`: what each byte below the data root is kept for, and where that is not plain, what would free it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::types::Kept;
use image::{Image, Owner, Rest, Standing};
use values::{Digest, Id, Result, duration, size};

use crate::container::{Container, create};
use crate::garbage;
use crate::shared::Shared;
use crate::volumes;

/// So many names are named.
const NAMES_MAX: usize = 4;

/// All there is, the largest first.
///
/// # Errors
/// Those of the store.
pub fn kept(shared: &Arc<Shared>) -> Result<Vec<Kept>> {
    let mut all = of_images(shared)?;
    all.extend(shared.registry.all().iter().map(|container| of_container(shared, container)));
    all.extend(shared.volumes.all().iter().map(|record| {
        let users = volumes::users(shared, &record.name);
        let why = match (users.is_empty(), record.is_anonymous()) {
            (false, _) => format!("mounted by {}", containers(shared, users.iter().map(Id::as_str))),
            (true, true) => "nobody mounts it, and it has no name: volume prune removes it".into(),
            (true, false) => "nobody mounts it, but it has a name: volume rm, or volume prune -a".into(),
        };
        row("volume", record.name.clone(), below(&shared.volumes.path(&record.name)), why)
    }));
    let root = &shared.config.data_root;
    let trash = below(&root.join("images/trash")) + below(&root.join("snapshots/trash"));
    all.push(row("trash", String::new(), trash, "it was removed and is being deleted".into()));
    all.push(row("records", String::new(), below(&root.join("db")), "what the daemon knows".into()));
    all.retain(|one| one.size > 0);
    all.sort_by(|a, b| (b.size, &a.kind, &a.name).cmp(&(a.size, &b.kind, &b.name)));
    Ok(all)
}

fn row(kind: &str, name: String, bytes: u64, why: String) -> Kept {
    Kept { kind: kind.into(), name, size: bytes as i64, why }
}

/// Bytes of files; none where they cannot be counted, or are gone meanwhile.
fn below(path: &Path) -> u64 {
    snapshot::usage_below(path).map_or(0, |usage| usage.bytes)
}

fn of_images(shared: &Arc<Shared>) -> Result<Vec<Kept>> {
    let policy = shared.garbage.policy();
    let account = garbage::account(shared, &policy)?;
    let rests: HashMap<&Digest, &Rest> = account.images.iter().map(|rest| (&rest.id, rest)).collect();
    let name = |id: &Digest| shared.images.get(id).map_or_else(|| id.short().to_owned(), |image| called(&image));
    let share = |share: &image::Share| match &share.owners[..] {
        [] => row("work", String::new(), share.bytes, "something is being pulled, loaded, built or removed".into()),
        [Owner::Image(id)] => {
            let why = rests.get(id).map_or_else(String::new, |rest| why_image(shared, &policy, rest));
            row("image", name(id), share.bytes, why)
        }
        owners => {
            let images = owners.iter().filter_map(|owner| match owner {
                Owner::Image(id) => Some(name(id)),
                Owner::Container(_) => None,
            });
            let images: Vec<String> = images.collect();
            let users = owners.iter().filter_map(|owner| match owner {
                Owner::Container(id) => Some(id.as_str()),
                Owner::Image(_) => None,
            });
            match images.is_empty() {
                true => row(
                    "layers",
                    String::new(),
                    share.bytes,
                    format!("{} stands on them, their image was removed", containers(shared, users)),
                ),
                false => row(
                    "shared",
                    few(images.into_iter()),
                    share.bytes,
                    format!("{} share it: it goes with the last", owners.len()),
                ),
            }
        }
    };
    let download = |(digest, bytes, idle): &(Digest, u64, Duration)| {
        let why = format!(
            "an unfinished pull, {} ago; the next one goes on from there, after a day it goes",
            duration::human(*idle)
        );
        row("download", digest.short().into(), *bytes, why)
    };
    Ok(account.shares.iter().map(share).chain(account.downloads.iter().map(download)).collect())
}

fn called(image: &Image) -> String {
    image.repo_tags.first().or(image.repo_digests.first()).cloned().unwrap_or_else(|| image.id.short().to_owned())
}

fn why_image(shared: &Shared, policy: &garbage::Policy, rest: &Rest) -> String {
    let Some(image) = shared.images.get(&rest.id) else {
        return "it cannot be used, because something of it is damaged: system verify says what".into();
    };
    let users = create::uses(shared, &rest.id);
    if !users.is_empty() {
        // it may be mounted in who stands on it
        let users: BTreeSet<&str> = users.iter().map(|user| user.container.as_str()).collect();
        return format!("{} stands on it", containers(shared, users.into_iter()));
    }
    if let Some(why) = garbage::pin(policy, &image) {
        return why;
    }
    let idle = duration::human(rest.idle).to_lowercase();
    let when = |age: Duration| match policy.enabled {
        false => "stays until it is removed (image-gc is off)".to_owned(),
        true if rest.idle >= age => "goes when the disk fills up".into(),
        true => format!("does not go by itself before it was left alone for {}", duration::human(age).to_lowercase()),
    };
    match rest.standing {
        Standing::Needed => "another image was built on it".into(),
        Standing::Own => "it has a name and came from no registry: nobody but you can say that it may go".into(),
        Standing::Named => format!("last used {idle} ago: {}", when(policy.min_age)),
        Standing::Nameless => {
            let age = policy.min_age.min(image::NAMELESS_MIN_AGE);
            format!("it has no name (image prune removes it), last used {idle} ago: {}", when(age))
        }
    }
}

fn of_container(shared: &Shared, container: &Arc<Container>) -> Kept {
    let record = container.record();
    let written = shared.snapshots.usage(container.id.as_str()).map_or(0, |usage| usage.bytes);
    let copies = crate::container::mounts::images::usage(shared, &record);
    let own = below(&shared.config.data_root.join("containers").join(container.id.as_str()));
    let mut what = format!("what it wrote ({}) and its log ({})", size::human(written as f64), size::human(own as f64));
    if copies > 0 {
        what += &format!(", copies of images that are mounted in it ({})", size::human(copies as f64));
    }
    let why = match container.state().is_running() {
        true => format!("it runs: {what}"),
        false => format!("it is {}: {what}, until it is removed", container.state().status()),
    };
    row("container", record.name.clone(), written + copies + own, why)
}

fn containers<'a>(shared: &Shared, ids: impl Iterator<Item = &'a str>) -> String {
    let name = |id: &str| Id::parse(id).and_then(|id| shared.registry.get(&id)).map(|container| container.name());
    format!("container {}", few(ids.map(|id| name(id).unwrap_or_else(|| id.get(..12).unwrap_or(id).to_owned()))))
}

/// The first ones, and how many more there are.
fn few(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    let text = names.join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

#[cfg(test)]
mod tests {
    use super::few;

    #[test]
    fn names() {
        let few = |count: usize| few((0..count).map(|n| n.to_string()));
        assert_eq!((few(0), few(2), few(6)), (String::new(), "0, 1".into(), "0, 1, 2, 3 and 2 more".into()));
    }
}
