use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpStream;

async fn shout(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let (len, mut back) = stream.read(buf).await;
        let len = len?;
        back[..len].make_ascii_uppercase();
        stream.write_all(back[..len].to_vec()).await.0?; //~ copy-in-io-loop
        buf = back;
    }
}
