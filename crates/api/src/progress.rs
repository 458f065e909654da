//! Progress streams: JSON objects, one after another, ended by `\r\n`.

use serde_json::value::RawValue;

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// One message of a progress stream (pull, push, load, import, build).
    #[serde(rename_all = "camelCase")]
    pub struct JsonMessage {
        /// Text to print as it is.
        #[serde(skip_serializing_if = "is_default")]
        pub stream: String,
        #[serde(skip_serializing_if = "is_default")]
        pub status: String,
        #[serde(skip_serializing_if = "is_default")]
        pub progress_detail: Option<ProgressDetail>,
        /// The bar of daemons before 28; only read.
        #[serde(skip_serializing_if = "is_default")]
        pub progress: String,
        /// What the status is about: a layer's short digest, a tag.
        #[serde(skip_serializing_if = "is_default")]
        pub id: String,
        #[serde(skip_serializing_if = "is_default")]
        pub error_detail: Option<ErrorDetail>,
        /// The same text as `error_detail.message`, for old clients.
        #[serde(skip_serializing_if = "is_default")]
        pub error: String,
        /// Data for programs, e.g. `{"ID":"sha256:.."}`.
        #[serde(skip_serializing_if = "is_default")]
        pub aux: Option<serde_json::Value>,
    }
}

wire! {
    /// How far something is; zeros are left out.
    #[serde(rename_all = "lowercase")]
    pub struct ProgressDetail {
        #[serde(skip_serializing_if = "is_default")]
        pub current: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub total: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub start: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub hidecounts: bool,
        #[serde(skip_serializing_if = "is_default")]
        pub units: String,
    }
}

wire! {
    /// Why a stream ended early.
    #[serde(rename_all = "lowercase")]
    pub struct ErrorDetail {
        #[serde(skip_serializing_if = "is_default")]
        pub code: i64,
        pub message: String,
    }
}

impl JsonMessage {
    pub fn stream(text: impl Into<String>) -> JsonMessage {
        JsonMessage { stream: text.into(), ..JsonMessage::default() }
    }

    pub fn status(text: impl Into<String>) -> JsonMessage {
        JsonMessage { status: text.into(), ..JsonMessage::default() }
    }

    /// A status about one thing, with or without figures.
    pub fn progress(id: impl Into<String>, status: impl Into<String>, detail: ProgressDetail) -> JsonMessage {
        JsonMessage { id: id.into(), status: status.into(), progress_detail: Some(detail), ..JsonMessage::default() }
    }

    /// The last message of a stream that failed.
    pub fn error(text: impl Into<String>) -> JsonMessage {
        let message: String = text.into();
        JsonMessage {
            error: message.clone(),
            error_detail: Some(ErrorDetail { code: 0, message }),
            ..JsonMessage::default()
        }
    }

    /// The error's text, whichever field has it.
    pub fn failure(&self) -> Option<&str> {
        match &self.error_detail {
            Some(detail) => Some(&detail.message),
            None if !self.error.is_empty() => Some(&self.error),
            None => None,
        }
    }

    /// The message as it goes on the wire.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.extend_from_slice(b"\r\n");
        line
    }
}

/// Cuts a stream of JSON objects, with whatever white space between them, into objects, however it was read.
#[derive(Debug, Default)]
pub struct Splitter {
    pending: Vec<u8>,
}

impl Splitter {
    pub fn new() -> Splitter {
        Splitter::default()
    }

    /// Adds bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Takes the next complete object; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The parser's, for what is not JSON or not a `T`.
    pub fn next_object<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, serde_json::Error> {
        let mut objects = serde_json::Deserializer::from_slice(&self.pending).into_iter::<Box<RawValue>>();
        match objects.next() {
            None => {
                self.pending.clear();
                Ok(None)
            }
            Some(Err(e)) if e.is_eof() => Ok(None),
            Some(Err(e)) => Err(e),
            Some(Ok(raw)) => {
                let used = objects.byte_offset();
                let value = serde_json::from_str(raw.get())?;
                self.pending.drain(..used);
                Ok(Some(value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check = |message: JsonMessage, expected: &str| {
            assert_eq!(String::from_utf8(message.to_line()).expect("utf-8"), format!("{expected}\r\n"));
        };
        check(JsonMessage::stream("Loaded image: a:b\n"), r#"{"stream":"Loaded image: a:b\n"}"#);
        check(JsonMessage::error("no"), r#"{"errorDetail":{"message":"no"},"error":"no"}"#);
        check(
            JsonMessage::progress("abc", "Extracting", ProgressDetail { current: 1, total: 2, ..Default::default() }),
            r#"{"status":"Extracting","progressDetail":{"current":1,"total":2},"id":"abc"}"#,
        );
        check(
            JsonMessage::progress("abc", "Pull complete", ProgressDetail::default()),
            r#"{"status":"Pull complete","progressDetail":{},"id":"abc"}"#,
        );
    }

    #[test]
    fn split_anywhere() {
        let wire = b"{\"status\":\"a\"}\r\n{\"status\":\"b\"}{\"error\":\"c\"}\n\n";
        for cut in 1..wire.len() {
            let mut splitter = Splitter::new();
            let mut got = Vec::new();
            for piece in wire.chunks(cut) {
                splitter.push(piece);
                while let Some(message) = splitter.next_object::<JsonMessage>().expect("valid") {
                    got.push(message.failure().map_or(message.status.clone(), str::to_owned));
                }
            }
            assert_eq!(got, ["a", "b", "c"], "cut {cut}");
        }
        let mut bad = Splitter::new();
        bad.push(b"<html>");
        assert!(bad.next_object::<JsonMessage>().is_err());
    }
}
