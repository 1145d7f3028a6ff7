use kael_rt::buf::IoBuf;
use kael_rt::net::TcpStream;

async fn relay(from: &TcpStream, to: &TcpStream) -> std::io::Result<()> {
    let mut buf = Vec::with_capacity(65536);
    loop {
        let (len, received) = from.read(buf).await; //~ copy-loop
        if len? == 0 {
            return Ok(());
        }
        let (result, sent) = to.write_all(received).await;
        result?;
        buf = sent;
    }
}
