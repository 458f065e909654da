//! Images as the API shows them: list, inspect, history.

mod filter;
mod manifests;
mod pattern;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::Filters;
use api::lenient::{Empty, StrSlice};
use api::types::{
    Descriptor, HealthConfig, HistoryItem, ImageConfig, ImageInspect, ImageMetadata, ImageRootfs, ImageSummary,
    Platform,
};
use image::{Image, Images};
use oci::image as spec;
use values::{Digest, Error, Result, Timestamp};

/// What a list is to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListOptions {
    /// Also nameless images on which others were built.
    pub all: bool,
    /// Compute how many bytes of layers other images share.
    pub shared_size: bool,
    /// Add the manifests.
    pub manifests: bool,
}

/// Whether one of the image's names fits a pattern of the filter `reference`.
pub fn is_called(image: &Image, pattern: &str) -> bool {
    image.repo_tags.iter().chain(&image.repo_digests).any(|name| filter::is_named(name, pattern))
}

/// The images that a prune with these filters is about, used ones too; `nameless` ones alone, or all.
///
/// # Errors
/// `InvalidArgument` for filters that are malformed.
pub fn prunable<'a>(images: &'a [Arc<Image>], filters: &Filters, nameless: bool) -> Result<Vec<&'a Image>> {
    let nothing = |name: &str| -> Result<Arc<Image>> { Err(Error::invalid(format!("invalid filter '{name}'"))) };
    let mut wanted = Filters::new();
    for key in ["label", "label!", "until"] {
        filters.get(key).for_each(|value| wanted.add(key, value));
    }
    if nameless {
        wanted.add("dangling", "true");
    }
    filter::filter(images, &wanted, true, nothing, Timestamp::now())
}

/// The reply of `GET /images/json`, newest first. `containers` names those which use an image.
///
/// # Errors
/// `InvalidArgument` for filters that are unknown or malformed; `NotFound` for an image named in one.
pub fn list(
    images: &Images,
    filters: &Filters,
    options: ListOptions,
    containers: impl Fn(&Digest) -> Vec<String>,
) -> Result<Vec<ImageSummary>> {
    let all = images.list();
    let resolve = |name: &str| images.resolve(name);
    let kept = filter::filter(&all, filters, options.all, resolve, Timestamp::now())?;
    let users = if options.shared_size { layer_users(&all) } else { BTreeMap::new() };
    let mut list: Vec<ImageSummary> = kept
        .into_iter()
        .map(|image| {
            let using = containers(&image.id);
            let mut line = summary(image, using.len() as i64);
            if options.shared_size {
                line.shared_size = shared_size(image, &users);
            }
            if options.manifests {
                line.manifests = manifests::manifests(images, image, using);
            }
            filter::keep_names(&mut line, filters);
            line
        })
        .collect();
    list.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.repo_tags.cmp(&b.repo_tags)));
    Ok(list)
}

fn summary(image: &Image, containers: i64) -> ImageSummary {
    ImageSummary {
        containers,
        created: created(image),
        id: image.id.to_string(),
        labels: Some(image.run_config().labels.clone()).filter(|labels| !labels.is_empty()),
        parent_id: image.parent.as_ref().map_or_else(String::new, ToString::to_string),
        descriptor: Some(descriptor(&image.descriptor)),
        repo_digests: image.repo_digests.clone(),
        repo_tags: image.repo_tags.clone(),
        // not computed
        shared_size: -1,
        size: bytes(image.size()),
        ..ImageSummary::default()
    }
}

/// UNIX seconds; 0 where the image does not say.
fn created(image: &Image) -> i64 {
    image.created().map_or(0, |time| time.unix_nanos().div_euclid(1_000_000_000))
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How many images have each layer, by its chain id.
fn layer_users<I: Borrow<Image>>(images: &[I]) -> BTreeMap<Digest, usize> {
    let mut users = BTreeMap::new();
    for layer in images.iter().flat_map(|image| &image.borrow().chain) {
        *users.entry(layer.clone()).or_default() += 1;
    }
    users
}

fn shared_size(image: &Image, users: &BTreeMap<Digest, usize>) -> i64 {
    let layers = image.chain.iter().zip(&image.layer_sizes);
    bytes(layers.filter(|(layer, _)| users.get(*layer).is_some_and(|count| *count > 1)).map(|(_, size)| size).sum())
}

fn descriptor(d: &spec::Descriptor) -> Descriptor {
    Descriptor {
        media_type: d.media_type.clone(),
        digest: d.digest.to_string(),
        size: bytes(d.size),
        urls: d.urls.clone(),
        annotations: d.annotations.clone(),
        platform: d.platform.as_ref().map(|p| Platform {
            architecture: p.architecture.clone(),
            os: p.os.clone(),
            os_version: p.os_version.clone(),
            os_features: p.os_features.clone(),
            variant: p.variant.clone(),
        }),
        artifact_type: d.artifact_type.clone().unwrap_or_default(),
        ..Descriptor::default()
    }
}

/// The reply of `GET /images/{name}/json`. From 1.52 it names no driver; older clients get theirs from `api::versions`.
pub fn inspect(image: &Image) -> ImageInspect {
    let config = &image.config;
    ImageInspect {
        id: image.id.to_string(),
        repo_tags: image.repo_tags.clone(),
        repo_digests: image.repo_digests.clone(),
        comment: Some(comment(config)).filter(|text| !text.is_empty()),
        created: config.created.map(Timestamp::to_rfc3339_nano),
        author: Some(config.author.clone()).filter(|text| !text.is_empty()),
        config: Some(run_config(&config.config)),
        architecture: config.architecture.clone(),
        variant: config.variant.clone(),
        os: config.os.clone(),
        os_version: config.os_version.clone(),
        size: bytes(image.size()),
        rootfs: ImageRootfs {
            kind: "layers".into(),
            layers: config.rootfs.diff_ids.iter().map(ToString::to_string).collect(),
        },
        metadata: ImageMetadata {
            last_tag_time: Some(image.tagged_at).filter(|time| !time.is_zero()).map(Timestamp::to_rfc3339_nano),
        },
        descriptor: Some(descriptor(&image.descriptor)),
        ..ImageInspect::default()
    }
}

/// Docker's own field, or what the last step says.
fn comment(config: &spec::Image) -> String {
    let last = config.history.last().map(|step| &step.comment);
    Some(&config.comment).filter(|text| !text.is_empty()).or(last).cloned().unwrap_or_default()
}

fn run_config(config: &spec::Config) -> ImageConfig {
    let set = |names: &spec::Set| names.keys().map(|name| (name.clone(), Empty {})).collect();
    ImageConfig {
        user: config.user.clone(),
        exposed_ports: set(&config.exposed_ports),
        env: Some(config.env.clone()).filter(|env| !env.is_empty()),
        entrypoint: config.entrypoint.clone().map(StrSlice),
        cmd: config.cmd.clone().map(StrSlice),
        volumes: set(&config.volumes),
        working_dir: config.working_dir.clone(),
        labels: Some(config.labels.clone()).filter(|labels| !labels.is_empty()),
        stop_signal: config.stop_signal.clone(),
        args_escaped: config.args_escaped,
        healthcheck: config.healthcheck.as_ref().map(|check| HealthConfig {
            test: Some(check.test.clone()).filter(|test| !test.is_empty()),
            interval: check.interval,
            timeout: check.timeout,
            start_period: check.start_period,
            start_interval: check.start_interval,
            retries: check.retries,
            ..HealthConfig::default()
        }),
        on_build: config.on_build.clone(),
        shell: config.shell.clone().unwrap_or_default(),
        ..ImageConfig::default()
    }
}

/// The reply of `GET /images/{name}/history`, newest first.
pub fn history(steps: Vec<image::HistoryItem>) -> Vec<HistoryItem> {
    let item = |step: image::HistoryItem| HistoryItem {
        comment: step.comment,
        created: step.created,
        created_by: step.created_by,
        id: step.id,
        size: bytes(step.size),
        tags: Some(step.tags).filter(|tags| !tags.is_empty()),
    };
    steps.into_iter().map(item).collect()
}

#[cfg(test)]
pub(crate) mod tests;
