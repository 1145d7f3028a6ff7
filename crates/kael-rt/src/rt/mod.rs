//! The runtime: what builds the cores, runs their tasks until a future is done, and ends them.
#![forbid(unsafe_code)]

mod blocking;
mod builder;
mod core;
mod cores;
mod handle;
mod metrics;
mod outcome;
mod run_loop;
mod runtime;
mod spawn;

pub(crate) use self::core::Core;
pub use crate::sys::{Granted, Remark};
pub(crate) use blocking::BlockingPool;
pub use builder::Builder;
pub use handle::Handle;
pub use metrics::{CoreMetrics, Metrics};
pub(crate) use outcome::Outcome;
pub use runtime::Runtime;
pub use spawn::{YieldNow, block_on, spawn, spawn_blocking, yield_now};
