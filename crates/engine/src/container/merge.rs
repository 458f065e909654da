//! A container's configuration: what was asked for on top of what the image says.

use std::collections::BTreeMap;

use api::lenient::{Empty, StrSlice};
use api::types::{ContainerConfig, HealthConfig};
use oci::image;
use values::{Error, Result};

/// Completes `config` by the image's configuration, as Docker does:
///
/// - a given entrypoint (even an empty one) drops the image's command; without either the image's are taken;
/// - variables and labels by key, the request's win; ports and volumes add up;
/// - user, directory, stop signal: the image's where the request has none; the health check field by field.
///
/// # Errors
/// `InvalidArgument` when there is nothing to run then.
pub fn merge(config: &mut ContainerConfig, image: &image::Config) -> Result<()> {
    fill(&mut config.user, &image.user);
    fill(&mut config.working_dir, &image.working_dir);
    fill(&mut config.stop_signal, &image.stop_signal);
    for port in image.exposed_ports.keys() {
        config.exposed_ports.insert(port.clone(), Empty {});
    }
    merge_env(&mut config.env, &image.env);
    merge_labels(&mut config.labels, &image.labels);
    merge_command(config, image);
    merge_health(&mut config.healthcheck, image.healthcheck.as_ref());
    let mut volumes = config.volumes.take().unwrap_or_default();
    volumes.extend(image.volumes.keys().map(|path| (path.clone(), Empty {})));
    config.volumes = Some(volumes).filter(|volumes| !volumes.is_empty());
    if config.shell.is_empty() {
        config.shell = image.shell.clone().unwrap_or_default();
    }
    runnable(config)
}

/// Refuses a configuration without a program.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn runnable(config: &ContainerConfig) -> Result<()> {
    let words = |list: &Option<StrSlice>| list.as_ref().map_or(0, |l| l.len());
    if words(&config.entrypoint) + words(&config.cmd) == 0 {
        return Err(Error::invalid("no command specified"));
    }
    Ok(())
}

/// What the user should know of the image: parts of it which this engine does not act on yet.
pub fn warnings(request: &ContainerConfig, image: &image::Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let own = request.healthcheck.as_ref().and_then(|check| check.test.as_ref()).is_some_and(|test| !test.is_empty());
    if let Some(kind) = image.healthcheck.as_ref().and_then(|check| check.test.first())
        && !own
        && !matches!(kind.as_str(), "NONE" | "CMD" | "CMD-SHELL")
    {
        warnings.push(format!("The image's health check is of the unknown type {kind:?}: it is not run."));
    }
    warnings
}

fn fill(own: &mut String, image: &str) {
    if own.is_empty() {
        own.push_str(image);
    }
}

fn key(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(key, _)| key)
}

fn merge_env(own: &mut Option<Vec<String>>, image: &[String]) {
    let mut list = own.take().unwrap_or_default();
    let inherited: Vec<String> =
        image.iter().filter(|inherited| !list.iter().any(|set| key(set) == key(inherited))).cloned().collect();
    list.extend(inherited);
    // as Docker: no variables at all are null
    *own = Some(list).filter(|list| !list.is_empty());
}

fn merge_labels(own: &mut Option<BTreeMap<String, String>>, image: &BTreeMap<String, String>) {
    let labels = own.get_or_insert_default();
    for (key, value) in image {
        labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

fn merge_command(config: &mut ContainerConfig, image: &image::Config) {
    if config.entrypoint.as_ref().is_none_or(|words| words.is_empty()) {
        if config.cmd.as_ref().is_none_or(|words| words.is_empty()) {
            config.cmd = image.cmd.clone().map(StrSlice);
            config.args_escaped = image.args_escaped;
        }
        if config.entrypoint.is_none() {
            config.entrypoint = image.entrypoint.clone().map(StrSlice);
        }
    }
    // `--entrypoint ""` arrives as [""]: it takes the image's entrypoint and command away and is nothing itself.
    if config.entrypoint.as_ref().is_some_and(|words| matches!(words.as_slice(), [one] if one.is_empty())) {
        config.entrypoint = None;
    }
}

fn merge_health(own: &mut Option<HealthConfig>, image: Option<&image::Healthcheck>) {
    let Some(image) = image else { return };
    let check = own.get_or_insert_default();
    if check.test.as_ref().is_none_or(Vec::is_empty) {
        check.test = Some(image.test.clone()).filter(|test| !test.is_empty());
    }
    for (own, image) in [
        (&mut check.interval, image.interval),
        (&mut check.timeout, image.timeout),
        (&mut check.start_period, image.start_period),
        (&mut check.start_interval, image.start_interval),
        (&mut check.retries, image.retries),
    ] {
        if *own == 0 {
            *own = image;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Option<Vec<String>> {
        Some(list.iter().map(|w| (*w).to_owned()).collect())
    }

    fn slice(list: Option<&[&str]>) -> Option<StrSlice> {
        list.and_then(words).map(StrSlice)
    }

    #[test]
    fn commands() {
        type Words<'a> = Option<&'a [&'a str]>;
        let check = |own: (Words<'_>, Words<'_>), image: (Words<'_>, Words<'_>), expected: Result<&[&str], &str>| {
            let mut config =
                ContainerConfig { entrypoint: slice(own.0), cmd: slice(own.1), ..ContainerConfig::default() };
            let image = image::Config {
                entrypoint: image.0.and_then(words),
                cmd: image.1.and_then(words),
                ..image::Config::default()
            };
            let got = merge(&mut config, &image).map_err(|e| e.message).map(|()| {
                let lists = [config.entrypoint, config.cmd];
                lists.into_iter().flatten().flat_map(|list| list.0).collect::<Vec<_>>()
            });
            assert_eq!(got, expected.map(|w| words(w).unwrap()).map_err(str::to_owned));
        };
        check((None, None), (None, Some(&["sh"])), Ok(&["sh"]));
        check((None, None), (Some(&["e"]), Some(&["c"])), Ok(&["e", "c"]));
        check((None, Some(&["x"])), (Some(&["e"]), Some(&["c"])), Ok(&["e", "x"]));
        check((Some(&["o"]), None), (Some(&["e"]), Some(&["c"])), Ok(&["o"]));
        check((Some(&["o"]), Some(&["x"])), (Some(&["e"]), Some(&["c"])), Ok(&["o", "x"]));
        check((Some(&[]), None), (Some(&["e"]), Some(&["c"])), Ok(&["c"]));
        check((Some(&[""]), Some(&["x"])), (Some(&["e"]), Some(&["c"])), Ok(&["x"]));
        check((Some(&[""]), None), (Some(&["e"]), Some(&["c"])), Err("no command specified"));
        check((None, None), (None, None), Err("no command specified"));
        check((Some(&[]), None), (Some(&["e"]), None), Err("no command specified"));
    }

    #[test]
    fn by_key() {
        let mut config = ContainerConfig {
            env: words(&["A=1", "GONE"]),
            labels: Some(BTreeMap::from([("k".into(), "own".into())])),
            user: "me".into(),
            ..ContainerConfig::default()
        };
        let image = image::Config {
            env: words(&["PATH=/bin", "A=2", "GONE=x"]).unwrap(),
            labels: BTreeMap::from([("k".into(), "image".into()), ("l".into(), "2".into())]),
            user: "web".into(),
            working_dir: "/srv".into(),
            stop_signal: "SIGQUIT".into(),
            cmd: words(&["sh"]),
            exposed_ports: BTreeMap::from([("80/tcp".into(), image::Empty)]),
            volumes: BTreeMap::from([("/data".into(), image::Empty)]),
            ..image::Config::default()
        };
        merge(&mut config, &image).unwrap();
        assert_eq!(config.env, words(&["A=1", "GONE", "PATH=/bin"]));
        assert_eq!(
            config.labels.unwrap().into_iter().collect::<Vec<_>>(),
            [("k".to_owned(), "own".to_owned()), ("l".to_owned(), "2".to_owned())]
        );
        assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("me", "/srv"));
        assert_eq!(config.stop_signal, "SIGQUIT");
        assert!(config.exposed_ports.contains_key("80/tcp") && config.volumes.unwrap().contains_key("/data"));
    }

    #[test]
    fn health_by_field() {
        let image = image::Config {
            cmd: words(&["x"]),
            healthcheck: Some(image::Healthcheck {
                test: words(&["CMD", "probe"]).unwrap(),
                interval: 5,
                retries: 2,
                ..image::Healthcheck::default()
            }),
            ..image::Config::default()
        };
        let mut config = ContainerConfig {
            healthcheck: Some(HealthConfig { interval: 9, ..HealthConfig::default() }),
            ..ContainerConfig::default()
        };
        merge(&mut config, &image).unwrap();
        let check = config.healthcheck.unwrap();
        assert_eq!((check.test, check.interval, check.retries), (words(&["CMD", "probe"]), 9, 2));
    }

    #[test]
    fn what_the_image_wants_in_vain() {
        let image = image::Config {
            healthcheck: Some(image::Healthcheck { test: words(&["HTTP", "p"]).unwrap(), ..Default::default() }),
            ..image::Config::default()
        };
        let none = HealthConfig { test: words(&["NONE"]), ..HealthConfig::default() };
        let mut request = ContainerConfig::default();
        assert_eq!(warnings(&request, &image).len(), 1);
        request.healthcheck = Some(none);
        assert_eq!(warnings(&request, &image).len(), 0);
    }
}
