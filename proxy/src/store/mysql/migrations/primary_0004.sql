-- Events that wait to leave, and for a while those that have left: one row a transaction, written in it.
CREATE TABLE IF NOT EXISTS outbox (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  at_ms BIGINT UNSIGNED NOT NULL,
  -- by the clock of this server; 0: not yet
  published_at_ms BIGINT UNSIGNED NOT NULL DEFAULT 0,
  -- a scrip.v1.EventBatch
  events MEDIUMBLOB NOT NULL,
  KEY (published_at_ms, id)
) ENGINE=InnoDB;

-- The life of each Redis shard that the events have left to, and the rows that are to leave again after its end: those
-- with ids above replay_after, up to replay_until.
CREATE TABLE IF NOT EXISTS outbox_shard (
  shard_id SMALLINT UNSIGNED NOT NULL PRIMARY KEY,
  run VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  replay_after BIGINT UNSIGNED NOT NULL,
  replay_until BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB;

-- Work on this primary that one proxy does at a time. The term rises with every new holder.
CREATE TABLE IF NOT EXISTS lease (
  name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  owner VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  term BIGINT UNSIGNED NOT NULL,
  -- by the clock of this server
  until_at TIMESTAMP(3) NOT NULL DEFAULT '1971-01-01 00:00:00'
) ENGINE=InnoDB;
INSERT IGNORE INTO lease (name, owner, term) VALUES ('events', '', 0);
