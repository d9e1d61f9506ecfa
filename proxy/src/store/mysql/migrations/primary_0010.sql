-- How far the replicas are: each run of a proxy counts up in a row of its own, and looks for the count on the replicas.
CREATE TABLE IF NOT EXISTS replica_mark (
  run BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  mark BIGINT UNSIGNED NOT NULL,
  -- only for tidying up
  written_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
) ENGINE=InnoDB;
