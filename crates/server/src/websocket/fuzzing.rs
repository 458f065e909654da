//! Entrance for `fuzz/`: a client's frames, however they are cut.

use super::frame::{Decoder, Event, Violation};
use super::multiplexed::Multiplexed;

/// The first byte says into how large pieces the others are cut; what is read is the same as in one piece.
pub fn frames(data: &[u8]) {
    let Some((step, bytes)) = data.split_first() else { return };
    let step = usize::from(*step).max(1);
    assert_eq!(read(bytes, step), read(bytes, bytes.len().max(1)));
    let strip = |step: usize| -> Vec<u8> {
        let mut framed = Multiplexed::default();
        bytes.chunks(step).flat_map(|piece| framed.strip(piece)).collect()
    };
    assert_eq!(strip(step), strip(bytes.len().max(1)));
}

/// Pieces of data next to each other are one; what came before a violation counts.
fn read(bytes: &[u8], step: usize) -> (Vec<Event>, Option<Violation>) {
    let mut decoder = Decoder::default();
    let mut events: Vec<Event> = Vec::new();
    for piece in bytes.chunks(step) {
        decoder.push(piece);
        loop {
            match (decoder.next(), events.last_mut()) {
                (Ok(Some(Event::Data(more))), Some(Event::Data(data))) => data.extend(more),
                (Ok(Some(event)), _) => events.push(event),
                (Ok(None), _) => break,
                (Err(violation), _) => return (events, Some(violation)),
            }
        }
    }
    (events, None)
}
