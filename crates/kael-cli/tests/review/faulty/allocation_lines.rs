use async_std::io::{BufReadExt, BufReader};
use async_std::net::TcpStream;

async fn longest(mut lines: BufReader<TcpStream>) -> std::io::Result<usize> {
    let mut longest = 0;
    loop {
        let mut line = String::new(); //~ allocation-in-io-loop
        if lines.read_line(&mut line).await? == 0 {
            return Ok(longest);
        }
        longest = longest.max(line.len());
    }
}
