//! Messages from the net. What must hold is asserted beside the parsers, which are private.

pub fn dns(data: &[u8]) {
    engine::fuzzing::dns(data);
}

pub fn websocket(data: &[u8]) {
    server::fuzz_websocket(data);
}
