//! What a system may do to its caller within its contract, drawn from a seed.
//!
//! Of two runs with one seed, each draws the same numbers; what they are asked for depends on the network, too.

/// The random stream of one completion queue.
pub(crate) struct Chance {
    state: u64,
    rates: Option<Rates>,
}

/// Each happens to one request, or call, in so many.
struct Rates {
    late: u64,
    short: u64,
    early: u64,
    shuffled: u64,
    reset: u64,
    refused: u64,
}

/// What happens to one request.
#[derive(Default)]
pub(crate) struct Plan {
    /// Its completion is held back for so many looks at it.
    pub(crate) looks: u32,
    /// It receives as many bytes at most.
    pub(crate) short: Option<u32>,
    /// It begins although it was deferred.
    pub(crate) early: bool,
    /// Its connection is reset.
    pub(crate) reset: bool,
}

impl Chance {
    /// Without a seed, nothing ever happens.
    pub(crate) fn new(seed: Option<u64>) -> Chance {
        let Some(seed) = seed else {
            return Chance { state: 0, rates: None };
        };
        let mut state = seed.wrapping_mul(0xd1b5_4a32_d192_ed03).wrapping_add(1);
        // A seed has its own character: some are slow, and some lose every other connection.
        let mut rate = |least: u64, spread: u64| least + next(&mut state) % spread;
        let rates = Rates {
            late: rate(2, 14),
            short: rate(2, 14),
            early: rate(2, 14),
            shuffled: rate(1, 8),
            reset: rate(32, 400),
            refused: rate(32, 400),
        };
        Chance { state, rates: Some(rates) }
    }

    /// As many numbers for each request, whatever happens to it.
    pub(crate) fn plan(&mut self, len: u32) -> Plan {
        let Some(rates) = &self.rates else {
            return Plan::default();
        };
        let state = &mut self.state;
        let mut one_in = |rate: u64| (next(state).is_multiple_of(rate), next(state));
        let (late, looks) = one_in(rates.late);
        let (short, bytes) = one_in(rates.short);
        Plan {
            looks: if late { 1 + (looks % 40) as u32 } else { 0 },
            short: (short && len > 0).then(|| 1 + (bytes % u64::from(len)) as u32),
            early: one_in(rates.early).0,
            reset: one_in(rates.reset).0,
        }
    }

    /// Whether a call that may be short of memory is.
    pub(crate) fn refuses(&mut self) -> bool {
        let Some(rates) = &self.rates else {
            return false;
        };
        next(&mut self.state).is_multiple_of(rates.refused)
    }

    /// Puts queues into another order, sometimes.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        let Some(rates) = &self.rates else {
            return;
        };
        if !next(&mut self.state).is_multiple_of(rates.shuffled) {
            return;
        }
        for index in (1..items.len()).rev() {
            items.swap(index, (next(&mut self.state) % (index as u64 + 1)) as usize);
        }
    }
}

/// The next number of a stream (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
