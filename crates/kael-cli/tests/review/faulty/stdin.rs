use tokio::net::TcpStream;

async fn chat(stream: TcpStream) -> std::io::Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?; //~ blocking-stdin
    stream.writable().await
}
