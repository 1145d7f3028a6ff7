use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn relay(mut from: TcpStream, mut to: TcpStream) -> std::io::Result<()> {
    let mut buf = vec![0; 65536];
    loop {
        let len = from.read(&mut buf).await?; //~ copy-loop
        if len == 0 {
            return Ok(());
        }
        to.write_all(&buf[..len]).await?;
    }
}
