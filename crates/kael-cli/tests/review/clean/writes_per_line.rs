use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::net::TcpStream;

async fn list(stream: TcpStream, names: &[String]) -> std::io::Result<()> {
    let mut out = BufWriter::new(stream);
    for name in names {
        out.write_all(name.as_bytes()).await?;
    }
    out.flush().await
}
