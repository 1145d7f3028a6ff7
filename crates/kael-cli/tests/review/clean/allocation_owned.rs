use compio::io::AsyncReadExt;
use compio::net::TcpStream;

async fn frames(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buf = Vec::with_capacity(4096);
    loop {
        let compio::BufResult(len, back) = stream.read(buf).await;
        println!("{}", len?);
        buf = back;
    }
}
