//! [`Calls`]: which functions of a crate block, by themselves or through others, and where async code calls them.
//!
//! A function is known by its path, a method by the name of its type and its own. Those of the same name (two platforms have
//! one each) must all block. What a path leads to is looked up when all files were seen.

use crate::review::finding::{Finding, Text};
use std::collections::HashMap;
use std::rc::Rc;

/// How many calls a blocking call may be away. Longer ways are not followed, and would not be read.
const MOST_CALLS: usize = 12;

#[derive(Default)]
pub(crate) struct Calls {
    functions: HashMap<String, Vec<Function>>,
    sites: Vec<Site>,
}

#[derive(Default)]
struct Function {
    /// Its own blocking calls.
    own: Vec<Block>,
    calls: Vec<String>,
    /// What it does to its callers.
    blocks: Option<Block>,
}

/// The blocking call at the end.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) rule: &'static str,
    /// `std::fs::read`
    pub(crate) what: String,
    pub(crate) file: Rc<Text>,
    pub(crate) line: usize,
    /// The functions that lead to it, the nearest first.
    pub(crate) way: Vec<String>,
}

/// A call in async code, and the finding that it is if the function blocks.
struct Site {
    called: String,
    finding: Box<dyn FnOnce(&Block) -> Finding>,
}

impl Calls {
    /// A function begins. One that is a task's is known too, and never blocks its caller: it is reported itself.
    pub(crate) fn define(&mut self, path: &str) {
        self.functions.entry(path.to_owned()).or_default().push(Function::default());
    }

    fn current(&mut self, path: &str) -> Option<&mut Function> {
        self.functions.get_mut(path)?.last_mut()
    }

    pub(crate) fn blocks(&mut self, path: &str, block: Block) {
        if let Some(function) = self.current(path) {
            function.own.push(block);
        }
    }

    pub(crate) fn calls(&mut self, path: &str, called: String) {
        if let Some(function) = self.current(path) {
            function.calls.push(called);
        }
    }

    pub(crate) fn called_in_task(
        &mut self,
        called: String,
        finding: impl FnOnce(&Block) -> Finding + 'static,
    ) {
        self.sites.push(Site { called, finding: Box::new(finding) });
    }

    /// The findings of all calls of what blocks. An exception where it blocks is one for all its callers.
    pub(crate) fn findings(mut self, mut is_allowed: impl FnMut(&Block) -> bool) -> Vec<Finding> {
        for function in self.functions.values_mut().flatten() {
            // All are asked, so that no exception seems to be in vain.
            let mut own = std::mem::take(&mut function.own);
            own.retain(|block| !is_allowed(block));
            function.blocks = own.into_iter().next();
        }
        let unique = self.unique_names();
        let mut calls = 0;
        while self.pass_on(&unique) && calls < MOST_CALLS {
            calls += 1;
        }
        let sites = std::mem::take(&mut self.sites);
        sites
            .into_iter()
            .filter_map(|site| {
                let block = self.block_of(&site.called, &unique)?;
                Some((site.finding)(&block))
            })
            .collect()
    }

    /// What calls a blocking function blocks. Returns whether that is news of any.
    fn pass_on(&mut self, unique: &HashMap<String, String>) -> bool {
        let mut news = Vec::new();
        for (path, functions) in &self.functions {
            for (index, function) in
                functions.iter().enumerate().filter(|(_, it)| it.blocks.is_none())
            {
                let mut called = function.calls.iter();
                let found =
                    called.find_map(|called| Some((called, self.block_of(called, unique)?)));
                if let Some((called, mut block)) = found {
                    block.way.insert(0, called.clone());
                    news.push((path.clone(), index, block));
                }
            }
        }
        for (path, index, block) in &news {
            if let Some(function) =
                self.functions.get_mut(path).and_then(|them| them.get_mut(*index))
            {
                function.blocks = Some(block.clone());
            }
        }
        !news.is_empty()
    }

    fn block_of(&self, called: &str, unique: &HashMap<String, String>) -> Option<Block> {
        let functions = self.functions.get(called).or_else(|| {
            // A `pub use` may lead elsewhere; but there is only one function of that name.
            let name = called.strip_prefix("crate::")?.rsplit("::").next()?;
            self.functions.get(unique.get(name)?)
        })?;
        if functions.iter().any(|function| function.blocks.is_none()) {
            return None;
        }
        functions.first()?.blocks.clone()
    }

    /// The paths of functions of whose name there is only one.
    fn unique_names(&self) -> HashMap<String, String> {
        let mut paths: HashMap<String, Vec<&String>> = HashMap::new();
        for path in self.functions.keys().filter(|path| path.starts_with("crate::")) {
            let name = path.rsplit("::").next().unwrap_or(path);
            paths.entry(name.to_owned()).or_default().push(path);
        }
        let unique = paths.into_iter().filter(|(_, paths)| paths.len() == 1);
        unique.map(|(name, paths)| (name, paths[0].clone())).collect()
    }
}
