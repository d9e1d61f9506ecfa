//! Packs.

use scrip_protocol::v1::request::Operation as Wire;

use super::Client;
use crate::coupon::Coupon;
use crate::error::ClaimPackError;
use crate::pack::Pack;
use crate::reply::{Answer, wrong_kind};

impl Client {
    /// Claims all coupons of a pack, or none. They come in the order of its items; of a pack that was claimed before they are
    /// the same ones, with [`Coupon::replayed`] set.
    ///
    /// ```no_run
    /// # async fn run(client: scrip_client::Client, tea: scrip_client::TemplateId, cake: scrip_client::TemplateId)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use scrip_client::{Pack, PackItem, UserId, mint_request_id};
    ///
    /// let request_id = mint_request_id(); // store it, then send it
    /// let items = [PackItem { template: tea, count: 2 }, PackItem { template: cake, count: 1 }];
    /// let coupons = client.claim_pack(&Pack::new(UserId(42), request_id, items)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ClaimPackError::disposition`] says whether it may have taken effect, [`crate::Failure::template`] which item it is
    /// about.
    pub async fn claim_pack(&self, pack: &Pack) -> Result<Vec<Coupon>, ClaimPackError> {
        match self.ask(Wire::ClaimPack(pack.to_wire())).await? {
            Answer::PackCoupons(coupons) => Ok(coupons),
            _ => Err(wrong_kind().into()),
        }
    }
}
