//! A small file system in memory: files and directories by path. It has no links, no rights of
//! users, no devices but /dev/zero and /dev/null.
#![forbid(unsafe_code)]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::CStr,
    path::{Component, Path},
    rc::Rc,
};

pub(super) struct FileSystem {
    nodes: BTreeMap<String, Node>,
    next_inode: u64,
}

#[derive(Clone)]
enum Node {
    Directory(Meta),
    File(Rc<RefCell<Content>>),
}

/// What stat(2) says besides the size.
#[derive(Clone, Copy)]
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) inode: u64,
    pub(super) links: u32,
    /// Of the last change, in nanoseconds on the kernel's clock.
    pub(super) changed: u64,
    pub(super) born: u64,
}

pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) meta: Meta,
    device: Option<Device>,
}

#[derive(Clone, Copy)]
enum Device {
    Zero,
    Null,
}

/// An open file or directory.
pub(super) struct OpenFile {
    node: Node,
    flags: i32,
}

/// The largest file. A longer one is EFBIG, and no test gets there by accident.
const LARGEST: u64 = 1 << 26;
const BLOCK: u64 = 512;

type Answer<T> = Result<T, i32>;

impl FileSystem {
    /// Holds the directories that programs expect: those of temporary files among them.
    pub(super) fn new() -> FileSystem {
        let mut files = FileSystem { nodes: BTreeMap::new(), next_inode: 1 };
        let temporary = std::env::temp_dir();
        let ancestors = temporary.ancestors().filter_map(Path::to_str);
        for path in ["/", "/dev", "/tmp", "/work"].into_iter().chain(ancestors) {
            let path = normal(path);
            if !files.nodes.contains_key(&path) {
                let meta = files.meta(libc::S_IFDIR | 0o755, 0);
                files.nodes.insert(path, Node::Directory(meta));
            }
        }
        for (path, device) in [("/dev/zero", Device::Zero), ("/dev/null", Device::Null)] {
            let meta = files.meta(libc::S_IFCHR | 0o666, 0);
            let content = Content { bytes: Vec::new(), meta, device: Some(device) };
            files.nodes.insert(path.to_owned(), Node::File(Rc::new(RefCell::new(content))));
        }
        files
    }

    fn meta(&mut self, mode: u32, now: u64) -> Meta {
        self.next_inode += 1;
        Meta { mode, inode: self.next_inode, links: 1, changed: now, born: now }
    }

    /// The directory that holds `path` is there.
    fn parent(&self, path: &str) -> Answer<()> {
        let end = path.rfind('/').unwrap_or(0).max(1);
        match self.nodes.get(&path[..end]) {
            Some(Node::Directory(_)) => Ok(()),
            Some(Node::File(_)) => Err(libc::ENOTDIR),
            None => Err(libc::ENOENT),
        }
    }

    pub(super) fn open(
        &mut self,
        path: &CStr,
        flags: i32,
        mode: u32,
        now: u64,
    ) -> Answer<OpenFile> {
        let path = name(path)?;
        self.parent(&path)?;
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
        let makes = flags & libc::O_CREAT != 0;
        match self.nodes.get(&path) {
            Some(_) if makes && flags & libc::O_EXCL != 0 => Err(libc::EEXIST),
            Some(Node::Directory(_)) if writes || makes => Err(libc::EISDIR),
            Some(Node::File(_)) if flags & libc::O_DIRECTORY != 0 => Err(libc::ENOTDIR),
            Some(node) => {
                if let Node::File(file) = node
                    && flags & libc::O_TRUNC != 0
                {
                    file.borrow_mut().resize(0, now);
                }
                Ok(OpenFile { node: node.clone(), flags })
            }
            None if makes => {
                let meta = self.meta(libc::S_IFREG | (mode & 0o7777 & !0o022), now);
                let content = Content { bytes: Vec::new(), meta, device: None };
                let node = Node::File(Rc::new(RefCell::new(content)));
                self.nodes.insert(path, node.clone());
                Ok(OpenFile { node, flags })
            }
            None => Err(libc::ENOENT),
        }
    }

    pub(super) fn stat(&self, path: &CStr) -> Answer<(Meta, u64)> {
        let path = name(path)?;
        self.parent(&path)?;
        Ok(self.nodes.get(&path).ok_or(libc::ENOENT)?.stat())
    }

    pub(super) fn unlink(&mut self, path: &CStr, dir: bool) -> Answer<()> {
        let path = name(path)?;
        self.parent(&path)?;
        match self.nodes.get(&path).ok_or(libc::ENOENT)? {
            Node::Directory(_) if !dir => Err(libc::EISDIR),
            Node::File(_) if dir => Err(libc::ENOTDIR),
            Node::Directory(_) if self.has_children(&path) => Err(libc::ENOTEMPTY),
            node => {
                if let Node::File(file) = node {
                    file.borrow_mut().meta.links = 0;
                }
                self.nodes.remove(&path);
                Ok(())
            }
        }
    }

    pub(super) fn rename(&mut self, from: &CStr, to: &CStr) -> Answer<()> {
        let (from, to) = (name(from)?, name(to)?);
        self.parent(&from)?;
        self.parent(&to)?;
        let moved = self.nodes.get(&from).ok_or(libc::ENOENT)?;
        if from == to {
            return Ok(());
        }
        let is_dir = matches!(moved, Node::Directory(_));
        if is_dir && to.starts_with(&format!("{from}/")) {
            return Err(libc::EINVAL);
        }
        match self.nodes.get(&to) {
            Some(Node::Directory(_)) if !is_dir => return Err(libc::EISDIR),
            Some(Node::File(_)) if is_dir => return Err(libc::ENOTDIR),
            Some(Node::Directory(_)) if self.has_children(&to) => return Err(libc::ENOTEMPTY),
            _ => {}
        }
        let inside = format!("{from}/");
        let names: Vec<String> = self
            .nodes
            .keys()
            .filter(|key| **key == from || key.starts_with(&inside))
            .cloned()
            .collect();
        for old in names {
            let node = self.nodes.remove(&old).expect("it was just listed");
            self.nodes.insert(format!("{to}{}", &old[from.len()..]), node);
        }
        Ok(())
    }

    pub(super) fn make_dir(&mut self, path: &CStr, mode: u32, now: u64) -> Answer<()> {
        let path = name(path)?;
        self.parent(&path)?;
        if self.nodes.contains_key(&path) {
            return Err(libc::EEXIST);
        }
        let meta = self.meta(libc::S_IFDIR | (mode & 0o7777 & !0o022), now);
        self.nodes.insert(path, Node::Directory(meta));
        Ok(())
    }

    fn has_children(&self, path: &str) -> bool {
        let inside = format!("{path}/");
        self.nodes.keys().any(|key| key.starts_with(&inside))
    }
}

impl Node {
    fn stat(&self) -> (Meta, u64) {
        match self {
            Node::Directory(meta) => (*meta, 4096),
            Node::File(file) => {
                let file = file.borrow();
                (file.meta, file.bytes.len() as u64)
            }
        }
    }
}

impl Content {
    fn resize(&mut self, len: u64, now: u64) {
        self.bytes.resize(len as usize, 0);
        self.meta.changed = now;
    }
}

impl OpenFile {
    fn content(&self) -> Answer<&RefCell<Content>> {
        match &self.node {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(libc::EISDIR),
        }
    }

    fn writable(&self) -> Answer<&RefCell<Content>> {
        match self.flags & libc::O_ACCMODE {
            libc::O_RDONLY => Err(libc::EBADF),
            _ => self.content(),
        }
    }

    /// Direct I/O wants everything aligned.
    pub(super) fn aligned(&self, address: usize, len: usize, at: u64) -> Answer<()> {
        let odd = !(address as u64 | len as u64 | at).is_multiple_of(BLOCK);
        if self.flags & libc::O_DIRECT != 0 && odd { Err(libc::EINVAL) } else { Ok(()) }
    }

    /// At most `len` bytes from `at` on.
    pub(super) fn read(&self, len: usize, at: u64) -> Answer<Vec<u8>> {
        if self.flags & libc::O_ACCMODE == libc::O_WRONLY {
            return Err(libc::EBADF);
        }
        let content = self.content()?.borrow();
        match content.device {
            Some(Device::Zero) => return Ok(vec![0; len]),
            Some(Device::Null) => return Ok(Vec::new()),
            None => {}
        }
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(content.bytes.len());
        let end = at.saturating_add(len).min(content.bytes.len());
        Ok(content.bytes[at..end].to_vec())
    }

    pub(super) fn write(&self, bytes: &[u8], at: u64, now: u64) -> Answer<usize> {
        let mut content = self.writable()?.borrow_mut();
        if content.device.is_some() {
            return Ok(bytes.len());
        }
        let appends = self.flags & libc::O_APPEND != 0;
        let at = if appends { content.bytes.len() as u64 } else { at };
        let end = at.saturating_add(bytes.len() as u64);
        if end > LARGEST {
            return Err(libc::EFBIG);
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        if end > content.bytes.len() as u64 {
            content.resize(end, now);
        }
        content.bytes[at as usize..end as usize].copy_from_slice(bytes);
        content.meta.changed = now;
        Ok(bytes.len())
    }

    pub(super) fn truncate(&self, len: u64, now: u64) -> Answer<()> {
        match self.writable() {
            Ok(_) if len > LARGEST => Err(libc::EFBIG),
            Ok(content) if content.borrow().device.is_none() => {
                content.borrow_mut().resize(len, now);
                Ok(())
            }
            // ftruncate(2) says EINVAL of what is not open for writing, or no file.
            _ => Err(libc::EINVAL),
        }
    }

    pub(super) fn allocate(&self, offset: u64, len: u64, now: u64) -> Answer<()> {
        let mut content = self.writable()?.borrow_mut();
        let end = offset.saturating_add(len);
        match () {
            () if len == 0 => Err(libc::EINVAL),
            () if content.device.is_some() => Err(libc::ENODEV),
            () if end > LARGEST => Err(libc::EFBIG),
            () => {
                let end = end.max(content.bytes.len() as u64);
                content.resize(end, now);
                Ok(())
            }
        }
    }

    pub(super) fn stat(&self) -> (Meta, u64) {
        self.node.stat()
    }
}

fn name(path: &CStr) -> Answer<String> {
    let path = path.to_str().map_err(|_| libc::EINVAL)?;
    if path.is_empty() {
        return Err(libc::ENOENT);
    }
    Ok(normal(path))
}

/// An absolute path without `.` and `..`. Relative ones lie in /work.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { vec!["work"] };
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().expect("it was UTF-8")),
            Component::ParentDir => drop(parts.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    format!("/{}", parts.join("/"))
}
