//! Lists of bulk jobs and uses of codes on a primary.

use std::collections::BTreeMap;

use scrip_client::{BulkJobId, Code, RequestId, UserId};
use scrip_proxy::bulk::request_of;
use scrip_proxy::exchange::code::CodeKey;
use scrip_proxy::store::bulk::{Counted, Entry, NewJob, SliceKey};
use scrip_shard_config::PrimaryId;
use sha2::{Digest, Sha256};

use super::Data;
use crate::sim::mutant::Mutant;
use crate::sim::world::World;

/// The list of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Rises with every start.
    pub seal: u32,
    /// By tail and user.
    pub entries: BTreeMap<(u16, UserId), Entry>,
}

/// The uses of codes: who has the first, the second, ...
pub type Uses = BTreeMap<(u32, u32), Vec<UserId>>;

/// As the primary key has it.
pub fn code(key: CodeKey) -> (u32, u32) {
    (key.batch.get(), key.index)
}

impl List {
    /// Raises the seal. `false`: it is above.
    pub fn raise(&mut self, seal: u32) -> bool {
        self.seal = self.seal.max(seal);
        self.seal == seal
    }

    /// Users on it who are not there yet.
    pub fn add(&mut self, users: &[UserId]) {
        for user in users {
            let new = Entry { user: *user, result: Code::Unspecified, seq: 0, done_at_ms: 0 };
            self.entries.entry(((user.get() % 10_000) as u16, *user)).or_insert(new);
        }
    }

    /// How many, and which.
    pub fn counted(&self) -> Counted {
        let one = |user: &UserId| {
            let hash = Sha256::digest(user.to_string());
            u64::from_be_bytes(std::array::from_fn(|at| hash[at]))
        };
        let digest = self.entries.keys().fold(0, |digest, (_, user)| digest ^ one(user));
        Counted { users: self.entries.len() as u64, digest }
    }
}

impl Data {
    fn has(&self, new: &NewJob, entry: &Entry) -> bool {
        let request: RequestId = request_of(new.request, entry.user);
        let row = self.coupons.get(&(entry.user, new.template, entry.seq));
        row.is_some_and(|row| row.request == request)
    }
}

impl World {
    /// Notes results of a job.
    pub fn note_results(&mut self, primary: usize, job: BulkJobId, new: &NewJob, results: &[Entry]) {
        let anyhow = self.is(Mutant::ResultWithoutCoupon);
        for result in results {
            let data = &mut self.primaries[primary].data;
            let is_ok = result.result == Code::Ok;
            if is_ok && !anyhow && !data.has(new, result) {
                continue;
            }
            let entries = &mut data.lists.entry(job).or_default().entries;
            let key = ((result.user.get() % 10_000) as u16, result.user);
            let entry =
                entries.entry(key).or_insert(Entry { result: Code::Unspecified, seq: 0, done_at_ms: 0, ..*result });
            let was_pending = entry.result == Code::Unspecified;
            if was_pending || is_ok {
                (entry.result, entry.seq) = (result.result, result.seq);
            }
            if was_pending {
                entry.done_at_ms = result.done_at_ms;
            }
            let Entry { user, result, seq, .. } = *entry;
            self.note(format_args!(
                "primary {primary}: user {user} of job {job} has the result {result:?}, coupon {seq}"
            ));
            self.check_result(primary, job, new, user);
        }
    }

    /// Issued is said only beside the coupon, whatever became of the primary.
    fn check_result(&mut self, primary: usize, job: BulkJobId, new: &NewJob, user: UserId) {
        let data = &self.primaries[primary].data;
        let key = ((user.get() % 10_000) as u16, user);
        let entry = data.lists.get(&job).and_then(|list| list.entries.get(&key));
        if entry.is_some_and(|entry| entry.result == Code::Ok && !data.has(new, entry)) {
            self.find(format!("user {user} of job {job}: issued, and there is no coupon"));
        }
    }

    /// Nobody looks at the entries of a slice again that is done.
    pub fn note_short_list(&mut self, job: BulkJobId, primary: usize) {
        let slice = SliceKey { job, primary: PrimaryId(primary as u16) };
        let left = self.primaries[primary].data.lists.get(&job).map_or(0, |list| list.entries.len() as u64);
        if self.meta.done_with(slice).is_some_and(|users| left < users) {
            self.short_lists.insert((job, primary));
        }
    }

    /// Lists and uses that the copy lacks something of.
    pub(super) fn mourn_beside(&mut self, primary: usize, old: &Data) {
        let kept = &self.primaries[primary].data;
        let lists = old.lists.iter().filter(|(job, list)| kept.lists.get(job) != Some(list));
        let lists: Vec<_> = lists.map(|(job, _)| (*job, primary)).collect();
        let uses = old.uses.iter().filter(|(code, uses)| kept.uses.get(code).map_or(0, Vec::len) < uses.len());
        let uses: Vec<_> = uses.map(|(code, _)| *code).collect();
        for (job, _) in &lists {
            self.note_short_list(*job, primary);
        }
        self.lost_lists.extend(lists);
        self.lost_uses.extend(uses);
    }
}
