-- What this primary may spend of a template's budget in money, as meta granted it, and what its orders have spent. Counted
-- in the transactions that write the steps of orders.
CREATE TABLE IF NOT EXISTS budget (
  template_id INT UNSIGNED NOT NULL PRIMARY KEY,
  granted_minor BIGINT UNSIGNED NOT NULL,
  spent_minor BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB;
