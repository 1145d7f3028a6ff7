use futures::{FutureExt, select};
use smol::io::{AsyncBufReadExt, BufReader};
use smol::net::TcpStream;

async fn serve(mut lines: BufReader<TcpStream>, events: smol::channel::Receiver<u32>) {
    let mut line = String::new();
    loop {
        select! {
            _ = lines.read_line(&mut line).fuse() => line.clear(), //~ lossy-select
            event = events.recv().fuse() => println!("{event:?}"),
        }
    }
}
