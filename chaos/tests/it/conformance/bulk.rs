//! Bulk jobs, through [`BulkStore`].

use std::time::Duration;

use scrip_protocol::v1::{BulkJobState, Code};
use scrip_protocol::{BulkJobId, RequestId, TemplateId, UserId};
use scrip_proxy::bulk::request_of;
use scrip_proxy::store::bulk::{BulkError, BulkStore, Counted, Entry, Expected, JobRecord, NewJob, SliceKey};
use scrip_proxy::store::{Fence, MetaStore, NewCoupon, RecordStore, RecordWriter, StockKey};

use super::model;
use crate::meta_store::template::created;
use crate::record_store::bed::{Bed, P0, STRIPES, coupon, key, on_each};

const LONG: Duration = Duration::from_secs(60);

async fn new_job(store: &(impl BulkStore + MetaStore)) -> JobRecord {
    let template = created(store, 1, 10).await.template;
    let new = NewJob { request: RequestId([5; 16]), template, rate_per_s: 0, start_at_ms: 0 };
    store.create_job(&new, 77).await.expect("created")
}

fn slice(job: &JobRecord) -> SliceKey {
    SliceKey { job: job.job, primary: P0 }
}

/// A job over these users, running.
async fn running(store: &(impl BulkStore + MetaStore), users: &[u64]) -> JobRecord {
    let job = new_job(store).await;
    let users: Vec<UserId> = users.iter().copied().map(UserId).collect();
    store.add_users(slice(&job), job.seal, &users).await.expect("added");
    let begun = store.begin_start(job.job).await.expect("begun");
    let counted = store.seal(slice(&job), begun.seal).await.expect("sealed");
    let expected = Expected { users: users.len() as u64, digest: None };
    store.end_start(job.job, begun.seal, expected, &[(P0, counted)]).await.expect("started")
}

/// Jobs: one for a request, and from state to state as told.
pub(crate) async fn jobs(store: impl BulkStore + MetaStore) {
    let job = new_job(&store).await;
    assert_eq!((job.state, job.list), (BulkJobState::Uploading, Counted::default()));
    assert_eq!(store.create_job(&job.new, 78).await.as_ref(), Ok(&job));
    let other = NewJob { rate_per_s: 5, ..job.new };
    assert_eq!(store.create_job(&other, 77).await, Err(BulkError::RequestIdReused));
    let ghost = TemplateId::try_new(99).expect("not 0");
    let of_none = NewJob { request: RequestId([6; 16]), template: ghost, ..job.new };
    assert_eq!(store.create_job(&of_none, 77).await, Err(BulkError::TemplateNotFound));
    let no_job = BulkJobId::try_new(9_999).expect("not 0");
    assert_eq!(store.job(no_job).await, Err(BulkError::NotFound));
    assert_eq!(store.pause_job(job.job, true).await, Err(BulkError::State(BulkJobState::Uploading)));
    assert_eq!(store.jobs(0, None, 10).await, Ok(vec![job]));
    assert_eq!(store.jobs(job.job.get(), None, 10).await, Ok(Vec::new()));
    let cancelled = store.cancel_job(job.job).await.expect("cancelled");
    assert_eq!(cancelled.state, BulkJobState::Cancelled, "it has issued nothing");
    assert_eq!(store.jobs(0, Some(BulkJobState::Uploading), 10).await, Ok(Vec::new()));
    assert_eq!(store.begin_start(job.job).await, Err(BulkError::Cancelled));
}

/// Lists: what was counted is what is on them, whatever came late.
pub(crate) async fn lists(store: impl BulkStore + MetaStore) {
    let job = new_job(&store).await;
    let users = |users: &[u64]| users.iter().copied().map(UserId).collect::<Vec<_>>();
    for _ in 0..2 {
        store.add_users(slice(&job), job.seal, &users(&[7, 5, 10_001])).await.expect("added, or there");
    }
    let begun = store.begin_start(job.job).await.expect("begun");
    assert_eq!((begun.state, begun.seal), (BulkJobState::Starting, job.seal + 1));
    let again = store.begin_start(job.job).await.expect("a start that was lost is begun anew");
    let counted = store.seal(slice(&job), again.seal).await.expect("sealed");
    assert_eq!(counted.users, 3);
    assert_eq!(store.seal(slice(&job), again.seal).await, Ok(counted));
    assert_eq!(store.add_users(slice(&job), job.seal, &users(&[8])).await, Err(BulkError::Sealed));
    let (expected, counts) = (Expected { users: 3, digest: Some(counted.digest) }, [(P0, counted)]);
    assert_eq!(store.end_start(job.job, begun.seal, expected, &counts).await, Err(BulkError::Contended));
    let too_few = Expected { users: 4, ..expected };
    let refused = store.end_start(job.job, again.seal, too_few, &counts).await;
    assert_eq!(refused, Err(BulkError::CountMismatch { expected: 4, found: 3 }));
    let reopened = store.job(job.job).await.expect("there");
    assert_eq!((reopened.state, reopened.seal), (BulkJobState::Uploading, again.seal), "it takes users again");
    store.add_users(slice(&job), reopened.seal, &users(&[8])).await.expect("added");
    let last = store.begin_start(job.job).await.expect("begun");
    let counted = store.seal(slice(&job), last.seal).await.expect("sealed");
    let others = Expected { users: 4, digest: Some(!counted.digest) };
    assert_eq!(store.end_start(job.job, last.seal, others, &[(P0, counted)]).await, Err(BulkError::OtherUsers));
    let last = store.begin_start(job.job).await.expect("begun");
    let counted = store.seal(slice(&job), last.seal).await.expect("sealed");
    let expected = Expected { users: 4, digest: Some(counted.digest) };
    let started = store.end_start(job.job, last.seal, expected, &[(P0, counted)]).await.expect("started");
    assert_eq!((started.state, started.list), (BulkJobState::Running, counted));
    assert_eq!(store.begin_start(job.job).await, Ok(started));
    let entries = store.entries(slice(&job), None, 3).await.expect("read");
    let read: Vec<_> = entries.iter().map(|entry| (entry.user.get(), entry.result)).collect();
    assert_eq!(read, [10_001, 5, 7].map(|user| (user, Code::Unspecified)), "in the order of tails");
    let rest = store.entries(slice(&job), Some(UserId(7)), 3).await.expect("read");
    assert_eq!(rest.iter().map(|entry| entry.user.get()).collect::<Vec<_>>(), [8]);
}

/// Leases: one holder, and the end with the last slice.
pub(crate) async fn slices(store: impl BulkStore + MetaStore) {
    let job = running(&store, &[5]).await;
    let slice = slice(&job);
    assert_eq!(store.free_slices(0, 10).await, Ok(vec![slice]));
    let lease = store.lease(slice, 1, LONG).await.expect("asked").expect("held");
    assert_eq!((lease.job, lease.open_slices), (job, 1));
    assert_eq!(store.lease(slice, 2, LONG).await, Ok(None));
    assert_eq!(store.lease(slice, 1, LONG).await.map(|lease| lease.is_some()), Ok(true), "renewed");
    assert_eq!(store.free_slices(0, 10).await, Ok(Vec::new()));
    store.release(slice, 2).await.expect("of another");
    assert_eq!(store.lease(slice, 2, LONG).await, Ok(None));
    store.release(slice, 1).await.expect("released");
    assert_eq!(store.lease(slice, 2, LONG).await.map(|lease| lease.is_some()), Ok(true));
    store.release(slice, 2).await.expect("released");
    assert_eq!(store.pause_job(job.job, true).await.map(|job| job.state), Ok(BulkJobState::Paused));
    assert_eq!(store.free_slices(0, 10).await, Ok(Vec::new()), "a paused job rests");
    assert_eq!(store.pause_job(job.job, false).await.map(|job| job.state), Ok(BulkJobState::Running));
    for _ in 0..2 {
        assert_eq!(store.close_slice(slice, 1).await.map(|job| job.state), Ok(BulkJobState::Finished));
    }
    assert_eq!(store.free_slices(0, 10).await, Ok(Vec::new()));
    assert_eq!(store.lease(slice, 2, LONG).await, Ok(None));
    assert_eq!(store.cancel_job(job.job).await, Err(BulkError::State(BulkJobState::Finished)));
}

/// A primary that failed over to a server that lacks entries: the job takes its list again, and no other one.
pub(crate) async fn shorter_lists(store: impl BulkStore + MetaStore) {
    let job = running(&store, &[5, 6]).await;
    let slice = slice(&job);
    let start = async || {
        let begun = store.begin_start(job.job).await.expect("begun");
        let counted = store.seal(slice, begun.seal).await.expect("sealed");
        let expected = Expected { users: counted.users, digest: Some(counted.digest) };
        store.end_start(job.job, begun.seal, expected, &[(P0, counted)]).await
    };
    let reopened = JobRecord { state: BulkJobState::Uploading, ..job };
    for _ in 0..2 {
        assert_eq!(store.close_slice(slice, 1).await, Ok(reopened), "noticed, by whichever proxy");
    }
    assert_eq!(store.free_slices(0, 10).await, Ok(Vec::new()), "nobody works on it");
    store.add_users(slice, reopened.seal, &[5, 6].map(UserId)).await.expect("added, or there");
    let started = start().await.expect("started again");
    assert_eq!((started.state, started.list), (BulkJobState::Running, job.list));
    assert_eq!(store.free_slices(0, 10).await, Ok(vec![slice]), "read from the first entry again");

    let reopened = store.close_slice(slice, 1).await.expect("noticed");
    store.add_users(slice, reopened.seal, &[UserId(7)]).await.expect("added");
    assert_eq!(start().await, Err(BulkError::CountMismatch { expected: 2, found: 3 }));
    assert_eq!(store.job(job.job).await.map(|job| (job.state, job.list)), Ok((BulkJobState::Uploading, started.list)));
}

/// Results: once, but for the coupon, which replaces a refusal; and OK only beside the coupon.
pub(crate) async fn results(store: impl BulkStore + MetaStore + RecordStore) {
    let job = running(&store, &[5, 6]).await;
    let key = StockKey { template: job.new.template, ..key(0) };
    store.create_ledger(P0, &[key], STRIPES).await.expect("ledgers");
    let server = store.server(P0).await.expect("a server");
    let fences = store.raise_fences(P0, &server, &[(key, 3)], STRIPES).await;
    assert_eq!(fences, Ok(vec![Fence::Raised { issued: 0 }]));
    let mut writer = store.writer(P0, 0);
    let slice = slice(&job);
    let entry = |user, result, seq, done_at_ms| Entry { user: UserId(user), result, seq, done_at_ms };
    let pending = |user| entry(user, Code::Unspecified, 0, 0);
    let read = async || store.entries(slice, None, 10).await.expect("read");
    assert_eq!(read().await, [pending(5), pending(6)]);

    let note = async |entries: &[Entry]| store.note(slice, &job.new, entries).await.expect("noted");
    note(&[entry(5, Code::Ok, 1, 80), entry(6, Code::LimitReached, 0, 80)]).await;
    let refused = entry(6, Code::LimitReached, 0, 80);
    assert_eq!(read().await, [pending(5), refused], "there is no coupon of user 5");

    let of_another = NewCoupon { template: key.template, ..coupon(5, 0, 3) };
    let own = |user, seq| {
        let request = request_of(job.new.request, UserId(user));
        NewCoupon { template: key.template, request, seq, ..coupon(user, 0, 3) }
    };
    writer.record(&[of_another, own(6, 1)]).await.expect("recorded");
    note(&[entry(5, Code::Ok, 1, 81), entry(6, Code::Ok, 2, 81)]).await;
    assert_eq!(read().await, [pending(5), refused], "neither is the coupon of the job");
    note(&[entry(5, Code::SoldOut, 0, 82), entry(6, Code::Ok, 1, 82)]).await;
    note(&[entry(5, Code::LimitReached, 0, 83), entry(6, Code::SoldOut, 0, 83)]).await;
    assert_eq!(read().await, [entry(5, Code::SoldOut, 0, 82), entry(6, Code::Ok, 1, 80)]);
    let counts = store.counts(slice, 81).await.expect("counted");
    let counts: Vec<_> = counts.iter().map(|count| (count.result, count.users, count.recent)).collect();
    assert_eq!(counts, [(Code::Ok, 1, 0), (Code::SoldOut, 1, 1)]);
}

#[tokio::test]
async fn jobs_go_from_state_to_state() {
    on_each("conforming_jobs", async |bed: Bed| jobs(bed.store).await).await;
}

#[tokio::test]
async fn lists_are_what_was_counted() {
    on_each("conforming_lists", async |bed: Bed| lists(bed.store).await).await;
}

#[tokio::test]
async fn slices_have_one_holder() {
    on_each("conforming_slices", async |bed: Bed| slices(bed.store).await).await;
}

#[tokio::test]
async fn a_list_that_became_shorter_is_taken_again() {
    on_each("conforming_shorter_lists", async |bed: Bed| shorter_lists(bed.store).await).await;
}

#[tokio::test]
async fn a_result_is_noted_once_and_a_coupon_beside_it() {
    on_each("conforming_results", async |bed: Bed| results(bed.store).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_of_bulk_jobs_does_the_same() {
    jobs(model()).await;
    lists(model()).await;
    slices(model()).await;
    shorter_lists(model()).await;
    results(model()).await;
}
