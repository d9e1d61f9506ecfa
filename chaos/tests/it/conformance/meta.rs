//! Meta, through [`scrip_proxy::store::MetaStore`]: the bodies stand beside the tests of the real one.

use super::model;
use crate::meta_store::{settle, stock, template};

#[tokio::test(start_paused = true)]
async fn the_model_of_meta_does_the_same() {
    stock::replenish(model()).await;
    stock::withdraw(model()).await;
    stock::withdraw_limits(model()).await;
    stock::move_rest(model()).await;
    settle::advance(model()).await;
    settle::sold_out(model()).await;
    template::create(model()).await;
    template::status(model()).await;
}
