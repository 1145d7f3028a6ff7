use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

async fn push(mut stream: TcpStream, mut news: watch::Receiver<u8>) {
    let text = vec![1; 1 << 20];
    loop {
        tokio::select! {
            biased;
            _ = news.changed() => continue,
            _ = stream.write_all(&text) => break, //~ lossy-select
        }
    }
}
