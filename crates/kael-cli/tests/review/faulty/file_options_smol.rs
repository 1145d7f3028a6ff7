use smol::net::TcpStream;
use std::fs::OpenOptions;

async fn log(stream: TcpStream) -> std::io::Result<()> {
    let file = OpenOptions::new()
        .append(true)
        .open("log")?; //~ blocking-file
    drop((file, stream));
    Ok(())
}
