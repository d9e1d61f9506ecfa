-- The uses of exchange codes, one row a use, under a tail of the code's own. Uses of a code are numbered 1, 2, ... densely, so
-- that the primary key decides every race; the other key finds a user's own. Rows are never changed and never deleted.
CREATE TABLE IF NOT EXISTS code_use (
  tail SMALLINT UNSIGNED NOT NULL,
  batch_id INT UNSIGNED NOT NULL,
  code_index INT UNSIGNED NOT NULL,
  use_no INT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  taken_at_ms BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (tail, batch_id, code_index, use_no),
  UNIQUE KEY (tail, batch_id, code_index, user_id)
) ENGINE=InnoDB;
