//! [`Pattern`]: what messages contain, so that a byte that is lost, doubled or of another message is noticed.

use std::rc::Rc;

/// Messages are windows of one string of random bytes, each begins elsewhere.
#[derive(Clone)]
pub(crate) struct Pattern {
    bytes: Rc<[u8]>,
    size: usize,
}

/// Places at which a message may begin. A prime, so that connections and numbers do not fall together.
const BEGINNINGS: usize = 4093;

impl Pattern {
    pub(crate) fn new(size: usize) -> Pattern {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            // xorshift64: any bytes do that do not repeat.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        Pattern { bytes: (0..size + BEGINNINGS).map(|_| next()).collect(), size }
    }

    /// The content of a connection's message.
    pub(crate) fn message(&self, connection: u64, number: u64) -> &[u8] {
        let begin = (connection.wrapping_mul(31) + number) % BEGINNINGS as u64;
        &self.bytes[begin as usize..][..self.size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ() {
        let pattern = Pattern::new(16);
        assert_eq!(pattern.message(3, 9), pattern.message(3, 9));
        assert_ne!(pattern.message(3, 9), pattern.message(3, 10));
        assert_ne!(pattern.message(3, 9), pattern.message(4, 9));
    }
}
