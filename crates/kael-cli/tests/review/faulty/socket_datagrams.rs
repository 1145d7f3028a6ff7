use std::net::UdpSocket;

async fn first(socket: &UdpSocket) -> std::io::Result<usize> {
    let mut buf = [0; 1500];
    let (len, _) = socket.recv_from(&mut buf)?; //~ blocking-socket
    compio::runtime::spawn(async {}).await;
    Ok(len)
}
