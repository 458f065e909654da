//! Flags and file together, now and again when the daemon is told to read the file once more.

use std::io::ErrorKind;

use values::{Error, Result};

use crate::options::flags::Parsed;
use crate::options::merge::{self, Values};
use crate::options::{by_key, file};
use crate::settings::Settings;

const DEFAULT_FILE: &str = "/etc/lighter/daemon.json";

#[derive(Debug)]
pub struct Configuration {
    flags: Parsed,
    values: Values,
    pub settings: Settings,
}

/// Keys whose value is another one since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What counts from now on.
    pub applied: Vec<&'static str>,
    /// What counts from the daemon's next start on.
    pub later: Vec<&'static str>,
}

impl Configuration {
    /// Errors: those of the options, with the file's name in front where it has a part in them.
    pub fn read(flags: Parsed) -> Result<Self> {
        let values = merged(&flags)?;
        let settings = Settings::new(&values)?;
        Ok(Self { flags, values, settings })
    }

    /// Reads the file again. On an error everything stays as it is.
    pub fn reload(&mut self) -> Result<Changes> {
        let values = merged(&self.flags)?;
        let settings = Settings::new(&values)?;
        let changes = changes(&self.values, &values);
        self.values = values;
        self.settings = settings;
        Ok(changes)
    }
}

fn merged(flags: &Parsed) -> Result<Values> {
    let path = flags.config_file.as_deref().unwrap_or(DEFAULT_FILE);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && flags.config_file.is_none() => String::new(),
        Err(error) => return Err(with_file(path, Error::from(error).context(format!("open {path}")))),
    };
    let values = file::parse(&text).map_err(|error| with_file(path, error))?;
    let from_file = !values.is_empty();
    let merged = merge::merge(flags.values.clone(), values);
    merged.map_err(|error| if from_file { with_file(path, error) } else { error })
}

fn with_file(path: &str, error: Error) -> Error {
    error.context(format!("unable to configure the Docker daemon with file {path}"))
}

fn changes(old: &Values, new: &Values) -> Changes {
    let mut changes = Changes::default();
    let mut keys: Vec<&'static str> = old.keys().chain(new.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys.into_iter().filter(|key| old.get(key) != new.get(key)) {
        let applied = by_key(key).is_some_and(|row| row.reload);
        if applied { changes.applied.push(key) } else { changes.later.push(key) }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::flags;

    fn read(args: &[&str]) -> Result<Configuration> {
        Configuration::read(flags::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())?)
    }

    #[test]
    fn a_file_is_read_and_read_again() {
        let path = std::env::temp_dir().join(format!("lighter-config-{}.json", std::process::id()));
        let file = path.to_str().unwrap();
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        let message = |result: Result<Configuration>| result.map_or_else(|e| e.message, |_| "fine".into());
        let prefix = format!("unable to configure the Docker daemon with file {file}: ");

        let missing = message(read(&["--config-file", file]));
        assert_eq!(missing, format!("{prefix}open {file}: no such file or directory"));
        write(r#"{"foo": 1}"#);
        let unknown = "the following directives don't match any configuration option: foo";
        assert_eq!(message(read(&["--config-file", file])), format!("{prefix}{unknown}"));
        write(r#"{"debug": true}"#);
        let twice = "the following directives are specified both as a flag and in the configuration file: \
            debug: (from flag: true, from file: true)";
        assert_eq!(message(read(&["-D", "--config-file", file])), format!("{prefix}{twice}"));

        let mut configuration = read(&["--config-file", file]).unwrap();
        write(r#"{"live-restore": false, "mtu": 1400}"#);
        let changes = configuration.reload().unwrap();
        assert_eq!((changes.applied, changes.later), (vec!["debug", "live-restore"], vec!["mtu"]));
        assert!(!configuration.settings.live_restore);
        write("{");
        assert!(configuration.reload().is_err());
        assert!(!configuration.settings.live_restore, "as it was");
        std::fs::remove_file(&path).unwrap();
    }
}
