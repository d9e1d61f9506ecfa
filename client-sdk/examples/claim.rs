//! Claims a coupon for one user of a published template, sends it again, and lists what the user has.
//!
//! `SCRIP_PROXIES=host:port,... SCRIP_CALLER=name SCRIP_TOKEN_FILE=file cargo run --example claim -- USER TEMPLATE`

use scrip_client::{Claim, Client, ClientConfig, CouponQuery, Disposition, TemplateId, UserId, mint_request_id};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let user = UserId(arguments.next().unwrap_or_else(|| "1".to_owned()).parse()?);
    let template = TemplateId::try_new(arguments.next().unwrap_or_else(|| "1".to_owned()).parse()?)?;
    let client = Client::connect(config()?).await?;

    // A service stores this together with what it is for, before it sends it.
    let request_id = mint_request_id();
    let claim = Claim::new(user, template, request_id);
    match client.claim(claim.first_try()).await {
        Ok(coupon) => println!("coupon {} is the user's number {}", coupon.coupon_id, coupon.seq),
        Err(error) => match error.disposition() {
            Disposition::NotApplied => anyhow::bail!("no coupon: {error}"),
            // Asking again with the same id gives a definite answer; here and now or after a restart.
            Disposition::Unknown | Disposition::Applied => println!("not known yet: {error}"),
        },
    }

    let again = client.claim(claim).await?;
    println!("sent again: coupon {}, replayed {}", again.coupon_id, again.replayed);
    anyhow::ensure!(again.request_id == request_id, "the coupon of another request");

    let mut pages = client.coupons(CouponQuery::new(user));
    while let Some(page) = pages.next_page().await? {
        page.iter().for_each(|coupon| println!("has {} of template {}", coupon.coupon_id, coupon.template));
    }
    client.close().await;
    Ok(())
}

fn config() -> anyhow::Result<ClientConfig> {
    let proxies = std::env::var("SCRIP_PROXIES")?;
    let token = std::fs::read_to_string(std::env::var("SCRIP_TOKEN_FILE")?)?;
    Ok(ClientConfig::new(proxies.split(','), std::env::var("SCRIP_CALLER")?, token))
}
