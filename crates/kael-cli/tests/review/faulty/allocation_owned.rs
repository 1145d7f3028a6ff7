use compio::io::AsyncReadExt;
use compio::net::TcpStream;

async fn frames(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let buf = Vec::with_capacity(4096); //~ allocation-in-io-loop
        let compio::BufResult(len, buf) = stream.read(buf).await;
        println!("{} of {}", len?, buf.len());
    }
}
