//! The feature `rio` where the system has no registered I/O: that is said, and everything goes through the completion port.

#![cfg(all(windows, feature = "rio", not(kael_rio = "model")))]

use kael_rt::net::{TcpListener, TcpStream, UdpSocket};

#[test]
fn without_registered_io_it_is_said_and_all_use_the_port() {
    let runtime = kael_rt::runtime::Builder::new().build().unwrap();
    let granted = runtime.granted();
    if granted.interface != "IOCP" {
        return println!("not run: this system has registered I/O");
    }
    let remark = granted.remarks.iter().find(|it| it.fact == "No registered I/O").unwrap();
    assert!(remark.follows.contains("10045"), "{}", remark.follows);
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        one.write_all("hello").await.0.unwrap();
        assert_eq!(other.read_exact(vec![0; 5]).await.1, b"hello");
        assert!(one.into_std().is_ok());
        let (one, other) = (
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        );
        one.send_to("hello", other.local_addr().unwrap()).await.0.unwrap();
        assert_eq!(other.recv(Vec::with_capacity(8)).await.1, b"hello");
        // The system's peer, as often as you like.
        for _ in 0..2 {
            other.connect(one.local_addr().unwrap()).await.unwrap();
        }
        assert_eq!(other.send("you").await.0.unwrap(), 3);
    });
}
