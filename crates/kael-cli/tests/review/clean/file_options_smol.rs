use smol::fs::OpenOptions;
use smol::net::TcpStream;

async fn log(stream: TcpStream) -> std::io::Result<()> {
    let file = OpenOptions::new().append(true).open("log").await?;
    drop((file, stream));
    Ok(())
}

async fn on_a_thread() -> std::io::Result<std::fs::File> {
    smol::unblock(|| std::fs::OpenOptions::new().append(true).open("log")).await
}
