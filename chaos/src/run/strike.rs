//! Does what a fault says, and mends it.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::sleep;

use super::bed::Bed;
use super::fault::{Fault, Party, PrimaryFault, ProxyFault, ShardFault, Trouble, Which, Wire};
use super::recorder::Recorder;
use super::{Error, operator};
use crate::history::LostCommits;
use crate::testbed::{Database, Direction, RedisServer, RestartWith, Snapshot};

/// What mending needs to know of the strike.
#[derive(Debug, Default)]
pub(super) struct Struck {
    copy: Option<Snapshot>,
    since: std::time::Duration,
    replica: Option<RedisServer>,
}

/// Strikes. Comes back when the fault is in place.
pub(super) async fn strike(bed: &Bed, recorder: &Recorder, fault: Fault) -> Result<Struck, Error> {
    let mut struck = Struck { since: recorder.now(), ..Struck::default() };
    match fault {
        Fault::Link(wire, trouble) => bed.links(wire).into_iter().for_each(|link| set(link, trouble)),
        Fault::Primary(primary, fault) => {
            let database = bed.testbed.primary(primary);
            match fault {
                PrimaryFault::Killed => database.kill(),
                PrimaryFault::Frozen => database.pause()?,
                PrimaryFault::FailedOver => {
                    recorder.losing(LostCommits::new(
                        &bed.topology,
                        bed.topology.primaries[primary].id,
                        struck.since,
                        std::time::Duration::MAX,
                    ));
                    struck.copy = Some(database.snapshot().await?);
                }
                PrimaryFault::WritesRefused => administer(database, "SET GLOBAL read_only = ON").await?,
                PrimaryFault::DiskFull => database.fill_disk().await?,
            }
        }
        Fault::Shard(shard, fault) => strike_shard(bed, shard, fault, &mut struck).await?,
        Fault::Proxy(proxy, fault) => match fault {
            ProxyFault::Killed => bed.proxies[proxy].kill(),
            ProxyFault::Frozen => bed.proxies[proxy].pause()?,
            ProxyFault::Drained => bed.proxies[proxy].terminate()?,
        },
        Fault::Operator(order) => operator::give(bed, recorder, order).await?,
    }
    Ok(struck)
}

/// Mends. Comes back when what was broken answers again.
pub(super) async fn mend(bed: &Bed, recorder: &Recorder, fault: Fault, struck: Struck) -> Result<(), Error> {
    match fault {
        Fault::Link(wire, _) => bed.links(wire).into_iter().for_each(crate::testbed::Link::heal),
        Fault::Primary(primary, fault) => {
            let database = bed.testbed.primary(primary);
            match (fault, &struck.copy) {
                (PrimaryFault::Killed, _) => database.restart(RestartWith::Data).await?,
                (PrimaryFault::Frozen, _) => database.resume()?,
                (PrimaryFault::FailedOver, Some(copy)) => {
                    database.kill();
                    recorder.lost(bed.topology.primaries[primary].id);
                    database.restart(RestartWith::Snapshot(copy)).await?;
                }
                (PrimaryFault::FailedOver, None) => {}
                (PrimaryFault::WritesRefused, _) => administer(database, "SET GLOBAL read_only = OFF").await?,
                (PrimaryFault::DiskFull, _) => database.free_disk().await?,
            }
        }
        Fault::Shard(shard, fault) => mend_shard(bed, shard, fault, &struck).await?,
        Fault::Proxy(proxy, fault) => match fault {
            ProxyFault::Frozen => bed.proxies[proxy].resume()?,
            ProxyFault::Killed => bed.proxies[proxy].restart().await?,
            ProxyFault::Drained => {
                if bed.proxies[proxy].wait_exit(std::time::Duration::from_secs(15)).await?.is_none() {
                    bed.proxies[proxy].kill();
                }
                bed.proxies[proxy].restart().await?;
            }
        },
        Fault::Operator(order) => operator::take_back(bed, recorder, order).await?,
    }
    Ok(())
}

fn set(link: &crate::testbed::Link, trouble: Trouble) {
    match trouble {
        Trouble::Cut => link.cut_now(),
        Trouble::Refused => link.refuse(),
        Trouble::CutAfterBytes(direction, bytes) => link.cut_after_bytes(direction, bytes),
        Trouble::CutAtInsert(moment) => link.cut_at(&b"INSERT INTO coupon"[..], moment),
        Trouble::OneWay(direction) => link.black_hole(direction),
        Trouble::BlackHole => {
            link.black_hole(Direction::ToServer);
            link.black_hole(Direction::ToClient);
        }
        Trouble::Delay(delay) => link.delay(delay),
        Trouble::Jitter(jitter) => link.jitter(jitter),
        Trouble::TinyChunks(bytes) => link.tiny_chunks(bytes),
        Trouble::Bandwidth(bytes_per_s) => link.bandwidth(bytes_per_s),
    }
}

async fn strike_shard(bed: &Bed, shard: usize, fault: ShardFault, struck: &mut Struck) -> Result<(), Error> {
    let server = bed.testbed.shard(shard);
    match fault {
        ShardFault::Killed | ShardFault::DeadForGood => server.kill(),
        ShardFault::Frozen => server.pause()?,
        ShardFault::OldData => struck.copy = Some(server.snapshot().await?),
        ShardFault::Flushed => {
            server.command("FLUSHALL", &[]).await?;
            server.command("FUNCTION", &["FLUSH"]).await?;
        }
        ShardFault::FailedOverAndBack | ShardFault::SplitBrain => {
            let replica = bed.replica_of(shard).await?;
            replica.promote().await?;
            let moved = if fault == ShardFault::SplitBrain { Which::One(bed.proxies.len() - 1) } else { Which::All };
            lead(bed, moved, shard, &replica);
            struck.replica = Some(replica);
        }
    }
    Ok(())
}

async fn mend_shard(bed: &Bed, shard: usize, fault: ShardFault, struck: &Struck) -> Result<(), Error> {
    let server = bed.testbed.shard(shard);
    match (fault, &struck.copy, &struck.replica) {
        (ShardFault::Killed, ..) => server.restart(RestartWith::Empty).await?,
        (ShardFault::Frozen, ..) => server.resume()?,
        (ShardFault::OldData, Some(copy), _) => {
            server.kill();
            server.restart(RestartWith::Snapshot(copy)).await?;
        }
        (ShardFault::FailedOverAndBack, _, Some(replica)) => {
            server.replicate(replica).await?;
            server.promote().await?;
            lead(bed, Which::All, shard, server);
            replica.kill();
        }
        (ShardFault::SplitBrain, _, Some(replica)) => {
            lead(bed, Which::All, shard, server);
            replica.kill();
        }
        // It comes back when the verdict is there.
        _ => {}
    }
    Ok(())
}

/// Leads the links of these proxies to this server, as a name does after a fail-over.
fn lead(bed: &Bed, proxy: Which, shard: usize, server: &RedisServer) {
    for link in bed.links(Wire { proxy, party: Party::Shard(shard) }) {
        link.retarget(server.address());
        link.cut_now();
    }
}

/// One statement as the administrator, straight to the server.
pub(super) async fn administer(database: &Database, statement: &str) -> Result<(), Error> {
    let run = async {
        let mut connection = Conn::new(Opts::from(database.admin_options())).await?;
        connection.query_drop(statement).await?;
        connection.disconnect().await
    };
    run.await.map_err(|source| Error::Statement { name: database.name().to_owned(), source })
}

/// Mends whatever may be broken, known or not: every process runs, every link is whole, and shards are where they were.
/// `dead`: this shard stays away.
pub(super) async fn heal_everything(bed: &Bed, dead: Option<usize>) -> Result<(), Error> {
    bed.all_links().for_each(crate::testbed::Link::heal);
    for (number, shard) in bed.testbed.shards().iter().enumerate() {
        let wire = Wire { proxy: Which::All, party: Party::Shard(number) };
        bed.links(wire).into_iter().filter(|link| link.target() != shard.address()).for_each(|link| {
            link.retarget(shard.address());
            link.cut_now();
        });
        if shard.is_running() {
            shard.resume()?;
        } else if dead != Some(number) {
            shard.restart(RestartWith::Empty).await?;
        }
    }
    for database in bed.testbed.primaries() {
        if database.is_running() {
            database.resume()?;
        } else {
            database.restart(RestartWith::Data).await?;
        }
    }
    for proxy in &bed.proxies {
        if proxy.is_running() {
            proxy.resume()?;
        } else {
            proxy.restart().await?;
        }
    }
    sleep(std::time::Duration::from_millis(20)).await;
    Ok(())
}
