//! Claims a coupon from code without a runtime.
//!
//! `SCRIP_PROXIES=host:port,... SCRIP_CALLER=name SCRIP_TOKEN_FILE=file cargo run --example blocking -- USER TEMPLATE`

use scrip_client::blocking::Client;
use scrip_client::{Claim, ClientConfig, TemplateId, UserId, mint_request_id};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let user = UserId(arguments.next().unwrap_or_else(|| "1".to_owned()).parse()?);
    let template = TemplateId::try_new(arguments.next().unwrap_or_else(|| "1".to_owned()).parse()?)?;
    let client = Client::connect(config()?)?;
    let request_id = mint_request_id();
    println!("request id {request_id}");
    let coupon = client.claim(Claim::new(user, template, request_id).first_try())?;
    println!("coupon {} is the user's number {}", coupon.coupon_id, coupon.seq);
    let found = client.get_claim(user, template, request_id)?;
    anyhow::ensure!(found.coupon_id == coupon.coupon_id, "the coupon of another request");
    Ok(())
}

fn config() -> anyhow::Result<ClientConfig> {
    let proxies = std::env::var("SCRIP_PROXIES")?;
    let token = std::fs::read_to_string(std::env::var("SCRIP_TOKEN_FILE")?)?;
    Ok(ClientConfig::new(proxies.split(','), std::env::var("SCRIP_CALLER")?, token))
}
