use tokio::net::TcpStream;

async fn probe(addr: std::net::SocketAddr) -> bool {
    TcpStream::connect(addr).await.is_ok()
}
