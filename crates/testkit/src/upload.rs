//! Content put into a registry as it is, also such as no client would make.

use std::io::{Read, Write};
use std::net::TcpStream;

use sha2::{Digest as _, Sha256};

use crate::{Daemon, Registry};

/// `sha256:…`
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Registry {
    /// Puts a blob; its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let begun = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"");
        let place = begun.lines().find_map(|line| line.strip_prefix("Location: ")).expect("where to upload to");
        let target = place.split_once(&self.host()).map_or(place, |(_, target)| target);
        let digest = digest(bytes);
        let separator = if target.contains('?') { '&' } else { '?' };
        self.ask("PUT", &format!("{target}{separator}digest={digest}"), "application/octet-stream", bytes);
        digest
    }

    /// Puts a manifest or an index; its digest.
    pub fn put_manifest(&self, repository: &str, tag: &str, kind: &str, bytes: &[u8]) -> String {
        self.ask("PUT", &format!("/v2/{repository}/manifests/{tag}"), kind, bytes);
        digest(bytes)
    }

    /// Puts an image as that daemon has it: a push would compress its plain layers.
    pub fn put_image(&self, daemon: &Daemon, image: &str, repository: &str, tag: &str) {
        let blobs = daemon.directory.join("data/images/blobs/sha256");
        let read = |digest: &str| std::fs::read(blobs.join(&digest[7..])).expect("content");
        let manifest = read(daemon.inspect(image, "{{.Id}}").trim());
        let document: serde_json::Value = serde_json::from_slice(&manifest).expect("a manifest");
        for part in document["layers"].as_array().expect("layers").iter().chain([&document["config"]]) {
            self.put_blob(repository, &read(part["digest"].as_str().expect("a digest")));
        }
        self.put_manifest(repository, tag, document["mediaType"].as_str().expect("a type"), &manifest);
    }

    /// The reply, which must be one of success.
    fn ask(&self, method: &str, target: &str, kind: &str, body: &[u8]) -> String {
        let host = self.host();
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(&host).expect("the registry");
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("a request");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("a reply");
        let reply = String::from_utf8_lossy(&reply).replace("\r\n", "\n");
        assert!(reply.starts_with("HTTP/1.1 20"), "{method} {target}: {reply}");
        reply
    }
}
