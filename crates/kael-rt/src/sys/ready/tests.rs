//! Who waits for a number, and of which of its uses a hint is.

use super::watches::Watches;
use crate::{
    driver::SlotId,
    op::{Request, Side},
};

#[test]
fn k05_a_hint_of_an_earlier_use_is_nobodys() {
    let mut watches = Watches::default();
    watches.side(5, Side::Write).armed = true;
    let generation = watches.get(5).generation;
    assert!(watches.current(5, generation).is_some());
    assert!(watches.forget(5), "hints of it were to come");
    assert!(watches.current(5, generation).is_none(), "a hint of the number's last owner counts");
    assert!(watches.current(5, generation + 1).is_some());
}

#[test]
fn k05_who_was_listed_is_forgotten_with_the_number() {
    let mut watches = Watches::default();
    watches.side(5, Side::Read).listed = true;
    watches.forget(5);
    assert!(!watches.side(5, Side::Read).listed, "the number's next owner would never be listed");
}

#[test]
fn k08_requests_go_in_their_order() {
    let mut watches = Watches::default();
    let ids: Vec<SlotId> = (0..5).map(|index| SlotId::new(index, 1)).collect();
    for &id in &ids {
        watches.push(id, Request::Nop, 5, Side::Read);
    }
    // One in the middle is cancelled.
    assert!(watches.remove(ids[2]).is_some());
    let mut order = Vec::new();
    while let Some((id, ..)) = watches.first(5, Side::Read) {
        order.push(id);
        watches.remove(id);
    }
    assert_eq!(order, [ids[0], ids[1], ids[3], ids[4]]);
    assert_eq!(watches.waiting(), 0);
}
