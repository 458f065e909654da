//! TLS: whom we believe and who we say we are. Authorities come from the system's bundle, read as files, and from the
//! directories of certificates (`certs.d/HOST[:PORT]/`, as Docker has them).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use values::{Error, Result};

use crate::origin::Origin;

/// Where distributions keep their bundles; the first that is there counts.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What `certs.d` has for one registry.
#[derive(Debug, Default, PartialEq, Eq)]
struct Files {
    authorities: Vec<PathBuf>,
    /// Certificate and key.
    pair: Option<(PathBuf, PathBuf)>,
}

/// For connections to `origin`. Reads files: to be called where that may block.
///
/// # Errors
/// `InvalidArgument` naming a file that is no certificate or key, or a pair of which one is missing.
pub(crate) fn configure(origin: &Origin, insecure: bool, directories: &[PathBuf]) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let files =
        directories.iter().find_map(|directory| find(directory, origin).transpose()).transpose()?.unwrap_or_default();
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::internal(format!("TLS: {e}")))?;
    let builder = if insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
    } else {
        builder.with_root_certificates(roots(&files.authorities)?)
    };
    let config = match &files.pair {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| bad(key, &e))?;
            builder.with_client_auth_cert(chain, secret).map_err(|e| bad(certificate, &e))?
        }
    };
    Ok(Arc::new(config))
}

/// What the other side has against the handshake, in the words of Docker's library; `None`: the error is another one.
pub(crate) fn refusal(error: &std::io::Error) -> Option<String> {
    let rustls::Error::AlertReceived(alert) = error.get_ref()?.downcast_ref::<rustls::Error>()? else { return None };
    let words = match alert {
        rustls::AlertDescription::UnknownCA => "unknown certificate authority".into(),
        other => format!("{other:?}").chars().fold(String::new(), |mut words, letter| {
            if letter.is_ascii_uppercase() && !words.is_empty() {
                words.push(' ');
            }
            words.push(letter.to_ascii_lowercase());
            words
        }),
    };
    Some(format!("remote error: tls: {words}"))
}

fn bad(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::invalid(format!("could not load X509 certificate or key {}: {why}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(path).map_err(|e| bad(path, &e))?;
    all.collect::<std::result::Result<_, _>>().map_err(|e| bad(path, &e))
}

/// The directory of `origin` below `directory`: with the port, or without where it is the scheme's own.
fn find(directory: &Path, origin: &Origin) -> Result<Option<Files>> {
    let names = [origin.host_and_port(), origin.authority()];
    let Some(own) = names.iter().map(|name| directory.join(name)).find(|path| path.is_dir()) else { return Ok(None) };
    let entries = std::fs::read_dir(&own).map_err(|e| bad(&own, &e))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let with =
        |extension: &'static str| paths.iter().filter(move |path| path.extension().is_some_and(|e| e == extension));
    let mut files = Files { authorities: with("crt").cloned().collect(), pair: None };
    let missing =
        |there: &Path, wanted: &Path| Error::invalid(format!("missing {} for {}", wanted.display(), there.display()));
    for certificate in with("cert") {
        let key = certificate.with_extension("key");
        if !key.exists() {
            return Err(missing(certificate, &key));
        }
        files.pair.get_or_insert((certificate.clone(), key));
    }
    for key in with("key") {
        let certificate = key.with_extension("cert");
        if !certificate.exists() {
            return Err(missing(key, &certificate));
        }
    }
    Ok(Some(files))
}

fn roots(more: &[PathBuf]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for path in bundle() {
        // one odd certificate in the bundle must not make all others worthless
        let all = CertificateDer::pem_file_iter(&path).into_iter().flatten().flatten();
        roots.add_parsable_certificates(all);
    }
    for path in more {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|e| bad(path, &e))?;
        }
    }
    Ok(roots)
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR`, as OpenSSL and Go have them, else the distribution's file.
fn bundle() -> Vec<PathBuf> {
    let file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let directories = std::env::var_os("SSL_CERT_DIR");
    let mut files: Vec<PathBuf> = match file {
        Some(file) => vec![file],
        None if directories.is_some() => Vec::new(),
        None => BUNDLES.iter().map(PathBuf::from).filter(|path| path.is_file()).take(1).collect(),
    };
    for directory in directories.iter().flat_map(std::env::split_paths) {
        files.extend(std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    files
}

/// Believes anyone, for registries that are said to be insecure.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_dockers_words() {
        let words = |alert| refusal(&std::io::Error::other(rustls::Error::AlertReceived(alert)));
        let seen = words(rustls::AlertDescription::BadCertificate);
        assert_eq!(seen.as_deref(), Some("remote error: tls: bad certificate"));
        let seen = words(rustls::AlertDescription::UnknownCA);
        assert_eq!(seen.as_deref(), Some("remote error: tls: unknown certificate authority"));
        assert_eq!(refusal(&std::io::Error::other("else")), None);
    }

    #[test]
    fn directories() {
        let root = std::env::temp_dir().join(format!("lighter-certs-{}", std::process::id()));
        let own = root.join("r.example:5000");
        std::fs::create_dir_all(&own).unwrap();
        let origin = Origin::new(true, "r.example:5000").unwrap();
        let touch = |name: &str| std::fs::write(own.join(name), "").unwrap();
        assert_eq!(find(&root, &Origin::new(true, "other").unwrap()).unwrap(), None);
        touch("ca.crt");
        touch("client.cert");
        assert!(find(&root, &origin).unwrap_err().message.starts_with("missing "));
        touch("client.key");
        let files = find(&root, &origin).unwrap().unwrap();
        assert_eq!(files.authorities, [own.join("ca.crt")]);
        assert_eq!(files.pair, Some((own.join("client.cert"), own.join("client.key"))));
        std::fs::write(own.join("ca.crt"), "no certificate").unwrap();
        assert!(configure(&origin, false, std::slice::from_ref(&root)).is_err());
        std::fs::remove_dir_all(&root).unwrap();
        assert!(configure(&origin, true, &[]).is_ok());
    }
}
