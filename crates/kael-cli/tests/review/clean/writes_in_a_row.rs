use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

async fn ask_twice(stream: &mut TcpStream, one: &[u8], two: &[u8]) -> std::io::Result<()> {
    let mut answer = [0; 64];
    stream.write_all(one).await?;
    stream.read_exact(&mut answer).await?;
    stream.write_all(two).await?;
    stream.read_exact(&mut answer).await
}

async fn to_each(one: &mut TcpStream, other: &mut TcpStream) -> std::io::Result<()> {
    one.write_all(b"hello").await?;
    other.write_all(b"hello").await
}
