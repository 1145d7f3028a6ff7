use parking_lot::RwLock;

struct Routes {
    table: RwLock<Vec<u32>>,
}

impl Routes {
    async fn refresh(&self) {
        let mut table = self.table.write(); //~ lock-across-await
        table.push(fetch().await);
    }
}

async fn fetch() -> u32 {
    7
}
