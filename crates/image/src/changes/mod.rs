//! Dockerfile instructions that change a configuration: `import -c`, `commit -c`.
//!
//! Source: the Dockerfile reference; which instructions are allowed is Docker's list (`docker commit --change`).

mod expose;
mod health;
mod words;

use oci::image::{Config, Empty};
use values::{Error, Result, Signal};

use words::Words;

/// Applies instructions in order; one of several lines (`\` at the end) is one.
///
/// # Errors
/// `InvalidArgument` in Docker's words; `config` is of no use then.
pub fn apply(config: &mut Config, changes: &[String]) -> Result<()> {
    let mut has_cmd = false;
    for line in lines(changes) {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let (name, rest) = (name.to_ascii_uppercase(), rest.trim());
        if rest.is_empty() && !matches!(name.as_str(), "CMD" | "ENTRYPOINT") && is_known(&name) {
            return Err(Error::invalid(format!("{name} requires at least one argument")));
        }
        match name.as_str() {
            "CMD" => {
                config.cmd = Some(command(rest));
                has_cmd = true;
            }
            "ENTRYPOINT" => {
                config.entrypoint = Some(command(rest));
                // a command that was for another program
                if !has_cmd {
                    config.cmd = None;
                }
            }
            "ENV" => env(config, rest)?,
            "EXPOSE" => expose::expose(config, &Words::split(rest, &config.env)?)?,
            "HEALTHCHECK" => config.healthcheck = Some(health::parse(rest)?),
            "LABEL" => label(config, rest)?,
            "ONBUILD" => config.on_build.push(on_build(rest)?),
            "STOPSIGNAL" => config.stop_signal = stop_signal(&Words::one(rest, &config.env)?)?,
            "USER" => config.user = user(rest, &config.env)?,
            "VOLUME" => volume(config, rest)?,
            "WORKDIR" => config.working_dir = working_dir(&config.working_dir, &Words::one(rest, &config.env)?),
            _ => return Err(Error::invalid(format!("{name} is not a valid change command"))),
        }
    }
    Ok(())
}

fn is_known(name: &str) -> bool {
    const KNOWN: &[&str] =
        &["ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"];
    KNOWN.contains(&name)
}

/// Instructions, one a line; comments and empty lines left out.
fn lines(changes: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for change in changes {
        let mut open = String::new();
        for line in change.lines() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            match trimmed.strip_suffix('\\') {
                Some(begun) => open.push_str(begun),
                None => {
                    out.push(std::mem::take(&mut open) + trimmed);
                }
            }
        }
        if !open.is_empty() {
            out.push(open);
        }
    }
    out
}

/// A JSON array, or a line for the shell.
fn command(rest: &str) -> Vec<String> {
    if rest.is_empty() {
        return Vec::new();
    }
    json_words(rest).unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into(), rest.into()])
}

fn json_words(rest: &str) -> Option<Vec<String>> {
    if rest.starts_with('[') { serde_json::from_str(rest).ok() } else { None }
}

fn env(config: &mut Config, rest: &str) -> Result<()> {
    for (name, value) in Words::pairs(rest, &config.env, "ENV")? {
        set_env(&mut config.env, &name, &value);
    }
    Ok(())
}

fn set_env(env: &mut Vec<String>, name: &str, value: &str) {
    let same = |entry: &String| entry.split('=').next() == Some(name);
    let text = format!("{name}={value}");
    match env.iter().position(same) {
        Some(i) => env[i] = text,
        None => env.push(text),
    }
}

fn label(config: &mut Config, rest: &str) -> Result<()> {
    config.labels.extend(Words::pairs(rest, &config.env, "LABEL")?);
    Ok(())
}

fn on_build(rest: &str) -> Result<String> {
    let trigger = rest.split_whitespace().next().unwrap_or("").to_ascii_uppercase();
    match trigger.as_str() {
        "ONBUILD" => Err(Error::invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
        "FROM" | "MAINTAINER" => Err(Error::invalid(format!("{trigger} isn't allowed as an ONBUILD trigger"))),
        _ => Ok(rest.into()),
    }
}

fn stop_signal(word: &str) -> Result<String> {
    word.parse::<Signal>()?;
    Ok(word.into())
}

fn user(rest: &str, env: &[String]) -> Result<String> {
    match &Words::split(rest, env)?[..] {
        [user] => Ok(user.clone()),
        _ => Err(Error::invalid("USER requires exactly one argument")),
    }
}

fn volume(config: &mut Config, rest: &str) -> Result<()> {
    let paths = match json_words(rest) {
        Some(paths) => paths,
        None => Words::split(rest, &config.env)?,
    };
    for path in paths {
        let path = path.trim();
        if path.is_empty() {
            return Err(Error::invalid("VOLUME specified can not be an empty string"));
        }
        config.volumes.insert(path.into(), Empty);
    }
    Ok(())
}

/// Relative to the directory before; without `.`, `..` and empty parts.
fn working_dir(before: &str, new: &str) -> String {
    let whole = if new.starts_with('/') { new.to_owned() } else { format!("{before}/{new}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(changes: &[&str]) -> Result<Config> {
        let mut config = Config::default();
        let changes: Vec<String> = changes.iter().map(|s| (*s).to_owned()).collect();
        apply(&mut config, &changes).map(|()| config)
    }

    fn words(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|s| (*s).to_owned()).collect())
    }

    #[test]
    fn commands() {
        for (change, expected) in [
            (r#"CMD ["a", "b c"]"#, words(&["a", "b c"])),
            ("cmd echo $HOME", words(&["/bin/sh", "-c", "echo $HOME"])),
            ("CMD [not json", words(&["/bin/sh", "-c", "[not json"])),
            ("CMD []", words(&[])),
        ] {
            assert_eq!(config(&[change]).unwrap().cmd, expected, "{change}");
        }
        let c = config(&["CMD [\"x\"]", "ENTRYPOINT [\"/e\"]"]).unwrap();
        assert_eq!((c.cmd, c.entrypoint), (words(&["x"]), words(&["/e"])));
    }

    #[test]
    fn environment_and_labels() {
        for (changes, expected) in [
            (&["ENV A=1 B=\"two words\" C=\\ x"][..], &["A=1", "B=two words", "C= x"][..]),
            (&["ENV A one two"], &["A=one two"]),
            (&["ENV A=1", "ENV A=2 B=$A", "ENV C=${A}x${D:-no}${B:+yes}"], &["A=2", "B=1", "C=2xnoyes"]),
            (&["ENV A='$B'", "ENV B=\\$A"], &["A=$B", "B=$A"]),
            (&["ENV A=1 \\\n  B=2"], &["A=1", "B=2"]),
            (&["ENV PATH=/x:$PATH"], &["PATH=/x:"]),
        ] {
            assert_eq!(config(changes).unwrap().env, expected, "{changes:?}");
        }
        let labels = config(&["LABEL a=b \"c d\"=\"e f\"", "LABEL old form"]).unwrap().labels;
        let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(labels, ["a=b", "c d=e f", "old=form"]);
    }

    #[test]
    fn the_rest() {
        let c = config(&[
            "ENV P=9",
            "EXPOSE 80 53/udp 8000-8002/tcp $P",
            "USER web:web",
            "VOLUME /a /b",
            "VOLUME [\"/c d\"]",
            "WORKDIR /x",
            "WORKDIR y/../z",
            "STOPSIGNAL SIGQUIT",
            "ONBUILD RUN make",
            "HEALTHCHECK --interval=5s --retries=2 CMD [\"curl\", \"x\"]",
        ])
        .unwrap();
        let ports: Vec<_> = c.exposed_ports.keys().cloned().collect();
        assert_eq!(ports, ["53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp", "9/tcp"]);
        assert_eq!((c.user.as_str(), c.working_dir.as_str(), c.stop_signal.as_str()), ("web:web", "/x/z", "SIGQUIT"));
        assert_eq!(c.volumes.keys().cloned().collect::<Vec<_>>(), ["/a", "/b", "/c d"]);
        assert_eq!(c.on_build, ["RUN make"]);
        let health = c.healthcheck.unwrap();
        assert_eq!(health.test, ["CMD", "curl", "x"]);
        assert_eq!((health.interval, health.retries), (5_000_000_000, 2));
        assert_eq!(config(&["HEALTHCHECK NONE"]).unwrap().healthcheck.unwrap().test, ["NONE"]);
        assert_eq!(config(&["HEALTHCHECK CMD a b"]).unwrap().healthcheck.unwrap().test, ["CMD-SHELL", "a b"]);
    }

    #[test]
    fn refusals() {
        for (change, message) in [
            ("RUN make", "RUN is not a valid change command"),
            ("FROM x", "FROM is not a valid change command"),
            ("nonsense", "NONSENSE is not a valid change command"),
            ("ENV", "ENV requires at least one argument"),
            ("ENV A", "ENV must have two arguments"),
            ("ENV =x", "ENV names can not be blank"),
            ("LABEL A=1 B", "Syntax error - can't find = in \"B\". Must be of the form: name=value"),
            ("EXPOSE x", "invalid containerPort: x"),
            ("EXPOSE 70000", "invalid containerPort: 70000"),
            ("EXPOSE 80/icmp", "invalid proto: icmp"),
            ("USER a b", "USER requires exactly one argument"),
            ("VOLUME [\"\"]", "VOLUME specified can not be an empty string"),
            ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
            ("ONBUILD from x", "FROM isn't allowed as an ONBUILD trigger"),
            ("HEALTHCHECK RUN x", "Unknown type \"RUN\" in HEALTHCHECK (try CMD)"),
            ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
            ("HEALTHCHECK --nope=1 CMD x", "unknown flag: --nope"),
            ("ENV A=\"open", "unexpected end of statement while looking for matching double-quote"),
        ] {
            assert_eq!(config(&[change]).unwrap_err().message, message, "{change}");
        }
        assert!(config(&["STOPSIGNAL SIGNONE"]).is_err());
    }
}
