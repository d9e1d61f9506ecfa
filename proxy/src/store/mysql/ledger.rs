//! The ledgers: creating them, reading their fences, raising them.

use std::collections::HashMap;
use std::time::Duration;

use scrip_protocol::TemplateId;
use scrip_shard_config::SubStock;

use super::failure::Failed;
use super::pool::{Lease, Pool};
use super::session::{Session, decode};
use super::sql::keys;
use crate::store::{Fence, FenceError, Server, StockKey, StoreError};

/// Sub-stocks whose ledgers are created in one statement: with 64 stripes this is below 1 MiB.
const CREATE_MAX: usize = 256;

/// One ledger row, but for its stripe.
struct Row {
    epoch: u64,
    server: Vec<u8>,
    issued: u64,
}

/// Creates the ledger rows of new sub-stocks. Running it again changes nothing, so an unknown outcome needs no care.
pub(super) async fn create(pool: &Pool, keys: &[StockKey], stripes: u16) -> Result<(), StoreError> {
    let (whom, limit) = (pool.target().whom(), pool.target().limits().control);
    if stripes == 0 {
        return Err(StoreError::Refused("a ledger has at least one stripe".to_owned()));
    }
    for keys in keys.chunks(CREATE_MAX) {
        let mut lease = pool.lease().await?;
        let done = lease.session.packet(&keys::create_ledger(keys, stripes), 1, limit).await;
        done.map_err(|failed| failed.maybe_applied(&whom, 1))?;
        lease.keep();
    }
    Ok(())
}

/// The epoch of each sub-stock if every stripe of it carries this fence.
pub(super) async fn epochs(
    session: &mut Session,
    keys: &[StockKey],
    fence: &[u8; 16],
    limit: Duration,
) -> Result<Vec<Option<u64>>, Failed> {
    let rows = session.packet(&keys::fences(keys), 1, limit).await?.pop().unwrap_or_default();
    let rows = decode::<(u32, u16, u64, Vec<u8>)>(rows)?;
    let ledgers = ledgers(
        rows.into_iter()
            .map(|(template, sub_stock, epoch, server)| (template, sub_stock, Row { epoch, server, issued: 0 })),
    )?;
    Ok(keys.iter().map(|key| ledgers.get(key).and_then(|rows| open(rows, fence))).collect())
}

fn open(rows: &[Row], fence: &[u8; 16]) -> Option<u64> {
    let epoch = rows.first()?.epoch;
    rows.iter().all(|row| row.epoch == epoch && row.server == fence).then_some(epoch)
}

/// Step 2 of a settle, in one packet. It may be repeated after an unknown outcome: the fences are then set again to
/// what they are, or have been raised above by somebody else.
pub(super) async fn raise_fences(
    pool: &Pool,
    server: &Server,
    fences: &[(StockKey, u64)],
    stripes: u16,
) -> Result<Vec<Fence>, FenceError> {
    let mut raised = Vec::with_capacity(fences.len());
    for fences in fences.chunks(keys::KEYS_MAX) {
        raised.extend(raise_some(pool, server, fences, stripes).await?);
    }
    Ok(raised)
}

async fn raise_some(
    pool: &Pool,
    server: &Server,
    fences: &[(StockKey, u64)],
    stripes: u16,
) -> Result<Vec<Fence>, FenceError> {
    let (whom, limit) = (pool.target().whom(), pool.target().limits().control);
    let mut lease = leading_to(pool, server).await?;
    let text = keys::raise_fences(fences, &server.fence());
    let mut sets = match lease.session.packet(&text, keys::FENCE_STATEMENTS, limit).await {
        Ok(sets) => sets,
        Err(failed) => {
            if failed.answered() {
                lease.roll_back(limit).await;
            }
            return Err(failed.maybe_applied(&whom, keys::FENCE_COMMIT).into());
        }
    };
    lease.keep();
    let rows = decode::<(u32, u16, u64, Vec<u8>, u64)>(sets.swap_remove(keys::FENCE_READ));
    let rows = rows.map_err(|failed| failed.maybe_applied(&whom, 0))?;
    let ledgers = ledgers(
        rows.into_iter()
            .map(|(template, sub_stock, epoch, server, issued)| (template, sub_stock, Row { epoch, server, issued })),
    );
    let ledgers = ledgers.map_err(|failed| failed.maybe_applied(&whom, 0))?;
    fences.iter().map(|(key, epoch)| outcome(ledgers.get(key), key, *epoch, &server.fence(), stripes)).collect()
}

/// A connection to this very server; what runs on it runs there, because a connection cannot change its server.
async fn leading_to(pool: &Pool, server: &Server) -> Result<Lease, FenceError> {
    let lease = pool.lease().await?;
    if lease.session.facts().identity == server.identity {
        return Ok(lease);
    }
    // An old connection may lead to a server that was replaced; a new one tells.
    drop(lease);
    pool.forget_idle();
    let lease = pool.lease().await?;
    if lease.session.facts().identity == server.identity { Ok(lease) } else { Err(FenceError::OtherServer) }
}

fn outcome(
    rows: Option<&Vec<Row>>,
    key: &StockKey,
    epoch: u64,
    fence: &[u8; 16],
    stripes: u16,
) -> Result<Fence, FenceError> {
    let rows = rows.map(Vec::as_slice).unwrap_or_default();
    if rows.len() != usize::from(stripes) {
        let (template, sub_stock, found) = (key.template, key.sub_stock, rows.len());
        return Err(FenceError::LedgerMissing(format!(
            "sub-stock {sub_stock} of template {template} has {found} ledger rows and must have {stripes}"
        )));
    }
    if rows.iter().any(|row| row.epoch != epoch || row.server != fence) {
        return Ok(Fence::Above);
    }
    Ok(Fence::Raised { issued: rows.iter().map(|row| row.issued).sum() })
}

fn ledgers(rows: impl Iterator<Item = (u32, u16, Row)>) -> Result<HashMap<StockKey, Vec<Row>>, Failed> {
    let mut ledgers: HashMap<StockKey, Vec<Row>> = HashMap::new();
    for (template, sub_stock, row) in rows {
        let template = TemplateId::try_new(template).map_err(|_| Failed::unexpected("template 0"))?;
        ledgers.entry(StockKey { template, sub_stock: SubStock(sub_stock) }).or_default().push(row);
    }
    Ok(ledgers)
}
