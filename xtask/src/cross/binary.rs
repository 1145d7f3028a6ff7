//! What a linked program says of itself: its format, its processor, and the loader that it asks for.

use std::fmt;
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Processor {
    X86_64,
    Aarch64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// macOS. Its loader is always the same.
    MachO(Processor),
    /// The other systems, with the loader by which one knows them.
    Elf(Processor, String),
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |processor: &Processor| match processor {
            Processor::X86_64 => "x86-64",
            Processor::Aarch64 => "aarch64",
        };
        match self {
            Format::MachO(processor) => write!(f, "Mach-O {}", name(processor)),
            Format::Elf(processor, loader) => write!(f, "ELF {}, {loader}", name(processor)),
        }
    }
}

/// Format and size in bytes of a program.
pub(super) fn read(path: &Path) -> Result<(Format, u64), String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let format = format(&bytes).ok_or_else(|| format!("{} is no program", path.display()))?;
    Ok((format, bytes.len() as u64))
}

/// Both formats as they are on 64-bit processors that have the lower byte first. `None`: neither, or not a program.
fn format(bytes: &[u8]) -> Option<Format> {
    match bytes.get(..4)? {
        // <mach-o/loader.h>: MH_MAGIC_64, the processor, and further on the kind of file: MH_EXECUTE.
        [0xcf, 0xfa, 0xed, 0xfe] if number(bytes, 12, 4)? == 2 => {
            Some(Format::MachO(match number(bytes, 4, 4)? {
                0x0100_0007 => Processor::X86_64,
                0x0100_000c => Processor::Aarch64,
                _ => return None,
            }))
        }
        // <elf.h>: 64 bits, the processor, and the program headers.
        [0x7f, b'E', b'L', b'F'] if bytes.get(4..6)? == [2, 1] => {
            let processor = match number(bytes, 18, 2)? {
                62 => Processor::X86_64,
                183 => Processor::Aarch64,
                _ => return None,
            };
            Some(Format::Elf(processor, loader(bytes)?))
        }
        _ => None,
    }
}

/// The text to which the program header of the kind PT_INTERP points.
fn loader(bytes: &[u8]) -> Option<String> {
    let (first, size, count) =
        (number(bytes, 32, 8)?, number(bytes, 54, 2)?, number(bytes, 56, 2)?);
    let header =
        (0..count).map(|index| first + index * size).find(|at| number(bytes, *at, 4) == Some(3))?;
    let (start, length) = (number(bytes, header + 8, 8)?, number(bytes, header + 32, 8)?);
    let text = bytes.get(start..start.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_what_it_is() {
        let us = std::env::current_exe().unwrap();
        let (format, size) = read(&us).unwrap();
        // On macOS it is Mach-O, and has no loader to be named.
        if let Format::Elf(_, loader) = format {
            assert!(loader.contains("ld"), "{loader}");
        }
        assert_eq!(size, us.metadata().unwrap().len());
    }

    #[test]
    fn a_program_of_macos_is_known_and_an_object_file_is_none() {
        let mut bytes = vec![0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0];
        assert_eq!(super::format(&bytes), Some(Format::MachO(Processor::Aarch64)));
        bytes[12] = 1;
        assert_eq!(super::format(&bytes), None);
    }

    #[test]
    fn a_truncated_file_is_no_program() {
        assert_eq!(super::format(b"\x7fELF\x02\x01"), None);
        assert_eq!(super::format(b""), None);
    }
}
