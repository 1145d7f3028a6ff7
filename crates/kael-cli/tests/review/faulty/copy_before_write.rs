use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn shout(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let len = stream.read(&mut buf).await?;
        buf[..len].make_ascii_uppercase();
        stream.write_all(&buf[..len].to_vec()).await?; //~ copy-in-io-loop
    }
}
