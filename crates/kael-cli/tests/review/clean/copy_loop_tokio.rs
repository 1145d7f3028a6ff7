use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn relay(mut from: TcpStream, mut to: TcpStream, key: u8) -> std::io::Result<()> {
    let mut buf = vec![0; 65536];
    loop {
        let len = from.read(&mut buf).await?;
        if len == 0 {
            return Ok(());
        }
        for byte in &mut buf[..len] {
            *byte ^= key;
        }
        to.write_all(&buf[..len]).await?;
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buf = vec![0; 65536];
    loop {
        let len = stream.read(&mut buf).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..len]).await?;
    }
}
