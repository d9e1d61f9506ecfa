//! MySQL stores on the servers of a testbed that all tests of the binary share, in databases of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Row};
use scrip_chaos::testbed::{Database, Link, Testbed, TestbedSpec, database_servers_under_test, shared};
use scrip_protocol::{RequestId, TemplateId, UserId};
use scrip_proxy::store::mysql::migrate::migrate;
use scrip_proxy::store::mysql::{MysqlLimits, MysqlStore, MysqlWriter};
use scrip_proxy::store::{Fence, NewCoupon, RecordStore, RecordWriter, StockKey};
use scrip_shard_config::{Address, Local, PrimaryId, Secret, SecretRef, StockSpec, SubStock, Topology, local};

use crate::support::connect_with;

/// Primary 0, the only one of most tests, which also holds meta.
pub(crate) const P0: PrimaryId = PrimaryId(0);
/// Ledger rows per sub-stock in these tests.
pub(crate) const STRIPES: u16 = 2;

/// Stores of one test on one server.
pub(crate) struct Bed {
    pub(crate) testbed: Arc<Testbed>,
    pub(crate) topology: Topology,
    pub(crate) store: MysqlStore,
    database: String,
}

/// Shorter than the defaults, so that tests of time limits are short.
pub(crate) fn timeouts() -> MysqlLimits {
    MysqlLimits { lock_wait: Duration::from_secs(1), record: Duration::from_secs(3), ..MysqlLimits::default() }
}

impl Bed {
    /// Databases of their own on a shared server with this program.
    pub(crate) async fn on_shared(program: &Path, test: &str) -> Bed {
        let spec = TestbedSpec::new(1, 0).with_database_server(program);
        Bed::on(shared(spec).await.expect("a testbed"), test, 1).await
    }

    /// A server for this test alone, which may stop it and change its settings.
    pub(crate) async fn alone(program: &Path, test: &str) -> Bed {
        let spec = TestbedSpec::new(1, 0).with_database_server(program);
        Bed::on(Arc::new(Testbed::start(spec).await.expect("a testbed")), test, 1).await
    }

    /// So many primaries, in databases of one server.
    pub(crate) async fn on(testbed: Arc<Testbed>, test: &str, primaries: u16) -> Bed {
        let database = format!("scrip_{test}");
        let topology = topology(testbed.primary(0), testbed.primary(0).address(), &database, primaries, 1);
        for report in migrate(&topology, timeouts()).await {
            report.outcome.expect("migrated");
        }
        let store = MysqlStore::try_new(&topology, timeouts()).expect("a store");
        Bed { testbed, topology, store, database }
    }

    pub(crate) fn server(&self) -> &Database {
        self.testbed.primary(0)
    }

    /// The same stores through a link of the test's own.
    pub(crate) fn through(&self, link: &Link) -> MysqlStore {
        let topology = topology(self.server(), link.address(), &self.database, 1, self.topology.version);
        MysqlStore::try_new(&topology, timeouts()).expect("a store")
    }

    /// The same stores by another version of the topology.
    pub(crate) fn at_version(&self, version: u64) -> (Topology, MysqlStore) {
        let topology = topology(self.server(), self.server().address(), &self.database, 1, version);
        let store = MysqlStore::try_new(&topology, timeouts()).expect("a store");
        (topology, store)
    }

    /// Asks the server directly, as somebody who may do everything.
    pub(crate) async fn rows<R: FromRow + Send + 'static>(&self, sql: &str) -> Vec<R> {
        self.admin().await.query(sql).await.expect(sql)
    }

    /// A connection of somebody who may do everything.
    pub(crate) async fn admin(&self) -> Conn {
        let options = self.server().admin_options().db_name(Some(format!("{}_0", self.database)));
        connect_with(options).await
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.rows::<Row>(sql).await;
    }

    /// Coupons, and units in the ledger. Both or neither: what every failed record must leave as it was.
    pub(crate) async fn counts(&self) -> (u64, u64) {
        let sql = "SELECT (SELECT COUNT(*) FROM coupon), \
                   (SELECT CAST(COALESCE(SUM(issued), 0) AS UNSIGNED) FROM stock_ledger)";
        self.rows(sql).await[0]
    }

    /// Sub-stocks with ledgers and fences at this epoch.
    pub(crate) async fn open(&self, sub_stocks: &[u16], epoch: u64) {
        let keys: Vec<StockKey> = sub_stocks.iter().map(|number| key(*number)).collect();
        self.store.create_ledger(P0, &keys, STRIPES).await.expect("ledgers");
        self.fence(sub_stocks, epoch).await;
    }

    /// Raises the fences of these sub-stocks; what had been issued.
    pub(crate) async fn fence(&self, sub_stocks: &[u16], epoch: u64) -> u64 {
        let fences: Vec<_> = sub_stocks.iter().map(|number| (key(*number), epoch)).collect();
        let server = self.store.server(P0).await.expect("a server");
        let raised = self.store.raise_fences(P0, &server, &fences, STRIPES).await.expect("fences");
        raised.iter().map(issued).sum()
    }

    /// Why a new lane does not connect.
    pub(crate) async fn writer_refusal(&self) -> String {
        self.store.writer(P0, 9).connect().await.expect_err("refused").to_string()
    }

    pub(crate) async fn writer(&self) -> MysqlWriter {
        let mut writer = self.store.writer(P0, 0);
        writer.connect().await.expect("connected");
        writer
    }
}

pub(crate) fn issued(fence: &Fence) -> u64 {
    match fence {
        Fence::Raised { issued } => *issued,
        Fence::Above => panic!("another fence is above"),
    }
}

/// Primaries in databases of one server, at one address.
fn topology(
    server: &Database,
    address: std::net::SocketAddr,
    database: &str,
    primaries: u16,
    version: u64,
) -> Topology {
    let spare = |port: u16| Address::Tcp { host: "127.0.0.1".to_owned(), port };
    let text = local(&Local {
        version,
        primaries: (1..=primaries).map(spare).collect(),
        shards: vec![spare(9000)],
        database: database.to_owned(),
        user: "scrip".to_owned(),
        password: Some(SecretRef::Env("PASSWORD".to_owned())),
        shard_password: None,
        virtual_nodes: 8,
        stock: StockSpec::default(),
    });
    let password = server.password().expose().to_owned();
    let mut topology = Topology::parse(&text, Path::new("/"), &|_| Some(password.clone())).expect("a topology");
    for primary in &mut topology.primaries {
        primary.address = Address::Tcp { host: address.ip().to_string(), port: address.port() };
        primary.database = format!("{database}_{}", primary.id.0);
        primary.password = Some(Secret::new(password.clone()));
    }
    topology
}

pub(crate) fn template() -> TemplateId {
    TemplateId::try_new(7).expect("not zero")
}

pub(crate) fn key(sub_stock: u16) -> StockKey {
    StockKey { template: template(), sub_stock: SubStock(sub_stock) }
}

/// The user's first coupon from this sub-stock under this epoch.
pub(crate) fn coupon(user: u64, sub_stock: u16, epoch: u64) -> NewCoupon {
    NewCoupon {
        user: UserId(user),
        template: template(),
        seq: 1,
        seen_on: 0,
        request: RequestId(rand_id(user)),
        sub_stock: SubStock(sub_stock),
        epoch,
        stripe: (user % u64::from(STRIPES)) as u16,
        claimed_at_ms: 1_700_000_000_000,
    }
}

fn rand_id(user: u64) -> [u8; 16] {
    let mut id = [0xa5; 16];
    id[..8].copy_from_slice(&user.to_be_bytes());
    id
}

/// Runs a test on every flavour, with a shared server of each.
pub(crate) async fn on_each(test: &str, body: impl AsyncFn(Bed)) {
    for program in database_servers_under_test() {
        body(Bed::on_shared(&program, test).await).await;
    }
}

/// Runs a test on every flavour, with a server of its own.
pub(crate) async fn alone_on_each(test: &str, body: impl AsyncFn(Bed)) {
    for program in database_servers_under_test() {
        body(Bed::alone(&program, test).await).await;
    }
}
