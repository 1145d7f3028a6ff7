use kael_rt::net::TcpStream;

async fn head(stream: &TcpStream) -> std::io::Result<()> {
    let text = std::fs::read_to_string("head")?; //~ blocking-file
    let (result, _) = stream.write_all(text).await;
    result
}
