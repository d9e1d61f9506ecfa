-- Templates that are closed for good on this primary: every ledger row of such a template stands at the last epoch there is,
-- under no server, so that no coupon of it can be recorded here any more.
CREATE TABLE IF NOT EXISTS closed_template (
  template_id INT UNSIGNED NOT NULL PRIMARY KEY,
  -- 1: nothing can be appended to the logs of its coupons any more
  sealed TINYINT UNSIGNED NOT NULL DEFAULT 0,
  -- 1: it was seen to be closed on every primary
  everywhere TINYINT UNSIGNED NOT NULL DEFAULT 0,
  -- what was archived and removed: coupons, steps, and what those took from the budget
  coupons BIGINT UNSIGNED NOT NULL DEFAULT 0,
  steps BIGINT UNSIGNED NOT NULL DEFAULT 0,
  spent_minor BIGINT NOT NULL DEFAULT 0
) ENGINE=InnoDB;

-- The files that coupons of this primary were archived to.
CREATE TABLE IF NOT EXISTS archive_file (
  file_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- SHA-256 of what it holds before its last line
  digest BINARY(32) NOT NULL,
  coupons INT UNSIGNED NOT NULL,
  steps INT UNSIGNED NOT NULL,
  at_ms BIGINT UNSIGNED NOT NULL,
  UNIQUE KEY (name)
) ENGINE=InnoDB;

-- How many coupons of each sub-stock were archived: with those that are left as many as its ledger issued.
CREATE TABLE IF NOT EXISTS archived_stock (
  template_id INT UNSIGNED NOT NULL,
  sub_stock SMALLINT UNSIGNED NOT NULL,
  coupons BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (template_id, sub_stock)
) ENGINE=InnoDB;

-- What is kept of archived coupons, so that a claim which is sent again gets its one answer: 33 bytes each (see
-- store/archive.rs), by user. Rows are never changed.
CREATE TABLE IF NOT EXISTS archived_coupon (
  template_id INT UNSIGNED NOT NULL,
  tail SMALLINT UNSIGNED NOT NULL,
  file_id INT UNSIGNED NOT NULL,
  user_first BIGINT UNSIGNED NOT NULL,
  user_last BIGINT UNSIGNED NOT NULL,
  marks MEDIUMBLOB NOT NULL,
  PRIMARY KEY (template_id, tail, file_id)
) ENGINE=InnoDB;
