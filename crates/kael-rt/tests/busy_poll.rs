//! `Builder::busy_poll`. Whether a card is polled shows only on a machine with one: here it must do no harm. It is set
//! before the ring is restricted, and sockets without a card let the core sleep.

mod rig;

use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, sleep};
use rig::{pair, within_limit};

#[test]
fn everything_works_while_cards_are_polled() {
    within_limit(|| {
        let runtime = Builder::new().busy_poll(Duration::from_micros(50)).build().unwrap();
        println!("granted: {:?}", runtime.granted().flags);
        runtime.block_on(async {
            let (here, there) = pair().await;
            for round in 0..200u8 {
                here.write_all(vec![round; 4]).await.0.unwrap();
                assert_eq!(there.read(Vec::with_capacity(8)).await.1, [round; 4]);
            }
            sleep(Duration::from_millis(1)).await;
        });
        assert_eq!(runtime.handle().metrics().cores[0].in_flight, 0);
    });
}

#[test]
fn it_is_off_unless_asked_for() {
    let runtime = Builder::new().build().unwrap();
    assert!(!runtime.granted().flags.contains(&"busy poll"));
    let error = Builder::new().busy_poll(Duration::from_secs(3)).build().unwrap_err();
    assert_eq!(error.to_string(), "Builder::busy_poll(3s): it must be at most 1s");
}
