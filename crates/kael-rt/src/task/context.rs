//! Which core this thread is running, if any: two thread-local pointers, set while a guard lives. A core is current
//! only inside `Runtime::block_on` and while the runtime is dropped.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::rc::Rc;

use super::home::Home;
use crate::rt::Core;

thread_local! {
    static CORE: Cell<*const Rc<Core>> = const { Cell::new(ptr::null()) };
    /// The address of the current core's driver, unless it is ending.
    static DRIVER: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

#[cfg(not(loom))]
thread_local! {
    static HOME: Cell<*const Home> = const { Cell::new(ptr::null()) };
}

#[cfg(loom)]
loom::thread_local! {
    static HOME: Cell<*const Home> = Cell::new(ptr::null());
}

/// Runs `f` with the current core; outside a runtime, panics with a sentence that begins with `what`.
#[inline]
#[track_caller]
pub(crate) fn with<R>(what: &'static str, f: impl FnOnce(&Rc<Core>) -> R) -> R {
    match try_with(f) {
        Some(result) => result,
        None => outside(what),
    }
}

/// Runs `f` with the current core; `None` outside a runtime.
#[inline]
pub(crate) fn try_with<R>(f: impl FnOnce(&Rc<Core>) -> R) -> Option<R> {
    let core = CORE.with(Cell::get);
    // SAFETY: the pointer is set by a guard that borrows the core and resets it when it goes, so the core is alive,
    // and it stays alive for this call, which ends before the guard (guards are on the stack of this thread).
    unsafe { core.as_ref() }.map(f)
}

#[cold]
#[track_caller]
fn outside(what: &'static str) -> ! {
    panic!(
        "{what} needs a running Kael runtime on this thread: call it inside kael_rt::block_on, Runtime::block_on or \
         #[kael_rt::main]"
    )
}

/// Whether this thread runs the core of `home` now, so that the owner half of the home may be used. The pointer is
/// only compared. It cannot be that of an older home at the same address: who asks has a header, which keeps its
/// home alive.
#[inline(always)]
pub(super) fn is_current(home: *const Home) -> bool {
    ptr::eq(HOME.with(Cell::get), home)
}

/// Whether this thread runs the core of the driver at that address, and the driver is not ending.
#[inline(always)]
pub(crate) fn is_driver(tag: *const ()) -> bool {
    ptr::eq(DRIVER.get(), tag)
}

/// The current core's driver is ending: nothing begins by it any more without a closer look.
pub(crate) fn end_driver() {
    DRIVER.set(ptr::null());
}

/// While it lives, the core is current on this thread. Guards are dropped in the reverse order of their making, and
/// never forgotten.
pub(crate) struct CoreGuard<'a> {
    previous: (*const Rc<Core>, *const ()),
    _home: HomeGuard<'a>,
}

pub(crate) fn enter(core: &Rc<Core>) -> CoreGuard<'_> {
    let home = core.tasks.enter();
    let previous = (CORE.replace(core), DRIVER.replace(core.driver.tag()));
    CoreGuard { previous, _home: home }
}

impl Drop for CoreGuard<'_> {
    fn drop(&mut self) {
        CORE.set(self.previous.0);
        DRIVER.set(self.previous.1);
    }
}

/// While it lives, the home is current on this thread. Made by its owner only.
pub(crate) struct HomeGuard<'a> {
    previous: *const Home,
    _home: PhantomData<&'a Home>,
    _this_thread: PhantomData<*const ()>,
}

impl<'a> HomeGuard<'a> {
    pub(super) fn new(home: &'a Home) -> HomeGuard<'a> {
        let previous = HOME.with(|current| current.replace(home));
        HomeGuard { previous, _home: PhantomData, _this_thread: PhantomData }
    }
}

impl Drop for HomeGuard<'_> {
    fn drop(&mut self) {
        HOME.with(|current| current.set(self.previous));
    }
}
