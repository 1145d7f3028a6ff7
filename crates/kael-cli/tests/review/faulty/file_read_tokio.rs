use std::fs;
use tokio::net::TcpStream;

async fn answer(stream: &mut TcpStream, path: &str) -> std::io::Result<Vec<u8>> {
    let body = fs::read(path)?; //~ blocking-file
    stream.writable().await?;
    Ok(body)
}
