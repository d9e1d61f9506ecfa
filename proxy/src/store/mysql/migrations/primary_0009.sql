-- Packs: several coupons that one request gave one user, all or nothing. One row a pack, written in the transaction that writes
-- its coupons; never changed. The primary key makes one request id one pack, and finds a replay.
CREATE TABLE IF NOT EXISTS pack (
  tail SMALLINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  request_id BINARY(16) NOT NULL,
  claimed_at_ms BIGINT UNSIGNED NOT NULL,
  -- how many coupons of which templates, by template: [[7,2],[9,1]]
  items VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (tail, user_id, request_id)
) ENGINE=InnoDB;
