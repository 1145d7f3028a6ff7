use kael_rt::net::{TcpListener, TcpStream};
#[test]
fn ping_pong() {
    kael_rt::block_on(async {
        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = l.local_addr().unwrap();
        let server = kael_rt::spawn(async move {
            let (s, _) = l.accept().await.unwrap();
            let mut buf = Vec::with_capacity(64);
            loop {
                let (r, b) = s.read(buf).await;
                if r.unwrap() == 0 {
                    break;
                }
                let (r, b) = s.write_all(b).await;
                r.unwrap();
                buf = b;
            }
        });
        let c = TcpStream::connect(addr).await.unwrap();
        for i in 0..1000u32 {
            c.write_all(i.to_le_bytes().to_vec()).await.0.unwrap();
            let (r, b) = c.read_exact(vec![0; 4]).await;
            r.unwrap();
            assert_eq!(b, i.to_le_bytes());
        }
        c.close().await.unwrap();
        server.await.unwrap();
    });
}
