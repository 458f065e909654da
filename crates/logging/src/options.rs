use values::Timestamp;

/// What of a log is wanted, in the terms of `GET /containers/ID/logs`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub stdout: bool,
    pub stderr: bool,
    /// Only entries of this moment or later.
    pub since: Option<Timestamp>,
    /// Only entries of this moment or earlier; the first later one ends the reading.
    pub until: Option<Timestamp>,
    /// Only so many of the last entries of both streams together, counted before all other filters.
    pub tail: Option<u64>,
    /// `2006-01-02T15:04:05.000000000Z ` before each entry.
    pub timestamps: bool,
    /// `k=v,k=v ` (the line's attributes, URL-escaped, sorted) before each entry, after the time.
    pub details: bool,
    /// Docker's 8-byte header before each entry; false for a container with a terminal.
    pub framed: bool,
}
