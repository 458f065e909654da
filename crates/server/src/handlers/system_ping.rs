use api::endpoints::SystemPing;
use engine::Engine;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA};
use values::Result;

use crate::answer::Answer;
use crate::body::Body;
use crate::call::Call;

/// Says that the daemon is there.
pub(crate) async fn system_ping(_: Call<Engine, SystemPing>) -> Result<Answer> {
    Ok(Answer::Reply(pong(Body::full("OK"))))
}

/// The reply to a ping; what clients look at are its headers.
pub(super) fn pong(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(HeaderName::from_static("builder-version"), "2");
    set(HeaderName::from_static("swarm"), "inactive");
    set(CACHE_CONTROL, "no-cache, no-store, must-revalidate");
    set(PRAGMA, "no-cache");
    set(CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let response = pong(Body::empty());
        let mut headers: Vec<String> =
            response.headers().iter().map(|(k, v)| format!("{k}: {}", v.to_str().expect("text"))).collect();
        headers.sort();
        assert_eq!(
            headers,
            [
                "builder-version: 2",
                "cache-control: no-cache, no-store, must-revalidate",
                "content-type: text/plain; charset=utf-8",
                "pragma: no-cache",
                "swarm: inactive"
            ]
        );
    }
}
