//! Tasks.

mod atomic;
pub(crate) mod context;
mod drops;
mod error;
mod header;
mod home;
mod join;
mod pool;
mod remote;
mod run;
mod state;
mod waker;

pub(crate) type HomeArc = atomic::Arc<Home>;

pub use error::JoinError;
pub(crate) use home::{Home, Owner};
pub use join::JoinHandle;
