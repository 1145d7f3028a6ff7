use monoio::io::AsyncReadRent;
use monoio::net::TcpStream;
use monoio::time::Interval;

async fn serve(mut stream: TcpStream, mut ticks: Interval) {
    loop {
        monoio::select! {
            (_, buf) = stream.read(Vec::with_capacity(4096)) => drop(buf), //~ lossy-select
            _ = ticks.tick() => println!("alive"),
        }
    }
}
