use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn list(mut stream: TcpStream, names: &[String]) -> std::io::Result<()> {
    for name in names {
        stream.write_all(name.as_bytes()).await?; //~ unbuffered-writes
    }
    Ok(())
}
