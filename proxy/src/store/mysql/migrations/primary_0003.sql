-- The seal of a job's list, as this primary knows it: users come in only under this very one.
CREATE TABLE IF NOT EXISTS bulk_list (
  job_id INT UNSIGNED NOT NULL PRIMARY KEY,
  seal INT UNSIGNED NOT NULL
) ENGINE=InnoDB;

-- The users of bulk jobs. A row is never deleted, and a result is only ever replaced by the coupon that turned up.
CREATE TABLE IF NOT EXISTS bulk_entry (
  job_id INT UNSIGNED NOT NULL,
  tail SMALLINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  -- 0: pending; else a scrip.v1.Code
  result TINYINT UNSIGNED NOT NULL DEFAULT 0,
  coupon_seq SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  done_at_ms BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (job_id, tail, user_id)
) ENGINE=InnoDB;
