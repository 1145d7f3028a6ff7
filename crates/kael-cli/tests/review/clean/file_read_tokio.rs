use tokio::fs;
use tokio::net::TcpStream;

async fn answer(stream: &mut TcpStream, path: &str) -> std::io::Result<Vec<u8>> {
    let body = fs::read(path).await?;
    stream.writable().await?;
    Ok(body)
}

// Nobody else runs on a thread that calls this.
fn at_start(path: &str) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}
