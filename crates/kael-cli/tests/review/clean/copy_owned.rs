use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpStream;

async fn shout(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let (len, mut back) = stream.read(buf).await;
        let len = len?;
        back[..len].make_ascii_uppercase();
        let (result, slice) = stream.write_all(back.slice(..len)).await;
        result?;
        buf = slice.into_inner();
    }
}
