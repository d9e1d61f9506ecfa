//! The archive: what is long dead leaves for files, exactly once, and every answer about it stays true.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    long_dead_coupons_leave_for_files_and_answers_stay_true on archiving;
    patrols_that_are_killed_and_frozen_lose_no_coupon on slowly;
}

/// In rounds that follow each other.
async fn archiving(server: PathBuf) -> Scene {
    scene(server, "rows_per_second = 1000000\narchive_rows = 100\n").await
}

/// Slow enough to be killed in the middle.
async fn slowly(server: PathBuf) -> Scene {
    scene(server, "rows_per_second = 1000\narchive_rows = 40\n").await
}

async fn scene(server: PathBuf, config: &str) -> Scene {
    let spec = TestbedSpec::new(2, 1).with_database_server(server);
    let patrol = "[patrol]\nenabled = true\nround_interval = \"50ms\"\nslice_rows = 200\narchive_directory = \"archive\"\n\
                  archive_after = \"2s\"\n";
    Scene::own_prepared(spec, &format!("{patrol}{config}"), |folder| {
        std::fs::create_dir(folder.join("archive")).expect("a folder");
    })
    .await
}

mod cases {
    use std::collections::BTreeSet;
    use std::path::PathBuf;
    use std::process::Output;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use scrip_client::{
        Benefit, Claim, ClaimError, Coupon, CouponStatus, GetClaimError, GetCouponError, OrderError, OrderId, Pack,
        PackItem, Redemption, Rules, TemplateDefinition, TemplateId, UserId, Validity, mint_request_id,
    };
    use scrip_proxy::audit::{self, Kind, Options, Report, Verdict};
    use scrip_shard_config::Topology;
    use tokio::time::sleep;

    use crate::end_to_end::bulk::job::{ended, submitted};
    use crate::end_to_end::scene::{Books, Scene, definition, program};

    fn now_ms() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        i64::try_from(since.as_millis()).expect("in time")
    }

    async fn wait_until(until_ms: i64) {
        sleep(Duration::from_millis(u64::try_from(until_ms - now_ms()).unwrap_or(0))).await;
    }

    async fn until(scene: &Scene, until_ms: i64, total_stock: u64) -> TemplateId {
        let validity = Validity::Fixed { from_ms: 0, until_ms };
        let benefit = Some(Benefit::AmountOff { amount_minor: 500 });
        let rules = Rules { benefit, currency: Some("EUR".to_owned()), budget_minor: 1_000_000, ..Rules::default() };
        scene.published(TemplateDefinition { validity, rules, ..definition(total_stock, 2) }).await
    }

    fn folder(scene: &Scene) -> PathBuf {
        scene.testbed.folder().join("archive")
    }

    fn parts(scene: &Scene) -> Vec<String> {
        let entries = std::fs::read_dir(folder(scene)).expect("a folder").map(|entry| entry.expect("an entry"));
        let names = entries.map(|entry| entry.file_name().into_string().expect("UTF-8"));
        names.filter(|name| name.ends_with(".part")).collect()
    }

    async fn audited(scene: &Scene) -> Report {
        let topology = Topology::load(scene.testbed.topology_path().expect("a path")).expect("a topology");
        audit::run_with(&Arc::new(topology), Options::default(), Some(&folder(scene))).await.expect("read")
    }

    fn scrip(scene: &Scene, arguments: &[&str]) -> Output {
        let folder = folder(scene).display().to_string();
        let mut command = std::process::Command::new(program("scrip"));
        let (verb, rest) = arguments.split_first().expect("a verb");
        command.args(["archive", verb, &folder]).args(rest).output().expect("ran")
    }

    fn lines(output: &Output) -> Vec<String> {
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    async fn gone(scene: &Scene, template: TemplateId, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let left = scene.books(template).await.coupons;
            if left == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{left} coupons are left");
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn order() -> OrderId {
        OrderId::try_new("order").expect("an order id")
    }

    /// Sends the claim again, and asks for it: both answer as they did.
    async fn stays_claimed(scene: &Scene, coupon: &Coupon, status: CouponStatus) {
        let (user, template) = (coupon.user, coupon.template);
        let again = scene.client.claim(Claim::new(user, template, coupon.request_id)).await.expect("the same coupon");
        let asked = scene.client.get_claim(user, template, coupon.request_id).await.expect("the same coupon");
        for found in [again, asked] {
            let now = Coupon { status, replayed: true, ..*coupon };
            assert_eq!(Coupon { replayed: true, ..found }, now);
        }
    }

    pub(super) async fn long_dead_coupons_leave_for_files_and_answers_stay_true(scene: &Scene) {
        const USERS: u64 = 1_500;
        const LISTED: u64 = 500;
        let until_ms = now_ms() + 12_000;
        let (dead, open) = (until(scene, until_ms, 10_000).await, until(scene, until_ms, 10_000).await);
        let alive = scene.template(10_000, 1).await;
        let mut coupons = Vec::new();
        for template in [dead, open, alive] {
            let results = scene.rush(template, 0..USERS).await;
            coupons.push(results.into_iter().map(|result| result.expect("a coupon")).collect::<Vec<_>>());
        }
        let second = scene.rush(dead, 0..USERS / 10).await;
        assert!(second.iter().all(Result::is_ok));
        let job = submitted(scene, dead, (0..LISTED).map(|user| UserId(100_000 + user))).await;
        assert_eq!(ended(scene, job.job).await.issued, LISTED);
        let items = [(open, 2), (dead, 2)].map(|(template, count)| PackItem { template, count });
        let pack = Pack::new(UserId(200_000), mint_request_id(), items);
        let packed = scene.client.claim_pack(&pack).await.expect("a pack");
        let coupons = &coupons[0];
        for coupon in &coupons[..40] {
            let redemption = Redemption { coupon_id: coupon.coupon_id, amount_minor: 500 };
            scene.client.redeem_coupons(coupon.user, &order(), &[redemption]).await.expect("redeemed");
        }
        let shown = scene.client.get_coupon(coupons[0].user, coupons[0].coupon_id).await.expect("a history");
        let number = shown.coupon.number.expect("a number");
        assert!(now_ms() < until_ms, "the machine is too slow for this test");
        wait_until(until_ms).await;
        for template in [dead, alive] {
            scene.client.close_template(template).await.expect("closed");
        }
        let issued = USERS + USERS / 10 + LISTED + 2;
        gone(scene, dead, Duration::from_secs(40)).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(scene.books(dead).await, Books { coupons: 0, ledger: issued }, "what was issued stays issued");
        for (template, count) in [(open, USERS + 2), (alive, USERS)] {
            assert_eq!(scene.books(template).await, Books { coupons: count, ledger: count }, "untouched");
        }
        let report = audited(scene).await;
        assert_eq!((report.verdict, report.archived), (Verdict::Clean, issued), "{report}");
        assert_eq!(parts(scene), Vec::<String>::new());

        for (index, coupon) in coupons.iter().enumerate().step_by(31) {
            let status = if index < 40 { CouponStatus::Used } else { CouponStatus::Expired };
            stays_claimed(scene, coupon, status).await;
        }
        let again = scene.client.claim_pack(&pack).await.expect("the same pack");
        let ids = |coupons: &[Coupon]| coupons.iter().map(|coupon| coupon.coupon_id).collect::<Vec<_>>();
        assert_eq!(ids(&again), ids(&packed), "two of them archived");
        let (user, id) = (coupons[0].user, coupons[0].coupon_id);
        let anew = scene.client.claim(Claim::new(user, dead, mint_request_id())).await;
        assert!(matches!(anew, Err(ClaimError::Closed(_))), "{anew:?}");
        let never = scene.client.get_claim(user, dead, mint_request_id()).await;
        assert!(matches!(never, Err(GetClaimError::NotFound(_))), "{never:?}");
        let shown = scene.client.get_coupon(user, id).await;
        assert!(matches!(shown, Err(GetCouponError::Archived(_))), "{shown:?}");
        let found = scene.client.find_coupon(number).await;
        assert!(matches!(found, Err(GetCouponError::Archived(_))), "{found:?}");
        let returned = scene.client.return_coupons(user, &order(), &[id]).await;
        assert!(matches!(returned, Err(OrderError::Archived(_))), "{returned:?}");
        // Who shares a transaction with them is not held up.
        let other = scene.rush(scene.template(10, 1).await, [5]).await.remove(0).expect("a coupon");
        let order = order();
        let [one, two] =
            [coupons[5].coupon_id, other.coupon_id].map(|coupon_id| [Redemption { coupon_id, amount_minor: 5 }]);
        let (refused, redeemed) = tokio::join!(
            scene.client.redeem_coupons(coupons[5].user, &order, &one),
            scene.client.redeem_coupons(other.user, &order, &two)
        );
        assert!(matches!(refused, Err(OrderError::Archived(_))), "{refused:?}");
        redeemed.expect("redeemed");
        files_are_listed_and_searched(scene, dead, coupons, issued);
        broken_and_missing_files_are_named(scene).await;
    }

    fn files_are_listed_and_searched(scene: &Scene, template: TemplateId, coupons: &[Coupon], issued: u64) {
        let listed = scrip(scene, &["list", "--json"]);
        assert!(listed.status.success(), "{listed:?}");
        let files: Vec<serde_json::Value> =
            lines(&listed).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let sum = |key: &str| files.iter().filter_map(|file| file[key].as_u64()).sum::<u64>();
        assert_eq!(sum("coupons"), issued);
        assert!(sum("steps") >= issued, "each has expired or was used");
        let found = lines(&scrip(scene, &["search", "--template", &template.to_string(), "--json"]));
        let ids: BTreeSet<String> = found
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["coupon"].to_string())
            .collect();
        assert_eq!((found.len() as u64, ids.len() as u64), (issued, issued), "each once");
        let one = &coupons[3];
        let (id, user) = (one.coupon_id.to_string(), one.user.to_string());
        let by_id = lines(&scrip(scene, &["search", "--coupon", &id]));
        assert!(
            matches!(&by_id[..], [line] if line.contains(&format!("user={user} ")) && line.contains("status=used"))
        );
        let by_user = scrip(scene, &["search", "--user", &user, "--from", "2020-01-01", "--to", "2100-01-01"]);
        assert_eq!(lines(&by_user).len(), 2, "{by_user:?}");
        assert_eq!(lines(&scrip(scene, &["search", "--user", &user, "--to", "2020-01-01"])).len(), 0);
    }

    async fn broken_and_missing_files_are_named(scene: &Scene) {
        let mut names: Vec<_> =
            std::fs::read_dir(folder(scene)).expect("a folder").map(|entry| entry.expect("one").path()).collect();
        names.sort();
        let (broken, missing) = (&names[0], &names[1]);
        let mut bytes = std::fs::read(broken).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(broken, bytes).expect("written");
        std::fs::remove_file(missing).expect("removed");
        let listed = scrip(scene, &["list"]);
        let said = String::from_utf8_lossy(&listed.stderr).into_owned();
        let name = broken.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!((listed.status.code(), said.contains(name)), (Some(1), true), "{said}");
        let kinds: Vec<Kind> = audited(scene).await.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [Kind::ArchiveFileBroken, Kind::ArchiveFileMissing]);
    }

    async fn leader(scene: &Scene) -> usize {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            for (index, proxy) in scene.proxies.iter().enumerate() {
                let page = proxy.admin_get("/metrics").await.unwrap_or_default();
                if page.contains("scrip_patrol_leads{primary=\"p00\"} 1\n") {
                    return index;
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("nobody patrols");
    }

    async fn some_left(scene: &Scene, template: TemplateId, at_most: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while scene.books(template).await.coupons > at_most {
            assert!(Instant::now() < deadline, "it goes on");
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) async fn patrols_that_are_killed_and_frozen_lose_no_coupon(scene: &Scene) {
        const USERS: u64 = 4_000;
        let until_ms = now_ms() + 6_000;
        let template = until(scene, until_ms, USERS).await;
        let coupons: Vec<Coupon> =
            scene.rush(template, 0..USERS).await.into_iter().map(|result| result.expect("a coupon")).collect();
        scene.client.close_template(template).await.expect("closed");
        for (killed, at_most) in [(true, USERS - 200), (false, USERS - 1_000), (true, USERS - 2_000)] {
            some_left(scene, template, at_most).await;
            let leads = &scene.proxies[leader(scene).await];
            if killed {
                leads.kill();
                leads.restart().await.expect("restarted");
            } else {
                leads.pause().expect("frozen");
                // Longer than the lease; the other one goes on.
                sleep(Duration::from_secs(7)).await;
                leads.resume().expect("thawed");
            }
        }
        gone(scene, template, Duration::from_secs(60)).await;
        assert_eq!(scene.books(template).await, Books { coupons: 0, ledger: USERS });
        for coupon in coupons.iter().step_by(97) {
            stays_claimed(scene, coupon, CouponStatus::Expired).await;
        }
        what_crashes_leave_is_tidied_up(scene).await;
        let report = audited(scene).await;
        assert_eq!((report.verdict, report.archived), (Verdict::Clean, USERS), "{report}");
        let found = lines(&scrip(scene, &["search", "--json"]));
        let ids: BTreeSet<String> = found
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["coupon"].to_string())
            .collect();
        let known: BTreeSet<String> = coupons.iter().map(|coupon| format!("\"{}\"", coupon.coupon_id)).collect();
        assert!(found.len() as u64 == USERS && ids == known, "each coupon once, and no other");
    }

    /// A registered file that had not got its name yet, a part that was never registered, and one of a later holder.
    async fn what_crashes_leave_is_tidied_up(scene: &Scene) {
        scene.proxies.iter().for_each(scrip_chaos::testbed::ProxyProcess::kill);
        let folder = folder(scene);
        let entries = std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let whole: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|last| last == "gz")).collect();
        let whole = whole.iter().find(|path| path.display().to_string().contains("p00_")).expect("a file of p00");
        let registered = PathBuf::from(format!("{}.part", whole.display()));
        let [old, later] =
            ["t000000", "t999999"].map(|term| folder.join(format!("p00_0000000000001_{term}_x.ndjson.gz.part")));
        std::fs::rename(whole, &registered).expect("renamed");
        for part in [&old, &later] {
            std::fs::write(part, "half a pa").expect("written");
        }
        for proxy in &scene.proxies {
            proxy.restart().await.expect("restarted");
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while !whole.exists() || old.exists() {
            assert!(Instant::now() < deadline, "{:?}", parts(scene));
            sleep(Duration::from_millis(100)).await;
        }
        assert!(later.exists() && !registered.exists(), "of a later holder");
        std::fs::remove_file(later).expect("removed");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !parts(scene).is_empty() {
            assert!(Instant::now() < deadline, "{:?}", parts(scene));
            sleep(Duration::from_millis(100)).await;
        }
    }
}
