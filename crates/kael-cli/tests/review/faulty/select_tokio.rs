use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Interval;

async fn serve(mut stream: TcpStream, mut ticks: Interval) -> std::io::Result<()> {
    let mut frame = [0; 64];
    loop {
        tokio::select! {
            result = stream.read_exact(&mut frame) => { //~ lossy-select
                result?;
            }
            _ = ticks.tick() => println!("alive"),
        }
    }
}
