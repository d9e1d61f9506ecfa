//! The command-line client: what it prints and how it exits.

use std::process::Output;

use scrip_client::Code;
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{CouponPage, QuoteResult, Response, Template};
use serde_json::Value;
use tokio::process::Command;

use crate::fake::{Fake, request_id, within};

fn scrip(fake: &Fake, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrip"));
    command.env_clear().env("SCRIP_TOKEN", "hush\n").args(["--proxy", &fake.address, "--caller", "tests"]);
    command.args(arguments).kill_on_drop(true);
    command
}

async fn output(mut command: Command) -> Output {
    within("scrip ends", command.output()).await.expect("scrip runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const CLAIM: [&str; 5] = ["claim", "--user", "5", "--template", "7"];

#[tokio::test]
async fn a_claim_tells_its_request_id_and_shows_its_coupon() {
    let fake = Fake::start().await;
    let script = async {
        let mut proxy = fake.accept().await;
        let (id, wire) = proxy.claim().await;
        proxy.coupon(id, &wire).await;
        wire
    };
    let (output, wire) = tokio::join!(output(scrip(&fake, &[&CLAIM[..], &["--json"]].concat())), script);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), format!("request id {}\n", request_id(&wire)));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&answer["disposition"], &answer["coupon"]["user"]), (&"applied".into(), &5.into()));
    assert_eq!(wire.attempt, 1);
}

#[tokio::test]
async fn a_given_request_id_is_sent_again() {
    let fake = Fake::start().await;
    let hex = "000102030405060708090a0b0c0d0e0f";
    let script = async {
        let mut proxy = fake.accept().await;
        let (id, wire) = proxy.claim().await;
        proxy.coupon(id, &wire).await;
        wire
    };
    let (output, wire) = tokio::join!(output(scrip(&fake, &[&CLAIM[..], &["--request-id", hex]].concat())), script);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(&format!("request_id: {hex}\n")), "{}", text(&output.stdout));
    assert_eq!((wire.attempt, request_id(&wire).to_string()), (0, hex.to_owned()));
}

#[tokio::test]
async fn a_refusal_exits_with_1_and_says_code_detail_and_remedy() {
    let fake = Fake::start().await;
    let script = async {
        let mut proxy = fake.accept().await;
        let (id, _) = proxy.claim().await;
        proxy.refuse(id, Code::SoldOut).await;
    };
    let (output, ()) = tokio::join!(output(scrip(&fake, &CLAIM)), script);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    for part in ["not applied: SOLD_OUT: scripted", "remedy: ", Code::SoldOut.remedy()] {
        assert!(shown.contains(part), "{part:?} in {shown:?}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_exits_with_3() {
    let fake = Fake::start().await;
    let script = async {
        let mut proxy = fake.accept().await;
        proxy.claim().await;
        proxy.hung_up().await;
    };
    let arguments = [&CLAIM[..], &["--deadline", "80ms", "--json"]].concat();
    let (output, ()) = tokio::join!(output(scrip(&fake, &arguments)), script);
    assert_eq!(output.status.code(), Some(3));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&answer["disposition"], &answer["error"]["code"]), (&"unknown".into(), &"OUTCOME_UNKNOWN".into()));
}

#[tokio::test]
async fn a_wrong_token_exits_with_1_and_is_not_shown() {
    let fake = Fake::start().await;
    let script = async {
        let (mut proxy, id, hello) = fake.accept_hello().await;
        assert_eq!(hello.token, "hush", "the newline of the file is not part of it");
        proxy.refuse(id, Code::Unauthenticated).await;
    };
    let (output, ()) = tokio::join!(output(scrip(&fake, &["ping"])), script);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.contains("UNAUTHENTICATED") && shown.contains("remedy: ") && !shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn what_cannot_be_used_exits_with_2() {
    let fake = Fake::start().await;
    let without_token = |arguments: &[&str]| {
        let mut command = scrip(&fake, arguments);
        command.env_remove("SCRIP_TOKEN");
        command
    };
    let cases = [
        (without_token(&["ping"]), "SCRIP_TOKEN"),
        (without_token(&["ping", "--token-file", "/nowhere/at/all"]), "/nowhere/at/all"),
        (scrip(&fake, &["ping", "--proxy", "nowhere"]), "host:port"),
        (scrip(&fake, &["claim", "--user", "5", "--template", "0"]), "template"),
        (scrip(&fake, &["ping", "--deadline", "5"]), "unit"),
        (scrip(&fake, &["coupon", "--number", "TEA-20260101-M3L2-86NT-FQZT-FSGK-E"]), "check symbol"),
        (scrip(&fake, &["coupon", "--user", "5"]), "--coupon"),
    ];
    for (command, part) in cases {
        let output = output(command).await;
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{shown}");
        assert!(shown.contains(part), "{part:?} in {shown:?}");
    }
}

#[tokio::test]
async fn the_token_file_comes_before_the_environment() {
    let fake = Fake::start().await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "from-file\n").expect("written");
    let path = file.path().to_str().expect("a path in UTF-8");
    let script = async {
        let (mut proxy, id, hello) = fake.accept_hello().await;
        proxy.refuse(id, Code::Unauthenticated).await;
        hello.token
    };
    let (_, token) = tokio::join!(output(scrip(&fake, &["ping", "--token-file", path])), script);
    assert_eq!(token, "from-file");
}

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/template.toml");

#[tokio::test]
async fn a_template_is_created_from_a_file() {
    let fake = Fake::start().await;
    let script = async {
        let mut proxy = fake.accept().await;
        let request = proxy.request().await;
        let Some(Operation::CreateTemplate(create)) = request.operation else { panic!("{request:?}") };
        let definition = create.definition.clone();
        let template = Template { template_id: 7, definition, status: 1, ..Template::default() };
        proxy.ok(request.id, Answer::Template(Box::new(template))).await;
        create.definition.expect("a definition")
    };
    let command = scrip(&fake, &["template", "create", "--definition", EXAMPLE, "--json"]);
    let (output, sent) = tokio::join!(output(command), script);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((sent.currency.as_str(), sent.per_user_daily_limit, sent.threshold_minor), ("CNY", 2, 20_000));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rules = &shown["template"]["rules"];
    assert_eq!(rules["benefit"]["percentage_off"]["cap_minor"], 5_000);
    assert_eq!(rules["applicability"]["categories"]["exclude"][0], "boots");
    assert_eq!(rules["daily_limit"]["utc_offset_minutes"], 480);
}

#[tokio::test]
async fn a_definition_that_cannot_be_used_exits_with_2() {
    let fake = Fake::start().await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "name = 'a'\ntotal_stock = 5\nvalidity.relative.lasts = '1h'\nprice = 5")
        .expect("written");
    let path = file.path().to_str().expect("a path in UTF-8");
    let cases = [
        (&["template", "create", "--definition", path][..], "price"),
        (&["template", "create", "--definition", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["template", "create", "--definition", EXAMPLE, "--stock", "5"], "--stock"),
        (&["template", "create", "--stock", "5"], "--name"),
    ];
    for (arguments, part) in cases {
        let output = output(scrip(&fake, arguments)).await;
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{shown}");
        assert!(shown.contains(part), "{part:?} in {shown:?}");
    }
}

#[tokio::test]
async fn a_listing_may_be_stale_and_says_how_stale_it_is() {
    let fake = Fake::start().await;
    let script = async {
        let mut proxy = fake.accept().await;
        let mut asked = Vec::new();
        for (next_cursor, staleness_ms) in [("more", 40), ("", 0)] {
            let request = proxy.request().await;
            let Some(Operation::ListCoupons(list)) = request.operation else { panic!("{request:?}") };
            asked.push(list.max_staleness_ms);
            let page = CouponPage { next_cursor: next_cursor.into(), ..CouponPage::default() };
            let result = Some(Answer::CouponPage(page));
            let code = Code::Ok.into();
            proxy.send(Response { id: request.id, code, staleness_ms, result, ..Response::default() }).await;
        }
        asked
    };
    let command = scrip(&fake, &["list", "--user", "5", "--max-staleness", "5s", "--json"]);
    let (output, asked) = tokio::join!(output(command), script);
    assert_eq!((output.status.code(), &asked[..]), (Some(0), &[5_000, 5_000][..]), "{}", text(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&shown["staleness_ms"], &shown["coupons"]), (&40.into(), &Value::Array(Vec::new())));
}

#[tokio::test]
async fn an_order_is_quoted_from_a_file() {
    let fake = Fake::start().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/order.json");
    let script = async {
        let mut proxy = fake.accept().await;
        let request = proxy.request().await;
        let Some(Operation::Quote(quote)) = request.operation else { panic!("{request:?}") };
        let answer =
            QuoteResult { goods_minor: 44_300, shipping_minor: 800, exhaustive: true, ..QuoteResult::default() };
        proxy.ok(request.id, Answer::QuoteResult(Box::new(answer))).await;
        quote.order.expect("an order")
    };
    let command = scrip(&fake, &["quote", "--user", "5", "--order", path, "--json"]);
    let (output, sent) = tokio::join!(output(command), script);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((sent.lines.len(), sent.currency.as_str(), sent.at_ms), (2, "CNY", 0));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&shown["quote"]["payable_minor"], &shown["best"]), (&45_100.into(), &Value::Array(Vec::new())));
}
