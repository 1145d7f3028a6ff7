use futures::{FutureExt, StreamExt, select};
use smol::io::{AsyncBufReadExt, BufReader};
use smol::net::TcpStream;

async fn serve(lines: BufReader<TcpStream>, events: smol::channel::Receiver<u32>) {
    let mut lines = lines.lines();
    loop {
        select! {
            line = lines.next().fuse() => println!("{line:?}"),
            event = events.recv().fuse() => println!("{event:?}"),
        }
    }
}
