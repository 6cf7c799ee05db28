//! The part of the websocket protocol that listening needs: frames in, pongs out. Pure.

/// No honest message is longer.
const LONGEST: usize = 16 << 20;

/// A frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A piece of a message; `last` marks the final one.
    Text {
        piece: Vec<u8>,
        last: bool,
    },
    /// To be answered with the same bytes.
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// Takes the first frame out of `buffer`; `None` while it is incomplete.
///
/// # Errors
/// Bytes that are not a websocket's.
pub(super) fn take(buffer: &mut Vec<u8>) -> Result<Option<Frame>, String> {
    let [first, second, ..] = buffer[..] else { return Ok(None) };
    if second & 0x80 != 0 {
        return Err("a server's frame is masked".to_owned());
    }
    let (length, header) = match second & 0x7f {
        126 => match buffer.get(2..4) {
            Some(bytes) => (usize::from(u16::from_be_bytes([bytes[0], bytes[1]])), 4),
            None => return Ok(None),
        },
        127 => match buffer.get(2..10).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
            Some(bytes) => (usize::try_from(u64::from_be_bytes(bytes)).unwrap_or(usize::MAX), 10),
            None => return Ok(None),
        },
        short => (usize::from(short), 2),
    };
    if length > LONGEST {
        return Err(format!("a frame of {length} bytes"));
    }
    if buffer.len() < header + length {
        return Ok(None);
    }
    let payload = buffer[header..header + length].to_vec();
    buffer.drain(..header + length);
    Ok(Some(match first & 0x0f {
        0x0..=0x2 => Frame::Text { piece: payload, last: first & 0x80 != 0 },
        0x8 => Frame::Close,
        0x9 => Frame::Ping(payload),
        0xa => Frame::Pong,
        other => return Err(format!("a frame of the unknown kind {other}")),
    }))
}

/// The answer to a ping. A client masks everything that it sends; a mask of zeros changes nothing.
pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    // Control frames have at most 125 bytes.
    let payload = &payload[..payload.len().min(125)];
    let length = u8::try_from(payload.len()).unwrap_or(125);
    [&[0x8a, 0x80 | length, 0, 0, 0, 0][..], payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_one_by_one_and_only_whole() {
        let mut buffer = vec![0x81, 2, b'h', b'i', 0x89, 1, b'x', 0x88, 0];
        assert_eq!(take(&mut buffer), Ok(Some(Frame::Text { piece: b"hi".to_vec(), last: true })));
        assert_eq!(take(&mut buffer), Ok(Some(Frame::Ping(b"x".to_vec()))));
        assert_eq!(take(&mut buffer), Ok(Some(Frame::Close)));
        assert_eq!(take(&mut buffer), Ok(None));
        let mut long = vec![0x01, 126, 1, 0];
        assert_eq!(take(&mut long), Ok(None));
        long.extend(vec![b'a'; 256]);
        assert_eq!(take(&mut long), Ok(Some(Frame::Text { piece: vec![b'a'; 256], last: false })));
        assert!(long.is_empty());
        assert!(take(&mut vec![0x81, 0x82, 0, 0, 0, 0, 1, 2]).is_err());
        assert!(take(&mut vec![0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
    }

    #[test]
    fn a_ping_is_answered_with_its_own_bytes() {
        assert_eq!(pong(b"x"), [0x8a, 0x81, 0, 0, 0, 0, b'x']);
    }
}
