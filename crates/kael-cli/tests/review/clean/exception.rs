use tokio::net::TcpStream;

async fn answer(stream: &TcpStream) -> std::io::Result<&'static str> {
    // kael: allow(blocking-file): the file lies in memory, on tmpfs
    std::fs::read("/dev/shm/head")?;
    std::fs::read("/dev/shm/body")?; // kael: allow(blocking-file, blocking-dns): as above
    stream.writable().await?;
    Ok("// kael: allow(blocking-file): a text and no comment")
}
