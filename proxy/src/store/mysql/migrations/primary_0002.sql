-- The operation log of coupons: what orders did with them, one row a step, never changed. Steps of a coupon are numbered
-- 1, 2, ... densely, so that the primary key decides every race; the last one says who holds the coupon.
CREATE TABLE IF NOT EXISTS coupon_step (
  tail SMALLINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  template_id INT UNSIGNED NOT NULL,
  seq SMALLINT UNSIGNED NOT NULL,
  step SMALLINT UNSIGNED NOT NULL,
  -- a scrip.v1.StepKind
  kind TINYINT UNSIGNED NOT NULL,
  order_id VARBINARY(64) NOT NULL,
  -- after the step; a scrip.v1.CouponStatus: unused, locked or used
  state TINYINT UNSIGNED NOT NULL,
  -- who holds it then, if it is not this order
  holder VARBINARY(64),
  until_ms BIGINT UNSIGNED NOT NULL,
  amount_minor BIGINT UNSIGNED NOT NULL,
  at_ms BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (tail, user_id, template_id, seq, step)
) ENGINE=InnoDB;
-- The log says it.
ALTER TABLE coupon DROP COLUMN status;
