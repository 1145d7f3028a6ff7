use tokio::net::TcpStream;

async fn answer(stream: &TcpStream) -> std::io::Result<()> {
    // kael: allow(blocking-file): there is no such call here //~ bad-exception
    stream.writable().await?;
    // kael: allow(blocking-fiel): a misspelt name //~ bad-exception
    stream.writable().await?;
    std::fs::read("a")?; // kael: allow(blocking-sleep): another rule //~ blocking-file bad-exception
    std::fs::read("b")?; // kael: allow(blocking-file) //~ bad-exception
    Ok(())
}
