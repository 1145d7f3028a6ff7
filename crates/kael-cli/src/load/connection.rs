//! One connection of `kael load`: a task that sends, and one that receives and checks.

use super::Tally;
use super::pattern::Pattern;
use super::window::Window;
use crate::before::before;
use kael_rt::CancelToken;
use kael_rt::net::{OwnedReadHalf, OwnedWriteHalf, TcpStream};
use kael_rt::time::{self, Duration, Instant};
use std::io;
use std::rc::Rc;

/// What is the same for all connections.
pub(crate) struct Plan {
    pub(crate) start: Instant,
    pub(crate) end: Instant,
    pub(crate) depth: usize,
    pub(crate) connections: u64,
    /// Messages per second of all connections together.
    pub(crate) rate: Option<u32>,
    pub(crate) stop: CancelToken,
}

/// How long answers may take that are under way at the end.
const GRACE: Duration = Duration::from_secs(5);

impl Plan {
    /// When a message is due; `None`: at once.
    fn due(&self, connection: u64, number: u64) -> Option<Instant> {
        let turn = connection + number * self.connections;
        let ns = u128::from(turn) * 1_000_000_000 / u128::from(self.rate?);
        Some(self.start + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX)))
    }

    /// Ends when no answer is waited for any more.
    async fn patience_ends(&self) {
        let end = time::sleep_until(self.end);
        before(end, self.stop.cancelled()).await;
        time::sleep(GRACE).await;
    }

    fn is_over(&self) -> bool {
        self.stop.is_cancelled() || Instant::now() >= self.end
    }
}

pub(crate) async fn run(
    number: u64,
    stream: TcpStream,
    plan: Rc<Plan>,
    pattern: Pattern,
    tally: Rc<Tally>,
) -> io::Result<()> {
    let window = Rc::new(Window::new(plan.depth));
    let (read, write) = stream.into_split();
    let sender = kael_rt::spawn(send(
        number,
        write,
        plan.clone(),
        pattern.clone(),
        window.clone(),
        tally.clone(),
    ));
    let receiving = receive(number, &read, &pattern, &window, &tally);
    let received = before(receiving, plan.patience_ends()).await;
    // Whatever ended it: the other task must not wait for room that never comes.
    window.close();
    let under_way = window.len();
    match received {
        Some(received) => received?,
        None => {
            // What the server does not read keeps the sender, and its half of the stream, for ever.
            sender.abort();
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("{under_way} messages did not come back within {GRACE:?} of the end"),
            ));
        }
    }
    let write = sender.await.map_err(io::Error::other)??;
    match read.reunite(write) {
        Ok(stream) => stream.close().await,
        Err(_) => unreachable!("they are halves of one stream"),
    }
}

/// Sends until the time is up; gives its half back.
async fn send(
    connection: u64,
    stream: OwnedWriteHalf,
    plan: Rc<Plan>,
    pattern: Pattern,
    window: Rc<Window>,
    tally: Rc<Tally>,
) -> io::Result<OwnedWriteHalf> {
    // Also when a write fails: the receiving task must not wait for ever.
    let closed = CloseOnDrop(&window);
    let mut message = Vec::new();
    for number in 0.. {
        let due = plan.due(connection, number);
        if let Some(due) = due {
            if due >= plan.end {
                break;
            }
            if due > Instant::now()
                && before(time::sleep_until(due), plan.stop.cancelled()).await.is_none()
            {
                break;
            }
        }
        if !window.room().await {
            break;
        }
        if plan.is_over() {
            let late = plan.rate.map_or(0, |_| unsent(&plan, connection, number));
            tally.unsent.set(tally.unsent.get() + late);
            break;
        }
        message.clear();
        message.extend_from_slice(pattern.message(connection, number));
        window.push(due.unwrap_or_else(Instant::now));
        let (result, back) = stream.write_all(message).await;
        result?;
        message = back;
    }
    drop(closed);
    Ok(stream)
}

/// The messages of a connection that were due before the end, from `number` on.
fn unsent(plan: &Plan, connection: u64, number: u64) -> u64 {
    let is_due =
        |number| plan.due(connection, number).is_some_and(|due| due < plan.end.min(Instant::now()));
    (number..).take_while(|number| is_due(*number)).count() as u64
}

async fn receive(
    connection: u64,
    stream: &OwnedReadHalf,
    pattern: &Pattern,
    window: &Window,
    tally: &Tally,
) -> io::Result<()> {
    let mut buf = vec![0; pattern.message(0, 0).len()];
    for number in 0.. {
        if !window.is_awaited().await {
            break;
        }
        let (result, message) = stream.read_exact(buf).await;
        result?;
        let start = window.pop().expect("a message is under way");
        if message != pattern.message(connection, number) {
            let text = format!("message {number} came back changed");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        tally.arrived(message.len(), start.elapsed());
        buf = message;
    }
    Ok(())
}

struct CloseOnDrop<'a>(&'a Window);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
