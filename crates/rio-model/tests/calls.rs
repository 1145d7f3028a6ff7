//! How many calls a message costs that enter the system: commits, notifications, and the waits on the port.
//!
//! The model gathers completions, so each batch is full. What the machine decides is only how often the next batch is
//! there before the core sleeps, which saves two of four calls.

#![cfg(windows)]

#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;
#[allow(dead_code)]
mod support;

use std::thread;
use support::{connect, echo::Server, listener, verify};

/// Calls and messages of an echo with so many messages in flight on one connection.
fn measure(depth: u32, rounds: usize) -> (u64, u64) {
    const SIZE: u32 = 64;
    let mut server = Server::new(&rio_model::table(), 1, depth, SIZE);
    let (clients, sockets) = connect(&listener(), 1);
    rio_model::gather(depth as usize);
    let client = thread::spawn(move || verify(clients, rounds, (SIZE * depth) as usize));
    server.add(sockets[0], depth);
    // The first receives are of the set-up; the last ones, which wait for what does not come any more, are not.
    server.commit();
    let first = server.rio.calls().system_calls();
    server.run_until(depth as u64 * rounds as u64);
    let calls = server.rio.calls();
    let total = calls.system_calls() - first + server.port.waits;
    rio_model::gather(0);
    assert_eq!(client.join().unwrap(), rounds);
    server.run();
    println!(
        "depth {depth}: {} messages, {total} calls: {} commits, {} notifications, {} waits",
        server.messages, calls.commits, calls.notifies, server.port.waits
    );
    let messages = server.messages;
    server.end();
    assert_eq!(rio_model::total(), 0);
    (total, messages)
}

#[test]
fn a_message_costs_a_sixteenth_of_a_call_at_64_in_flight_and_four_calls_alone() {
    let (calls, messages) = measure(64, 50);
    assert_eq!(messages, 64 * 50);
    assert!(calls * 16 <= messages, "{calls} calls for {messages} messages");
    let (calls, messages) = measure(1, 200);
    assert_eq!(messages, 200);
    assert!(calls <= 4 * messages, "{calls} calls for {messages} messages");
}
