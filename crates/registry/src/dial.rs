//! From an origin to a connection: names, addresses, proxies, TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::dns;
use crate::origin::Origin;
use crate::proxy::Proxy;
use crate::tls;

/// For one address, one handshake, one answer of a proxy.
const PATIENCE: Duration = Duration::from_secs(15);
/// A proxy's answer to `CONNECT` is no longer.
const ANSWER_MAX: usize = 16 << 10;

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(crate) type BoxedStream = Box<dyn Stream>;

/// Connects to `origin`, by way of `proxy` where there is one. For what is not secure, a proxy wants whole URLs and is the
/// caller's to talk to.
///
/// # Errors
/// A sentence in the words of Go's `net`, which scripts know: `dial tcp 127.0.0.1:5000: connect: connection refused`.
pub(crate) async fn dial(
    origin: &Origin,
    proxy: Option<&Proxy>,
    tls: Option<Arc<ClientConfig>>,
    proxy_tls: Option<Arc<ClientConfig>>,
) -> Result<BoxedStream, String> {
    let first = proxy.map_or(origin, |proxy| &proxy.origin);
    let mut stream: BoxedStream = Box::new(connect(first).await?);
    if let Some(proxy) = proxy {
        if let Some(tls) = proxy_tls {
            stream = handshake(stream, &proxy.origin, tls).await?;
        }
        if origin.secure {
            tunnel(&mut stream, origin, proxy).await.map_err(|e| format!("proxyconnect tcp: {e}"))?;
        }
    }
    match tls {
        Some(tls) => handshake(stream, origin, tls).await,
        None => Ok(stream),
    }
}

async fn connect(origin: &Origin) -> Result<TcpStream, String> {
    let addresses = dns::lookup(&origin.host).await.map_err(|e| format!("dial tcp: {e}"))?;
    let mut last = String::new();
    for address in addresses {
        match connect_one(address, origin.port).await {
            Ok(stream) => {
                // small requests go out at once
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            // the first is IPv4's: who has no IPv6 is not helped by hearing of it
            Err(e) if last.is_empty() => last = e,
            Err(_) => {}
        }
    }
    Err(last)
}

async fn connect_one(address: IpAddr, port: u16) -> Result<TcpStream, String> {
    let address = SocketAddr::new(address, port);
    match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(e)) => Err(format!("dial tcp {address}: connect: {}", values::system_words(&e))),
        Err(_) => Err(format!("dial tcp {address}: i/o timeout")),
    }
}

async fn handshake(stream: BoxedStream, origin: &Origin, config: Arc<ClientConfig>) -> Result<BoxedStream, String> {
    let name =
        ServerName::try_from(origin.host.clone()).map_err(|_| format!("tls: {:?} is no host name", origin.host))?;
    match timeout(PATIENCE, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(e)) => Err(tls_words(&e, origin)),
        Err(_) => Err("net/http: TLS handshake timeout".into()),
    }
}

/// What went wrong, and what may help.
fn tls_words(error: &std::io::Error, origin: &Origin) -> String {
    if let Some(words) = tls::refusal(error) {
        return words;
    }
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match of_tls {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => format!(
            "tls: failed to verify certificate: x509: certificate signed by unknown authority (its authority's certificate \
             belongs in /etc/docker/certs.d/{}/ca.crt)",
            origin.authority()
        ),
        Some(rustls::Error::InvalidCertificate(why)) => format!("tls: failed to verify certificate: x509: {why}"),
        Some(rustls::Error::InvalidMessage(_)) => "http: server gave HTTP response to HTTPS client".into(),
        Some(other) => format!("tls: {other}"),
        None => values::system_words(error),
    }
}

/// RFC 9110 §9.3.6
async fn tunnel(stream: &mut BoxedStream, origin: &Origin, proxy: &Proxy) -> Result<(), String> {
    let target = origin.host_and_port();
    let authorization = proxy.authorization.as_ref().map_or(String::new(), |a| format!("Proxy-Authorization: {a}\r\n"));
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        // byte by byte: what follows the head is not ours
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= ANSWER_MAX {
                return Err(std::io::Error::other("malformed HTTP response"));
            }
            answer.push(stream.read_u8().await?);
        }
        Ok(answer)
    };
    let answer = timeout(PATIENCE, exchange).await.map_err(|_| "i/o timeout")?.map_err(|e| values::system_words(&e))?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let line = answer.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some(status) if status.len() == 3 && status.starts_with('2') => Ok(()),
        Some(_) => Err(line.split_once(' ').map_or("", |(_, reason)| reason).to_owned()),
        None => Err("malformed HTTP response".into()),
    }
}
