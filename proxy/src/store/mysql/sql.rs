//! Every SQL text of the proxy, beside the migrations that make the tables.
//!
//! Constants here; what has to be built for a whole batch is in [`record`], [`steps`], [`outbox`] and [`keys`]. Text and not prepared
//! statements on the claim path: a packet with several statements is one round trip, and no slower.

pub(super) mod archive;
pub(super) mod bulk;
pub(super) mod exchange;
pub(super) mod keys;
pub(super) mod outbox;
pub(super) mod pack;
pub(super) mod patrol;
pub(super) mod record;
pub(super) mod replica;
pub(super) mod steps;
pub(super) mod text;

/// What every session starts with; `{lock_wait_s}` and `{idle_s}` are replaced.
///
/// The strict mode is what turns the NULL of a fence mismatch into an error. READ COMMITTED takes no gap locks, so
/// that inserts of neighbours do not wait for each other. A session that stays silent for `idle_s` is closed by the
/// server, so that a frozen proxy does not hold locks for hours.
pub(super) const SESSION: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,\
     ERROR_FOR_DIVISION_BY_ZERO', time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = {lock_wait_s}, \
     wait_timeout = {idle_s}; \
     SET NAMES utf8mb4; \
     SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// Statements in [`SESSION`].
pub(super) const SESSION_STATEMENTS: usize = 3;

/// Who the server is, and how durable. A variable that it does not have is a row that is missing, not an error.
pub(super) const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'server_uuid', \
     'server_uid', 'server_id', 'hostname', 'port', 'socket', 'read_only', 'innodb_flush_log_at_trx_commit', \
     'sync_binlog', 'log_bin', 'binlog_format', 'innodb_doublewrite', 'innodb_flush_method', 'max_allowed_packet', \
     'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_enabled')";

/// Which primary this is.
pub(super) const NODE: &str = "SELECT primary_id, topology_version FROM node WHERE id = 1";
/// Says which primary this is, unless it is said already.
pub(super) const NODE_INSERT: &str = "INSERT IGNORE INTO node (id, primary_id, topology_version) VALUES (1, ?, ?)";
/// Raises the topology version, never lowers it.
pub(super) const NODE_RAISE: &str = "UPDATE node SET topology_version = ? WHERE id = 1 AND topology_version < ?";

/// The migrations that were applied, in two parts: the tables of a primary, and those of meta.
pub(super) const SCHEMA_VERSION_CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_version (\
     part VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, version INT UNSIGNED NOT NULL, \
     applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (part, version)) ENGINE=InnoDB";
/// The last migration of a part.
pub(super) const SCHEMA_VERSION: &str =
    "SELECT CAST(COALESCE(MAX(version), 0) AS UNSIGNED) FROM schema_version WHERE part = ?";
/// A migration was applied.
pub(super) const SCHEMA_VERSION_INSERT: &str = "INSERT INTO schema_version (part, version) VALUES (?, ?)";
/// Makes the database of a new primary.
pub(super) const DATABASE_CREATE: &str = "CREATE DATABASE IF NOT EXISTS `{database}` DEFAULT CHARACTER SET utf8mb4";
/// One migration at a time on a server, whoever runs it.
pub(super) const MIGRATE_LOCK: &str =
    "SELECT CAST(COALESCE(GET_LOCK(CONCAT('scrip_', LEFT(SHA2(DATABASE(), 256), 32)), ?), 0) AS UNSIGNED)";
/// The end of [`MIGRATE_LOCK`].
pub(super) const MIGRATE_UNLOCK: &str =
    "SELECT CAST(COALESCE(RELEASE_LOCK(CONCAT('scrip_', LEFT(SHA2(DATABASE(), 256), 32))), 0) AS UNSIGNED)";

/// A transaction of several round trips.
pub(super) const BEGIN: &str = "BEGIN";
/// Its end.
pub(super) const COMMIT: &str = "COMMIT";
/// Its other end.
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// The columns of a coupon `c`, and of its last step `s`.
macro_rules! coupon_columns {
    () => {
        "c.user_id,c.template_id,c.seq,c.request_id,c.claimed_at_ms,s.state,s.until_ms"
    };
}
/// From a coupon `c` to its last step `s`, if it has one.
macro_rules! last_step {
    () => {
        " LEFT JOIN coupon_step s FORCE INDEX (PRIMARY) ON s.tail=c.tail AND s.user_id=c.user_id \
          AND s.template_id=c.template_id AND s.seq=c.seq AND s.step=(SELECT MAX(x.step) FROM coupon_step x \
          WHERE x.tail=c.tail AND x.user_id=c.user_id AND x.template_id=c.template_id AND x.seq=c.seq)"
    };
}
pub(in crate::store::mysql) use {coupon_columns, last_step};

/// One page of a user's coupons: a range of the primary key.
pub(super) const LIST: &str = concat!(
    "SELECT ",
    coupon_columns!(),
    " FROM coupon c",
    last_step!(),
    " WHERE c.tail = ? AND c.user_id = ? AND (c.template_id > ? OR (c.template_id = ? AND c.seq > ?)) \
     ORDER BY c.template_id, c.seq LIMIT ?"
);
/// The same for one template.
pub(super) const LIST_TEMPLATE: &str = concat!(
    "SELECT ",
    coupon_columns!(),
    " FROM coupon c",
    last_step!(),
    " WHERE c.tail = ? AND c.user_id = ? AND c.template_id = ? AND c.seq > ? ORDER BY c.seq LIMIT ?"
);

/// The server that meta knows behind a primary.
pub(super) const TERM: &str = "SELECT identity, term FROM meta_primary WHERE primary_id = ?";
/// The same under a lock.
pub(super) const TERM_LOCKED: &str = "SELECT identity, term FROM meta_primary WHERE primary_id = ? FOR UPDATE";
/// Another server is behind the primary.
pub(super) const TERM_RAISE: &str = "UPDATE meta_primary SET identity = ?, term = term + 1 WHERE primary_id = ?";
/// A primary that meta does not know yet.
pub(super) const TERM_INSERT: &str = "INSERT INTO meta_primary (primary_id, identity, term) VALUES (?, ?, 1)";
/// All primaries, kept as they are until the commit.
pub(super) const PRIMARIES_LOCKED: &str =
    "SELECT primary_id, identity, term FROM meta_primary ORDER BY primary_id LOCK IN SHARE MODE";

/// The columns of a template, in the order in which they are read.
macro_rules! select_template {
    ($rest:literal) => {
        concat!(
            "SELECT template_id, definition, status, total_stock, sold_out, created_at_ms, revision, sub_stocks, \
             stripes FROM meta_template ",
            $rest
        )
    };
}

/// One template.
pub(super) const TEMPLATE: &str = select_template!("WHERE template_id = ?");
/// One template, locked: the first lock of every transaction that changes anything of it.
pub(super) const TEMPLATE_LOCKED: &str = select_template!("WHERE template_id = ? FOR UPDATE");
/// The template that a request created.
pub(super) const TEMPLATE_OF_REQUEST: &str = select_template!("WHERE create_request_id = ?");
/// Templates by id.
pub(super) const TEMPLATES: &str = select_template!("WHERE template_id > ? ORDER BY template_id LIMIT ?");
/// Templates of one status by id.
pub(super) const TEMPLATES_OF_STATUS: &str =
    select_template!("WHERE template_id > ? AND status = ? ORDER BY template_id LIMIT ?");
/// Templates by revision.
pub(super) const TEMPLATES_CHANGED: &str = select_template!("WHERE revision > ? ORDER BY revision LIMIT ?");
/// A new template; its layout follows when its id is known.
pub(super) const TEMPLATE_INSERT: &str = "INSERT INTO meta_template (create_request_id, definition, status, \
     total_stock, sold_out, created_at_ms, revision, sub_stocks, stripes) VALUES (?, ?, ?, ?, 0, ?, 0, '', 0)";
/// The layout of a new template.
pub(super) const TEMPLATE_LAYOUT: &str =
    "UPDATE meta_template SET sub_stocks = ?, stripes = ?, revision = ? WHERE template_id = ?";
/// Another status.
pub(super) const TEMPLATE_STATUS: &str = "UPDATE meta_template SET status = ?, revision = ? WHERE template_id = ?";
/// Another total.
pub(super) const TEMPLATE_STOCK: &str =
    "UPDATE meta_template SET total_stock = ?, sold_out = ?, revision = ? WHERE template_id = ?";

/// Takes the next revision. The row stays locked until the commit, so that revisions become visible in their order.
pub(super) const REVISION_NEXT: &str = "UPDATE meta_revision SET revision = revision + 1 WHERE id = 1";
/// The revision just taken.
pub(super) const REVISION: &str = "SELECT revision FROM meta_revision WHERE id = 1 FOR UPDATE";

/// A new sub-stock.
pub(super) const SUB_STOCK_INSERT: &str = "INSERT INTO meta_sub_stock (template_id, sub_stock, allotment, epoch, \
     settled_epoch, drained_epoch) VALUES (?, ?, ?, 0, 0, 0)";
/// The sub-stocks of a template.
pub(super) const SUB_STOCKS: &str = "SELECT sub_stock, allotment, epoch, settled_epoch, drained_epoch \
     FROM meta_sub_stock WHERE template_id = ? ORDER BY sub_stock";
/// The same, locked.
pub(super) const SUB_STOCKS_LOCKED: &str = "SELECT sub_stock, allotment, epoch, settled_epoch, drained_epoch \
     FROM meta_sub_stock WHERE template_id = ? ORDER BY sub_stock FOR UPDATE";
/// Step 1 of a settle. A clock that went back must not stop settles for ever, so a time far ahead counts as past.
pub(super) const ADVANCE: &str = "UPDATE meta_sub_stock SET epoch = epoch + 1, advanced_at = NOW(3) \
     WHERE template_id = ? AND sub_stock = ? AND epoch = ? AND (advanced_at <= NOW(3) - INTERVAL ? MICROSECOND \
     OR advanced_at > NOW(3) + INTERVAL 1 MINUTE)";
/// A new allotment, and with it a new epoch.
pub(super) const ALLOT: &str = "UPDATE meta_sub_stock SET allotment = ?, epoch = epoch + 1, advanced_at = NOW(3) \
     WHERE template_id = ? AND sub_stock = ?";
/// The end of a withdrawal: what was issued stays allotted.
pub(super) const ALLOT_ISSUED: &str = "UPDATE meta_sub_stock SET allotment = ? WHERE template_id = ? AND sub_stock = ?";
/// The end of a settle.
pub(super) const SETTLED: &str = "UPDATE meta_sub_stock SET settled_epoch = IF(?, epoch, settled_epoch), \
     drained_epoch = IF(?, epoch, drained_epoch) WHERE template_id = ? AND sub_stock = ? AND epoch = ?";
/// Sub-stocks whose settle did not come to its end. 2 and 3: published and paused.
pub(super) const UNSETTLED: &str = "SELECT s.template_id, s.sub_stock FROM meta_template t \
     JOIN meta_sub_stock s ON s.template_id = t.template_id WHERE t.status IN (2, 3) AND t.sold_out = FALSE \
     AND s.settled_epoch < s.epoch AND (s.advanced_at <= NOW(3) - INTERVAL ? MICROSECOND \
     OR s.advanced_at > NOW(3) + INTERVAL 1 MINUTE) AND (s.template_id > ? OR (s.template_id = ? AND s.sub_stock > ?)) \
     ORDER BY s.template_id, s.sub_stock LIMIT ?";

/// A change of stock by its request id.
pub(super) const CHANGE: &str = "SELECT units_requested, units_applied, total_stock FROM meta_stock_change \
     WHERE template_id = ? AND request_id = ?";
/// The withdrawal that waits for its fences, if there is one.
pub(super) const CHANGE_PENDING: &str =
    "SELECT request_id FROM meta_stock_change WHERE template_id = ? AND units_applied IS NULL";
/// A change of stock.
pub(super) const CHANGE_INSERT: &str = "INSERT INTO meta_stock_change (template_id, request_id, units_requested, \
     units_applied, total_stock) VALUES (?, ?, ?, ?, ?)";
/// The end of a withdrawal.
pub(super) const CHANGE_APPLIED: &str = "UPDATE meta_stock_change SET units_applied = ?, total_stock = ? \
     WHERE template_id = ? AND request_id = ? AND units_applied IS NULL";

/// What this primary may spend of a template's budget, and has spent.
pub(super) const BUDGET: &str = "SELECT granted_minor, spent_minor FROM budget WHERE template_id = ?";
/// It may spend so much in all.
pub(super) const BUDGET_RAISE: &str = "INSERT INTO budget (template_id, granted_minor, spent_minor) VALUES (?, ?, 0) \
     ON DUPLICATE KEY UPDATE granted_minor = GREATEST(granted_minor, ?)";
/// What every primary was granted of a template's budget. The template is locked before.
pub(super) const GRANTS_LOCKED: &str =
    "SELECT primary_id, granted_minor FROM meta_budget WHERE template_id = ? FOR UPDATE";
/// A primary is granted so much in all.
pub(super) const GRANT: &str = "INSERT INTO meta_budget (template_id, primary_id, granted_minor) VALUES (?, ?, ?) \
     ON DUPLICATE KEY UPDATE granted_minor = ?";
