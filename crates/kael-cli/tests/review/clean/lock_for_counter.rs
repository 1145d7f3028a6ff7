use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

async fn count(mut stream: TcpStream, total: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let len = stream.read(&mut buf).await?;
        if len == 0 {
            return Ok(());
        }
        total.fetch_add(len as u64, Ordering::Relaxed);
    }
}

async fn add_up(mut stream: TcpStream, total: Arc<Mutex<u64>>) -> std::io::Result<()> {
    let mut buf = vec![0; 4096];
    let mut own = 0;
    while let len @ 1.. = stream.read(&mut buf).await? {
        own += len as u64;
    }
    *total.lock().unwrap() += own;
    Ok(())
}
