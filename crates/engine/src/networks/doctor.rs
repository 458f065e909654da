//! `network doctor`: what the kernel has, from the `network` crate, and what only the engine knows.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use api::types::{NetworkDoctor, NetworkFinding};
use network::{Finding, Severity};
use tokio::task::JoinSet;
use values::Result;

use crate::shared::{Shared, blocking};

/// # Errors
/// `Internal` with the kernel's words.
pub async fn doctor(shared: &Arc<Shared>) -> Result<NetworkDoctor> {
    let s = shared.clone();
    let mut findings = blocking(move || {
        let live = || {
            let running = s.registry.all().into_iter().filter(|container| container.state().is_running());
            running.map(|container| (container.name(), container.volatile().endpoints)).collect()
        };
        let mut findings = s.networks.examine(&live)?;
        findings.extend(ports(&crate::reach::warnings(&s)));
        Ok(findings)
    })
    .await?;
    findings.extend(names(shared).await);
    Ok(NetworkDoctor { findings: findings.into_iter().map(shown).collect() })
}

fn shown(finding: Finding) -> NetworkFinding {
    let severity = match finding.severity {
        Severity::Ok => "ok",
        Severity::Note => "note",
        Severity::Problem => "problem",
    };
    NetworkFinding {
        check: finding.check.into(),
        severity: severity.into(),
        text: finding.text,
        advice: finding.advice,
    }
}

/// A firewall that is jumped over may be meant so: it is Docker's way.
fn ports(warnings: &[String]) -> Vec<Finding> {
    let note = |warning: &String| {
        let text = warning.trim_start_matches("WARNING: ");
        let (text, advice) = text.split_once("; ").unwrap_or((text, ""));
        Finding::note("ports", text, advice)
    };
    if warnings.is_empty() {
        return vec![Finding::ok("ports", "no published port is open against the host's firewall")];
    }
    warnings.iter().map(note).collect()
}

/// Whether those answer whom containers' questions go to.
async fn names(shared: &Arc<Shared>) -> Vec<Finding> {
    let configured = &shared.config.defaults.dns;
    let (servers, whose): (Vec<IpAddr>, _) = if configured.is_empty() {
        (network::files::resolv::servers(), "the host's /etc/resolv.conf")
    } else {
        (configured.iter().filter_map(|text| text.parse().ok()).collect(), "daemon.json's \"dns\"")
    };
    if servers.is_empty() {
        let text = format!("{whose} names no server: containers find no name outside");
        return vec![Finding::problem("dns", text, "name one there, or in daemon.json: \"dns\": [\"ADDRESS\"]")];
    }
    let mut asked = JoinSet::new();
    let (own, servers): (Vec<_>, Vec<_>) =
        servers.into_iter().partition(|ip| !configured.is_empty() && ip.is_loopback());
    for (place, server) in servers.into_iter().enumerate() {
        asked.spawn(async move { (place, server, crate::dns::probe(server).await) });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(place, ..)| *place);
    let any = answers.iter().any(|(.., answer)| answer.is_some());
    let answers = answers.iter().map(|(_, server, answer)| of_server(*server, *answer, whose, any));
    answers.chain(own.into_iter().map(of_containers)).collect()
}

/// Containers ask from their own namespaces whom daemon.json names.
fn of_containers(server: IpAddr) -> Finding {
    let text = format!("{server} (daemon.json's \"dns\") is each container itself, not the host");
    Finding::note("dns", text, "name an address of the host that containers reach, and let the server listen there")
}

fn of_server(server: IpAddr, answer: Option<Duration>, whose: &str, any_answers: bool) -> Finding {
    match answer {
        Some(time) => Finding::ok("dns", format!("{server} ({whose}) answers within {} ms", time.as_millis().max(1))),
        None => {
            let text = format!("{server} ({whose}) does not answer");
            let advice = format!("is it reached (ping {server})? If not, name another in {whose}");
            // the next one is asked, after a while
            if any_answers { Finding::note("dns", text, advice) } else { Finding::problem("dns", text, advice) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_silent() {
        let server = IpAddr::from([192, 0, 2, 1]);
        let severity = |answer, any| of_server(server, answer, "x", any).severity;
        assert_eq!(severity(Some(Duration::ZERO), true), Severity::Ok);
        assert_eq!(severity(None, true), Severity::Note);
        assert_eq!(severity(None, false), Severity::Problem);
    }

    #[test]
    fn a_warning_is_a_note() {
        assert_eq!(ports(&[])[0].severity, Severity::Ok);
        let note = &ports(&["WARNING: it is open; close it".into()])[0];
        assert_eq!((note.text.as_str(), note.advice.as_str()), ("it is open", "close it"));
    }
}
