//! The machines that are emulated: what a kernel, its emulator and its programs are called on each.

pub(crate) struct Machine {
    /// As Rust calls the processor.
    pub(crate) arch: &'static str,
    /// As Debian calls it.
    pub(super) debian: &'static str,
    pub(super) emulator: &'static str,
    /// The package that has the emulator.
    pub(super) package: &'static str,
    /// Emulated also where the processor could help: the same machine for everybody.
    pub(super) hardware: &'static [&'static str],
    pub(super) console: &'static str,
    /// Words for its kernel that others do not need.
    pub(super) words: &'static str,
    /// What strips its programs.
    pub(super) strip: &'static str,
    /// Where the cross compiler keeps its shared libraries; `None`: its programs run here, and `ldd` knows.
    pub(super) libraries: Option<&'static str>,
    /// What runs its programs here, to ask them for the names of their tests.
    pub(super) runner: &'static [&'static str],
}

pub(crate) const X86_64: Machine = Machine {
    arch: "x86_64",
    debian: "amd64",
    emulator: "qemu-system-x86_64",
    package: "qemu-system-x86",
    hardware: &["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"],
    console: "ttyS0",
    // Without it the kernel distrusts the counter, and each look at the clock asks a device.
    words: "tsc=reliable",
    strip: "strip",
    libraries: None,
    runner: &[],
};

/// Where gcc-aarch64-linux-gnu has the system's libraries.
pub(crate) const AARCH64_SYSTEM: &str = "/usr/aarch64-linux-gnu";

pub(crate) const AARCH64: Machine = Machine {
    arch: "aarch64",
    debian: "arm64",
    emulator: "qemu-system-aarch64",
    package: "qemu-system-arm",
    // A processor without pointer authentication, which is slow to emulate.
    hardware: &["-M", "virt", "-accel", "tcg,thread=multi", "-cpu", "cortex-a72"],
    console: "ttyAMA0",
    words: "",
    strip: "aarch64-linux-gnu-strip",
    libraries: Some("/usr/aarch64-linux-gnu/lib"),
    runner: &["qemu-aarch64-static", "-L", AARCH64_SYSTEM],
};
