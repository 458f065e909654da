//! The API server: HTTP in front of the engine.
//!
//! A connection ([`connection`]) carries requests to the router ([`router`]), which finds a row of the visible table in
//! [`routes`]; the row's handler (`handlers/<noun>_<verb>.rs`) calls the engine and answers ([`answer`]). Endpoints that
//! turn a connection into a stream take the socket out of HTTP altogether ([`hijack`], [`relay`]). What differs between
//! versions of the API is decided in `api::versions`, which kind of error has which status in [`status`].

mod answer;
mod body;
mod call;
mod connection;
mod detach_keys;
mod handlers;
mod hijack;
mod json_list;
mod listener;
mod media;
mod not_yet;
mod platform;
mod relay;
mod request_body;
mod router;
mod routes;
mod serve;
mod socket;
mod status;
mod upload;
mod websocket;

pub use listener::Listener;
pub use serve::serve;
pub use socket::Socket;
#[cfg(fuzzing)]
pub use websocket::frames as fuzz_websocket;
