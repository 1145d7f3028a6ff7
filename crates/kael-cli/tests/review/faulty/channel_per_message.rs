use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

async fn serve(mut stream: TcpStream, store: mpsc::Sender<oneshot::Sender<u8>>) {
    let mut buf = vec![0; 4096];
    while let Ok(1..) = stream.read(&mut buf).await {
        let (reply, answer) = oneshot::channel(); //~ channel-in-io-loop
        let _ = store.send(reply).await;
        let _ = answer.await;
    }
}
