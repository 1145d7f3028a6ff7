use kael_rt::net::TcpStream;

async fn relay(one: TcpStream, other: TcpStream) -> std::io::Result<()> {
    kael_rt::io::copy_bidirectional(&one, &other).await.map(drop).map_err(std::io::Error::other)
}
