use std::sync::Mutex;
use tokio::net::TcpStream;

async fn count(total: &Mutex<u64>, stream: &TcpStream) -> std::io::Result<()> {
    {
        let mut total = total.lock().unwrap();
        *total += 1;
    }
    stream.readable().await?;
    let sum = *total.lock().unwrap();
    stream.readable().await?;
    let mut total = total.lock().unwrap();
    *total += sum;
    drop(total);
    stream.readable().await
}
