//! Kael: an async runtime that uses each platform's own best I/O interface.
