//! The program, its environment and what it may do.

use oci::runtime::{Capabilities, ConsoleSize, Process};
use values::Result;

use super::{Input, resources, security};
use crate::container::merge;
use crate::container::modes::uts_is_host;

/// Docker's search path for programs.
pub const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The process of a launch. Its numeric user is the runtime's work, by the container's own files.
///
/// # Errors
/// `InvalidArgument` when there is no program.
pub fn process(input: &Input<'_>, options: &security::Options, capabilities: Vec<String>) -> Result<Process> {
    let config = input.config;
    merge::runnable(config)?;
    let words = [&config.entrypoint, &config.cmd].into_iter().flatten().flat_map(|list| list.iter().cloned());
    let [height, width] = input.host.console_size.map(|n| u16::try_from(n).unwrap_or(u16::MAX));
    Ok(Process {
        terminal: config.tty,
        console_size: (config.tty && height > 0 && width > 0).then_some(ConsoleSize { height, width }),
        args: words.collect(),
        env: environment(input)?,
        cwd: if config.working_dir.is_empty() { "/".into() } else { config.working_dir.clone() },
        capabilities: Some(sets(capabilities, &config.user)),
        rlimits: resources::rlimits(&input.host.resources, &input.defaults.ulimits),
        no_new_privileges: options.no_new_privileges,
        apparmor_profile: security::apparmor(input.machine, input.host, options),
        selinux_label: input.process_label.to_owned(),
        oom_score_adj: i32::try_from(input.host.oom_score_adj).ok(),
        ..Process::default()
    })
}

/// Who is not root has the capabilities as a bound only. A user's name is looked up later: then `execve(2)` takes the
/// other sets away.
fn sets(capabilities: Vec<String>, user: &str) -> Capabilities {
    let number = user.split(':').next().and_then(|user| user.parse::<u32>().ok());
    let held = if number.is_some_and(|uid| uid != 0) { Vec::new() } else { capabilities.clone() };
    Capabilities { bounding: capabilities, effective: held.clone(), permitted: held, ..Capabilities::default() }
}

/// Defaults, links, then the image's and the user's variables: the later one of a name wins, in the first one's place;
/// a bare name takes the variable away.
fn environment(input: &Input<'_>) -> Result<Vec<String>> {
    let uts_host = uts_is_host(&input.host.uts_mode)?;
    let hostname = if uts_host { &input.machine.hostname } else { input.hostname };
    let mut env = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if input.config.tty {
        env.push("TERM=xterm".into());
    }
    env.extend(input.link_env.iter().cloned());
    for variable in input.config.env.iter().flatten() {
        let name = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
        let place = env.iter().position(|known| name(known) == name(variable));
        match (place, variable.contains('=')) {
            (Some(place), true) => env[place].clone_from(variable),
            (Some(place), false) => drop(env.remove(place)),
            (None, true) => env.push(variable.clone()),
            (None, false) => {}
        }
    }
    Ok(env)
}

/// An exec's environment: the container's own, with the exec's variables on top.
pub fn exec_environment(container: &[String], own: &[String]) -> Vec<String> {
    let name = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    let mut env = container.to_vec();
    for variable in own {
        env.retain(|known| name(known) != name(variable));
        if variable.contains('=') {
            env.push(variable.clone());
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::tests::Scene;

    fn of(scene: &Scene) -> Process {
        process(&scene.input(), &security::Options::default(), vec!["CAP_KILL".into()]).unwrap()
    }

    #[test]
    fn variables() {
        let check = |tty: bool, own: &[&str], expected: &[&str]| {
            let mut scene = Scene::default();
            scene.config.tty = tty;
            scene.config.env = Some(own.iter().map(|v| (*v).to_owned()).collect());
            assert_eq!(of(&scene).env, expected);
        };
        check(false, &[], &[DEFAULT_PATH, "HOSTNAME=box"]);
        check(true, &["A=1", "A=2"], &[DEFAULT_PATH, "HOSTNAME=box", "TERM=xterm", "A=2"]);
        check(true, &["PATH=/bin", "TERM=vt100"], &["PATH=/bin", "HOSTNAME=box", "TERM=vt100"]);
        check(false, &["HOSTNAME", "B", "C=x=y"], &[DEFAULT_PATH, "C=x=y"]);
    }

    #[test]
    fn program() {
        let mut scene = Scene::default();
        scene.config.entrypoint = Some(vec!["e".to_owned()].into());
        scene.config.cmd = Some(vec!["c".to_owned(), "d e".to_owned()].into());
        scene.host.console_size = [24, 80];
        let got = of(&scene);
        assert_eq!((got.args.join("|").as_str(), got.cwd.as_str(), got.console_size), ("e|c|d e", "/", None));
        scene.config.tty = true;
        assert_eq!(of(&scene).console_size, Some(ConsoleSize { height: 24, width: 80 }));
        assert_eq!(of(&scene).oom_score_adj, Some(0));
        (scene.config.entrypoint, scene.config.cmd) = (None, None);
        assert!(process(&scene.input(), &security::Options::default(), vec![]).is_err());
    }

    #[test]
    fn capability_sets() {
        for (user, held) in [("", true), ("0:5", true), ("root", true), ("web", true), ("1000", false), ("5:0", false)]
        {
            let got = sets(vec!["CAP_KILL".into()], user);
            assert_eq!((got.bounding.len(), !got.effective.is_empty()), (1, held), "{user}");
            assert!(got.ambient.is_empty() && got.inheritable.is_empty());
        }
    }

    #[test]
    fn execs() {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(exec_environment(&list(&["A=1", "B=2"]), &list(&["A=3", "B"])), list(&["A=3"]));
    }
}
