//! Frames of the [`protocol`](crate::protocol): a little-endian `u32` length and that many bytes of JSON.

use crate::protocol::MAX_FRAME;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

const HEADER: usize = 4;

/// One message as it goes over the wire.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; HEADER];
    serde_json::to_writer(&mut frame, message)?;
    let len = frame.len() - HEADER;
    if len > MAX_FRAME {
        return Err(invalid(format!("a message of {len} bytes is too long")));
    }
    frame[..HEADER].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(frame)
}

/// Takes the first message off `received`; None while it is not whole.
pub fn take<T: DeserializeOwned>(received: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some(len) = received.first_chunk::<HEADER>().map(|h| u32::from_le_bytes(*h) as usize) else { return Ok(None) };
    if len > MAX_FRAME {
        return Err(invalid(format!("a frame of {len} bytes is too long")));
    }
    let Some(json) = received.get(HEADER..HEADER + len) else { return Ok(None) };
    let message = serde_json::from_slice(json)?;
    received.drain(..HEADER + len);
    Ok(Some(message))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Request;

    #[test]
    fn takes_frames_apart() {
        let mut received = Vec::new();
        let stream = [encode(&Request::Subscribe).unwrap(), encode(&Request::Ack(7)).unwrap()].concat();
        let mut taken = Vec::new();
        for byte in stream {
            received.push(byte);
            while let Some(request) = take::<Request>(&mut received).unwrap() {
                taken.push(request);
            }
        }
        assert!(matches!(taken[..], [Request::Subscribe, Request::Ack(7)]) && received.is_empty());
    }

    #[test]
    fn refuses_nonsense() {
        assert!(take::<Request>(&mut vec![0xff; 8]).is_err());
        assert!(take::<Request>(&mut vec![1, 0, 0, 0, b'{']).is_err());
        assert!(take::<Request>(&mut vec![2, 0, 0, 0, b'{']).unwrap().is_none());
    }
}
