use std::net::TcpStream;

async fn probe(addr: std::net::SocketAddr) -> bool {
    tokio::task::yield_now().await;
    TcpStream::connect(addr).is_ok() //~ blocking-socket
}
