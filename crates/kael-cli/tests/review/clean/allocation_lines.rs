use async_std::io::{BufReadExt, BufReader};
use async_std::net::TcpStream;

async fn all(mut lines: BufReader<TcpStream>) -> std::io::Result<Vec<String>> {
    let mut all = Vec::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(all);
        }
        all.push(line);
    }
}
