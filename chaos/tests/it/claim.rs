//! Claims, end to end, on real stores.

use scrip_chaos::testbed::{ProxyProcess, ProxySpec, Testbed, TestbedSpec};
use scrip_client::{
    Claim, Client, ClientConfig, TemplateDefinition, Validity, mint_request_id,
};
use scrip_protocol::{TemplateId, UserId};

async fn client(testbed: &Testbed, proxies: &[&ProxyProcess]) -> Client {
    let token = testbed.caller_token().expect("token");
    let addresses = proxies.iter().map(|proxy| proxy.address().to_string());
    Client::connect(ClientConfig::new(addresses, "demo", token.expose())).await.expect("connected")
}

async fn template(client: &Client, total_stock: u64, per_user_limit: u32) -> TemplateId {
    let definition = TemplateDefinition {
        name: "five off".to_owned(),
        total_stock,
        per_user_limit,
        claim_start_ms: None,
        claim_end_ms: None,
        validity: Validity::Relative { starts_after_s: 0, lasts_s: 86_400 },
    };
    let created = client.create_template(mint_request_id(), definition).await;
    let template = created.expect("created").template;
    client.publish(template).await.expect("published");
    template
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_goes_end_to_end() {
    let testbed = Testbed::start(TestbedSpec::new(3, 2)).await.expect("testbed");
    let spec = ProxySpec::new("a");
    testbed.migrate(&spec).await.expect("migrated");
    let proxy = testbed.start_proxy(&spec).await.expect("proxy");
    let client = client(&testbed, &[&proxy]).await;
    let template = template(&client, 10, 1).await;
    let request = mint_request_id();
    let claim = || Claim::new(UserId(1_234_567), template, request);
    let first = client.claim(claim()).await.expect("claimed");
    let again = client.claim(claim()).await.expect("replayed");
    assert_eq!((first.seq, first.replayed, again.replayed), (1, false, true));
    assert_eq!(first.coupon_id, again.coupon_id);
    let mut sold = 1;
    for user in 1.. {
        match client.claim(Claim::new(UserId(user), template, mint_request_id())).await {
            Ok(_) => sold += 1,
            Err(error) => {
                println!("{sold} sold, then: {error}");
                break;
            }
        }
    }
    assert_eq!(sold, 10);
    println!("{}", std::fs::read_to_string(proxy.log_path()).expect("log"));
}
