//! Bulk jobs: what is sent, in which pieces, and how it goes on after a failure.

use scrip_client::{
    BulkJobState, BulkList, BulkOutcome, Client, Code, NewBulkJob, RequestId, StartBulkJobError, SubmitBulkJobError,
    TemplateId, UserId,
};
use scrip_protocol::v1;
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Wire;

use crate::fake::{Connection, Fake, pair};

const REQUEST: RequestId = RequestId([9; 16]);

fn job(state: v1::BulkJobState, users: u64) -> Wire {
    Wire::BulkJob(v1::BulkJob {
        job_id: 3,
        request_id: REQUEST.to_bytes(),
        template_id: 7,
        state: state.into(),
        users,
        ..v1::BulkJob::default()
    })
}

async fn asked(proxy: &mut Connection) -> (u64, Operation) {
    let request = proxy.request().await;
    (request.id, request.operation.expect("an operation"))
}

async fn submit(client: &Client, users: u64) -> Result<scrip_client::BulkJob, SubmitBulkJobError> {
    let new = NewBulkJob::new(TemplateId::try_new(7).expect("not 0"));
    // The first comes twice.
    client.bulk().submit(REQUEST, new, (0..users).chain([0]).map(UserId)).await
}

#[tokio::test]
async fn a_list_is_sent_in_pieces_and_described() {
    const USERS: u64 = 12_000;
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let script = async {
        let (id, Operation::CreateBulkJob(create)) = asked(&mut proxy).await else { panic!("not a create") };
        assert_eq!((&create.request_id[..], create.template_id), (&REQUEST.0[..], 7));
        proxy.ok(id, job(v1::BulkJobState::Uploading, 0)).await;
        let mut lens = Vec::new();
        for _ in 0..3 {
            let (id, Operation::AddBulkUsers(add)) = asked(&mut proxy).await else { panic!("not users") };
            lens.push(add.users.len());
            proxy.ok(id, Wire::BulkUsersAdded(v1::BulkUsersAdded { job_id: 3 })).await;
        }
        lens.sort_unstable();
        assert_eq!(lens, [2_001, 5_000, 5_000]);
        let (id, Operation::StartBulkJob(start)) = asked(&mut proxy).await else { panic!("not a start") };
        let digest = BulkList::of_different((0..USERS).map(UserId)).digest.expect("one");
        assert_eq!((start.users, &start.list_digest[..]), (USERS, &digest.to_be_bytes()[..]));
        proxy.ok(id, job(v1::BulkJobState::Running, USERS)).await;
    };
    let (submitted, ()) = tokio::join!(submit(&client, USERS), script);
    let submitted = submitted.expect("submitted");
    assert_eq!((submitted.job.get(), submitted.state, submitted.users), (3, BulkJobState::Running, USERS));
}

#[tokio::test]
async fn a_job_that_was_started_gets_no_users() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let script = async {
        let (id, _) = asked(&mut proxy).await;
        proxy.ok(id, job(v1::BulkJobState::Paused, 5)).await;
        let (id, Operation::StartBulkJob(start)) = asked(&mut proxy).await else { panic!("not a start") };
        assert_eq!(start.users, 10);
        proxy.refuse(id, Code::BulkCountMismatch).await;
    };
    let (submitted, ()) = tokio::join!(submit(&client, 10), script);
    let error = submitted.expect_err("another list");
    assert!(matches!(&error, SubmitBulkJobError::Start(StartBulkJobError::CountMismatch(_))), "{error:?}");
}

#[tokio::test]
async fn a_piece_whose_answer_was_lost_is_sent_again() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let script = async {
        let (id, _) = asked(&mut proxy).await;
        proxy.ok(id, job(v1::BulkJobState::Uploading, 0)).await;
        let (_, Operation::AddBulkUsers(lost)) = asked(&mut proxy).await else { panic!("not users") };
        drop(proxy);
        let mut proxy = fake.accept().await;
        let (id, Operation::AddBulkUsers(again)) = asked(&mut proxy).await else { panic!("not users") };
        assert_eq!(again, lost);
        proxy.ok(id, Wire::BulkUsersAdded(v1::BulkUsersAdded { job_id: 3 })).await;
        let (id, _) = asked(&mut proxy).await;
        proxy.ok(id, job(v1::BulkJobState::Running, 10)).await;
        proxy
    };
    let (submitted, _proxy) = tokio::join!(submit(&client, 10), script);
    assert_eq!(submitted.expect("submitted").users, 10);
}

#[tokio::test]
async fn progress_and_results_are_read() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let script = async {
        let (id, _) = asked(&mut proxy).await;
        let Wire::BulkJob(running) = job(v1::BulkJobState::Running, 10) else { panic!("a job") };
        let count = |code, users| v1::BulkCount { code, users };
        let counts = vec![count(0, 4), count(1, 3), count(37, 2), count(88, 1)];
        let progress = v1::BulkProgress { job: Some(running), counts, recent_per_s: 2, left_ms: 2_000 };
        proxy.ok(id, Wire::BulkProgress(progress)).await;
        let pages = [(&b""[..], &b"more"[..], 1), (b"more", b"", 37)];
        for (cursor, next_cursor, code) in pages {
            let (id, Operation::ListBulkResults(list)) = asked(&mut proxy).await else { panic!("not results") };
            assert_eq!(&list.cursor[..], cursor);
            let coupon_id = if code == 1 { vec![5; 16].into() } else { Vec::new().into() };
            let result = v1::BulkResult { user_id: 42, code, coupon_id, done_at_ms: 9 };
            let page = v1::BulkResultPage { results: vec![result], next_cursor: next_cursor.into() };
            proxy.ok(id, Wire::BulkResultPage(page)).await;
        }
    };
    let calls = async {
        let id = scrip_client::BulkJobId::try_new(3).expect("not 0");
        let progress = client.bulk().progress(id).await.expect("progress");
        assert_eq!((progress.issued, progress.pending, progress.done()), (3, 4, 6));
        assert_eq!(progress.refused, [(Code::LimitReached, 2), (Code::Unspecified, 1)], "a later code is a refusal");
        let mut results = client.bulk().results(id);
        let first = results.next().await.expect("read").expect("one");
        assert!(matches!(first.outcome, BulkOutcome::Issued(coupon) if coupon.0 == [5; 16]), "{first:?}");
        let second = results.next().await.expect("read").expect("another");
        assert_eq!(second.outcome, BulkOutcome::Refused(Code::LimitReached));
        assert_eq!(results.next().await.expect("read"), None);
    };
    tokio::join!(script, calls);
}
