use std::sync::Mutex;

struct Client {
    name: Mutex<String>,
}

impl Client {
    async fn hello(&self) {
        let name = self.name.lock().unwrap().clone();
        send(&name).await;
    }
}

async fn send(_: &str) {}
