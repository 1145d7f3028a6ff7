use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

async fn sum(mut stream: TcpStream) -> std::io::Result<u64> {
    let mut sum = 0;
    loop {
        let mut buf = vec![0; 16384]; //~ allocation-in-io-loop
        let len = stream.read(&mut buf).await?;
        if len == 0 {
            return Ok(sum);
        }
        sum += buf[..len].iter().map(|&byte| u64::from(byte)).sum::<u64>();
    }
}
