-- Who this primary is: checked on every new connection and in every transaction that writes coupons.
CREATE TABLE IF NOT EXISTS node (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  primary_id SMALLINT UNSIGNED NOT NULL,
  topology_version BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB;

-- One row a coupon. The primary key enforces the limit per user, finds a replay, lists a user's coupons as one range
-- and lets a tail move as one range; there is no other index. Rows are never deleted while the template can be claimed.
CREATE TABLE IF NOT EXISTS coupon (
  tail SMALLINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  template_id INT UNSIGNED NOT NULL,
  seq SMALLINT UNSIGNED NOT NULL,
  request_id BINARY(16) NOT NULL,
  sub_stock SMALLINT UNSIGNED NOT NULL,
  claimed_at_ms BIGINT UNSIGNED NOT NULL,
  status TINYINT UNSIGNED NOT NULL DEFAULT 1,
  PRIMARY KEY (tail, user_id, template_id, seq)
) ENGINE=InnoDB;

-- Units issued from each sub-stock by this primary, and the fence that a record must match. Stripes are created with
-- the sub-stock, never later.
CREATE TABLE IF NOT EXISTS stock_ledger (
  template_id INT UNSIGNED NOT NULL,
  sub_stock SMALLINT UNSIGNED NOT NULL,
  stripe SMALLINT UNSIGNED NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  server BINARY(16) NOT NULL,
  issued BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (template_id, sub_stock, stripe)
) ENGINE=InnoDB;
