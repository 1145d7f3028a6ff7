use kael_rt::net::TcpStream;

async fn drain(stream: TcpStream) -> std::io::Result<()> {
    loop {
        let buf = Vec::with_capacity(16384); //~ unregistered-buffer
        let (result, buf) = stream.read(buf).await;
        if result? == 0 {
            return Ok(());
        }
        println!("{}", buf.len());
    }
}
