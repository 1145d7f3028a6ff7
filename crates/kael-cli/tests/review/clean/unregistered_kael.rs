use kael_rt::net::TcpStream;

async fn drain(stream: TcpStream) -> std::io::Result<()> {
    let mut buf = Vec::with_capacity(16384);
    loop {
        let (result, back) = stream.read(buf).await;
        if result? == 0 {
            return Ok(());
        }
        println!("{}", back.len());
        buf = back;
    }
}
