use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

async fn chat(stream: TcpStream) -> std::io::Result<()> {
    let mut line = String::new();
    BufReader::new(tokio::io::stdin()).read_line(&mut line).await?;
    stream.writable().await
}
