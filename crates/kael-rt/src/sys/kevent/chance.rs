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
pub(super) struct Plan {
    /// Events that it may get at most; one at least.
    pub(super) limit: usize,
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

    pub(super) fn plan(&mut self, room: usize) -> Plan {
        let mut plan = Plan {
            limit: room,
            interrupted: false,
            spurious: None,
            shuffled: None,
            repeated: false,
        };
        let Some(rates) = &self.rates else {
            return plan;
        };
        let state = &mut self.state;
        let mut one_in = |rate: u64| next(state).is_multiple_of(rate);
        let short = one_in(rates.short);
        plan.interrupted = one_in(rates.interrupted);
        plan.repeated = one_in(rates.repeated);
        let spurious = one_in(rates.spurious);
        let shuffled = one_in(rates.shuffled);
        if short {
            plan.limit = 1 + next(state) as usize % room;
        }
        plan.spurious = spurious.then(|| next(state));
        plan.shuffled = shuffled.then(|| next(state));
        plan
    }
}

/// The next number of a stream (SplitMix64).
pub(super) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
