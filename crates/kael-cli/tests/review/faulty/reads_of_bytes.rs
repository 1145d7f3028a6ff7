use std::fs::File;
use std::io::Read;
use std::net::TcpStream;

fn lines(path: &str, mut stream: TcpStream) -> std::io::Result<usize> {
    let file = File::open(path)?;
    let mut lines = 0;
    for byte in file.bytes() { //~ unbuffered-reads
        lines += usize::from(byte? == 10);
    }
    let mut byte = [0u8; 1];
    while byte[0] != 10 {
        stream.read_exact(&mut byte)?; //~ unbuffered-reads
    }
    Ok(lines)
}
