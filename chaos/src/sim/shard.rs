//! A model of a Redis shard with the function library of the proxy.

use std::collections::BTreeMap;

use scrip_proxy::store::cache::{CachedTemplate, Changes};
use scrip_proxy::store::{Deducted, Install, Installed, Release, StockKey, Want};

use super::world::Host;

/// Whole numbers that are exact in Lua.
const WHOLE_MAX: u64 = (1 << 53) - 1;

/// A shard: usually one process, two in a split brain.
#[derive(Debug)]
pub struct Shard {
    /// Those that answer or answered as it.
    pub processes: Vec<Redis>,
    /// The one that answers unless [`Shard::view`] says otherwise.
    pub main: usize,
    /// Which one answers a proxy, in a split brain.
    pub view: BTreeMap<usize, usize>,
    /// What earlier copies of it hold, the newest first.
    pub copies: Vec<Data>,
}

impl Default for Shard {
    fn default() -> Self {
        Self { processes: vec![Redis::default()], main: 0, view: BTreeMap::new(), copies: Vec::new() }
    }
}

impl Shard {
    /// The process that is the shard, split brains apart.
    pub fn redis(&mut self) -> &mut Redis {
        &mut self.processes[self.main]
    }
}

/// One Redis process.
#[derive(Debug, Default)]
pub struct Redis {
    /// Whether it runs.
    pub host: Host,
    /// The nonce of this life of the library; none until it is asked for the first time.
    pub run: Option<u64>,
    /// Out of memory: what only rewrites still goes.
    pub full: bool,
    /// What it holds.
    pub data: Data,
}

/// What a process holds.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// The function library is loaded.
    pub library: bool,
    /// Stock.
    pub keys: BTreeMap<StockKey, Key>,
    cache: BTreeMap<u32, CachedTemplate>,
    head: Option<(u64, u64)>,
}

/// The value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The nonce under which it was written.
    pub run: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Units left.
    pub count: u64,
}

/// The server refuses; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl Redis {
    /// A new life with this data.
    pub fn restart(&mut self, data: Data) {
        if self.host.up {
            self.host.crash();
        }
        self.host.start();
        self.run = None;
        self.full = false;
        self.data = data;
    }

    /// The nonce; loads the library and draws one if need be. `number`: one that was never drawn before.
    pub fn run(&mut self, number: u64) -> u64 {
        self.data.library = true;
        *self.run.get_or_insert(number)
    }

    /// The key, if it is of this run.
    pub fn living(&mut self, key: StockKey) -> Option<&mut Key> {
        let run = self.run?;
        self.data.keys.get_mut(&key).filter(|key| key.run == run)
    }

    /// Takes units.
    pub fn deduct(&mut self, wants: &[Want]) -> Vec<Deducted> {
        let one = |want: &Want| match self.living(want.key) {
            None => Deducted::Stale,
            Some(key) => {
                let count = u32::try_from(key.count).unwrap_or(u32::MAX).min(want.count);
                key.count -= u64::from(count);
                Deducted::Granted { epoch: key.epoch, count }
            }
        };
        wants.iter().map(one).collect()
    }

    /// Gives units back.
    pub fn release(&mut self, units: &[Release]) -> Result<(), Refused> {
        let fits = |redis: &mut Self, unit: &Release| {
            let key = redis.living(unit.key).filter(|key| key.epoch == unit.epoch);
            key.is_none_or(|key| key.count + u64::from(unit.count) <= WHOLE_MAX)
        };
        if !units.iter().all(|unit| fits(self, unit)) {
            return Err(Refused("more than 2^53 units".to_owned()));
        }
        for unit in units {
            if let Some(key) = self.living(unit.key).filter(|key| key.epoch == unit.epoch) {
                key.count += u64::from(unit.count);
            }
        }
        Ok(())
    }

    /// Puts counts of a new epoch.
    pub fn install(&mut self, run: &str, installs: &[Install]) -> Result<Vec<Installed>, Refused> {
        if !self.data.library {
            return Err(Refused("Function not found".to_owned()));
        }
        if installs.iter().any(|install| install.epoch > WHOLE_MAX || install.count > WHOLE_MAX) {
            return Err(Refused("an argument is not a whole number below 2^53".to_owned()));
        }
        if self.full {
            return Err(Refused("OOM command not allowed".to_owned()));
        }
        let mine = self.run.filter(|mine| name(*mine) == run);
        let one = |install: &Install| {
            let Some(run) = mine else { return Installed::OtherRun };
            if self.living(install.key).is_some_and(|key| key.epoch >= install.epoch) {
                return Installed::NotNewer;
            }
            self.data.keys.insert(install.key, Key { run, epoch: install.epoch, count: install.count });
            Installed::Done
        };
        Ok(installs.iter().map(one).collect())
    }

    /// Units left.
    pub fn remaining(&mut self, keys: &[StockKey]) -> Vec<Option<u64>> {
        keys.iter().map(|key| self.living(*key).map(|key| key.count)).collect()
    }

    fn head(&self) -> u64 {
        self.data.head.filter(|(run, _)| self.run == Some(*run)).map_or(0, |(_, head)| head)
    }

    /// Caches templates.
    pub fn put(&mut self, run: u64, since: u64, templates: &[CachedTemplate]) -> Result<u64, Refused> {
        if self.full {
            return Err(Refused("OOM command not allowed".to_owned()));
        }
        if self.head() == 0 {
            self.data.cache.clear();
        }
        let (mut head, mut reached) = (self.head(), since);
        for template in templates {
            let known = self.data.cache.get(&template.template.get());
            if known.is_none_or(|known| known.revision < template.revision) {
                self.data.cache.insert(template.template.get(), template.clone());
            }
            reached = reached.max(template.revision);
        }
        if since <= head && reached >= head {
            head = reached;
            self.data.head = Some((run, head));
        }
        Ok(head)
    }

    /// Cached templates.
    pub fn changed_since(&self, revision: u64, count_max: u32) -> Changes {
        let head = self.head();
        if self.data.head.is_none_or(|(run, _)| self.run != Some(run)) {
            return Changes { head: 0, templates: Vec::new() };
        }
        let newer = self.data.cache.values().filter(|cached| cached.revision > revision);
        let mut templates: Vec<CachedTemplate> = newer.cloned().collect();
        templates.sort_by_key(|cached| cached.revision);
        templates.truncate(count_max as usize);
        Changes { head, templates }
    }
}

/// A nonce as the proxies see it.
pub fn name(run: u64) -> String {
    format!("run-{run}")
}
