//! What a ring may be asked for: exactly what this backend uses. The kernel refuses all else with
//! EACCES, to whoever gets hold of the ring (`IORING_REGISTER_RESTRICTIONS`). Tables; no logic
//! beyond them. A new operation is added here, or a test says so.

use super::{abi::*, ring::Probe};

/// The opcodes of submissions.
const OPCODES: &[u8] = &[
    OP_NOP,
    OP_READV,
    OP_WRITEV,
    OP_FSYNC,
    OP_READ_FIXED,
    OP_WRITE_FIXED,
    OP_POLL_ADD,
    OP_SENDMSG,
    OP_RECVMSG,
    OP_ACCEPT,
    OP_ASYNC_CANCEL,
    OP_CONNECT,
    OP_FALLOCATE,
    OP_OPENAT,
    OP_CLOSE,
    OP_FILES_UPDATE,
    OP_STATX,
    OP_READ,
    OP_WRITE,
    OP_SEND,
    OP_RECV,
    OP_SHUTDOWN,
    OP_RENAMEAT,
    OP_UNLINKAT,
    OP_MKDIRAT,
    OP_SEND_ZC,
    OP_SENDMSG_ZC,
    OP_READ_MULTISHOT,
    OP_FTRUNCATE,
    OP_READV_FIXED,
    OP_WRITEV_FIXED,
];

/// The flags of submissions.
const FLAGS: u8 = SQE_FIXED_FILE | SQE_BUFFER_SELECT | SQE_CQE_SKIP | SQE_IO_LINK;

/// The opcodes of io_uring_register(2) that are needed once the ring is enabled. What is registered
/// before (`ring/setup.rs`) is not among them.
const REGISTERS: &[u32] = &[
    UNREGISTER_FILES,
    REGISTER_BUFFERS_UPDATE,
    REGISTER_PBUF_RING,
    UNREGISTER_PBUF_RING,
    // Tests set places of the file table aside for direct descriptors.
    #[cfg(test)]
    REGISTER_FILE_ALLOC_RANGE,
];

/// The opcodes that only a ring with direct descriptors needs: a socket, its options, and a number for it.
const OF_DIRECT: &[u8] = &[OP_SOCKET, OP_URING_CMD, OP_FIXED_FD_INSTALL];

/// The tables as the kernel wants them. An opcode that it does not know would make it refuse the
/// whole list, and cannot be submitted anyway.
pub(super) fn allowed(probe: &Probe, resize: bool, direct: bool) -> Vec<Restriction> {
    let of_direct = if direct { OF_DIRECT } else { &[] };
    let known = OPCODES.iter().chain(of_direct).filter(|opcode| probe.has(**opcode));
    let opcodes = known.map(|opcode| (RESTRICT_OPCODE, *opcode));
    let resize = resize.then_some(&REGISTER_RESIZE_RINGS);
    let registers = REGISTERS.iter().chain(resize).map(|opcode| (RESTRICT_REGISTER, *opcode as u8));
    let all = opcodes.chain(registers).chain([(RESTRICT_FLAGS, FLAGS)]);
    all.map(|(kind, value)| Restriction { kind, value, ..Restriction::default() }).collect()
}

#[cfg(test)]
pub(super) fn is_allowed(opcode: u8) -> bool {
    OPCODES.contains(&opcode)
}

#[cfg(test)]
pub(super) fn is_allowed_to_register(opcode: u32) -> bool {
    REGISTERS.contains(&opcode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    /// The words in a source that begin so.
    fn words<'a>(source: &'a str, prefix: &str) -> BTreeSet<&'a str> {
        source
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with(prefix))
            .collect()
    }

    /// The constants of `abi.rs` that begin so.
    fn numbers(prefix: &str) -> impl Iterator<Item = (&'static str, u32)> {
        include_str!("abi.rs").lines().filter_map(move |line| {
            let (name, value) = line.strip_prefix("pub(super) const ")?.split_once(": ")?;
            let value = value.trim_end_matches(';').rsplit_once("= ")?.1;
            let value = match value.strip_prefix("1 << ") {
                Some(bit) => 1 << bit.parse::<u32>().ok()?,
                None => value.parse().ok()?,
            };
            name.starts_with(prefix).then_some((name, value))
        })
    }

    /// The words of the backend's sources, but for those that list all, and tests. None on a
    /// machine that has the tests but not the sources.
    fn used(prefix: &str) -> Option<BTreeSet<String>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys/uring");
        let mut used = BTreeSet::new();
        for entry in fs::read_dir(folder).ok()?.map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let apart = ["abi.rs", "restrict.rs", "faults.rs", "tests.rs"];
            if name.ends_with(".rs") && !apart.contains(&&*name) {
                let source = fs::read_to_string(entry.path()).unwrap();
                used.extend(words(&source, prefix).into_iter().map(str::to_owned));
            }
        }
        Some(used)
    }

    /// Both ways: what is used is allowed, and nothing is allowed that is not used.
    fn expect_exactly(prefix: &str, allows: impl Fn(u32) -> bool) {
        let Some(used) = used(prefix) else {
            println!("the sources are not here");
            return;
        };
        let defined: BTreeSet<_> = numbers(prefix).collect();
        for name in &used {
            assert!(defined.iter().any(|(known, _)| known == name), "{name} is not in abi.rs");
        }
        for (name, value) in defined {
            assert_eq!(allows(value), used.contains(name), "{name}: allowed, and used");
        }
    }

    #[test]
    fn b16_the_table_has_exactly_the_opcodes_that_are_used() {
        let all = || OPCODES.iter().chain(OF_DIRECT);
        expect_exactly("OP_", |value| all().any(|opcode| u32::from(*opcode) == value));
        assert_eq!(all().count(), numbers("OP_").count());
    }

    #[test]
    fn b16_the_table_has_exactly_the_flags_that_are_used() {
        expect_exactly("SQE_", |bit| u32::from(FLAGS) & bit != 0);
    }
}
