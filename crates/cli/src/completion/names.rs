//! Candidates: fixed words, and names the daemon has. A daemon that does not answer has none, and is not started.

use api::endpoints::{ContainerList, ContainerListQuery, ImageList, ImageListQuery, NetworkList, NetworkListQuery};
use api::endpoints::{VolumeList, VolumeListQuery};

use crate::command::{Complete, States};
use crate::{Session, context, host};

/// Every name of the kind.
pub fn of(session: &Session, what: Complete) -> Vec<String> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match what {
        Complete::Words(words) => owned(words),
        Complete::Signals => (1..=31)
            .filter(|number| *number != 16)
            .filter_map(values::Signal::from_number)
            .map(|signal| signal.to_string())
            .collect(),
        Complete::Capabilities => {
            let mut all: Vec<String> =
                values::kernel_names::CAPABILITIES.iter().map(|name| format!("CAP_{name}")).collect();
            all.insert(0, "ALL".into());
            all
        }
        Complete::Environment => {
            let mut all: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
            all.sort();
            all
        }
        Complete::Contexts => {
            let stored = context::all(&session.root.config_dir()).into_iter().map(|context| context.name);
            ["default".to_owned()].into_iter().chain(stored).collect()
        }
        live => daemons(session, live).unwrap_or_default(),
    }
}

fn daemons(session: &Session, what: Complete) -> Option<Vec<String>> {
    let client = host::client_of_running(session).ok()?;
    match what {
        Complete::Containers(states) => {
            let query = ContainerListQuery { all: !running_only(states), ..ContainerListQuery::default() };
            let list = client.call::<ContainerList>(&[], &query, &()).ok()?;
            let fitting = list.into_iter().filter(|container| fits(states, &container.state));
            let ids = std::env::var("DOCKER_COMPLETION_SHOW_CONTAINER_IDS").is_ok_and(|value| value == "yes");
            let names = fitting.flat_map(|container| {
                let id = ids.then(|| container.id.clone());
                let names = container.names.into_iter().flatten().map(|name| name.trim_start_matches('/').to_owned());
                // a link's name has a slash within
                id.into_iter().chain(names.filter(|name| !name.contains('/'))).collect::<Vec<_>>()
            });
            Some(names.collect())
        }
        Complete::Images => {
            let list = client.call::<ImageList>(&[], &ImageListQuery::default(), &()).ok()?;
            let tags = list.into_iter().flat_map(|image| image.repo_tags).filter(|tag| !tag.contains("<none>"));
            Some(tags.collect())
        }
        Complete::Networks => {
            let list = client.call::<NetworkList>(&[], &NetworkListQuery::default(), &()).ok()?;
            Some(list.into_iter().map(|network| network.name).collect())
        }
        Complete::Volumes => {
            let list = client.call::<VolumeList>(&[], &VolumeListQuery::default(), &()).ok()?;
            Some(list.volumes.into_iter().map(|volume| volume.name).collect())
        }
        Complete::Objects => {
            let mut all = daemons(session, Complete::Containers(States::All)).unwrap_or_default();
            all.extend(daemons(session, Complete::Images).unwrap_or_default());
            Some(all)
        }
        _ => None,
    }
}

fn running_only(states: States) -> bool {
    matches!(states, States::Running | States::Unpaused | States::Paused)
}

fn fits(states: States, state: &str) -> bool {
    match states {
        States::All => true,
        States::Running => matches!(state, "running" | "paused" | "restarting"),
        States::Unpaused => state == "running",
        States::Paused => state == "paused",
        States::Stopped => matches!(state, "created" | "exited"),
    }
}
