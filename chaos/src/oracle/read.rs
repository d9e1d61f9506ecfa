//! Reads every store directly.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts};
use scrip_client::{CodeBatchId, OrderId, RequestId, TemplateId, UserId};
use scrip_protocol::v1::StepKind;
use scrip_shard_config::{PrimaryId, ShardId, SubStock, Tail, Topology, stock_key};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::archive;
use super::sql;
use super::view::{
    CodeBatchRow, CodeUseRow, CouponRow, LedgerRow, PackRow, ServerSettings, StepRow, StockRow, StoresView,
    SubStockRow, TemplateRow,
};
use crate::history::CodeRef;
use crate::testbed::{self, Database, Testbed};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const READ_LIMIT: Duration = Duration::from_secs(120);

/// Why a store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A primary gave no answer, or not the expected one.
    #[error("cannot read {name}: {problem}")]
    Primary {
        /// Which.
        name: String,
        /// What happened.
        problem: String,
    },
    /// A shard gave no answer, or not the expected one.
    #[error("cannot read the stock: {0}")]
    Shard(#[from] testbed::Error),
}

/// User, template, number of the coupon, number of the step, kind, order.
type StepColumns = (u64, u32, u16, u16, u8, Option<Vec<u8>>);

/// One primary.
#[derive(Debug, Default)]
struct Part {
    coupons: Vec<(u64, u32, u16, [u8; 16], u16)>,
    steps: Vec<StepColumns>,
    packs: Vec<(u64, [u8; 16], String)>,
    archived: Vec<archive::Line>,
    uses: Vec<(u32, u32, u32, u64)>,
    ledgers: Vec<(u32, u16, u64)>,
    variables: HashMap<String, String>,
}

impl StoresView {
    /// Reads all stores of a testbed, straight from the servers.
    ///
    /// # Errors
    /// When one of them cannot be read. Nothing partial is returned.
    pub async fn read(testbed: &Testbed, topology: &Topology) -> Result<Self, ReadError> {
        let mut parts = JoinSet::new();
        for (primary, database) in topology.primaries.iter().zip(testbed.primaries()) {
            let (id, database, folder) = (primary.id, database.clone(), testbed.archive_folder());
            parts.spawn(async move { read_primary(&database, folder).await.map(|part| (id, part)) });
        }
        let mut view = Self::default();
        while let Some(part) = parts.join_next().await {
            let crashed = |error| ReadError::Primary { name: "a primary".to_owned(), problem: format!("{error}") };
            let (id, part) = part.map_err(crashed)??;
            view.add(id, &part, topology);
        }
        view.servers.sort_by_key(|server| server.primary);
        view.read_meta(testbed, topology).await?;
        view.read_stock(testbed, topology).await?;
        Ok(view)
    }

    fn add(&mut self, id: PrimaryId, part: &Part, topology: &Topology) {
        let coupon = |&(user, template, seq, request, sub_stock): &(u64, u32, u16, [u8; 16], u16)| {
            Some(CouponRow {
                primary: id,
                home: topology.primary_of(Tail::of_user(user)),
                user: UserId(user),
                template: TemplateId::try_new(template).ok()?,
                seq: u32::from(seq),
                request: RequestId(request),
                sub_stock: SubStock(sub_stock),
                archived: false,
            })
        };
        let ledger = |&(template, sub_stock, issued): &(u32, u16, u64)| {
            let template = TemplateId::try_new(template).ok()?;
            Some(LedgerRow { primary: id, template, sub_stock: SubStock(sub_stock), issued })
        };
        self.coupons.extend(part.coupons.iter().filter_map(coupon));
        self.steps.extend(part.steps.iter().filter_map(step));
        for line in &part.archived {
            let home = topology.primary_of(Tail::of_user(line.user));
            self.coupons.extend(line.coupon(id, home));
            self.steps.extend(line.steps());
        }
        let pack = |(user, request, items): &(u64, [u8; 16], String)| PackRow {
            primary: id,
            home: topology.primary_of(Tail::of_user(*user)),
            user: UserId(*user),
            request: RequestId(*request),
            items: pack_items(items),
        };
        self.packs.extend(part.packs.iter().map(pack));
        let code_use = |&(batch, index, use_no, user): &(u32, u32, u32, u64)| {
            let code = CodeRef { batch: CodeBatchId::try_new(batch).ok()?, index };
            let home = topology.primary_of(Tail::of_user(u64::from(batch) + u64::from(index)));
            Some(CodeUseRow { primary: id, home, code, use_no, user: UserId(user) })
        };
        self.code_uses.extend(part.uses.iter().filter_map(code_use));
        self.ledgers.extend(part.ledgers.iter().filter_map(ledger));
        self.servers.push(settings(id, &part.variables));
    }

    async fn read_meta(&mut self, testbed: &Testbed, topology: &Topology) -> Result<(), ReadError> {
        let index = topology.primaries.iter().position(|primary| primary.id == topology.meta).unwrap_or_default();
        let database = testbed.primary(index);
        let mut connection = connect(database).await?;
        let templates: Vec<(u32, u64, bool)> = rows(database, &mut connection, sql::TEMPLATES).await?;
        let sub_stocks: Vec<(u32, u16, u64, u64)> = rows(database, &mut connection, sql::SUB_STOCKS).await?;
        let batches: Vec<(u32, [u8; 16], u32, u32, u32)> = rows(database, &mut connection, sql::CODE_BATCHES).await?;
        let template = |(template, total_stock, sold_out)| {
            Some(TemplateRow { template: TemplateId::try_new(template).ok()?, total_stock, sold_out })
        };
        let sub_stock = |(template, sub_stock, allotment, epoch)| {
            let (template, sub_stock) = (TemplateId::try_new(template).ok()?, SubStock(sub_stock));
            Some(SubStockRow { template, sub_stock, allotment, epoch })
        };
        let batch = |(batch, request, template, count, uses)| {
            let (batch, template) = (CodeBatchId::try_new(batch).ok()?, TemplateId::try_new(template).ok()?);
            Some(CodeBatchRow { batch, request: RequestId(request), template, count, uses })
        };
        self.code_batches = batches.into_iter().filter_map(batch).collect();
        self.templates = templates.into_iter().filter_map(template).collect();
        self.sub_stocks = sub_stocks.into_iter().filter_map(sub_stock).collect();
        drop(connection.disconnect().await);
        Ok(())
    }

    async fn read_stock(&mut self, testbed: &Testbed, topology: &Topology) -> Result<(), ReadError> {
        for row in &self.sub_stocks {
            let key = stock_key(row.template.get(), row.sub_stock);
            let shard = testbed.shard(shard_index(topology, topology.shard_of_key(&key)));
            // Nil unless the key is of the present run; then its last two words are the epoch and the count.
            match shard.command("FCALL_RO", &["scrip_remaining", "1", &key]).await {
                Ok(remaining) if remaining.is_empty() => continue,
                Ok(_) => {}
                // No library, no run: no proxy has needed this shard since it came back.
                Err(testbed::Error::Redis { answer, .. }) if answer.contains("Function not found") => continue,
                Err(error) => return Err(error.into()),
            }
            let value = shard.command("GET", &[&key]).await?;
            let mut words = value.split(' ').skip(1).filter_map(|word| word.parse().ok());
            if let (Some(epoch), Some(left)) = (words.next(), words.next()) {
                self.stock.push(StockRow { template: row.template, sub_stock: row.sub_stock, epoch, left });
            }
        }
        Ok(())
    }
}

/// An order id that is none is no order's: nobody asked for such a step.
fn step((user, template, seq, number, kind, order): &StepColumns) -> Option<StepRow> {
    let order = order.as_deref().and_then(|order| OrderId::try_new(std::str::from_utf8(order).ok()?).ok());
    Some(StepRow {
        user: UserId(*user),
        template: TemplateId::try_new(*template).ok()?,
        seq: *seq,
        number: *number,
        kind: StepKind::try_from(i32::from(*kind)).unwrap_or_default(),
        order,
    })
}

/// As in `[[7,2],[9,1]]`.
fn pack_items(text: &str) -> Vec<(TemplateId, u8)> {
    let items: Vec<(u32, u8)> = serde_json::from_str(text).unwrap_or_default();
    items.into_iter().map_while(|(template, count)| Some((TemplateId::try_new(template).ok()?, count))).collect()
}

/// The index of a shard in the testbed.
pub(crate) fn shard_index(topology: &Topology, shard: ShardId) -> usize {
    topology.shards.iter().position(|other| other.id == shard).unwrap_or_default()
}

async fn read_primary(database: &Database, archive: PathBuf) -> Result<Part, ReadError> {
    let mut connection = connect(database).await?;
    let files: Vec<String> = rows(database, &mut connection, sql::ARCHIVE_FILES).await?;
    let part = Part {
        archived: archive::read(archive, files).await.map_err(|problem| failed(database, problem))?,
        coupons: rows(database, &mut connection, sql::COUPONS).await?,
        steps: rows(database, &mut connection, sql::STEPS).await?,
        packs: rows(database, &mut connection, sql::PACKS).await?,
        uses: rows(database, &mut connection, sql::CODE_USES).await?,
        ledgers: rows(database, &mut connection, sql::LEDGERS).await?,
        variables: rows(database, &mut connection, sql::VARIABLES).await?.into_iter().collect(),
    };
    // Everything was read.
    drop(connection.disconnect().await);
    Ok(part)
}

async fn connect(database: &Database) -> Result<Conn, ReadError> {
    let connecting = timeout(CONNECT_LIMIT, Conn::new(Opts::from(database.options()))).await;
    connecting.map_err(|_elapsed| failed(database, "no connection"))?.map_err(|error| failed(database, error))
}

/// The rows of a query, each taken over as it comes off the wire. `exec` and not `query`: numbers come as numbers.
async fn rows<R>(database: &Database, connection: &mut Conn, text: &'static str) -> Result<Vec<R>, ReadError>
where
    R: FromRow + Send + 'static,
{
    let reading = timeout(READ_LIMIT, connection.exec(text, ())).await;
    reading.map_err(|_elapsed| failed(database, "no answer"))?.map_err(|error| failed(database, error))
}

fn failed(database: &Database, problem: impl ToString) -> ReadError {
    ReadError::Primary { name: database.name().to_owned(), problem: problem.to_string() }
}

fn settings(primary: PrimaryId, variables: &HashMap<String, String>) -> ServerSettings {
    let text = |name: &str| variables.get(name).map_or("", String::as_str);
    ServerSettings {
        primary,
        version: text("version").to_owned(),
        flush_log_at_commit: text("innodb_flush_log_at_trx_commit").parse().unwrap_or(0),
        doublewrite: !matches!(text("innodb_doublewrite"), "OFF" | "" | "0"),
        binlog: text("log_bin") == "ON",
        sync_binlog: text("sync_binlog").parse().unwrap_or(0),
    }
}
