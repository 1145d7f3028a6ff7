//! What a kernel may do to its caller within its contract, drawn from a seed.
//!
//! One plan is drawn for each call that asks for events, before it looks for any, so the stream does
//! not depend on how often the call is woken inside. Nothing is lost by a plan: what a call does not
//! get stays queued, and the next call gets it without another edge.

/// The random stream of one queue.
pub(super) struct Chance {
    state: u64,
    rates: Option<Rates>,
}

/// Each happens to one call in so many.
struct Rates {
    short: u64,
    interrupted: u64,
    spurious: u64,
    shuffled: u64,
    repeated: u64,
}

/// What happens to one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// It gets only some of the events that there are, one at least: how many.
    pub(super) short: Option<u64>,
    /// If it would wait, it ends with EINTR instead.
    pub(super) interrupted: bool,
    /// It gets an event that is not true: of which knote.
    pub(super) spurious: Option<u64>,
    /// It gets its events in this order.
    pub(super) shuffled: Option<u64>,
    /// It gets the last one-shot once more.
    pub(super) repeated: bool,
}

impl Chance {
    /// The stream of the thread's queue number `queue`; without a seed, nothing ever happens.
    pub(super) fn new(seed: Option<u64>, queue: u64) -> Chance {
        let Some(seed) = seed else {
            return Chance { state: 0, rates: None };
        };
        let mut state = seed.wrapping_mul(0xd1b5_4a32_d192_ed03).wrapping_add(queue);
        // A seed has its own character: some are short of room and hardly ever interrupted.
        let mut rate = |mild: u64| if seed == 0 { mild } else { 2 + next(&mut state) % 14 };
        let rates = Rates {
            short: rate(32),
            interrupted: rate(64),
            spurious: rate(64),
            shuffled: rate(8),
            repeated: rate(32),
        };
        Chance { state, rates: Some(rates) }
    }

    pub(super) fn plan(&mut self) -> Plan {
        let Some(rates) = &self.rates else {
            return Plan::default();
        };
        let state = &mut self.state;
        // As many numbers for each call, whatever happens to it.
        let mut one_in = |rate: u64| (next(state).is_multiple_of(rate), next(state));
        let number = |(happens, number): (bool, u64)| happens.then_some(number);
        Plan {
            short: number(one_in(rates.short)),
            interrupted: one_in(rates.interrupted).0,
            spurious: number(one_in(rates.spurious)),
            shuffled: number(one_in(rates.shuffled)),
            repeated: one_in(rates.repeated).0,
        }
    }
}

/// The next number of a stream (SplitMix64).
pub(super) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
