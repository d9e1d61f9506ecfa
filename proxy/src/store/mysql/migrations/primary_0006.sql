-- How far the patrol has walked over the coupons: the last key that it has seen to.
CREATE TABLE IF NOT EXISTS patrol (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  tail SMALLINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  template_id INT UNSIGNED NOT NULL,
  seq SMALLINT UNSIGNED NOT NULL
) ENGINE=InnoDB;
INSERT IGNORE INTO patrol (id, tail, user_id, template_id, seq) VALUES (1, 0, 0, 0, 0);
INSERT IGNORE INTO lease (name, owner, term) VALUES ('patrol', '', 0);
