//! Whether a registry's token server may be shown the registry's credentials.
//!
//! A registry names its token server itself, in a challenge. Anybody who can answer in its place could name his own, so
//! credentials go only where the registry's name vouches for it: to the same host, to a host of the same organisation's domain
//! (`registry.example.com` and `auth.example.com`, `registry.gitlab.com` and `gitlab.com`), to Docker Hub's, or to a host that the
//! administrator named. And never without TLS, unless the registry itself has none.

use crate::config::TokenHost;
use crate::origin::Origin;

/// Second labels of two-letter domains that belong to no one organisation (`co.uk`, `com.au`).
const SHARED_SECOND: &[&str] =
    &["co", "com", "net", "org", "gov", "edu", "ac", "or", "ne", "go", "gob", "gov", "gouv", "mil"];
/// Domains whose subdomains belong to different people.
const SHARED: &[&str] = &[
    "azurecr.io",
    "amazonaws.com",
    "cloudapp.net",
    "azurewebsites.net",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "appspot.com",
    "run.app",
    "pkg.dev",
    "web.app",
    "vercel.app",
    "netlify.app",
    "pages.dev",
    "workers.dev",
    "fly.dev",
    "duckdns.org",
    "ngrok.io",
    "ngrok-free.app",
    "trycloudflare.com",
    "nip.io",
    "sslip.io",
    "ts.net",
    "azurefd.net",
    "azureedge.net",
    "windows.net",
    "cloudfront.net",
    "googleusercontent.com",
    "firebaseapp.com",
    "onrender.com",
    "railway.app",
    "digitaloceanspaces.com",
    "ondigitalocean.app",
    "r2.dev",
    "deno.dev",
    "ngrok.app",
    "ngrok.dev",
    "loca.lt",
    "ddns.net",
    "dyndns.org",
    "dynu.net",
    "hopto.org",
    "no-ip.org",
    "synology.me",
    "myfritz.net",
    "dedyn.io",
];

pub(crate) fn is_trusted(registry: &Origin, realm: &Origin, named: &[TokenHost]) -> bool {
    if registry.secure && !realm.secure {
        return false;
    }
    let (host, other) = (registry.host.as_str(), realm.host.as_str());
    if host == other {
        return true;
    }
    let is_named = |t: &TokenHost| {
        [host.to_owned(), registry.authority(), registry.host_and_port()].contains(&t.registry)
            && [other.to_owned(), realm.authority(), realm.host_and_port()].contains(&t.host)
    };
    if named.iter().any(is_named) {
        return true;
    }
    if [host, other].iter().any(|h| h.parse::<std::net::IpAddr>().is_ok()) {
        return false;
    }
    match (organisation(host), organisation(other)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// The domain that one organisation holds: two labels, three where the second is no one's own.
fn organisation(host: &str) -> Option<&str> {
    let labels: Vec<&str> = host.split('.').collect();
    if labels.len() < 2 || labels.iter().any(|label| label.is_empty()) {
        return None;
    }
    let tail = |n: usize| {
        let length: usize = labels[labels.len() - n..].iter().map(|l| l.len() + 1).sum();
        &host[host.len() + 1 - length..]
    };
    let shared_second = labels[labels.len() - 1].len() == 2 && SHARED_SECOND.contains(&labels[labels.len() - 2]);
    let needed = if shared_second { 3 } else { 2 };
    if labels.len() < needed || SHARED.iter().any(|s| host == *s || host.ends_with(&format!(".{s}"))) {
        return None;
    }
    Some(tail(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_see_credentials() {
        let named = ["r.example=tokens.net".parse().unwrap()];
        for (registry, realm, expected) in [
            ("https://registry-1.docker.io", "https://auth.docker.io", true),
            ("https://registry.gitlab.com", "https://gitlab.com", true),
            ("https://ghcr.io", "https://ghcr.io", true),
            ("https://quay.io:8443", "https://quay.io", true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001", true),
            ("https://r.example", "https://tokens.net", true),
            ("https://r.example", "http://tokens.net", false),
            ("https://r.example", "https://evil.net", false),
            ("https://ghcr.io", "http://ghcr.io", false),
            ("https://a.azurecr.io", "https://b.azurecr.io", false),
            ("https://a.tail1.ts.net", "https://b.tail2.ts.net", false),
            ("https://a.co.uk", "https://b.co.uk", false),
            ("https://a.b.co.uk", "https://c.b.co.uk", true),
            ("http://127.0.0.1:5000", "http://127.0.0.2:5000", false),
            ("https://10.0.0.1", "https://11.0.0.1", false),
            ("https://localhost", "https://example.com", false),
            ("https://docker.io.evil.com", "https://auth.docker.io", false),
        ] {
            let origin = |url: &str| Origin::of_url(url).unwrap().0;
            assert_eq!(is_trusted(&origin(registry), &origin(realm), &named), expected, "{registry} {realm}");
        }
    }
}
