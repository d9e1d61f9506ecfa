-- Batches of exchange codes. A code has no row: it is there because its batch is.
CREATE TABLE IF NOT EXISTS meta_code_batch (
  batch_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  create_request_id BINARY(16) NOT NULL,
  template_id INT UNSIGNED NOT NULL,
  count INT UNSIGNED NOT NULL,
  uses INT UNSIGNED NOT NULL,
  -- a scrip.v1.CodeBatchStatus
  status TINYINT UNSIGNED NOT NULL,
  created_at_ms BIGINT UNSIGNED NOT NULL,
  UNIQUE KEY (create_request_id)
) ENGINE=InnoDB;
