//! Takes a template through its life: creates, publishes, pauses, resumes, replenishes and closes it. Prints its id.
//!
//! `SCRIP_PROXIES=host:port,... SCRIP_CALLER=name SCRIP_TOKEN_FILE=file cargo run --example admin`

use scrip_client::{Client, ClientConfig, TemplateDefinition, TemplateStatus, Validity, mint_request_id};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = Client::connect(config()?).await?;
    let definition = TemplateDefinition::new(
        "ten percent off",
        1_000,
        1,
        Validity::Relative { starts_after_s: 0, lasts_s: 30 * 24 * 3600 },
    );
    let request_id = mint_request_id();
    let created = client.create_template(request_id, definition.clone()).await?;
    let id = created.template;
    let again = client.create_template(request_id, definition).await?;
    anyhow::ensure!(again.template == id, "the same request id gives the same template");

    anyhow::ensure!(client.publish(id).await?.status == TemplateStatus::Published, "published");
    anyhow::ensure!(client.pause(id).await?.status == TemplateStatus::Paused, "paused");
    anyhow::ensure!(client.resume(id).await?.status == TemplateStatus::Published, "resumed");
    let change = client.replenish(id, mint_request_id(), 500).await?;
    anyhow::ensure!(change.total_stock == 1_500, "replenished");
    anyhow::ensure!(client.close_template(id).await?.status == TemplateStatus::Closed, "closed");
    println!("template {id} was created, published, paused, resumed, replenished and closed");
    client.close().await;
    Ok(())
}

fn config() -> anyhow::Result<ClientConfig> {
    let proxies = std::env::var("SCRIP_PROXIES")?;
    let token = std::fs::read_to_string(std::env::var("SCRIP_TOKEN_FILE")?)?;
    Ok(ClientConfig::new(proxies.split(','), std::env::var("SCRIP_CALLER")?, token))
}
