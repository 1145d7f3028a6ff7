use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

async fn numbers(mut stream: TcpStream) -> std::io::Result<u64> {
    let mut sum = 0;
    loop {
        match stream.read_u32().await? { //~ unbuffered-reads
            0 => return Ok(sum),
            number => sum += u64::from(number),
        }
    }
}
