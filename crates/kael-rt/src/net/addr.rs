//! Addresses, and names that stand for them.
#![forbid(unsafe_code)]

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

mod sealed {
    use std::net::SocketAddr;

    /// What to connect or bind to, before any look-up.
    pub enum Target {
        Addr(SocketAddr),
        Addrs(Vec<SocketAddr>),
        Host(String),
    }

    pub trait Sealed {
        fn target(self) -> Target;
    }
}
use sealed::{Sealed, Target};

/// Something that stands for one or more socket addresses: an address, or a `host:port`.
///
/// ```
/// fn is<T: kael_rt::net::ToSocketAddrs>() {}
/// is::<std::net::SocketAddr>();
/// is::<&str>();
/// is::<(&str, u16)>();
/// ```
pub trait ToSocketAddrs: Sealed {}
impl<T: Sealed> ToSocketAddrs for T {}

macro_rules! addresses {
    ($($type:ty),*) => {$(
        impl Sealed for $type {
            fn target(self) -> Target {
                Target::Addr(self.into())
            }
        }
    )*};
}
addresses!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl Sealed for &str {
    fn target(self) -> Target {
        self.parse().map_or_else(|_| Target::Host(self.to_owned()), Target::Addr)
    }
}
impl Sealed for String {
    fn target(self) -> Target {
        self.parse().map_or(Target::Host(self), Target::Addr)
    }
}
impl Sealed for &String {
    fn target(self) -> Target {
        self.as_str().target()
    }
}
impl Sealed for (&str, u16) {
    fn target(self) -> Target {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => Target::Addr((ip, self.1).into()),
            Err(_) => Target::Host(format!("{}:{}", self.0, self.1)),
        }
    }
}
impl Sealed for (String, u16) {
    fn target(self) -> Target {
        (self.0.as_str(), self.1).target()
    }
}
impl Sealed for &[SocketAddr] {
    fn target(self) -> Target {
        Target::Addrs(self.to_vec())
    }
}
impl Sealed for &SocketAddr {
    fn target(self) -> Target {
        Target::Addr(*self)
    }
}

/// The addresses of a host and port, as the system's resolver gives them.
///
/// An address written out needs no look-up. A name is looked up on a thread of the blocking pool.
///
/// ```
/// # kael_rt::block_on(async {
/// let mut addrs = kael_rt::net::lookup_host("127.0.0.1:80").await?;
/// assert_eq!(addrs.next().unwrap().port(), 80);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn lookup_host(
    host: impl ToSocketAddrs,
) -> impl Future<Output = io::Result<impl Iterator<Item = SocketAddr>>> {
    let target = host.target();
    async move { Ok(resolve(target).await?.into_iter()) }
}

async fn resolve(target: Target) -> io::Result<Vec<SocketAddr>> {
    match target {
        Target::Addr(addr) => Ok(vec![addr]),
        Target::Addrs(addrs) => Ok(addrs),
        Target::Host(host) => {
            let look_up =
                move || std::net::ToSocketAddrs::to_socket_addrs(&host).map(Vec::from_iter);
            crate::spawn_blocking(look_up).await.map_err(io::Error::other)?
        }
    }
}

/// Tries `f` on each address until one works; the error is the last one's.
pub(super) async fn each<T, F: Future<Output = io::Result<T>>>(
    addr: impl ToSocketAddrs,
    mut f: impl FnMut(SocketAddr) -> F,
) -> io::Result<T> {
    let target = addr.target();
    if let Target::Addr(addr) = target {
        return f(addr).await;
    }
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for addr in resolve(target).await? {
        match f(addr).await {
            Ok(done) => return Ok(done),
            Err(error) => last = error,
        }
    }
    Err(last)
}
