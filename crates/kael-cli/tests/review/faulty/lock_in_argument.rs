use std::sync::Mutex;

struct Client {
    name: Mutex<String>,
}

impl Client {
    async fn hello(&self) {
        send(&self.name.lock().unwrap()).await; //~ lock-across-await
    }
}

async fn send(_: &str) {}
