//! A container's changes as an image.

use std::sync::Arc;

use api::types::{ContainerConfig, HealthConfig};
use oci::image::{self, Healthcheck};
use values::{Digest, Reference, Result};

use super::verbs;
use crate::container::Container;
use crate::shared::{Shared, blocking};

#[derive(Clone, Debug, Default)]
pub struct CommitOptions {
    /// Empty: the image gets no name.
    pub repo: String,
    pub tag: String,
    pub author: String,
    pub comment: String,
    /// Freeze the container while its files are read.
    pub pause: bool,
    /// Dockerfile instructions.
    pub changes: Vec<String>,
    /// What of the configuration is to be another than the container's.
    pub config: Option<ContainerConfig>,
}

/// # Errors
/// `InvalidArgument` for a bad name or change, `NotFound` when the container's image is gone.
pub async fn commit(shared: &Arc<Shared>, container: &Arc<Container>, options: CommitOptions) -> Result<Digest> {
    let reference = match options.repo.is_empty() {
        true => None,
        false => Some(crate::images::reference(&options.repo, &options.tag)?),
    };
    let record = container.record();
    let mut config = image_config(options.config.as_ref().unwrap_or(&record.config), &record.config);
    ::image::changes::apply(&mut config, &options.changes)?;
    let derived = ::image::DeriveOptions {
        reference: reference.clone(),
        author: options.author,
        comment: options.comment.clone(),
        created_by: record.argv().join(" "),
        config,
    };
    // one that somebody else has frozen is left so
    let state = container.state();
    let frozen = options.pause && state.is_running() && !state.is_paused() && verbs::pause(container).await.is_ok();
    let s = shared.clone();
    let made = blocking(move || {
        let (id, layers) = (record.id.as_str(), &record.layers);
        let _inside = s.images.enter(layers)?;
        let changed = s.snapshots.is_changed(id, layers)?;
        let write = |out: &mut dyn std::io::Write| s.snapshots.diff(id, layers, out);
        s.images.derive(&record.image, changed.then_some(&write), derived)
    })
    .await;
    if frozen {
        // it may have been killed meanwhile
        let _ = verbs::unpause(container).await;
    }
    let id = made?;
    shared.image_came();
    emit(shared, container, &id, reference.as_ref(), &options.comment);
    Ok(id)
}

fn emit(shared: &Shared, container: &Container, id: &Digest, reference: Option<&Reference>, comment: &str) {
    let mut attributes = container.event_attributes();
    attributes.insert("comment".into(), comment.into());
    attributes.insert("imageID".into(), id.to_string());
    attributes.insert("imageRef".into(), reference.map_or_else(String::new, Reference::familiar));
    shared.events.emit("container", "commit", container.id.as_str(), attributes);
}

/// The part of a container's configuration that an image has; what `given` leaves open is the container's own.
fn image_config(given: &ContainerConfig, own: &ContainerConfig) -> image::Config {
    let text = |given: &String, own: &String| if given.is_empty() { own.clone() } else { given.clone() };
    let words = |list: &Option<api::lenient::StrSlice>| list.as_ref().map(|list| list.iter().cloned().collect());
    let ports = |config: &ContainerConfig| config.exposed_ports.keys().cloned().collect::<Vec<_>>();
    let volumes = |config: &ContainerConfig| config.volumes.iter().flatten().map(|(path, _)| path.clone()).collect();
    let both = |of: &dyn Fn(&ContainerConfig) -> Vec<String>| {
        of(own).into_iter().chain(of(given)).map(|key| (key, image::Empty)).collect()
    };
    let mut labels = own.labels.clone().unwrap_or_default();
    labels.extend(given.labels.clone().unwrap_or_default());
    image::Config {
        user: text(&given.user, &own.user),
        exposed_ports: both(&ports),
        env: given.env.clone().or_else(|| own.env.clone()).unwrap_or_default(),
        entrypoint: words(&given.entrypoint).or_else(|| words(&own.entrypoint)),
        cmd: words(&given.cmd).or_else(|| words(&own.cmd)),
        volumes: both(&volumes),
        working_dir: text(&given.working_dir, &own.working_dir),
        labels,
        stop_signal: text(&given.stop_signal, &own.stop_signal),
        healthcheck: given.healthcheck.as_ref().or(own.healthcheck.as_ref()).map(health),
        shell: Some(if given.shell.is_empty() { own.shell.clone() } else { given.shell.clone() })
            .filter(|shell| !shell.is_empty()),
        on_build: given.on_build.clone().flatten().unwrap_or_default(),
        args_escaped: given.args_escaped,
    }
}

fn health(check: &HealthConfig) -> Healthcheck {
    Healthcheck {
        test: check.test.clone().unwrap_or_default(),
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        start_interval: check.start_interval,
        retries: check.retries,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::lenient::StrSlice;

    #[test]
    fn what_is_given_wins() {
        let words = |list: &[&str]| Some(StrSlice(list.iter().map(|w| (*w).to_owned()).collect()));
        let own = ContainerConfig {
            user: "web".into(),
            cmd: words(&["sleep", "9"]),
            labels: Some([("a".into(), "1".into()), ("b".into(), "1".into())].into()),
            working_dir: "/srv".into(),
            ..ContainerConfig::default()
        };
        let given = ContainerConfig {
            cmd: words(&["true"]),
            labels: Some([("b".into(), "2".into())].into()),
            ..ContainerConfig::default()
        };
        let made = image_config(&given, &own);
        assert_eq!((made.user.as_str(), made.working_dir.as_str()), ("web", "/srv"));
        assert_eq!(made.cmd, Some(vec!["true".to_owned()]));
        assert_eq!(made.labels, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into());
    }
}
