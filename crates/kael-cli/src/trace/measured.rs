//! [`Measured`]: the account of a run, by request and by second.

use super::account::Account;
use super::calls::Kind;
use super::descriptors::Target;
use super::profile::Profile;
use super::run::Seen;
use super::switches::Counts;
use std::time::Duration;

pub(super) struct Measured {
    pub(super) account: Account,
    pub(super) requests: Option<Requests>,
    pub(super) time: Duration,
    pub(super) switches: Counts,
    pub(super) threads: u64,
    pub(super) processes: u64,
    /// How a program that was started ended.
    pub(super) end: Option<String>,
    pub(super) has_client_failed: bool,
    pub(super) profile: Option<Profile>,
}

/// How many requests the program served, and who says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Requests {
    pub(super) count: u64,
    pub(super) source: &'static str,
}

impl Requests {
    /// Who drives the program knows best. Else what arrived on accepted connections, or on sockets at all: a message each.
    pub(super) fn of(
        account: &Account,
        given: Option<u64>,
        client: Option<u64>,
    ) -> Option<Requests> {
        let received = |count: u64| (count > 0).then_some(count);
        let sources = [
            (given, "`--requests`"),
            (client, "what the client printed"),
            (
                received(account.received_of_accepted),
                "receives that returned data on accepted connections",
            ),
            (received(account.received_of_others), "receives that returned data on sockets"),
        ];
        sources
            .into_iter()
            .find_map(|(count, source)| Some(Requests { count: count.filter(|n| *n > 0)?, source }))
    }
}

impl Measured {
    pub(super) fn new(seen: Seen, given: Option<u64>) -> Measured {
        let requests = Requests::of(&seen.account, given, seen.client_requests);
        let end = seen.end.map(|end| match (end.exit_status(), end.terminating_signal()) {
            (Some(status), _) => format!("with exit status {status}"),
            (_, Some(signal)) => format!("by signal {signal}"),
            _ => "in an unknown way".to_owned(),
        });
        Measured {
            account: seen.account,
            requests,
            time: seen.time,
            switches: seen.switches,
            threads: seen.threads,
            processes: seen.processes,
            end,
            has_client_failed: seen.has_client_failed,
            profile: seen.profile,
        }
    }

    pub(super) fn each(&self, count: u64) -> Option<f64> {
        Some(count as f64 / self.requests?.count as f64)
    }

    pub(super) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.time.as_secs_f64().max(1e-9)
    }

    /// In words: of a request, where requests are known.
    pub(super) fn rate(&self, count: u64) -> String {
        match self.each(count) {
            Some(each) => format!("{each:.2} a request"),
            None => format!("{:.0} a second", self.per_second(count)),
        }
    }

    /// How the program learns that something is ready or done, judged by what it calls.
    pub(super) fn model(&self) -> String {
        let account = &self.account;
        let enters = account.count(Kind::Enter, &[]);
        let waits = account.of(Kind::Wait, &[]).max_by_key(|(_, row)| row.calls);
        let transfers = account.count(Kind::Receive, &[Target::Socket, Target::Pipe])
            + account.count(Kind::Send, &[Target::Socket, Target::Pipe]);
        match waits {
            _ if enters > 0 && enters >= account.count(Kind::Wait, &[]) => {
                "completion (io_uring_enter)".to_owned()
            }
            Some((key, row)) if row.calls > 0 => format!("readiness ({})", key.name),
            _ if transfers > 0 => "blocking: a thread waits in its own reads and writes".to_owned(),
            _ => "none seen: no wait, and nothing on a socket or pipe".to_owned(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::account::Call;
    use super::super::account::tests::call;
    use super::super::descriptors::Descriptor;
    use super::*;

    /// What was measured in a second, told as calls: name, target, result, how often.
    pub(in crate::system::trace) fn measured(
        calls: &[(&'static str, Target, i64, u64)],
        requests: Option<u64>,
    ) -> Measured {
        let mut account = Account::default();
        for (name, target, result, times) in calls {
            for _ in 0..*times {
                account.add(&call(name, *target, 5, *result));
            }
        }
        Measured {
            requests: Requests::of(&account, requests, None),
            account,
            time: Duration::from_secs(1),
            switches: Counts { voluntary: 20, forced: 3 },
            threads: 2,
            processes: 1,
            end: Some("with exit status 0".to_owned()),
            has_client_failed: false,
            profile: None,
        }
    }

    #[test]
    fn whoever_knows_best_counts_the_requests() {
        let mut account = Account::default();
        let of = |account: &Account, given, client| {
            Requests::of(account, given, client).map(|requests| requests.count)
        };
        assert_eq!(of(&account, None, None), None);
        account.add(&call("recvfrom", Target::Socket, 5, 64));
        assert_eq!(of(&account, None, None), Some(1));
        let on = Descriptor { target: Target::Socket, is_accepted: true };
        for _ in 0..2 {
            account.add(&Call { on, ..call("recvfrom", Target::Socket, 6, 64) });
        }
        assert_eq!(of(&account, None, None), Some(2));
        assert_eq!(of(&account, None, Some(7)), Some(7));
        assert_eq!(of(&account, Some(8), Some(7)), Some(8));
        // A client that served nobody is no measure.
        assert_eq!(of(&account, None, Some(0)), Some(2));
    }

    #[test]
    fn the_model_is_judged_by_the_calls() {
        let model = |calls: &[_]| measured(calls, None).model();
        assert!(model(&[("io_uring_enter", Target::None, 1, 3)]).starts_with("completion"));
        let epoll = ("epoll_wait", Target::None, 1, 9);
        let read = ("read", Target::Socket, 9, 9);
        assert_eq!(
            model(&[epoll, read, ("io_uring_enter", Target::None, 1, 3)]),
            "readiness (epoll_wait)"
        );
        assert!(model(&[read]).starts_with("blocking"));
        assert!(model(&[("getpid", Target::None, 1, 3)]).starts_with("none"));
    }
}
