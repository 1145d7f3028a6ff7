use smol::io::AsyncWriteExt;
use smol::net::TcpStream;

async fn answer(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> std::io::Result<()> {
    stream.write_all(head).await?;
    stream.write_all(body).await?; //~ unbuffered-writes
    Ok(())
}
