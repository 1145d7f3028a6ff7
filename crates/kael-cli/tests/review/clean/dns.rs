use std::net::ToSocketAddrs;
use tokio::net::TcpStream;

async fn dial(host: &str) -> std::io::Result<TcpStream> {
    let own = "127.0.0.1:443".to_socket_addrs()?.next();
    let addr = tokio::net::lookup_host((host, 443)).await?.next().or(own);
    TcpStream::connect(addr.ok_or(std::io::ErrorKind::NotFound)?).await
}
