//! What the library's table of budgets says about the work that the traced calls do.

use super::calls::Kind;
use super::descriptors::Target;
use super::measured::Measured;
use kael_rt::budget::{Budget, TABLE};

/// A request and its answer on one connection.
const ROUND_TRIP: &str = "TcpStream round trip (queued)";

/// The library's operation that does what a call does, as the table names it.
fn operation(kind: Kind, target: Target) -> Option<&'static str> {
    Some(match (kind, target) {
        (Kind::Receive, Target::Socket) => "TcpStream::read",
        (Kind::Receive, Target::File) => "File::read_at",
        (Kind::Send, Target::Socket) => "TcpStream::write_all",
        (Kind::Send, Target::File) => "File::write_at",
        (Kind::Enter, _) => ROUND_TRIP,
        (Kind::Accept, _) => "TcpListener::accept",
        (Kind::Connect, _) => "TcpStream::connect",
        (Kind::Listen, _) => "TcpListener::bind",
        (Kind::Open, _) => "File::open + close",
        (Kind::Stat, _) => "fs::metadata",
        (Kind::Sync, _) => "File::sync_data",
        (Kind::Sleep, _) => "time::sleep",
        (Kind::SetOption, Target::Socket) => "TcpStream::set_nodelay",
        (Kind::Move, _) => "io::send_file (32 KiB)",
        (Kind::Lock, _) => "wake of a sleeping core",
        _ => return None,
    })
}

/// Why the library has no call of its own for this.
fn part_of_another(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Wait => "an operation's own call waits",
        Kind::Watch => "nothing is registered for a wait",
        Kind::Close => "a close rides along with a later call",
        Kind::Seek => "reads and writes name their offset",
        _ => return None,
    })
}

fn row(operation: &str) -> Option<&'static Budget> {
    TABLE.iter().find(|row| row.operation == operation)
}

/// Cells of the report: expected system calls of one, and what that is in the library.
pub(super) fn expected(kind: Kind, target: Target) -> (String, String) {
    if let Some(row) = operation(kind, target).and_then(row) {
        let bound = if row.exact { "" } else { "<= " };
        let cell = format!("{bound}{:.2}; {:.2} of 64", row.one, row.many);
        return (cell, format!("`{}`", row.operation));
    }
    match part_of_another(kind) {
        Some(why) => ("0.00".to_owned(), why.to_owned()),
        None => ("-".to_owned(), String::new()),
    }
}

/// System calls of a request as the table adds them up: with one in flight, and for each of 64.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(super) struct Possible {
    pub(super) one: f64,
    pub(super) many: f64,
    /// Of `one`: the request and its answer on a connection.
    pub(super) round_trip: f64,
}

/// What the same requests would cost: a round trip, and the file operations that belong to each. Waits, locks, closes and
/// the memory's calls go; a call that the table does not know stays.
pub(super) fn possible(measured: &Measured) -> Option<Possible> {
    let account = &measured.account;
    let has_sockets = account.count(Kind::Enter, &[]) > 0
        || account.count(Kind::Receive, &[Target::Socket]) > 0
        || account.count(Kind::Send, &[Target::Socket]) > 0;
    let round_trip = row(ROUND_TRIP).filter(|_| has_sockets);
    let mut possible = round_trip.map_or(Possible::default(), |row| Possible {
        one: row.one,
        many: row.many,
        round_trip: row.one,
    });
    for (key, calls) in &account.rows {
        let each = measured.each(calls.calls)?;
        let (one, many) = match calls.kind {
            Kind::Receive | Kind::Send if key.target == Target::Socket => continue,
            Kind::Enter | Kind::Wait | Kind::Watch | Kind::Close | Kind::Seek => continue,
            Kind::Lock | Kind::Memory | Kind::Clock | Kind::Yield | Kind::Sleep => continue,
            // The library's way moves a whole file; the program's own call is the less, so it stays.
            Kind::Move => (1.0, 1.0),
            kind => operation(kind, key.target)
                .and_then(row)
                .map_or((1.0, 1.0), |row| (row.one, row.many)),
        };
        possible.one += each * one;
        possible.many += each * many;
    }
    Some(possible)
}

#[cfg(test)]
mod tests {
    use super::super::measured::tests::measured;
    use super::*;

    #[test]
    fn every_operation_named_here_is_in_the_table() {
        use Kind::*;
        use Target::{File, None, Socket};
        let kinds = [
            Receive, Send, Enter, Accept, Connect, Listen, Open, Stat, Sync, Sleep, SetOption,
            Move, Lock,
        ];
        for kind in kinds {
            for target in [Socket, File, None] {
                if let Some(operation) = operation(kind, target) {
                    assert!(row(operation).is_some(), "{operation}");
                }
            }
        }
        assert!(row(ROUND_TRIP).is_some());
    }

    #[test]
    fn a_request_costs_its_round_trip_and_its_files() {
        let echo = [
            ("epoll_wait", Target::None, 1, 10),
            ("read", Target::Socket, 64, 10),
            ("write", Target::Socket, 64, 10),
        ];
        let trip = row(ROUND_TRIP).expect("it is in the table");
        let found = possible(&measured(&echo, Some(10)));
        assert_eq!(found, Some(Possible { one: trip.one, many: trip.many, round_trip: trip.one }));
        let files = [
            echo[0],
            echo[1],
            echo[2],
            ("openat", Target::None, 9, 10),
            ("getpid", Target::None, 9, 5),
        ];
        let open = row("File::open + close").expect("it is in the table");
        let found = possible(&measured(&files, Some(10))).expect("requests are known");
        assert_eq!(
            found,
            Possible {
                one: trip.one + open.one + 0.5,
                many: trip.many + open.many + 0.5,
                round_trip: trip.one
            }
        );
        assert_eq!(possible(&measured(&[("getpid", Target::None, 9, 5)], None)), None);
    }
}
