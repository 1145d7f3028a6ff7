//! The driver over the emulation, without chance: one rule a test.
