-- The list of primaries, and the server behind each. The term rises whenever that server changes.
CREATE TABLE IF NOT EXISTS meta_primary (
  primary_id SMALLINT UNSIGNED NOT NULL PRIMARY KEY,
  identity VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  term INT UNSIGNED NOT NULL
) ENGINE=InnoDB;

-- One counter for the revisions of all templates.
CREATE TABLE IF NOT EXISTS meta_revision (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  revision BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB;
INSERT IGNORE INTO meta_revision (id, revision) VALUES (1, 0);

CREATE TABLE IF NOT EXISTS meta_template (
  template_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  create_request_id BINARY(16) NOT NULL,
  -- a scrip.v1.TemplateDefinition
  definition BLOB NOT NULL,
  status TINYINT UNSIGNED NOT NULL,
  total_stock BIGINT UNSIGNED NOT NULL,
  sold_out TINYINT UNSIGNED NOT NULL,
  created_at_ms BIGINT UNSIGNED NOT NULL,
  revision BIGINT UNSIGNED NOT NULL,
  -- big-endian 16-bit suffixes
  sub_stocks VARBINARY(8192) NOT NULL,
  stripes SMALLINT UNSIGNED NOT NULL,
  UNIQUE KEY (create_request_id),
  KEY (revision)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS meta_sub_stock (
  template_id INT UNSIGNED NOT NULL,
  sub_stock SMALLINT UNSIGNED NOT NULL,
  allotment BIGINT UNSIGNED NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  settled_epoch BIGINT UNSIGNED NOT NULL,
  drained_epoch BIGINT UNSIGNED NOT NULL,
  -- by the clock of this server; only ever used to wait, never to decide what is safe
  advanced_at TIMESTAMP(3) NOT NULL DEFAULT '1971-01-01 00:00:00',
  PRIMARY KEY (template_id, sub_stock)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS meta_stock_change (
  template_id INT UNSIGNED NOT NULL,
  request_id BINARY(16) NOT NULL,
  units_requested BIGINT NOT NULL,
  -- NULL: a withdrawal that waits for its fences
  units_applied BIGINT,
  total_stock BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (template_id, request_id)
) ENGINE=InnoDB;
