use std::fs::File;
use std::io::{BufWriter, Write};

fn save(file: File, rows: &[String]) -> std::io::Result<()> {
    let mut out = BufWriter::new(file);
    for row in rows {
        out.write_all(row.as_bytes())?; //~ unbuffered-writes
        out.flush()?;
    }
    Ok(())
}
