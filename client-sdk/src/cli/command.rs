//! What is done: each command is one operation of the client.

use scrip_client::{
    Claim, Client, Coupon, CouponOrder, CouponQuery, CouponStatus, Pack, RequestId, Template, TemplateId,
    TemplateQuery, UserId, mint_request_id,
};
use serde_json::{Value, json};

use super::arguments::{Command, First, Status, Target, TemplateCommand};
use super::show::{self, Trouble};
use super::{announce, applied, bulk, codes, definition, order, quote, read};

pub(super) async fn run(client: &Client, command: Command) -> Result<Value, Trouble> {
    match command {
        Command::Template(command) => template(client, command).await,
        Command::Claim { target, request_id } => claim(client, target, request_id).await,
        Command::GetClaim { target, request_id } => {
            let coupon = client.get_claim(UserId(target.user), target.template, request_id).await?;
            Ok(applied("coupon", show::coupon(&coupon)))
        }
        Command::ClaimPack { user, items, request_id } => {
            let pack = Pack::new(UserId(user), minted(request_id), items);
            let coupons = client.claim_pack(&pack).await?;
            Ok(applied("coupons", coupons.iter().map(show::coupon).collect()))
        }
        // Read before anything is connected to.
        Command::Archive(_) => Err(Trouble::Usage("the archive is read from its files".to_owned())),
        Command::Bulk(command) => bulk::run(client, command).await,
        Command::Codes(command) => codes::run(client, command).await,
        Command::Order(command) => order::run(client, command).await,
        Command::Coupon { which } => order::history(client, which).await,
        Command::Quote { user, order, coupons } => {
            let quote = client.quote(UserId(user), &order, &coupons).await?;
            Ok(quote::shown(&quote))
        }
        Command::List { user, template, status, order } => list(client, user, template, status, order).await,
        Command::Count { user, template } => {
            let counts = client.count_coupons(UserId(user), template).await?;
            Ok(read("coupons", show::counts(counts), counts.staleness))
        }
        Command::Ping => {
            client.ping().await?;
            Ok(applied("ping", json!("pong")))
        }
    }
}

async fn template(client: &Client, command: TemplateCommand) -> Result<Value, Trouble> {
    let template = match command {
        TemplateCommand::Create(create) => {
            let request_id = create.request_id;
            let definition = definition::of(*create)?;
            client.create_template(minted(request_id), definition).await?
        }
        TemplateCommand::Publish(id) => client.publish(id.template).await?,
        TemplateCommand::Pause(id) => client.pause(id.template).await?,
        TemplateCommand::Resume(id) => client.resume(id.template).await?,
        TemplateCommand::Close(id) => client.close_template(id.template).await?,
        TemplateCommand::Show(id) => client.get_template(id.template).await?,
        TemplateCommand::List => return list_templates(client).await,
        TemplateCommand::Replenish { id, units, request_id } => {
            let change = client.replenish(id.template, minted(request_id), units).await?;
            return Ok(applied("stock_change", show::stock_change(&change)));
        }
    };
    Ok(applied("template", show::template(&template)))
}

async fn claim(client: &Client, target: Target, request_id: Option<RequestId>) -> Result<Value, Trouble> {
    let is_new = request_id.is_none();
    let claim = Claim::new(UserId(target.user), target.template, minted(request_id));
    let claim = if is_new { claim.first_try() } else { claim };
    let coupon = client.claim(claim).await?;
    Ok(applied("coupon", show::coupon(&coupon)))
}

async fn list(
    client: &Client,
    user: u64,
    template: Option<TemplateId>,
    status: Option<Status>,
    order: First,
) -> Result<Value, Trouble> {
    let mut query = CouponQuery::new(UserId(user)).order(match order {
        First::Template => CouponOrder::Template,
        First::Newest => CouponOrder::Newest,
        First::Ending => CouponOrder::Ending,
    });
    query = template.into_iter().fold(query, CouponQuery::template);
    query = status.map(coupon_status).into_iter().fold(query, CouponQuery::status);
    let (mut coupons, mut after, mut stalest) = (Vec::<Coupon>::new(), None, None);
    loop {
        let page = client.list_coupons(&query, after.as_ref()).await?;
        coupons.extend(page.coupons);
        stalest = stalest.max(page.staleness);
        after = page.next;
        if after.is_none() {
            return Ok(read("coupons", coupons.iter().map(show::coupon).collect(), stalest));
        }
    }
}

async fn list_templates(client: &Client) -> Result<Value, Trouble> {
    let mut query = TemplateQuery::default();
    let (mut templates, mut stalest) = (Vec::<Template>::new(), None);
    loop {
        let page = client.list_templates(&query).await?;
        templates.extend(page.templates);
        stalest = stalest.max(page.staleness);
        query.after = page.next;
        if query.after.is_none() {
            return Ok(read("templates", templates.iter().map(show::template).collect(), stalest));
        }
    }
}

pub(super) fn minted(given: Option<RequestId>) -> RequestId {
    given.unwrap_or_else(|| {
        let request_id = mint_request_id();
        announce(request_id);
        request_id
    })
}

fn coupon_status(status: Status) -> CouponStatus {
    match status {
        Status::Unused => CouponStatus::Unused,
        Status::Locked => CouponStatus::Locked,
        Status::Used => CouponStatus::Used,
        Status::Expired => CouponStatus::Expired,
    }
}
