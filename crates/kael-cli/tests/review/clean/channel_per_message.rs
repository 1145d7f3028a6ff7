use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

async fn serve(mut stream: TcpStream, store: mpsc::Sender<mpsc::Sender<u8>>) {
    let mut buf = vec![0; 4096];
    let (reply, mut answers) = mpsc::channel(1);
    while let Ok(1..) = stream.read(&mut buf).await {
        let _ = store.send(reply.clone()).await;
        let _ = answers.recv().await;
    }
}

async fn accept(listener: TcpListener) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (store, _) = mpsc::channel(1);
        tokio::spawn(serve(stream, store));
    }
}
