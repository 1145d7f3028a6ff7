use std::thread::sleep;
use std::time::Duration;

fn start() {
    monoio::spawn(async {
        sleep(Duration::from_secs(1)); //~ blocking-sleep
    });
}
