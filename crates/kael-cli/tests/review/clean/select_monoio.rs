use kael_rt::net::TcpStream;
use kael_rt::time::Interval;

// What a dropped read had received goes to the next one.
async fn serve(stream: TcpStream, mut ticks: Interval) {
    loop {
        futures::select! {
            (_, buf) = stream.read(Vec::with_capacity(4096)) => drop(buf),
            _ = ticks.tick() => println!("alive"),
        }
    }
}
