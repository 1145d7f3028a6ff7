//! What dropped receives leave behind: how it rests in its slot, and how later receives read it.

use super::{
    super::{
        Fd,
        descriptor::{Descriptor, Kind},
        gate::is_the_sockets,
        slot::{NONE, State},
    },
    Inner, Launch,
};
use crate::{
    op::{Gives, Side},
    sys::{Frame, PART},
};
use std::{
    ptr::{self, NonNull},
    slice,
};

impl Inner {
    /// How many bytes an orphaned receive holds, from the start of its buffer on.
    pub(in crate::driver) fn held(&mut self, index: u32) -> usize {
        if let Some(spilled) = self.spill(index) {
            return spilled;
        }
        let body = self.slots.body(index);
        let head = self.slots.head(index);
        let last = head.result.max(0) as usize;
        if head.marks.gives != Gives::Received {
            return 0;
        }
        if !head.vtable.traits.steps {
            return last;
        }
        // SAFETY: the kernel has let go of the operation.
        let kept = unsafe { (head.vtable.kept)(body) };
        // If the operation has seen this completion, it counts the last bytes already.
        let (before, total) =
            if head.marks.seen { (kept - last, kept) } else { (kept, kept + last) };
        // SAFETY: the bytes of the earlier steps lie directly before the region.
        head.region = unsafe { head.region.sub(before) };
        total
    }

    pub(in crate::driver) fn leave_carry(
        &mut self,
        index: u32,
        node: NonNull<Descriptor>,
        held: usize,
    ) {
        let head = self.slots.head(index);
        head.marks.state = State::Carry;
        head.held = held as u32;
        // An error that came after the bytes is for the read after them.
        let result = head.result;
        self.slots.rest(index).offset = 0;
        self.carries += 1;
        // SAFETY: the orphan in the slot uses the descriptor.
        let gate = unsafe { node.as_ref() }.gate(Side::Read);
        debug_assert_eq!(gate.carry.get(), NONE, "one carry at a time");
        gate.carry.set(index);
        gate.holder.set(NONE);
        if is_the_sockets(result) {
            gate.sticky.set(result);
        }
    }

    /// Answers a receive from what was left behind. Its slot holds the gate.
    pub(in crate::driver) fn serve(&mut self, index: u32) -> Launch {
        let head = self.slots.head(index);
        let node = head.fd.expect("a gated operation has a descriptor");
        // SAFETY: the operation in the slot uses the descriptor.
        let fd = unsafe { node.as_ref() };
        let carry = fd.read.carry.get();
        let (from, to) = (self.slots.body(carry), self.slots.body(index));
        // SAFETY: the kernel has let go of the carry's body, and does not have the other one: both
        // scratches are ours, and they are two.
        let (from_scratch, to_scratch) =
            unsafe { (&(*from.as_ptr()).scratch, &mut (*to.as_ptr()).scratch) };
        to_scratch.take_peer(from_scratch);
        let mut offset = self.slots.rest(carry).offset as usize;
        let source = self.slots.head(carry);
        let held = source.held as usize;
        let (start, source_vectors, source_result, gives, source_flags) = (
            source.region,
            source.marks.vectors,
            source.result,
            source.marks.gives,
            source.marks.flags,
        );
        // Of several datagrams the first is read, without what stands before its bytes.
        let (mut skip, mut end) = (offset, held);
        if source.vtable.traits.framed {
            // SAFETY: the copy that was made for the carry, of that length.
            let left = unsafe { slice::from_raw_parts(start.as_ptr().add(offset), held - offset) };
            if let Some((frame, from, to)) = Frame::first(left) {
                (skip, end) = (offset + from, offset + to);
                if let Some(peer) = frame.peer {
                    to_scratch.set_message_peer(peer);
                }
            }
        }
        let begin = skip;
        let head = self.slots.head(index);
        head.marks.state = State::Done;
        if gives != Gives::Received {
            head.result = source_result;
            // What it is the descriptor of was decided when it was asked for.
            head.marks.gives = gives;
            self.spend(carry, fd);
            return Launch::Now;
        }
        let peek = head.marks.gives == Gives::Count;
        let mut copied = 0;
        {
            let plain_to = (head.region.as_ptr(), head.region_len as usize);
            let plain_from = (start.as_ptr(), held);
            let (to_n, from_n) = (usize::from(head.marks.vectors), usize::from(source_vectors));
            let sources = regions(plain_from, from_scratch.regions(from_n), from_n);
            let mut targets = regions(plain_to, to_scratch.regions(to_n), to_n);
            let (mut at, mut room) = targets.next().unwrap_or((ptr::null_mut(), 0));
            let mut rest = end;
            for (source, len) in sources {
                let len = len.min(rest);
                rest -= len;
                let skipped = skip.min(len);
                skip -= skipped;
                let (mut source, mut len) = (source.wrapping_add(skipped), len - skipped);
                while len > 0 {
                    if room == 0 {
                        match targets.next() {
                            Some(next) => (at, room) = next,
                            None => break,
                        }
                        continue;
                    }
                    let n = len.min(room);
                    // SAFETY: both regions were named by requests of operations that rest in
                    // their slots and own the memory; the kernel has neither; they are different
                    // buffers, since each operation owns its own.
                    unsafe { ptr::copy_nonoverlapping(source, at, n) };
                    (source, len) = (source.wrapping_add(n), len - n);
                    (at, room) = (at.wrapping_add(n), room - n);
                    copied += n;
                }
            }
        }
        let rest = begin + copied < end;
        head.result = copied as i32;
        head.marks.flags = if rest { PART } else { source_flags & PART };
        if !peek {
            offset = if fd.kind() == Kind::Datagram { end } else { offset + copied };
            self.slots.rest(carry).offset = offset as u32;
            if offset == held {
                self.spend(carry, fd);
            }
        }
        Launch::Now
    }

    /// The carry was read to its end: its operation will be dropped, its answer is used up.
    pub(in crate::driver) fn spend(&mut self, carry: u32, fd: &Descriptor) {
        fd.read.carry.set(NONE);
        let id = self.slots.head(carry).id;
        self.end_orphan(carry);
        self.drop_unread(carry);
        self.carries -= 1;
        self.spent.push(id);
    }

    /// At the end: a carry is not left for anybody.
    pub(in crate::driver) fn forget_carry(&mut self, index: u32) {
        self.carries -= 1;
        if let Some(node) = self.slots.head(index).fd {
            // SAFETY: the orphan in the slot uses the descriptor.
            unsafe { node.as_ref() }.read.carry.set(NONE);
        }
    }

    pub(in crate::driver) fn unread(&mut self, fd: &Fd) -> Vec<u8> {
        let carry = fd.read.carry.get();
        // If somebody has the gate, the carry is his.
        if carry == NONE || fd.read.holder.get() != NONE {
            return Vec::new();
        }
        let body = self.slots.body(carry);
        let mut skip = self.slots.rest(carry).offset as usize;
        let head = self.slots.head(carry);
        let mut rest = head.held as usize;
        let n = usize::from(head.marks.vectors);
        let mut bytes = Vec::with_capacity(rest - skip);
        // SAFETY: the kernel has let go of the carry's body.
        let scratch = unsafe { &(*body.as_ptr()).scratch };
        let plain = (head.region.as_ptr(), rest);
        for (at, len) in regions(plain, scratch.regions(n), n) {
            let len = len.min(rest);
            rest -= len;
            let skipped = skip.min(len);
            skip -= skipped;
            // SAFETY: the kernel filled the first `held` bytes of the carry's regions.
            bytes.extend_from_slice(unsafe {
                slice::from_raw_parts(at.wrapping_add(skipped), len - skipped)
            });
        }
        self.spend(carry, fd);
        bytes
    }
}

/// The regions of a request: its one plain one, or its vectors.
fn regions(
    plain: (*mut u8, usize),
    vectors: impl Iterator<Item = (*mut u8, usize)>,
    n: usize,
) -> impl Iterator<Item = (*mut u8, usize)> {
    (n == 0).then_some(plain).into_iter().chain(vectors)
}
