use std::fs::File;
use std::io::{BufReader, Read};
use std::net::TcpStream;

fn lines(path: &str, mut stream: TcpStream) -> std::io::Result<usize> {
    let file = BufReader::new(File::open(path)?);
    let mut lines = 0;
    for byte in file.bytes() {
        lines += usize::from(byte? == 10);
    }
    let mut block = [0u8; 4096];
    while block[0] != 10 {
        stream.read_exact(&mut block)?;
    }
    Ok(lines)
}
