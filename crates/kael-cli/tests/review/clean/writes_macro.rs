use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;

fn save(path: &str, rows: &[(u32, u32)]) -> std::io::Result<()> {
    let mut text = String::new();
    for (key, value) in rows {
        let _ = writeln!(text, "{key} {value}");
    }
    File::create(path)?.write_all(text.as_bytes())
}

fn save_pieces(path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for piece in bytes.chunks(1 << 20) {
        file.write_all(piece)?;
    }
    Ok(())
}
