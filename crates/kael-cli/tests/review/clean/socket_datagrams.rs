use std::net::UdpSocket;

async fn first(socket: &UdpSocket) -> std::io::Result<usize> {
    socket.set_nonblocking(true)?;
    let mut buf = [0; 1500];
    let (len, _) = socket.recv_from(&mut buf)?;
    compio::runtime::spawn(async {}).await;
    Ok(len)
}
