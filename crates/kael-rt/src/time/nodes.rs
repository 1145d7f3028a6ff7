//! The nodes of the timing wheel: a slab that grows by whole chunks and never moves or frees a node, so that arming
//! and cancelling allocate nothing once the slab has reached its size. It knows nothing of time or of lists beyond the
//! links it stores.
#![forbid(unsafe_code)]

use std::ops::{Index, IndexMut};

/// The end of a list.
pub(super) const NIL: u32 = u32::MAX;
/// `Node::slot` of a node that has fired and waits for its owner to remove it.
pub(super) const FIRED: u16 = u16::MAX - 1;
/// `Node::slot` of a node on the free list.
pub(super) const FREE: u16 = u16::MAX;

/// Nodes in a chunk.
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 9;
/// At most this many timers exist at a time; the next one panics with a clear sentence.
const MAX_NODES: usize = 1 << 31;

pub(super) struct Node<T> {
    /// In nanoseconds.
    pub(super) deadline: u64,
    pub(super) payload: Option<T>,
    pub(super) prev: u32,
    pub(super) next: u32,
    /// Counts how often the node was given back: a key of an earlier life no longer fits.
    pub(super) generation: u32,
    pub(super) slot: u16,
}

// A cancel touches three nodes at random places of the slab: each must lie on one cache line, or two at the worst.
const _: () = assert!(size_of::<Node<std::task::Waker>>() == 40);

pub(super) struct Nodes<T> {
    chunks: Vec<Box<[Node<T>; CHUNK]>>,
    free: u32,
}

impl<T> Nodes<T> {
    pub(super) fn new() -> Nodes<T> {
        Nodes { chunks: Vec::new(), free: NIL }
    }

    /// Takes a node from the free list. The last one given back comes first: it is the one in the cache.
    #[inline]
    pub(super) fn take(&mut self) -> u32 {
        if self.free == NIL {
            self.grow();
        }
        let index = self.free;
        self.free = self[index].next;
        index
    }

    /// Gives a node back and returns what was in it.
    #[inline]
    pub(super) fn give_back(&mut self, index: u32) -> Option<T> {
        let free = self.free;
        let node = &mut self[index];
        debug_assert!(node.slot != FREE);
        node.generation = node.generation.wrapping_add(1);
        node.slot = FREE;
        node.next = free;
        let payload = node.payload.take();
        self.free = index;
        payload
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&Node<T>> {
        Some(&self.chunks.get((index >> CHUNK_BITS) as usize)?[index as usize % CHUNK])
    }

    #[cold]
    fn grow(&mut self) {
        let first = self.chunks.len() * CHUNK;
        assert!(first < MAX_NODES, "kael_rt::time: more than {MAX_NODES} timers exist on one core");
        let chunk: Box<[Node<T>]> = (first..first + CHUNK)
            .map(|index| {
                let next = if index + 1 == first + CHUNK { NIL } else { index as u32 + 1 };
                Node { deadline: 0, payload: None, prev: NIL, next, generation: 0, slot: FREE }
            })
            .collect();
        let Ok(chunk) = chunk.try_into() else {
            unreachable!("the iterator yields exactly one chunk")
        };
        self.chunks.push(chunk);
        self.free = first as u32;
    }
}

impl<T> Index<u32> for Nodes<T> {
    type Output = Node<T>;
    #[inline]
    fn index(&self, index: u32) -> &Node<T> {
        &self.chunks[(index >> CHUNK_BITS) as usize][index as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Nodes<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut Node<T> {
        &mut self.chunks[(index >> CHUNK_BITS) as usize][index as usize % CHUNK]
    }
}
