use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;

async fn sum(mut stream: TcpStream) -> std::io::Result<u64> {
    let mut sum = 0;
    let mut buf = vec![0; 16384];
    loop {
        let len = stream.read(&mut buf).await?;
        if len == 0 {
            return Ok(sum);
        }
        sum += buf[..len].iter().map(|&byte| u64::from(byte)).sum::<u64>();
    }
}

async fn pass_on(mut stream: TcpStream, to: Sender<Vec<u8>>) -> std::io::Result<()> {
    loop {
        let mut buf = vec![0; 16384];
        let len = stream.read(&mut buf).await?;
        buf.truncate(len);
        if len == 0 || to.send(buf).await.is_err() {
            return Ok(());
        }
    }
}
