//! Packs, off the wire.

use mysql_async::Row;
use scrip_protocol::{RequestId, UserId};

use super::failure::Failed;
use super::session::decode;
use crate::store::pack::{PackKey, PackRow};

/// Packs, off the wire.
pub(super) fn packs(rows: Vec<Row>) -> Result<Vec<PackRow>, Failed> {
    decode::<(u64, Vec<u8>, String)>(rows)?.into_iter().map(pack).collect()
}

fn pack((user, request, items): (u64, Vec<u8>, String)) -> Result<PackRow, Failed> {
    let request = RequestId::try_from_slice(&request).map_err(|_| Failed::unexpected("a short request id"))?;
    let items = items.parse().map_err(|_| Failed::unexpected("a pack of no items"))?;
    Ok(PackRow { key: PackKey { user: UserId(user), request }, items })
}
