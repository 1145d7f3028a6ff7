//! The types of `bytes` as buffers. Their bytes are moved where they lie.

#![cfg(feature = "bytes")]

use bytes::{Bytes, BytesMut};
use kael_rt::buf::{IoBuf, IoBufMut};
use kael_rt::net::{TcpListener, TcpStream};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[kael_rt::test]
async fn shared_bytes_are_sent_from_where_they_lie_and_come_back() {
    let (client, server) = pair().await;
    let page = Bytes::from(vec![7; 10_000]);
    let place = page.as_ptr();
    // Two owners of the same memory.
    let (result, sent) = client.write_all(Bytes::slice(&page, 1_000..)).await;
    result.unwrap();
    assert_eq!((sent.as_ptr(), sent.len()), (place.wrapping_add(1_000), 9_000));
    let (result, received) = server.read_exact(vec![0; 9_000]).await;
    result.unwrap();
    assert_eq!(received, page[1_000..]);
}

#[kael_rt::test]
async fn a_read_fills_the_whole_room_of_mutable_bytes() {
    let (client, server) = pair().await;
    client.write_all(b"hello".to_vec()).await.0.unwrap();
    let mut room = BytesMut::with_capacity(64);
    room.extend_from_slice(b"what was there before");
    let place = room.as_ptr();
    let (result, mut room) = server.read(room).await;
    assert_eq!(result.unwrap(), 5);
    assert_eq!((&room[..], room.as_ptr()), (&b"hello"[..], place));
    assert_eq!(room.as_uninit().len(), room.capacity());
}

#[kael_rt::test]
async fn exactly_so_many_bytes_are_read_as_mutable_bytes_are_long() {
    let (client, server) = pair().await;
    client.write_all(b"0123456789".to_vec()).await.0.unwrap();
    let (result, first) = server.read_exact(BytesMut::zeroed(4)).await;
    result.unwrap();
    assert_eq!(first.freeze(), "0123");
    let (result, rest) = server.read_exact(BytesMut::zeroed(6).slice(2..)).await;
    result.unwrap();
    assert_eq!(rest.into_inner(), &b"\0\x004567"[..]);
}

#[test]
#[should_panic(expected = "more bytes than the buffer has room for")]
fn no_more_is_said_to_be_there_than_there_is_room_for() {
    let mut room = BytesMut::with_capacity(8);
    let capacity = room.capacity();
    // SAFETY: it panics before anything is believed.
    unsafe { room.set_init(capacity + 1) };
}
