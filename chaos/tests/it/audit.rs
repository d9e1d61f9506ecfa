//! The audit finds what was changed by hand, and names it.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use scrip_chaos::testbed::{Database, Testbed, TestbedSpec, database_servers_under_test};
use scrip_proxy::audit::{self, AuditError, Kind, Options, Report, Verdict};
use scrip_shard_config::{Address, Local, SecretRef, StockSpec, Topology, local};

use crate::support::{connect, connect_with};

const DATABASE: &str = "scrip_audit";
/// The request id of bulk job 1.
const BULK_REQUEST: &str = "6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a";
/// The request id of batch 1 of codes, whose code 1 gave two coupons to users of another primary.
const CODE_REQUEST: &str = "63636363636363636363636363636363";
const PRIMARY_SCHEMA: [&str; 11] = [
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0001.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0002.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0003.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0004.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0005.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0006.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0007.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0008.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0009.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0010.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/primary_0011.sql"),
];
const META_SCHEMA: [&str; 4] = [
    include_str!("../../../proxy/src/store/mysql/migrations/meta_0001.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/meta_0002.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/meta_0003.sql"),
    include_str!("../../../proxy/src/store/mysql/migrations/meta_0004.sql"),
];

/// A change by hand on one primary (or on meta, which is on primary 0), how to undo it, and what the audit has to say.
struct Case {
    primary: usize,
    change: &'static str,
    undo: &'static str,
    kind: Kind,
    words: &'static str,
}

/// Users 1 to 3 on primary 0 and 5001 to 5003 on primary 1 hold two coupons each of template 1: 12 units of 20, over
/// sub-stocks 0 and 4. The second ones of users 3 and 5003 are those of bulk job 1, which user 1 could not have.
const CASES: &[Case] = &[
    Case {
        primary: 0,
        change: "INSERT INTO pack VALUES (2, 2, RPAD('p', 16, '.'), 0, '[[1,1]]')",
        undo: "DELETE FROM pack",
        kind: Kind::PackNotWhole,
        words: "p00 template 1 user 2 a pack lacks coupons: expected coupon 1 of pack 702e2e2e2e2e2e2e2e2e2e2e2e2e2e2e",
    },
    Case {
        primary: 1,
        change: "INSERT INTO pack VALUES (2, 5001, RPAD('p', 16, '.'), 0, '[]')",
        undo: "DELETE FROM pack",
        kind: Kind::PackTailDiffers,
        words: "p01 user 5001 packs stand where they do not belong: expected tail 5001, found tail 0002",
    },
    Case {
        primary: 0,
        change: "DELETE FROM coupon WHERE user_id = 2 AND seq = 2",
        undo: "INSERT INTO coupon VALUES (2, 2, 1, 2, RPAD('2/2', 16, '.'), 4, 86400000)",
        kind: Kind::LedgerDiffers,
        words: "p00 template 1 sub-stock 04 the coupons are not as many as the ledger issued: expected 3 issued, found 2",
    },
    Case {
        primary: 1,
        change: "INSERT INTO coupon VALUES (5004, 5004, 1, 1, RPAD('x', 16, '.'), 0, 0)",
        undo: "DELETE FROM coupon WHERE user_id = 5004",
        kind: Kind::LedgerDiffers,
        words: "p01 template 1 sub-stock 00 the coupons are not as many as the ledger issued: expected 3 issued, found 4",
    },
    Case {
        primary: 1,
        change: "UPDATE stock_ledger SET issued = issued - 1 WHERE sub_stock = 4 AND stripe = 1",
        undo: "UPDATE stock_ledger SET issued = issued + 1 WHERE sub_stock = 4 AND stripe = 1",
        kind: Kind::LedgerDiffers,
        words: "p01 template 1 sub-stock 04 the coupons are not as many as the ledger issued: expected 2 issued, found 3",
    },
    Case {
        primary: 0,
        change: "UPDATE stock_ledger SET issued = issued + 20 WHERE sub_stock = 0 AND stripe = 0",
        undo: "UPDATE stock_ledger SET issued = issued - 20 WHERE sub_stock = 0 AND stripe = 0",
        kind: Kind::TotalExceeded,
        words: "template 1 more issued than the total: expected at most 20, found 32",
    },
    Case {
        primary: 0,
        change: "UPDATE meta_sub_stock SET allotment = 5 WHERE sub_stock = 0",
        undo: "UPDATE meta_sub_stock SET allotment = 10 WHERE sub_stock = 0",
        kind: Kind::AllotmentExceeded,
        words: "template 1 sub-stock 00 more issued than allotted: expected at most 5, found 6",
    },
    Case {
        primary: 0,
        change: "UPDATE meta_template SET total_stock = 19",
        undo: "UPDATE meta_template SET total_stock = 20",
        kind: Kind::AllotmentsDiffer,
        words: "template 1 the allotments do not add up to the total: expected 19, found 20",
    },
    Case {
        primary: 0,
        change: "UPDATE meta_template SET sold_out = 1",
        undo: "UPDATE meta_template SET sold_out = 0",
        kind: Kind::SoldOutTooSoon,
        words: "template 1 sold out, and units are left: expected 20, found 12",
    },
    Case {
        primary: 0,
        change: "UPDATE coupon SET request_id = RPAD('1/1', 16, '.') WHERE user_id = 1 AND seq = 2",
        undo: "UPDATE coupon SET request_id = RPAD('1/2', 16, '.') WHERE user_id = 1 AND seq = 2",
        kind: Kind::RequestTwice,
        words: "p00 template 1 user 1 one request made several coupons: expected 2 requests, found 2 coupons of 1",
    },
    Case {
        primary: 0,
        change: "DELETE FROM coupon WHERE user_id = 3 AND seq = 1",
        undo: "INSERT INTO coupon VALUES (3, 3, 1, 1, RPAD('3/1', 16, '.'), 0, 0)",
        kind: Kind::SeqGap,
        words: "p00 template 1 user 3 the numbers of a user's coupons have a gap: expected 1 to 1, found 1 coupons",
    },
    Case {
        primary: 1,
        change: "INSERT INTO coupon VALUES (5001, 5001, 1, 3, RPAD('y', 16, '.'), 0, 0)",
        undo: "DELETE FROM coupon WHERE seq = 3",
        kind: Kind::LimitExceeded,
        words: "p01 template 1 user 5001 a user is above the limit: expected at most 2 a user, found 3 coupons",
    },
    Case {
        primary: 1,
        change: "UPDATE coupon SET claimed_at_ms = 86399999 WHERE user_id = 5002 AND seq = 2",
        undo: "UPDATE coupon SET claimed_at_ms = 86400000 WHERE user_id = 5002 AND seq = 2",
        kind: Kind::DailyLimitExceeded,
        words: "p01 template 1 user 5002 a user is above the limit of a day: expected at most 1 a day, found 2 coupons in \
                the day of 0 ms",
    },
    Case {
        primary: 0,
        change: "UPDATE coupon SET tail = 4 WHERE user_id = 2 AND seq = 2",
        undo: "UPDATE coupon SET tail = 2 WHERE user_id = 2 AND seq = 2",
        kind: Kind::TailDiffers,
        words: "p00 template 1 user 2 a coupon stands under another tail than its user's: expected tail 0002, found tail 0004",
    },
    Case {
        primary: 0,
        change: "INSERT INTO coupon VALUES (5001, 5001, 1, 1, RPAD('z', 16, '.'), 0, 0)",
        undo: "DELETE FROM coupon WHERE tail = 5001",
        kind: Kind::ForeignTail,
        words: "p00 user 5001 coupons of a tail that belongs to another primary: expected all of them on p01, found 1",
    },
    Case {
        primary: 1,
        change: "INSERT INTO coupon VALUES (5009, 5009, 9, 1, RPAD('w', 16, '.'), 0, 0)",
        undo: "DELETE FROM coupon WHERE template_id = 9",
        kind: Kind::UnknownTemplate,
        words: "p01 template 9 sub-stock 00 the template is not in meta",
    },
    Case {
        primary: 1,
        change: "INSERT INTO stock_ledger VALUES (1, 7, 0, 3, REPEAT('s', 16), 0)",
        undo: "DELETE FROM stock_ledger WHERE sub_stock = 7",
        kind: Kind::UnknownSubStock,
        words: "p01 template 1 sub-stock 07 the sub-stock is not in meta",
    },
    Case {
        primary: 1,
        change: "DELETE FROM stock_ledger WHERE sub_stock = 4 AND stripe = 0",
        undo: "INSERT INTO stock_ledger VALUES (1, 4, 0, 3, REPEAT('s', 16), 0)",
        kind: Kind::LedgerRows,
        words: "p01 template 1 sub-stock 04 ledger rows are missing, or too many: expected 2 rows, found 1 rows",
    },
    Case {
        primary: 1,
        change: "UPDATE stock_ledger SET epoch = 4 WHERE sub_stock = 4 AND stripe = 0",
        undo: "UPDATE stock_ledger SET epoch = 3 WHERE sub_stock = 4 AND stripe = 0",
        kind: Kind::FenceAboveMeta,
        words: "p01 template 1 sub-stock 04 a fence is above the epoch of meta: expected at most epoch 3, found 4",
    },
    Case {
        primary: 0,
        change: "DELETE FROM code_use WHERE code_index = 0 AND use_no = 1",
        undo: "INSERT INTO code_use VALUES (1, 1, 0, 1, 7, 0)",
        kind: Kind::CodeUsesDiffer,
        words: "p00 template 1 the uses of a code have a gap, or are too many: expected uses 1 to 1, found up to 2 of code 0 \
                of batch 1",
    },
    Case {
        primary: 0,
        change: "INSERT INTO code_use VALUES (1, 1, 0, 3, 9, 0)",
        undo: "DELETE FROM code_use WHERE use_no = 3",
        kind: Kind::CodeUsesDiffer,
        words: "p00 template 1 the uses of a code have a gap, or are too many: expected at most 2 a code, found use 3 of a \
                code of batch 1",
    },
    Case {
        primary: 0,
        change: "UPDATE code_use SET user_id = 9 WHERE code_index = 1 AND use_no = 2",
        undo: "UPDATE code_use SET user_id = 5002 WHERE code_index = 1 AND use_no = 2",
        kind: Kind::CodeCouponDiffers,
        words: "p01 template 1 user 5002 the coupon of a use of a code is another user's: expected user 9, who has use 2 of \
                code 1 of batch 1, found user 5002",
    },
    Case {
        primary: 0,
        change: "DELETE FROM code_use WHERE code_index = 1 AND use_no = 2",
        undo: "INSERT INTO code_use VALUES (2, 1, 1, 2, 5002, 0)",
        kind: Kind::CodeUseMissing,
        words: "p01 template 1 user 5002 a coupon of a code without its use: expected use 2 of code 1 of batch 1, found no \
                such use",
    },
    Case {
        primary: 0,
        change: "INSERT INTO code_use VALUES (5, 1, 4, 1, 7, 0)",
        undo: "DELETE FROM code_use WHERE tail = 5",
        kind: Kind::CodeUnknown,
        words: "p00 template 1 uses of a code that no batch has: expected codes below 4, found a use of code 4 of batch 1",
    },
    Case {
        primary: 1,
        change: "INSERT INTO code_use VALUES (4, 1, 3, 1, 7, 0)",
        undo: "DELETE FROM code_use",
        kind: Kind::CodeTailDiffers,
        words: "p01 uses of a code stand where they do not belong: expected tails of this primary, found uses of codes under \
                tail 0004",
    },
    Case {
        primary: 0,
        change: "DELETE FROM bulk_entry WHERE user_id = 1",
        undo: "INSERT INTO bulk_entry VALUES (1, 1, 1, 37, 0, 5)",
        kind: Kind::BulkListDiffers,
        words: "p00 template 1 bulk job 1 a list has not the users that it was started with: expected 2 users, found 1",
    },
    Case {
        primary: 0,
        change: "UPDATE meta_bulk_job SET users = 4",
        undo: "UPDATE meta_bulk_job SET users = 3",
        kind: Kind::BulkListDiffers,
        words: "template 1 bulk job 1 a list has not the users that it was started with: expected 4 users, found 3",
    },
    Case {
        primary: 0,
        change: "UPDATE bulk_entry SET result = 0 WHERE user_id = 1",
        undo: "UPDATE bulk_entry SET result = 37 WHERE user_id = 1",
        kind: Kind::BulkPending,
        words: "p00 template 1 bulk job 1 a job has ended, and users have no result: expected none pending, found 1",
    },
    Case {
        primary: 0,
        change: "UPDATE bulk_entry SET result = 1, coupon_seq = 1 WHERE user_id = 1",
        undo: "UPDATE bulk_entry SET result = 37, coupon_seq = 0 WHERE user_id = 1",
        kind: Kind::BulkResultDiffers,
        words: "p00 template 1 bulk job 1 results are not as the coupons: expected a coupon for each, found 1 without",
    },
    Case {
        primary: 1,
        change: "UPDATE bulk_entry SET result = 37 WHERE user_id = 5003",
        undo: "UPDATE bulk_entry SET result = 1 WHERE user_id = 5003",
        kind: Kind::BulkResultDiffers,
        words: "p01 template 1 bulk job 1 results are not as the coupons: expected no coupon, found 1 with one",
    },
    Case {
        primary: 0,
        change: "UPDATE coupon_step SET order_id = 'b' WHERE step = 2",
        undo: "UPDATE coupon_step SET order_id = 'a' WHERE step = 2",
        kind: Kind::LogBroken,
        words: "p00 template 1 user 1 the log of a coupon does not follow the rules: expected no step: \
                CODE_COUPON_LOCKED, found step 2 of coupon 1",
    },
    Case {
        primary: 0,
        change: "DELETE FROM coupon_step WHERE step = 1",
        undo: "INSERT INTO coupon_step VALUES (1, 1, 1, 1, 1, 1, 'a', 2, NULL, 90000000, 0, 86400000)",
        kind: Kind::LogBroken,
        words: "p00 template 1 user 1 the log of a coupon does not follow the rules: expected 2 to be number 1",
    },
    Case {
        primary: 0,
        change: "INSERT INTO coupon_step VALUES (1, 1, 1, 1, 3, 2, 'c', 3, NULL, 0, 0, 86400002)",
        undo: "DELETE FROM coupon_step WHERE step = 3",
        kind: Kind::LogBroken,
        words: "expected no step: CODE_COUPON_USED, found step 3 of coupon 1",
    },
    Case {
        primary: 1,
        change: "INSERT INTO coupon_step VALUES (5001, 5001, 1, 7, 1, 1, 'a', 2, NULL, 90000000, 0, 86400000)",
        undo: "DELETE FROM coupon_step",
        kind: Kind::LogWithoutCoupon,
        words: "p01 template 1 user 5001 a log of no coupon: expected a coupon, found step 1 of coupon 7",
    },
    Case {
        primary: 0,
        change: "UPDATE budget SET spent_minor = 251",
        undo: "UPDATE budget SET spent_minor = 250",
        kind: Kind::BudgetDiffers,
        words: "p00 template 1 what was spent of a budget is not what the logs say: expected 250 by the logs, found 251",
    },
    Case {
        primary: 0,
        change: "UPDATE budget SET granted_minor = 301",
        undo: "UPDATE budget SET granted_minor = 300",
        kind: Kind::BudgetExceeded,
        words: "p00 template 1 more of a budget than there is: expected at most 300, as meta granted, found 250 spent of 301",
    },
    Case {
        primary: 0,
        change: "UPDATE meta_budget SET granted_minor = 1001",
        undo: "UPDATE meta_budget SET granted_minor = 300",
        kind: Kind::BudgetExceeded,
        words: "template 1 more of a budget than there is: expected at most 1000 granted, found 1001",
    },
    Case {
        primary: 1,
        change: "INSERT INTO closed_template (template_id, sealed) VALUES (1, 1)",
        undo: "DELETE FROM closed_template",
        kind: Kind::ClosedTooSoon,
        words: "p01 template 1 a template is not closed for good, and is taken for it: expected a template that is closed",
    },
    Case {
        primary: 0,
        change: "INSERT INTO archived_stock VALUES (1, 4, 1)",
        undo: "DELETE FROM archived_stock",
        kind: Kind::LedgerDiffers,
        words: "expected 3 issued, found 3 coupons and 1 archived",
    },
    Case {
        primary: 0,
        change: "INSERT INTO archive_file VALUES (1, 'a', RPAD('', 32, '.'), 1, 0, 0)",
        undo: "DELETE FROM archive_file",
        kind: Kind::ArchiveDiffers,
        words: "p00 what was archived does not add up: expected 0 coupons, 0 steps, found 1 coupons, 0 steps in files",
    },
    Case {
        primary: 1,
        change: "INSERT INTO archived_coupon VALUES (1, 5001, 1, 5001, 5001, 'cut off')",
        undo: "DELETE FROM archived_coupon",
        kind: Kind::ArchiveDiffers,
        words: "p01 template 1 what was archived does not add up: expected marks as they are made, found they are cut off",
    },
];

#[tokio::test]
async fn what_was_changed_by_hand_is_found_and_named() {
    for program in database_servers_under_test() {
        let testbed = Testbed::start(TestbedSpec::new(2, 1).with_database_server(program)).await.expect("started");
        let topology = set_up(&testbed).await;
        for case in CASES {
            assert_clean(&topology, case).await;
            run(testbed.primary(case.primary), case.change).await;
            let report = audit(&topology).await.expect("read");
            assert_eq!(report.verdict, Verdict::Findings, "{}: {report}", case.change);
            let found = report.findings.iter().any(|f| f.kind == case.kind && f.to_string().contains(case.words));
            assert!(found, "{}: no {:?} {:?} in {report}", case.change, case.kind, case.words);
            run(testbed.primary(case.primary), case.undo).await;
        }
        incomplete(&testbed, &topology).await;
    }
}

async fn assert_clean(topology: &Arc<Topology>, next: &Case) {
    let report = audit(topology).await.expect("read");
    assert_eq!(report.verdict, Verdict::Clean, "before {}: {report}", next.change);
    assert_eq!((report.coupons, report.issued, report.primaries, report.templates, report.steps), (12, 12, 2, 1, 2));
}

/// A primary that does not answer, or that is another one, makes the verdict incomplete; meta gone is an error.
async fn incomplete(testbed: &Testbed, topology: &Arc<Topology>) {
    run(testbed.primary(1), "UPDATE node SET primary_id = 5").await;
    let report = audit(topology).await.expect("read");
    assert_eq!((report.verdict, report.unaudited.len()), (Verdict::Incomplete, 1), "{report}");
    assert!(report.unaudited[0].why.contains("says that it is p05"), "{report}");
    testbed.primary(1).kill();
    let report = audit(topology).await.expect("read");
    assert_eq!((report.verdict.exit_code(), report.unaudited[0].primary), (2, 1), "{report}");
    testbed.primary(0).kill();
    assert!(matches!(audit(topology).await, Err(AuditError::Meta { .. })));
}

async fn audit(topology: &Arc<Topology>) -> Result<Report, AuditError> {
    audit::run(topology, Options { connect_timeout: Duration::from_secs(20), ..Options::default() }).await
}

async fn set_up(testbed: &Testbed) -> Arc<Topology> {
    for (index, database) in testbed.primaries().iter().enumerate() {
        let mut conn = connect(database).await;
        conn.query_drop(format!("CREATE DATABASE {DATABASE}")).await.expect("created");
        run(database, &PRIMARY_SCHEMA.concat()).await;
        run(database, &format!("INSERT INTO node VALUES (1, {index}, 1)")).await;
        run(database, &seed(index)).await;
    }
    // Order a locks and redeems the first coupon of user 1.
    run(
        testbed.primary(0),
        "INSERT INTO coupon_step VALUES (1, 1, 1, 1, 1, 1, 'a', 2, NULL, 90000000, 0, 86400000), \
         (1, 1, 1, 1, 2, 2, 'a', 3, NULL, 0, 250, 86400001); \
         INSERT INTO budget VALUES (1, 300, 250)",
    )
    .await;
    run(testbed.primary(0), &META_SCHEMA.concat()).await;
    seed_meta(testbed.primary(0)).await;
    topology(testbed)
}

/// Two coupons for each of three users: the first from sub-stock 0, the second from sub-stock 4 and a day later, counted on
/// stripe 1.
fn seed(index: usize) -> String {
    let mut sql = String::new();
    for user in (1..=3).map(|user| user + 5000 * index) {
        for (seq, sub_stock, claimed_at_ms) in [(1, 0, 0), (2, 4, 86_400_000)] {
            let request = match (user % 5_000, seq) {
                (3, 2) => format!("UNHEX(LEFT(SHA2('scrip bulk {BULK_REQUEST} {user}', 256), 32))"),
                _ if user == 5_001 && seq == 2 => used_code(1),
                _ if user == 5_002 && seq == 1 => used_code(2),
                _ => format!("RPAD('{user}/{seq}', 16, '.')"),
            };
            sql.push_str(&format!(
                "INSERT INTO coupon VALUES ({user}, {user}, 1, {seq}, {request}, {sub_stock}, {claimed_at_ms});"
            ));
        }
    }
    sql.push_str(match index {
        0 => {
            "INSERT INTO bulk_entry VALUES (1, 1, 1, 37, 0, 5), (1, 3, 3, 1, 2, 5); \
             INSERT INTO code_use VALUES (1, 1, 0, 1, 7, 0), (1, 1, 0, 2, 8, 0), (2, 1, 1, 1, 5001, 0), (2, 1, 1, 2, 5002, 0);"
        }
        _ => "INSERT INTO bulk_entry VALUES (1, 5003, 5003, 1, 2, 5);",
    });
    for (sub_stock, stripe, issued) in [(0, 0, 0), (0, 1, 3), (4, 0, 0), (4, 1, 3)] {
        sql.push_str(&format!(
            "INSERT INTO stock_ledger VALUES (1, {sub_stock}, {stripe}, 3, REPEAT('s', 16), {issued});"
        ));
    }
    sql
}

/// The request id of a use of code 1 of batch 1.
fn used_code(use_no: u32) -> String {
    format!("UNHEX(LEFT(SHA2('scrip code {CODE_REQUEST} 1 {use_no}', 256), 32))")
}

async fn seed_meta(database: &Database) {
    // A TemplateDefinition: name "audit", total_stock 20, per_user_limit 2, per_user_daily_limit 1, budget_minor 1000.
    let definition = "0a0561756469741014180278019001e807";
    run(
        database,
        &format!(
            "INSERT INTO meta_template VALUES (1, REPEAT('r', 16), UNHEX('{definition}'), 2, 20, 0, 0, 1, \
             UNHEX('00000004'), 2); \
             INSERT INTO meta_sub_stock (template_id, sub_stock, allotment, epoch, settled_epoch, drained_epoch) \
             VALUES (1, 0, 10, 3, 3, 0), (1, 4, 10, 3, 3, 0); \
             INSERT INTO meta_budget VALUES (1, 0, 300); \
             INSERT INTO meta_bulk_job VALUES (1, UNHEX('{BULK_REQUEST}'), 1, 0, 0, 0, 7, 2, 3, 0); \
             INSERT INTO meta_code_batch VALUES (1, UNHEX('{CODE_REQUEST}'), 1, 4, 2, 1, 0); \
             INSERT INTO meta_bulk_slice (job_id, primary_id, users, done, owner) VALUES (1, 0, 2, 1, 0), (1, 1, 1, 1, 0)"
        ),
    )
    .await;
}

async fn run(database: &Database, sql: &str) {
    let mut conn = connect_with(database.options().db_name(Some(DATABASE))).await;
    conn.query_drop(sql).await.expect(sql);
}

fn topology(testbed: &Testbed) -> Arc<Topology> {
    let folder = testbed.folder().join("audit");
    std::fs::create_dir(&folder).expect("folder");
    let address = |of: std::net::SocketAddr| Address::Tcp { host: of.ip().to_string(), port: of.port() };
    for (index, database) in testbed.primaries().iter().enumerate() {
        std::fs::write(folder.join(format!("{index}.password")), database.password().expose()).expect("password");
    }
    let text = local(&Local {
        version: 1,
        primaries: testbed.primaries().iter().map(|database| address(database.address())).collect(),
        shards: testbed.shards().iter().map(|shard| address(shard.address())).collect(),
        database: DATABASE.to_owned(),
        user: "scrip".to_owned(),
        password: Some(SecretRef::File("0.password".into())),
        shard_password: None,
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    });
    Arc::new(Topology::parse(&text, &folder, &|_| None).expect("good"))
}
