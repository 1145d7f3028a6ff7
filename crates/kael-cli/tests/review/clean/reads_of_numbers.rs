use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::TcpStream;

async fn numbers(stream: TcpStream) -> std::io::Result<u64> {
    let mut stream = BufReader::new(stream);
    let mut sum = 0;
    loop {
        match stream.read_u32().await? {
            0 => return Ok(sum),
            number => sum += u64::from(number),
        }
    }
}
