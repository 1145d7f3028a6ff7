//! Bytes that tell where in their stream they belong.
#![allow(dead_code, reason = "each test program uses a part of it")]

use kael_rt::net::TcpStream;

/// `len` bytes from position `at` on.
pub(crate) fn sequence(at: usize, len: usize) -> Vec<u8> {
    (at..at + len).map(|i| (i % 251) as u8).collect()
}

/// Fails if `bytes` are not those from position `at` on.
#[track_caller]
pub(crate) fn expect_piece(at: usize, bytes: &[u8]) {
    let differs = bytes.iter().enumerate().find(|(i, byte)| **byte != ((at + i) % 251) as u8);
    if let Some((i, _)) = differs {
        panic!("bytes at {} are lost, twice, or out of order", at + i);
    }
}

/// Reads `len` bytes, which must be those from position 0 on.
pub(crate) async fn expect_sequence(stream: &TcpStream, len: usize) {
    let mut at = 0;
    while at < len {
        let (n, bytes) = stream.read(Vec::with_capacity(64 * 1024)).await;
        assert!(n.unwrap() > 0, "the stream ended after {at} bytes of {len}");
        expect_piece(at, &bytes);
        at += bytes.len();
    }
    assert_eq!(at, len, "more came than was written");
}
