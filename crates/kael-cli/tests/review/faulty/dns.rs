use std::net::ToSocketAddrs;
use tokio::net::TcpStream;

async fn dial(host: &str) -> std::io::Result<TcpStream> {
    let addr = (host, 443).to_socket_addrs()?.next(); //~ blocking-dns
    TcpStream::connect(addr.ok_or(std::io::ErrorKind::NotFound)?).await
}
