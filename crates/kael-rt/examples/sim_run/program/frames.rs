//! Numbered frames: what a stream carries, so that a lost, doubled or misplaced byte is found at
//! once. A frame is whole or not there at all.

use super::law;

/// Length of a frame's head: a mark, the number, the length of the body.
const HEAD: usize = 7;
const MARK: u8 = 0xa5;

/// The bytes of frame `number`. Streams have different salts: what belongs to one is not taken for
/// another's.
pub(crate) fn frame(salt: u8, number: u32, body: usize) -> Vec<u8> {
    let mut bytes = vec![MARK ^ salt];
    bytes.extend(number.to_le_bytes());
    bytes.extend((body as u16).to_le_bytes());
    bytes.extend((0..body).map(|i| byte(salt, number, i)));
    bytes
}

fn byte(salt: u8, number: u32, i: usize) -> u8 {
    (number as usize).wrapping_mul(31).wrapping_add(i).wrapping_add(usize::from(salt)) as u8
}

/// What arrives: bytes are checked as they come.
pub(crate) struct Arrivals {
    salt: u8,
    bytes: Vec<u8>,
    broken: bool,
    /// The numbers of the frames that came whole.
    pub(crate) numbers: Vec<u32>,
}

impl Arrivals {
    pub(crate) fn new(salt: u8) -> Arrivals {
        Arrivals { salt, bytes: Vec::new(), broken: false, numbers: Vec::new() }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        while self.bytes.len() >= HEAD {
            let head = &self.bytes[..HEAD];
            let number = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
            let body = usize::from(u16::from_le_bytes([head[5], head[6]]));
            let whole = head[0] == MARK ^ self.salt
                && self.numbers.last().is_none_or(|last| number > *last)
                && self.bytes[HEAD..]
                    .iter()
                    .take(body)
                    .enumerate()
                    .all(|(i, b)| *b == byte(self.salt, number, i));
            law(whole, || {
                let right = self.bytes[HEAD..].iter().enumerate();
                let right = right.take_while(|(i, b)| **b == byte(self.salt, number, *i)).count();
                format!(
                    "L3: a stream breaks {right} bytes behind the head {head:?}, after frame {:?}",
                    self.numbers.last()
                )
            });
            if !whole {
                self.broken = true;
                self.bytes.clear();
                return;
            }
            if self.bytes.len() < HEAD + body {
                return;
            }
            self.numbers.push(number);
            self.bytes.drain(..HEAD + body);
        }
    }

    /// The stream has ended: nothing is cut off.
    pub(crate) fn end(&self) {
        law(self.bytes.is_empty(), || {
            format!("L3: the stream ends with {} odd bytes", self.bytes.len())
        });
    }

    /// How many bytes more complete the frame, or its head.
    pub(crate) fn wants(&self) -> usize {
        match self.bytes.get(5..HEAD) {
            None => HEAD - self.bytes.len(),
            Some(body) => {
                HEAD + usize::from(u16::from_le_bytes([body[0], body[1]])) - self.bytes.len()
            }
        }
    }
}
