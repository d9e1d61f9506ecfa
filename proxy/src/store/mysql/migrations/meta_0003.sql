-- What each primary was granted of a template's budget in money. The grants of a template never add up to more than its
-- budget, and none ever shrinks.
CREATE TABLE IF NOT EXISTS meta_budget (
  template_id INT UNSIGNED NOT NULL,
  primary_id SMALLINT UNSIGNED NOT NULL,
  granted_minor BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (template_id, primary_id)
) ENGINE=InnoDB;
