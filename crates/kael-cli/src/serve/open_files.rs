//! [`OpenFiles`]: files that were asked for a moment ago are still open, so that not every request opens and closes its own.
//!
//! A file stays open for [`KEPT`] from its opening on, however often it is asked for: then its path is resolved anew. Each
//! request looks at the open file itself, so what has changed in place is told by its tag and date, and what was removed or
//! replaced is opened anew. What a look does not show may be served for that second longer: that a file which has a name still
//! was moved away or replaced, or that a link or a permission on the way to it has changed.

use super::facts::Facts;
use super::root::{self, Kind, Root};
use kael_rt::fs::File;
use kael_rt::time::{Duration, Instant, sleep};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::SystemTime;

/// How long a path leads to what it led to.
const KEPT: Duration = Duration::from_secs(1);

/// What a path leads to.
pub(super) enum Entry {
    File(OpenFile),
    Directory(OwnedFd),
    /// A device, a socket, a pipe: nothing that is served.
    Other,
}

/// A file as it is now.
pub(super) struct OpenFile {
    pub(super) file: Rc<File>,
    pub(super) len: u64,
    pub(super) modified: SystemTime,
    /// What answers have said of it.
    pub(super) facts: Rc<RefCell<Option<Rc<Facts>>>>,
}

/// The files that a core keeps open.
pub(super) struct OpenFiles {
    /// So many at most.
    most: usize,
    kept: RefCell<HashMap<String, Kept>>,
    /// A task closes what nobody asks for: one, however often the last file goes and another comes.
    is_tended: Cell<bool>,
}

struct Kept {
    file: Rc<File>,
    facts: Rc<RefCell<Option<Rc<Facts>>>>,
    since: Instant,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < KEPT
    }
}

impl OpenFiles {
    pub(super) fn new(most: usize) -> Rc<OpenFiles> {
        Rc::new(OpenFiles { most, kept: RefCell::default(), is_tended: Cell::new(false) })
    }

    /// What `path`, relative and without `.` and `..`, leads to below the root.
    pub(super) async fn find(self: &Rc<Self>, root: &Root, path: &str) -> io::Result<Entry> {
        if let Some(open) = self.look(path) {
            return Ok(Entry::File(open));
        }
        let found = root.find(path).await?;
        Ok(match found.kind {
            Kind::Directory => Entry::Directory(found.fd),
            Kind::Other => Entry::Other,
            Kind::File => {
                let open = OpenFile {
                    file: Rc::new(File::from_std(found.fd.into())?),
                    len: found.len,
                    modified: found.modified,
                    facts: Rc::default(),
                };
                self.keep(path, &open);
                Entry::File(open)
            }
        })
    }

    /// The file at this path, if it is kept and still what the path led to.
    fn look(&self, path: &str) -> Option<OpenFile> {
        let mut kept = self.kept.borrow_mut();
        let Kept { file, facts, .. } = kept.get(path).filter(|kept| kept.is_fresh())?;
        let look = file.try_as_fd().ok().and_then(root::look);
        // One without links was removed, or replaced by another.
        let Some(look) = look.filter(|look| look.links > 0) else {
            kept.remove(path);
            return None;
        };
        Some(OpenFile {
            file: file.clone(),
            len: look.len,
            modified: look.modified,
            facts: facts.clone(),
        })
    }

    fn keep(self: &Rc<Self>, path: &str, open: &OpenFile) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= self.most {
            kept.retain(|_, kept| kept.is_fresh());
        }
        if kept.len() >= self.most {
            return;
        }
        if !self.is_tended.replace(true) {
            let files = self.clone();
            drop(kael_rt::spawn(async move { files.let_go().await }));
        }
        let (file, facts) = (open.file.clone(), open.facts.clone());
        kept.insert(path.to_owned(), Kept { file, facts, since: Instant::now() });
    }

    /// Closes what nobody asks for any more, until nothing is kept.
    async fn let_go(&self) {
        let mut is_empty = false;
        while !is_empty {
            sleep(KEPT).await;
            let mut kept = self.kept.borrow_mut();
            kept.retain(|_, kept| kept.is_fresh());
            is_empty = kept.is_empty();
        }
        self.is_tended.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kael_rt::runtime::Builder;

    #[test]
    fn s01_one_task_tends_the_files_however_often_they_come_and_go() {
        let runtime = Builder::new().build().expect("a runtime");
        let handle = runtime.handle();
        runtime.block_on(async {
            let file = Rc::new(File::open("/dev/null").await.expect("it is there"));
            let (modified, facts) = (SystemTime::UNIX_EPOCH, Rc::default());
            let open = OpenFile { file, len: 0, modified, facts };
            let files = OpenFiles::new(8);
            for _ in 0..10 {
                files.keep("a", &open);
                files.kept.borrow_mut().clear();
            }
            let tasks: u64 = handle.metrics().cores.iter().map(|core| core.tasks).sum();
            assert_eq!(tasks, 1);
        });
    }
}
