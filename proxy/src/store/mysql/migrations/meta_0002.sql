-- Bulk jobs.
CREATE TABLE IF NOT EXISTS meta_bulk_job (
  job_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  create_request_id BINARY(16) NOT NULL,
  template_id INT UNSIGNED NOT NULL,
  rate_per_s INT UNSIGNED NOT NULL,
  start_at_ms BIGINT UNSIGNED NOT NULL,
  created_at_ms BIGINT UNSIGNED NOT NULL,
  -- a scrip.v1.BulkJobState
  state TINYINT UNSIGNED NOT NULL,
  -- what users are added under; raised by every start
  seal INT UNSIGNED NOT NULL,
  users BIGINT UNSIGNED NOT NULL,
  -- which users: a XOR of hashes
  list_digest BIGINT UNSIGNED NOT NULL,
  UNIQUE KEY (create_request_id),
  KEY (state)
) ENGINE=InnoDB;

-- The entries of a job that was started on one primary: who works on them, and whether all of them have a result.
CREATE TABLE IF NOT EXISTS meta_bulk_slice (
  job_id INT UNSIGNED NOT NULL,
  primary_id SMALLINT UNSIGNED NOT NULL,
  users BIGINT UNSIGNED NOT NULL,
  done TINYINT UNSIGNED NOT NULL,
  owner BIGINT UNSIGNED NOT NULL,
  -- by the clock of this server; only ever used to save work, never to decide what is safe
  leased_until TIMESTAMP(3) NOT NULL DEFAULT '1971-01-01 00:00:00',
  PRIMARY KEY (job_id, primary_id)
) ENGINE=InnoDB;
