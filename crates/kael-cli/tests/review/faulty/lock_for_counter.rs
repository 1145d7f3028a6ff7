use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

async fn count(mut stream: TcpStream, total: Arc<Mutex<u64>>) -> std::io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let len = stream.read(&mut buf).await?;
        if len == 0 {
            return Ok(());
        }
        *total.lock().unwrap() += len as u64; //~ lock-in-io-loop
    }
}
