use std::fs::File;
use std::io::Read;

struct Cache {
    file: File,
}

impl Cache {
    async fn load(&mut self) -> std::io::Result<String> {
        let mut text = String::new();
        self.file.read_to_string(&mut text)?; //~ blocking-file
        monoio::time::sleep(monoio::time::Duration::from_millis(1)).await;
        Ok(text)
    }
}
