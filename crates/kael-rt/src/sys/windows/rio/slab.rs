//! A table of fixed size whose places are named by keys that are not used twice.
//!
//! It allocates when it is made and never again.

/// Names what was put into a place, until it is taken out: the place, and how often it had been emptied by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    place: u32,
    generation: u32,
}

impl Key {
    /// As one word, for the system to give back.
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.place)
    }

    pub(super) fn from_bits(bits: u64) -> Key {
        Key { place: bits as u32, generation: (bits >> 32) as u32 }
    }
}

pub(super) struct Slab<T> {
    places: Box<[Place<T>]>,
    /// The first of the free places, `NONE` when all are taken.
    free: u32,
    used: u32,
}

struct Place<T> {
    generation: u32,
    /// The next free place, while this one is free.
    next: u32,
    value: Option<T>,
}

const NONE: u32 = u32::MAX;

impl<T> Slab<T> {
    pub(super) fn new(size: u32) -> Slab<T> {
        let next = |place| if place + 1 < size { place + 1 } else { NONE };
        let place = |place| Place { generation: 0, next: next(place), value: None };
        let free = if size == 0 { NONE } else { 0 };
        Slab { places: (0..size).map(place).collect(), free, used: 0 }
    }

    pub(super) fn used(&self) -> u32 {
        self.used
    }

    pub(super) fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// None when all places are taken.
    pub(super) fn insert(&mut self, value: T) -> Option<Key> {
        let at = self.free;
        let place = self.places.get_mut(at as usize)?;
        self.free = place.next;
        self.used += 1;
        place.value = Some(value);
        Some(Key { place: at, generation: place.generation })
    }

    pub(super) fn get(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.place as usize)?;
        if place.generation != key.generation {
            return None;
        }
        place.value.as_mut()
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let place = &mut self.places[key.place as usize];
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        place.next = self.free;
        self.free = key.place;
        self.used -= 1;
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|place| place.value.as_ref())
    }
}
