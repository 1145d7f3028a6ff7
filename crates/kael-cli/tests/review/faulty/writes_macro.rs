use std::fs::File;
use std::io::Write;

fn save(path: &str, rows: &[(u32, u32)]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for (key, value) in rows {
        writeln!(file, "{key} {value}")?; //~ unbuffered-writes
    }
    Ok(())
}
