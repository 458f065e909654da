//! Which of the forms of a stream of JSON objects a client wants.

use http::header::{ACCEPT, HeaderMap, HeaderValue};

/// The forms in which a stream of JSON objects can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonForm {
    /// One object a line, under the plain name that clients know since ever.
    Json,
    NdJson,
    JsonLines,
    /// RFC 7464: each object follows a record separator.
    JsonSeq,
}

impl JsonForm {
    /// The first form that the `Accept` header names; the plain one when it names none.
    pub(crate) fn accepted(headers: &HeaderMap) -> JsonForm {
        headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(|range| match range.split(';').next().unwrap_or_default().trim() {
                "application/json" | "*/*" | "application/*" => Some(JsonForm::Json),
                "application/x-ndjson" => Some(JsonForm::NdJson),
                "application/jsonl" => Some(JsonForm::JsonLines),
                "application/json-seq" => Some(JsonForm::JsonSeq),
                _ => None,
            })
            .unwrap_or(JsonForm::Json)
    }

    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            JsonForm::Json => "application/json",
            JsonForm::NdJson => "application/x-ndjson",
            JsonForm::JsonLines => "application/jsonl",
            JsonForm::JsonSeq => "application/json-seq",
        })
    }

    /// A line of JSON as it is sent.
    pub(crate) fn frame(self, mut line: Vec<u8>) -> Vec<u8> {
        if self == JsonForm::JsonSeq {
            line.insert(0, 0x1e);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept() {
        let check = |accept: &'static str, expected| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(JsonForm::accepted(&headers), expected, "{accept}");
        };
        check("*/*", JsonForm::Json);
        check("text/html", JsonForm::Json);
        check("application/jsonl", JsonForm::JsonLines);
        check("text/html, application/json-seq;q=0.9, */*", JsonForm::JsonSeq);
        check("application/x-ndjson,application/json", JsonForm::NdJson);
        assert_eq!(JsonForm::accepted(&HeaderMap::new()), JsonForm::Json);
    }
}
