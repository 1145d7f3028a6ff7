use std::sync::Mutex;
use tokio::net::TcpStream;

async fn count(total: &Mutex<u64>, stream: &TcpStream) -> std::io::Result<()> {
    let mut total = total.lock().unwrap(); //~ lock-across-await
    stream.readable().await?;
    *total += 1;
    Ok(())
}
