use kael_rt::net::TcpStream;

async fn head(stream: &TcpStream) -> std::io::Result<()> {
    let text = kael_rt::fs::read_to_string("head").await?;
    let (result, _) = stream.write_all(text).await;
    result
}
