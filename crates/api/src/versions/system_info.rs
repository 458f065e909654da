//! `GET /info`

use super::Lower;
use crate::types::SystemInfo;
use crate::version::Version;

impl Lower for SystemInfo {
    fn lower(&mut self, version: Version) {
        if version.below(50) {
            self.bridge_nf_iptables = Some(false);
            self.bridge_nf_ip6tables = Some(false);
            self.discovered_devices.clear();
        }
        if version.below(49) {
            self.firewall_backend = None;
            for commit in [&mut self.containerd_commit, &mut self.runc_commit, &mut self.init_commit] {
                commit.expected.clone_from(&commit.id);
            }
        }
        if version.below(46) {
            self.containerd = None;
        }
        if version.below(44) {
            for runtime in self.runtimes.values_mut() {
                runtime.status.clear();
            }
        }
        if version.below(25) {
            self.security_options = self.security_options.iter().filter_map(|o| old_security_option(o)).collect();
        }
    }
}

/// Before 1.25 an option was its bare name: `name=seccomp,profile=builtin` is `seccomp`.
fn old_security_option(option: &str) -> Option<String> {
    option.split(',').find_map(|part| part.strip_prefix("name=")).map(str::to_owned)
}
