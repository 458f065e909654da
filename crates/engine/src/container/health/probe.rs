//! One probe: asked of the shim, which tells its end by itself.

use std::sync::Arc;

use api::types::ExecCreateRequest;
use shim::protocol::{self, Reply, Request};
use values::{Error, Id, Result, Timestamp};

use super::check::Check;
use super::state::{Fact, NO_CODE, Outcome};
use crate::container::{Container, Mail, launch, links};
use crate::shared::Shared;
use crate::{exec, oci};

/// Posts the outcome of a probe that cannot be started.
pub async fn run(shared: Arc<Shared>, container: Arc<Container>, check: Check, id: Id, turn: u64) {
    let begun = Timestamp::now();
    if let Err(e) = ask(&shared, &container, &check, &id).await {
        shared.execs.probe_ended(id.as_str(), exec_code(&e));
        let outcome = Outcome { begun, ended: Timestamp::now(), code: NO_CODE, output: e.message };
        container.post(Mail::Health(Fact::Probed { turn: Some(turn), outcome }));
    }
}

async fn ask(shared: &Arc<Shared>, container: &Arc<Container>, check: &Check, id: &Id) -> Result<()> {
    let asked = ExecCreateRequest { cmd: Some(check.argv.clone().into()), ..ExecCreateRequest::default() };
    let order = protocol::Probe {
        id: id.to_string(),
        process: oci::exec(
            &launch::exec_input(shared, &container.record(), &links::now(shared, &container.record())),
            &asked,
        )?,
        timeout_millis: u64::try_from(check.timeout.as_millis()).unwrap_or(u64::MAX),
    };
    let (_, link) = container.link()?;
    match link.ask(Request::Probe(Box::new(order))).await {
        Ok(Reply::Started(started)) => {
            shared.execs.probe_started(id, started.pid);
            Ok(())
        }
        Ok(Reply::Failed(failed)) => Err(Error::internal(exec::failure(failed.message))),
        Ok(other) => Err(Error::internal(format!("the shim answered unexpectedly: {other:?}"))),
        Err(e) if e.kind == values::ErrorKind::Unavailable => {
            Err(Error::internal(format!("timed out starting health check for container {}", container.id)))
        }
        Err(e) => Err(e),
    }
}

/// As of any exec that was not begun.
fn exec_code(error: &Error) -> i32 {
    launch::exit_code(protocol::FailureKind::Other, &error.message)
}
