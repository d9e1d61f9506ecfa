-- Reminders that were made: one for each user, template, day (UTC) of the end, and time before it.
CREATE TABLE IF NOT EXISTS reminder (
  tail SMALLINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  template_id INT UNSIGNED NOT NULL,
  -- days since 1970-01-01
  end_day INT UNSIGNED NOT NULL,
  before_ms BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (tail, user_id, template_id, end_day, before_ms),
  KEY (end_day)
) ENGINE=InnoDB;
