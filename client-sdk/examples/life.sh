#!/usr/bin/env bash
# The whole life of a coupon, from its rules to the audit. Needs scrip and scrip-proxy in PATH, SCRIP_PROXIES, SCRIP_CALLER
# and SCRIP_TOKEN_FILE, and in PROXY_CONFIG the configuration of a proxy. With proxies that patrol, EVENTS_SHARD is the address of
# the shard that has the stream events:10 (then the example events is in PATH too), and ARCHIVE their folder for the archive.
set -euo pipefail
cd "$(mktemp -d)"
field() { sed -n "s/^$1: //p" | head -n 1; }             # one field of what a command prints
says() { grep -q -- "$1" || { echo "expected: $1"; exit 1; }; }

# An operator defines a coupon and publishes it: 10.00 off 200.00 in one shop, 100,000.00 in all.
cat > ten-off.toml <<'END'
name = "10 yuan off 200 at the shoe shop"
total_stock = 200000
per_user_limit = 3
currency = "CNY"
threshold_minor = 20000
budget_minor = 10000000
validity.relative = { lasts = "30d" }
benefit.amount_off = { amount_minor = 1000 }
applicability.shops = { include = ["s-1"] }
END
template=$(scrip template create --definition ten-off.toml | field template)
scrip template publish "$template" | says 'status: published'

# Everybody on a list gets one, exactly one, however often the list is sent.
{ echo user_id; seq 1 100000; } > users.csv
job=$(scrip bulk create --template "$template" --file users.csv --watch | field job)
scrip bulk results "$job" --output results.csv
test "$(grep -c ',OK,' results.csv)" = 100000

# User 42 claims another one, and asks what an order would cost with it.
coupon=$(scrip claim --user 42 --template "$template" | field coupon_id)
cat > order.json <<'END'
{ "currency": "CNY", "shipping_minor": 800, "lines": [
  { "line_id": "1", "product": "p-1", "categories": ["shoes"], "shop": "s-1", "unit_price_minor": 19900, "quantity": 2 } ] }
END
scrip quote --user 42 --order order.json | says 'payable_minor: 39600'      # 2 x 199.00 + 8.00 - 10.00

# The order holds the coupon, pays with it, and gives it back; then the user pays another order with it.
scrip order lock --user 42 --order order-1 --coupon "$coupon" --ttl 15m | says 'status=locked'
{ ! scrip order redeem --user 42 --order order-2 --coupon "$coupon:1000"; } 2>&1 | says 'COUPON_LOCKED'
scrip order redeem --user 42 --order order-1 --coupon "$coupon:1000" | says 'status=used'
scrip order return --user 42 --order order-1 --coupon "$coupon" | says 'status=unused'
scrip order redeem --user 42 --order order-3 --coupon "$coupon:1000" | says 'status=used'
scrip coupon --user 42 --coupon "$coupon"                                   # the operation log: four steps

# A coupon that lasts three seconds is expired after three seconds.
short=$(scrip template create --name "quick" --stock 10 --valid-for 3s | field template)
scrip template publish "$short" | says 'status: published'
request=$(scrip claim --user 42 --template "$short" | tee claimed.txt | field request_id)
says 'status: unused' < claimed.txt
sleep 3
scrip list --user 42 --template "$short" | says 'status=expired'

# Where proxies patrol and tell events: the user was reminded before the end. Their events are in the stream of their tail, 42 mod 16.
if [ -n "${EVENTS_SHARD:-}" ]; then
  timeout 3 events "$EVENTS_SHARD" life one events:10 > told.txt || true
  grep "TemplateId($short)" told.txt | says 'Expiring'
fi

# Closed for good, and dead for as long as the operator keeps them, its coupons leave for the archive. The claim still has its answer.
scrip template close "$short" | says 'status: closed'
if [ -n "${ARCHIVE:-}" ]; then
  until scrip archive search "$ARCHIVE" --template "$short" | grep -q 'user=42 .*status=expired'; do sleep 0.2; done
  scrip archive list "$ARCHIVE" | says 'coupons=1 '
  scrip get-claim --user 42 --template "$short" --request-id "$request" | says 'status: expired'
  { ! scrip coupon --user 42 --coupon "$(field coupon_id < claimed.txt)"; } 2>&1 | says 'COUPON_ARCHIVED'
fi

# And everything adds up: coupons, ledgers, logs, budgets, jobs.
scrip-proxy audit --config "$PROXY_CONFIG" ${ARCHIVE:+--archive "$ARCHIVE"} | says '^clean$'
echo "every promise holds"
