//! What is at a path, in a header.

use api::types::PathStat;
use base64::Engine as _;
use http::HeaderValue;
use values::{Error, Result};

use crate::answer::{Answer, json_line};

const HEADER: &str = "x-docker-container-path-stat";

/// The parameter `path`; Docker's sentence where it is missing.
pub(super) fn required(path: String) -> Result<String> {
    if path.is_empty() { Err(Error::invalid("bad parameter: pathcannot be empty")) } else { Ok(path) }
}

pub(super) fn with_stat(mut answer: Answer, stat: &PathStat) -> Answer {
    if let (Answer::Reply(response), Ok(mut line)) = (&mut answer, json_line(stat)) {
        line.pop();
        let text = base64::engine::general_purpose::STANDARD.encode(line);
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(HEADER, value);
        }
    }
    answer
}
