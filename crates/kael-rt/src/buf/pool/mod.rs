//! Pools: buffers made once, for a core, that files and sockets read into and write from.

mod get;
mod pooled;
mod row;
mod shared;

pub use get::Get;
pub use pooled::PoolBuf;
pub(crate) use row::Row;
pub(crate) use shared::Shared;

use crate::{budget::budget, error::Error, task::context};
use std::{io, rc::Rc};

/// Buffers of one size, made once. It belongs to the core that it was made on; clones are handles of the
/// same pool.
///
/// A buffer is taken with [`get`](Self::get) or comes from a receive
/// ([`TcpStream::recv_pooled`](crate::net::TcpStream::recv_pooled)), is lent to operations like any
/// other, and is back in its pool when it is dropped. Its memory is registered with the core's ring
/// where the system allows that: reads and writes of files and sends without a copy then spare the
/// kernel looking up and pinning its pages each time. Nothing else changes: no method asks for it.
/// See io_uring_register(2), IORING_REGISTER_BUFFERS2.
///
/// The first pooled receive lends 16 buffers to the kernel, which puts what arrives into one of them; so
/// idle connections hold no buffer. It gets twice as many each time that receives use them up faster than they
/// come back, three of four at most (of a pool of one: that one); the others stay for `get`.
///
/// The pool, and each buffer, may outlive the runtime; the memory is freed when the last of them goes. That
/// costs 3 system calls, making a pool 2 and the first receive 1: all outside of the operations' budgets.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{buf::BufferPool, fs::File};
/// let pool = BufferPool::new(64, 4096)?;
/// let file = File::open("/dev/zero").await?;
/// let (n, buf) = file.read_at(pool.get().await, 0).await;
/// assert_eq!((n?, buf.len()), (4096, 4096));
/// drop(buf);
/// assert_eq!(pool.available(), 64);
/// assert_eq!((pool.count(), pool.size()), (64, 4096));
/// if pool.is_registered() {
///     let spare = pool.try_get().expect("it is free");
///     assert!(spare.is_empty());
/// }
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct BufferPool {
    shared: Rc<Shared>,
}

/// The most buffers that a pool may have.
const MAX_COUNT: usize = 32_768;
/// The most memory that a pool may have, in bytes: what the kernel registers at once.
const MAX_BYTES: usize = 1 << 30;

impl BufferPool {
    /// A pool of `count` buffers (1 to 32,768) of `size` bytes each, 1 GiB in all at most.
    ///
    /// # Errors
    /// `InvalidInput` beyond these bounds. That the memory could not be registered is none: see
    /// [`registration_error`](Self::registration_error).
    ///
    /// # Panics
    /// Outside a runtime.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::buf::BufferPool;
    /// assert!(BufferPool::new(0, 4096).is_err());
    /// assert_eq!(BufferPool::new(8, 1000)?.count(), 8);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn new(count: usize, size: usize) -> io::Result<BufferPool> {
        BufferPool::builder(count, size).build()
    }

    /// As [`new`](Self::new), with options.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::buf::BufferPool;
    /// let pool = BufferPool::builder(1024, 4096).huge_pages(true).registered(false).build()?;
    /// assert!(!pool.is_registered() && pool.registration_error().is_none());
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn builder(count: usize, size: usize) -> BufferPoolBuilder {
        BufferPoolBuilder { count, size, huge_pages: false, registered: true }
    }

    /// A buffer, if one is free that is not lent to the kernel. It is empty.
    #[inline]
    pub fn try_get(&self) -> Option<PoolBuf> {
        Some(PoolBuf::new(self.shared.clone(), self.shared.take()?, 0))
    }

    /// A buffer, whether or not one is free. One that is made for it is kept for the next such case.
    pub(crate) fn get_or_make(&self) -> Option<PoolBuf> {
        let index = self.shared.take().or_else(|| self.shared.make())?;
        Some(PoolBuf::new(self.shared.clone(), index, 0))
    }

    /// A buffer, as soon as one is free; in the order of the first polls. Dropping the future passes its
    /// turn on.
    ///
    #[doc = budget!(pool_get)]
    ///
    /// In a pool of one that has received, the one buffer is the kernel's for good, and this waits for ever.
    pub fn get(&self) -> Get {
        Get::new(self.shared.clone())
    }

    /// How many buffers it has.
    pub fn count(&self) -> usize {
        usize::from(self.shared.count())
    }

    /// How many bytes each has room for.
    pub fn size(&self) -> usize {
        self.shared.size()
    }

    /// How many could be had with [`try_get`](Self::try_get) now.
    pub fn available(&self) -> usize {
        self.shared.available()
    }

    /// How many are lent to the kernel, for receives.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::{buf::BufferPool, net::{TcpListener, TcpStream}};
    /// let pool = BufferPool::new(8, 1024)?;
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (stream, _) = listener.accept().await?;
    /// client.write_all("hello").await.0?;
    /// let received = stream.recv_pooled(&pool).await?.expect("it is not the end");
    /// assert_eq!(&received[..], b"hello");
    /// drop(received);
    /// assert_eq!(pool.available() + pool.lent(), 8);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn lent(&self) -> usize {
        self.shared.lent()
    }

    /// Its memory is registered with the core's ring.
    pub fn is_registered(&self) -> bool {
        self.shared.is_registered()
    }

    /// Why its memory is not registered although that was asked for: the limit, and the remedy. It works
    /// all the same. `None` on systems where nothing is registered.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::buf::BufferPool;
    /// let pool = BufferPool::new(16, 4096)?;
    /// if let Some(error) = pool.registration_error() {
    ///     eprintln!("slower than it could be: {error}");
    /// }
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn registration_error(&self) -> Option<&io::Error> {
        self.shared.registration_error()
    }

    pub(crate) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }
}

impl std::fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BufferPool")
            .field("count", &self.count())
            .field("size", &self.size())
            .field("available", &self.available())
            .field("lent", &self.lent())
            .finish()
    }
}

/// What a [`BufferPool`] is made with.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::buf::{BufferPool, BufferPoolBuilder};
///
/// fn blocks(count: usize) -> BufferPoolBuilder {
///     BufferPool::builder(count, 64 * 1024).huge_pages(true).registered(true)
/// }
/// assert_eq!(blocks(32).build()?.available(), 32);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder builds nothing before `build`"]
pub struct BufferPoolBuilder {
    count: usize,
    size: usize,
    huge_pages: bool,
    registered: bool,
}

impl BufferPoolBuilder {
    /// Asks the system for huge pages (2 MiB), which make registering and address translation cheaper. It
    /// may give ordinary ones. Off unless asked for. See madvise(2), MADV_HUGEPAGE.
    pub fn huge_pages(mut self, on: bool) -> BufferPoolBuilder {
        self.huge_pages = on;
        self
    }

    /// Registers the memory with the ring, which is the default. Registered memory is pinned, and counts
    /// against RLIMIT_MEMLOCK unless the process has CAP_IPC_LOCK. Making and ending such a pool calls
    /// io_uring_register(2): under a filter that does not allow that, turn it off.
    pub fn registered(mut self, on: bool) -> BufferPoolBuilder {
        self.registered = on;
        self
    }

    /// Makes the pool; see [`BufferPool::new`].
    #[track_caller]
    pub fn build(self) -> io::Result<BufferPool> {
        let driver = context::with("a BufferPool", |core| core.driver.clone());
        let BufferPoolBuilder { count, size, huge_pages, registered } = self;
        if count == 0 || count > MAX_COUNT {
            return Err(Error::pool_count(count, MAX_COUNT));
        }
        let stride = Shared::stride(size);
        if size == 0 || stride > MAX_BYTES || stride * count > MAX_BYTES {
            return Err(Error::pool_bytes(count, size, MAX_BYTES));
        }
        let shared = Shared::new(driver, count as u16, size, huge_pages, registered);
        Ok(BufferPool { shared: Rc::new(shared) })
    }
}
