//! The wheel against a model: an ordered map in which everything is obvious and slow.
#![forbid(unsafe_code)]

use super::{LEVEL_BITS, LEVELS, NEVER, TimerKey, Wheel};
use std::collections::BTreeMap;

const CENTURY_NS: u64 = 100 * 365 * 24 * 3_600 * 1_000_000_000;
const OPERATIONS: u64 = if cfg!(miri) {
    20_000
} else if cfg!(debug_assertions) {
    400_000
} else {
    10_000_000
};

/// xorshift64*: enough for test programs, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// Below 2^bits, small numbers as likely as large ones.
    fn of_any_size(&mut self, bits: u64) -> u64 {
        let size = 1 << self.below(bits);
        self.below(size)
    }
}

/// Timers by (time at which they fire, order of arming).
#[derive(Default)]
struct Model {
    armed: BTreeMap<(u64, u64), u64>,
    seen: u64,
    sequence: u64,
}

impl Model {
    fn insert(&mut self, deadline: u64, name: u64) -> (u64, u64) {
        let at = (deadline.max(self.seen), self.sequence);
        self.sequence += 1;
        self.armed.insert(at, name);
        at
    }
    fn pop_due(&mut self, now: u64) -> Option<u64> {
        self.seen = self.seen.max(now.min(NEVER - 1));
        let (&at, _) = self.armed.first_key_value()?;
        if at.0 > self.seen { None } else { self.armed.remove(&at) }
    }
}

struct Timer {
    key: TimerKey,
    at: (u64, u64),
    name: u64,
}

/// A deadline where mistakes are likely: now, past, the borders of slots and levels, the far end.
fn deadline(random: &mut Random, now: u64) -> u64 {
    match random.below(10) {
        0 => 0,
        1 => u64::MAX - random.below(3),
        2 => now,
        3 => now.saturating_sub(random.below(1 << 20)),
        4 => now.saturating_add(CENTURY_NS),
        // 2^6k and two nanoseconds around, counted from zero and from now.
        5 | 6 => {
            let border = 1u64 << (u64::from(LEVEL_BITS) * random.below(LEVELS as u64));
            let from = if random.below(2) == 0 { 0 } else { now };
            from.saturating_add(border).saturating_add_signed(random.below(5) as i64 - 2)
        }
        7 => now.saturating_add(random.of_any_size(60)),
        _ => now.saturating_add(random.below(100_000_000)),
    }
}

/// Where the clock goes.
fn next_now(random: &mut Random, wheel: &Wheel<u64>, now: u64) -> u64 {
    match random.below(4_000) {
        0 => now.saturating_add(CENTURY_NS),
        1..10 => now.saturating_sub(random.below(1 << 30)),
        10..200 => now.saturating_add(random.of_any_size(50)),
        200..2_000 => wheel.next_deadline().unwrap_or(now),
        2_000..3_000 => wheel.next_deadline().unwrap_or(now).saturating_sub(1),
        _ => now.saturating_add(random.below(200_000)),
    }
}

fn run(seed: u64, operations: u64) {
    let mut random = Random(seed);
    let start = random.below(4) * random.below(1 << 40);
    let mut now = start;
    let mut wheel = Wheel::new(start);
    let mut model = Model { seen: start, ..Model::default() };
    let mut timers: Vec<Timer> = Vec::new();
    for operation in 0..operations {
        let what = (seed, operation, now);
        match random.below(10) {
            0..4 if timers.len() < 500 => {
                let deadline = deadline(&mut random, now);
                let key = wheel.insert(deadline, operation);
                timers.push(Timer { key, at: model.insert(deadline, operation), name: operation });
            }
            4..6 if !timers.is_empty() => {
                let timer = timers.swap_remove(random.below(timers.len() as u64) as usize);
                let armed = model.armed.remove(&timer.at);
                assert_eq!(wheel.is_fired(timer.key), armed.is_none(), "{what:?}");
                assert_eq!(wheel.remove(timer.key), armed, "{what:?}");
                assert_eq!(
                    wheel.remove(timer.key),
                    None,
                    "{what:?}: a key is good for one removal"
                );
            }
            6 if !timers.is_empty() => {
                let timer_index = random.below(timers.len() as u64) as usize;
                let deadline = deadline(&mut random, now);
                let timer = &mut timers[timer_index];
                let armed = model.armed.remove(&timer.at).is_some();
                assert_eq!(wheel.rearm(timer.key, deadline), armed, "{what:?}");
                if armed {
                    timer.at = model.insert(deadline, timer.name);
                }
            }
            _ => {
                now = next_now(&mut random, &wheel, now);
                let budget = random.below(50);
                for _ in 0..budget {
                    let fired = wheel.pop_due(now);
                    assert_eq!(fired, model.pop_due(now), "{what:?}, clock at {now}");
                    if fired.is_none() {
                        break;
                    }
                }
            }
        }
        assert_eq!(wheel.len(), model.armed.len(), "{what:?}");
        let first = model.armed.first_key_value().map(|(at, _)| at.0).filter(|&at| at != NEVER);
        match (wheel.next_deadline(), first) {
            (Some(told), Some(at)) => {
                assert!(told <= at, "{what:?}: {told} is later than {at}")
            }
            // Only a deadline that was cancelled can be told although nothing is left to fire.
            (told, None) => assert!(told.is_none() || wheel.len() > 0, "{what:?}"),
            (None, Some(at)) => panic!("{what:?}: {at} would be slept through"),
        }
    }
}

#[test]
fn r28_wheel_equals_model() {
    // Short enough that the clock reaches the end of its range only now and then.
    const PER_PROGRAM: u64 = 20_000;
    for program in 1..=OPERATIONS / PER_PROGRAM {
        run(program.wrapping_mul(0x9e37_79b9_7f4a_7c15), PER_PROGRAM);
    }
}

/// Every border of every level, from both sides: nothing fires before its time, nothing after it.
#[test]
fn r28_borders_of_slots_fire_on_time() {
    for start in [0, 1, 63, 64, 1 << 20, CENTURY_NS] {
        for border in (0..LEVELS as u32).map(|level| 1u64 << (LEVEL_BITS * level)) {
            for deadline in
                (-2..=2).filter_map(|shift| start.checked_add(border)?.checked_add_signed(shift))
            {
                let mut wheel = Wheel::new(start);
                let key = wheel.insert(deadline, 1);
                // A timer beside it, which the first one must not drag along.
                let other = wheel.insert(deadline.max(start) + 1, 2);
                if deadline > start {
                    assert_eq!(wheel.next_deadline(), Some(deadline));
                    assert_eq!(wheel.pop_due(deadline - 1), None, "early: {deadline} from {start}");
                    assert!(!wheel.is_fired(key));
                }
                assert_eq!(wheel.pop_due(deadline), Some(1), "late: {deadline} from {start}");
                assert!(wheel.is_fired(key));
                assert_eq!(wheel.pop_due(deadline), None);
                assert_eq!(wheel.remove(key), None);
                assert_eq!(wheel.remove(other), Some(2));
                assert_eq!((wheel.len(), wheel.next_deadline()), (0, None));
            }
        }
    }
}

#[test]
fn r28_a_deadline_at_the_end_of_time_never_fires() {
    let mut wheel = Wheel::new(0);
    let never = wheel.insert(u64::MAX, 1);
    assert_eq!(wheel.next_deadline(), None, "a paused clock must not jump to it");
    assert_eq!(wheel.pop_due(u64::MAX), None);
    wheel.insert(u64::MAX - 1, 3);
    assert_eq!(wheel.pop_due(u64::MAX), Some(3), "the time before is one like any other");
    assert_eq!(wheel.insert(u64::MAX, 2), TimerKey { index: 2, generation: 0 });
    assert_eq!(wheel.remove(never), Some(1));
    assert_eq!(wheel.pop_any(), Some(2));
    assert_eq!(wheel.len(), 0);
}

#[test]
fn r28_a_hundred_years_pass_in_one_jump() {
    let mut wheel = Wheel::new(0);
    for century in [1, 2, 3, 5] {
        wheel.insert(century * CENTURY_NS, century);
    }
    wheel.insert(1, 0);
    let mut fired = Vec::new();
    while let Some(century) = wheel.pop_due(3 * CENTURY_NS) {
        fired.push(century);
    }
    assert_eq!(fired, [0, 1, 2, 3]);
    assert_eq!(wheel.next_deadline(), Some(5 * CENTURY_NS));
}

/// A cancelled timer may leave its deadline behind, once a level.
#[test]
fn r28_cancelled_deadlines_cost_few_wake_ups() {
    let mut wheel = Wheel::new(0);
    let last = 30_000_000_000;
    wheel.insert(last, ());
    for nth in 0..10_000 {
        let key = wheel.insert(last - 1_000_000 * (nth % 10_000), ());
        wheel.remove(key);
    }
    let mut wake_ups = 0;
    while wheel.len() > 0 {
        let now = wheel.next_deadline().unwrap();
        while wheel.pop_due(now).is_some() {}
        wake_ups += 1;
    }
    assert!(wake_ups <= LEVELS, "{wake_ups} wake-ups for one timer");
}

#[test]
fn r30_a_clock_that_goes_back_stands_still() {
    let mut wheel = Wheel::new(10_000);
    wheel.insert(20_000, 20);
    wheel.insert(30_000, 30);
    assert_eq!(wheel.pop_due(25_000), Some(20));
    assert_eq!(wheel.pop_due(0), None);
    wheel.insert(5_000, 5);
    assert_eq!(wheel.next_deadline(), Some(25_000));
    assert_eq!(wheel.pop_due(0), Some(5), "due at the latest time ever seen");
    assert_eq!(wheel.pop_due(29_000), None);
    assert_eq!(wheel.pop_due(30_000), Some(30));
}
