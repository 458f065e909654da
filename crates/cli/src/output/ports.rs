//! The PORTS column: exposed ports, and published ones as `0.0.0.0:8000-8002->8000-8002/tcp`.

use api::types::PortSummary;

/// Ports of one address and protocol which follow one another.
struct Run<'a> {
    ip: &'a str,
    protocol: &'a str,
    first: u16,
    last: u16,
}

impl Run<'_> {
    fn text(&self) -> String {
        let ports =
            if self.first == self.last { self.first.to_string() } else { format!("{}-{}", self.first, self.last) };
        match self.ip {
            "" => format!("{ports}/{}", self.protocol),
            ip => format!("{}->{ports}/{}", host_port(ip, &ports), self.protocol),
        }
    }
}

/// `0.0.0.0:80`, `[::]:80`
fn host_port(ip: &str, port: &str) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// The ports, joined. A port published under its own number joins a run of such; another stands alone, at the end.
pub fn display(ports: &[PortSummary]) -> String {
    let mut sorted: Vec<&PortSummary> = ports.iter().collect();
    sorted.sort_by(|a, b| {
        (a.private_port, &a.ip, a.public_port, &a.kind).cmp(&(b.private_port, &b.ip, b.public_port, &b.kind))
    });
    let mut open: Vec<Run<'_>> = Vec::new();
    let mut done = Vec::new();
    let mut mapped = Vec::new();
    for port in sorted {
        let inside = port.private_port;
        if !port.ip.is_empty() && port.public_port != inside {
            let outside = host_port(&port.ip, &port.public_port.to_string());
            mapped.push(format!("{outside}->{inside}/{}", port.kind));
            continue;
        }
        match open.iter_mut().find(|run| run.ip == port.ip && run.protocol == port.kind) {
            None => open.push(Run { ip: &port.ip, protocol: &port.kind, first: inside, last: inside }),
            Some(run) if inside == run.last.saturating_add(1) => run.last = inside,
            Some(run) => {
                done.push(run.text());
                (run.first, run.last) = (inside, inside);
            }
        }
    }
    done.extend(open.iter().map(Run::text));
    done.append(&mut mapped);
    done.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ip: &str, inside: u16, outside: u16, kind: &str) -> PortSummary {
        PortSummary { ip: ip.into(), private_port: inside, public_port: outside, kind: kind.into() }
    }

    fn check(ports: &[PortSummary], expected: &str) {
        assert_eq!(display(ports), expected);
    }

    #[test]
    fn joins_runs() {
        check(&[], "");
        check(&[port("", 80, 0, "tcp")], "80/tcp");
        check(&[port("", 81, 0, "tcp"), port("", 80, 0, "tcp"), port("", 90, 0, "udp")], "80-81/tcp, 90/udp");
        check(
            &[port("0.0.0.0", 8000, 8000, "tcp"), port("0.0.0.0", 8001, 8001, "tcp"), port("0.0.0.0", 9, 32768, "tcp")],
            "0.0.0.0:8000-8001->8000-8001/tcp, 0.0.0.0:32768->9/tcp",
        );
        check(&[port("::", 80, 8080, "tcp"), port("::", 81, 81, "tcp")], "[::]:81->81/tcp, [::]:8080->80/tcp");
        check(&[port("", 1, 0, "tcp"), port("", 3, 0, "tcp")], "1/tcp, 3/tcp");
        check(&[port("", 65535, 0, "tcp"), port("", 65535, 0, "udp")], "65535/tcp, 65535/udp");
    }
}
