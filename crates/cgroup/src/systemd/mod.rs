//! The systemd driver: each container's control group is a scope that systemd knows.
//!
//! We make the group and its limits ourselves, as without systemd, and let the process be born in it; then systemd is told
//! of it (`StartTransientUnit` with the process and `Delegate`), which adopts the group as it is. Where it wrote limits of
//! its own, ours are written again. With its last process the scope ends by itself.

mod bus;
mod message;
mod unit;

use std::path::Path;
use std::time::Duration;

use oci::runtime::Resources;
use values::{Error, Result};

use self::bus::{Bus, Refused};
pub use self::message::{Kind as MessageKind, Message, Value, decode, encode, length};
pub use self::unit::{Scope, slice_path};
use crate::Version;

/// Whether systemd is this machine's init: sd_booted(3).
pub fn is_running() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// How often a scope of the same name is waited for that is just ending (a restart), and how long in between.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);
const EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// A connection to systemd for as long as a scope is made or changed.
pub struct Systemd(Bus);

impl Systemd {
    /// # Errors
    /// `Unavailable` when systemd cannot be reached.
    pub fn connect() -> Result<Self> {
        Bus::connect().map(Self)
    }

    /// The same at another socket; `is_bus` says whether it is a bus or systemd itself.
    pub fn connect_to(socket: &Path, is_bus: bool) -> Result<Self> {
        Bus::connect_to(socket, is_bus).map(Self)
    }

    /// Makes the scope with `pid` in it and waits until it is there.
    ///
    /// # Errors
    /// `Internal` with systemd's words.
    pub fn start_scope(&mut self, version: Version, scope: &Scope, pid: i32, resources: &Resources) -> Result<()> {
        let description = format!("lighter container {}", scope.unit.trim_end_matches(".scope"));
        let pid = pid.unsigned_abs();
        let properties = unit::properties(version, &description, &scope.slice, pid, resources);
        for _ in 0..TRIES {
            let body = vec![
                Value::Text(scope.unit.clone()),
                Value::Text("replace".to_owned()),
                Value::Properties(properties.clone()),
                Value::NoUnits,
            ];
            match self.0.manager("StartTransientUnit", body)? {
                Ok(reply) => return self.finish(&scope.unit, reply.body.first()),
                Err(refused) if refused.name == EXISTS => {
                    self.clear(&scope.unit)?;
                    std::thread::sleep(PAUSE);
                }
                Err(refused) => return Err(refused.into_error()),
            }
        }
        Err(Error::conflict(format!("systemd keeps a scope {} of an earlier run", scope.unit)))
    }

    fn finish(&mut self, unit: &str, job: Option<&Value>) -> Result<()> {
        let job = job.and_then(Value::text).unwrap_or_default().to_owned();
        match self.0.wait_for_job(&job)?.as_str() {
            "done" => Ok(()),
            result => Err(Error::internal(format!("systemd could not start {unit}: {result}"))),
        }
    }

    /// A scope of this name that has no process any more, or failed.
    fn clear(&mut self, unit: &str) -> Result<()> {
        self.0.manager("ResetFailedUnit", vec![Value::Text(unit.to_owned())])?.map(drop).or_else(gone)
    }

    /// Ends a scope with all that is in it. One that is not there is fine.
    pub fn stop(&mut self, unit: &str) -> Result<()> {
        let body = vec![Value::Text(unit.to_owned()), Value::Text("replace".to_owned())];
        match self.0.manager("StopUnit", body)? {
            Ok(reply) => {
                let job = reply.body.first().and_then(Value::text).unwrap_or_default().to_owned();
                self.0.wait_for_job(&job)?;
            }
            Err(refused) => gone(refused)?,
        }
        self.clear(unit)
    }

    /// Tells systemd of changed limits.
    pub fn set_limits(&mut self, version: Version, unit: &str, resources: &Resources) -> Result<()> {
        let limits = unit::limits(version, resources);
        if limits.is_empty() {
            return Ok(());
        }
        let body = vec![Value::Text(unit.to_owned()), Value::Bool(true), Value::Properties(limits)];
        self.0.manager("SetUnitProperties", body)?.map(drop).map_err(Refused::into_error)
    }
}

fn gone(refused: Refused) -> Result<()> {
    if refused.name == NO_SUCH_UNIT { Ok(()) } else { Err(refused.into_error()) }
}
