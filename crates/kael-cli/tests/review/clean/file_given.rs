use std::io::Read;

struct Cache {
    text: &'static [u8],
}

impl Cache {
    async fn load(&mut self) -> std::io::Result<String> {
        let mut text = String::new();
        self.text.read_to_string(&mut text)?;
        monoio::time::sleep(monoio::time::Duration::from_millis(1)).await;
        Ok(text)
    }

    fn size(file: &std::fs::File) -> std::io::Result<u64> {
        Ok(file.metadata()?.len())
    }
}
