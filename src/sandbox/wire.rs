//! The listener and its connections: they can be cut in the middle of an answer, and a legacy server's 204 carries
//! bytes that HTTP does not allow.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The bytes that legacy servers, and current ones before 1.2.2, send after a 204 on a connection that they keep open.
const STRAY: &[u8; 64] = br#"{"error": {"fault": "computeFault", "code": 204, "message": ""}}"#;
const NO_CONTENT: &[u8] = b"HTTP/1.1 204";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

pub(super) struct Port {
    pub listener: TcpListener,
    /// True if a 204 carries its stray bytes.
    pub stray: bool,
}

pub(super) struct Wire {
    stream: TcpStream,
    cut: Cut,
    stray: bool,
    /// Accepted bytes that have not been written yet.
    pending: Vec<u8>,
}

/// Ends a connection before its answer is written.
#[derive(Clone, Default)]
pub(super) struct Cut(Arc<AtomicBool>);

impl Cut {
    pub(super) fn now(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Listener for Port {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // Small answers must not wait for each other; a failure only costs speed.
                    let _ = stream.set_nodelay(true);
                    let wire = Wire { stream, cut: Cut::default(), stray: self.stray, pending: Vec::new() };
                    return (wire, address);
                }
                // Out of descriptors, or a client that left: others can still be served.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Port>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Port>) -> Self {
        stream.io().cut.clone()
    }
}

impl Wire {
    fn write_pending(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.cut.0.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        ready!(self.write_pending(context))?;
        if !(self.stray && bytes.starts_with(NO_CONTENT) && bytes.ends_with(END_OF_HEAD)) {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        self.pending = with_stray(bytes);
        // Accepted as a whole; the following flush writes the rest.
        match self.write_pending(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_pending(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn with_stray(head: &[u8]) -> Vec<u8> {
    let fields = &head[..head.len() - END_OF_HEAD.len()];
    let length = format!("\r\ncontent-length: {}", STRAY.len());
    [fields, length.as_bytes(), END_OF_HEAD, STRAY].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legacy_204_carries_64_bytes_and_says_so() {
        let bytes = with_stray(b"HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n");
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 204 No Content\r\ndate: now\r\ncontent-length: 64\r\n\r\n\
             {\"error\": {\"fault\": \"computeFault\", \"code\": 204, \"message\": \"\"}}"
        );
    }
}
