//! A deployment under test, and what its stores say.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use scrip_chaos::testbed::{ProxyProcess, ProxySpec, Testbed, TestbedSpec, shared};
use scrip_client::{
    Claim, ClaimError, Client, ClientConfig, Coupon, CouponId, TemplateDefinition, Validity, mint_request_id,
};
use scrip_protocol::{TemplateId, UserId};

use crate::support::connect;

/// A testbed with two proxies, and a client of both.
pub(super) struct Scene {
    pub(super) testbed: Arc<Testbed>,
    pub(super) proxies: Vec<ProxyProcess>,
    pub(super) client: Client,
}

/// What the stores say of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) coupons: u64,
    pub(super) ledger: u64,
}

impl Scene {
    /// For cases that break nothing: three primaries, two shards, two proxies, shared within the process.
    pub(super) async fn shared(server: PathBuf) -> Self {
        static PROXIES: tokio::sync::Mutex<Vec<(PathBuf, Vec<ProxyProcess>)>> =
            tokio::sync::Mutex::const_new(Vec::new());
        let testbed = shared(TestbedSpec::new(3, 2).with_database_server(&server)).await.expect("testbed");
        let mut known = PROXIES.lock().await;
        let proxies = match known.iter().find(|(path, _)| *path == server) {
            Some((_, proxies)) => proxies.clone(),
            None => {
                let proxies = start_proxies(&testbed, "").await;
                known.push((server, proxies.clone()));
                proxies
            }
        };
        drop(known);
        Self::of(testbed, proxies).await
    }

    /// For cases that break something.
    pub(super) async fn own(spec: TestbedSpec, config: &str) -> Self {
        Self::own_prepared(spec, config, |_| ()).await
    }

    /// The same; `prepare` gets the folder of the proxies' configurations before they start.
    pub(super) async fn own_prepared(spec: TestbedSpec, config: &str, prepare: impl FnOnce(&Path)) -> Self {
        let testbed = Arc::new(Testbed::start(spec).await.expect("testbed"));
        prepare(testbed.folder());
        let proxies = start_proxies(&testbed, config).await;
        Self::of(testbed, proxies).await
    }

    async fn of(testbed: Arc<Testbed>, proxies: Vec<ProxyProcess>) -> Self {
        let client = client_of(&testbed, &proxies).await;
        Self { testbed, proxies, client }
    }

    /// A client of one proxy only.
    pub(super) async fn client_of(&self, proxy: usize) -> Client {
        client_of(&self.testbed, &self.proxies[proxy..=proxy]).await
    }

    pub(super) async fn template(&self, total_stock: u64, per_user_limit: u32) -> TemplateId {
        self.published(definition(total_stock, per_user_limit)).await
    }

    pub(super) async fn published(&self, definition: TemplateDefinition) -> TemplateId {
        let created = self.client.create_template(mint_request_id(), definition).await.expect("created");
        self.client.publish(created.template).await.expect("published");
        created.template
    }

    pub(super) async fn claim(&self, user: u64, template: TemplateId) -> Result<Coupon, ClaimError> {
        self.client.claim(claim(user, template)).await
    }

    /// The id of a coupon that the user has just claimed.
    pub(super) async fn coupon(&self, user: u64, template: TemplateId) -> CouponId {
        self.claim(user, template).await.expect("a coupon").coupon_id
    }

    /// Claims for these users at once; the results in their order.
    pub(super) async fn rush(
        &self,
        template: TemplateId,
        users: impl IntoIterator<Item = u64>,
    ) -> Vec<Result<Coupon, ClaimError>> {
        let start = |user| {
            let client = self.client.clone();
            tokio::spawn(async move { client.claim(claim(user, template)).await })
        };
        let tasks: Vec<_> = users.into_iter().map(start).collect();
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(task.await.expect("no panic"));
        }
        results
    }

    /// Claims for ever new users until the template is sold out; how many coupons that gave.
    pub(super) async fn sell_out(&self, template: TemplateId, first_user: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(60);
        let (mut sold, mut next) = (0, first_user);
        loop {
            let results = self.rush(template, next..next + 64).await;
            next += 64;
            sold += results.iter().filter(|result| result.is_ok()).count() as u64;
            if results.iter().all(|result| matches!(result, Err(ClaimError::SoldOut(_)))) {
                return sold;
            }
            assert!(Instant::now() < deadline, "not sold out within a minute; {sold} sold, last: {:?}", results.last());
        }
    }

    /// Sums over all primaries.
    pub(super) async fn books(&self, template: TemplateId) -> Books {
        let mut books = Books { coupons: 0, ledger: 0 };
        for primary in self.testbed.primaries() {
            let mut connection = connect(primary).await;
            let rows: Option<u64> = connection
                .exec_first("SELECT COUNT(*) FROM coupon WHERE template_id = ?", (template.get(),))
                .await
                .expect("rows");
            let issued: Option<u64> = connection
                .exec_first(
                    "SELECT CAST(COALESCE(SUM(issued), 0) AS UNSIGNED) FROM stock_ledger WHERE template_id = ?",
                    (template.get(),),
                )
                .await
                .expect("ledger");
            books.coupons += rows.unwrap_or(0);
            books.ledger += issued.unwrap_or(0);
        }
        books
    }

    /// One of the proxy's counts, off its metrics page.
    pub(super) async fn count(&self, proxy: usize, name: &str) -> u64 {
        let page = self.proxies[proxy].admin_get("/metrics").await.expect("metrics");
        let line = page.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{name} in\n{page}"))
    }
}

async fn start_proxies(testbed: &Testbed, config: &str) -> Vec<ProxyProcess> {
    let spec = |name: &str| ProxySpec::new(name).with_config(config);
    testbed.migrate(&spec("a")).await.expect("migrated");
    let mut proxies = Vec::new();
    for name in ["a", "b"] {
        proxies.push(testbed.start_proxy(&spec(name)).await.expect("proxy"));
    }
    proxies
}

async fn client_of(testbed: &Testbed, proxies: &[ProxyProcess]) -> Client {
    let token = testbed.caller_token().expect("token");
    let addresses = proxies.iter().map(|proxy| proxy.address().to_string());
    let mut config = ClientConfig::new(addresses, "demo", token.expose());
    // Tests run beside each other on few cores: patience is no part of what they test.
    config.deadline = Duration::from_secs(20);
    Client::connect(config).await.expect("connected")
}

pub(super) fn claim(user: u64, template: TemplateId) -> Claim {
    Claim::new(UserId(user), template, mint_request_id())
}

pub(super) fn definition(total_stock: u64, per_user_limit: u32) -> TemplateDefinition {
    TemplateDefinition::new(
        "five off",
        total_stock,
        per_user_limit,
        Validity::Relative { starts_after_s: 0, lasts_s: 86_400 },
    )
}

/// A program of the workspace that `cargo test --all-features` has built: this test is in `target/PROFILE/deps`.
pub(super) fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    let path = own.parent().and_then(|deps| deps.parent()).expect("two folders up").join(name);
    assert!(path.is_file(), "{} is missing: run `cargo suite`, which builds it", path.display());
    path
}

/// Makes a test of each case: it runs on every database server under test.
macro_rules! cases {
    ($($case:ident on $scene:expr;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                for server in scrip_chaos::testbed::database_servers_under_test() {
                    let scene = $scene(server).await;
                    cases::$case(&scene).await;
                }
            }
        )+
    };
}
pub(super) use cases;
