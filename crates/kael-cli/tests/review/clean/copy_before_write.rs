use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;

async fn shout(mut stream: TcpStream, log: Sender<Vec<u8>>) -> std::io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let len = stream.read(&mut buf).await?;
        buf[..len].make_ascii_uppercase();
        stream.write_all(&buf[..len]).await?;
        let _ = log.send(buf[..len].to_vec()).await;
    }
}
