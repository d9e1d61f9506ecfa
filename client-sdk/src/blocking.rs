//! The client for code without a runtime: every operation waits for its end.

use std::future::Future;
use std::sync::mpsc;
use std::thread;

use scrip_protocol::v1::Code;
use scrip_protocol::{CouponId, RequestId, TemplateId, UserId};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::error::{
    ClaimError, ClaimPackError, ConnectError, CreateTemplateError, GetClaimError, GetTemplateError, ListCouponsError,
    ListTemplatesError, PingError, QuoteError, ReplenishError, SetStatusError,
};
use crate::failure::Failure;
use crate::{
    Claim, ClientConfig, Coupon, CouponCursor, CouponPage, CouponQuery, Order, Pack, Quote, StockChange, Template,
    TemplateDefinition, TemplatePage, TemplateQuery,
};

/// A [`crate::Client`] with a runtime of its own on a background thread. Share it by reference, or put it into an `Arc`: its
/// operations may be called from many threads at once. Dropping it closes the connections and ends the thread.
#[derive(Debug)]
pub struct Client {
    client: crate::Client,
    runtime: Handle,
    // Dropping it tells the thread to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Client {
    /// The same as [`crate::Client::connect`].
    ///
    /// # Errors
    /// The same, and [`ConnectError::NoRuntime`] when the thread cannot be started.
    pub fn connect(config: ClientConfig) -> Result<Self, ConnectError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|_| ConnectError::NoRuntime)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let drive = move || {
            // Ends when the sender is dropped.
            drop(runtime.block_on(stopped));
        };
        let thread =
            thread::Builder::new().name("scrip-client".to_owned()).spawn(drive).map_err(|_| ConnectError::NoRuntime)?;
        let connect = crate::Client::connect(config);
        let client = wait(&handle, connect).unwrap_or(Err(ConnectError::NoRuntime))?;
        Ok(Self { client, runtime: handle, stop: Some(stop), thread: Some(thread) })
    }

    /// See [`crate::Client::claim`].
    ///
    /// # Errors
    /// The same.
    pub fn claim(&self, claim: Claim) -> Result<Coupon, ClaimError> {
        self.with(|client| async move { client.claim(claim).await })
    }

    /// See [`crate::Client::claim_pack`].
    ///
    /// # Errors
    /// The same.
    pub fn claim_pack(&self, pack: &Pack) -> Result<Vec<Coupon>, ClaimPackError> {
        let pack = pack.clone();
        self.with(|client| async move { client.claim_pack(&pack).await })
    }

    /// See [`crate::Client::get_claim`].
    ///
    /// # Errors
    /// The same.
    pub fn get_claim(
        &self,
        user: UserId,
        template: TemplateId,
        request_id: RequestId,
    ) -> Result<Coupon, GetClaimError> {
        self.with(|client| async move { client.get_claim(user, template, request_id).await })
    }

    /// See [`crate::Client::list_coupons`].
    ///
    /// # Errors
    /// The same.
    pub fn list_coupons(
        &self,
        query: &CouponQuery,
        after: Option<&CouponCursor>,
    ) -> Result<CouponPage, ListCouponsError> {
        let (query, after) = (query.clone(), after.cloned());
        self.with(|client| async move { client.list_coupons(&query, after.as_ref()).await })
    }

    /// See [`crate::Client::quote`].
    ///
    /// # Errors
    /// The same.
    pub fn quote(&self, user: UserId, order: &Order, coupons: &[CouponId]) -> Result<Quote, QuoteError> {
        let (order, coupons) = (order.clone(), coupons.to_vec());
        self.with(|client| async move { client.quote(user, &order, &coupons).await })
    }

    /// See [`crate::Client::create_template`].
    ///
    /// # Errors
    /// The same.
    pub fn create_template(
        &self,
        request_id: RequestId,
        definition: TemplateDefinition,
    ) -> Result<Template, CreateTemplateError> {
        self.with(|client| async move { client.create_template(request_id, definition).await })
    }

    /// See [`crate::Client::get_template`].
    ///
    /// # Errors
    /// The same.
    pub fn get_template(&self, template: TemplateId) -> Result<Template, GetTemplateError> {
        self.with(|client| async move { client.get_template(template).await })
    }

    /// See [`crate::Client::list_templates`].
    ///
    /// # Errors
    /// The same.
    pub fn list_templates(&self, query: &TemplateQuery) -> Result<TemplatePage, ListTemplatesError> {
        let query = query.clone();
        self.with(|client| async move { client.list_templates(&query).await })
    }

    /// See [`crate::Client::publish`].
    ///
    /// # Errors
    /// The same.
    pub fn publish(&self, template: TemplateId) -> Result<Template, SetStatusError> {
        self.with(|client| async move { client.publish(template).await })
    }

    /// See [`crate::Client::pause`].
    ///
    /// # Errors
    /// The same.
    pub fn pause(&self, template: TemplateId) -> Result<Template, SetStatusError> {
        self.with(|client| async move { client.pause(template).await })
    }

    /// See [`crate::Client::resume`].
    ///
    /// # Errors
    /// The same.
    pub fn resume(&self, template: TemplateId) -> Result<Template, SetStatusError> {
        self.with(|client| async move { client.resume(template).await })
    }

    /// See [`crate::Client::close_template`].
    ///
    /// # Errors
    /// The same.
    pub fn close_template(&self, template: TemplateId) -> Result<Template, SetStatusError> {
        self.with(|client| async move { client.close_template(template).await })
    }

    /// See [`crate::Client::replenish`].
    ///
    /// # Errors
    /// The same.
    pub fn replenish(
        &self,
        template: TemplateId,
        request_id: RequestId,
        units: i64,
    ) -> Result<StockChange, ReplenishError> {
        self.with(|client| async move { client.replenish(template, request_id, units).await })
    }

    /// See [`crate::Client::ping`].
    ///
    /// # Errors
    /// The same.
    pub fn ping(&self) -> Result<(), PingError> {
        self.with(|client| async move { client.ping().await })
    }

    /// Any operation of the client, or several: orders, bulk jobs, codes, counts, another deadline, reads from replicas.
    ///
    /// ```no_run
    /// # fn run(client: scrip_client::blocking::Client, user: scrip_client::UserId) -> Result<(), scrip_client::Failure> {
    /// use std::time::Duration;
    ///
    /// let counts = client.with(move |client| async move {
    ///     client.with_max_staleness(Duration::from_secs(5)).count_coupons(user, None).await
    /// })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of the operation.
    pub fn with<T, E, F>(&self, operation: impl FnOnce(crate::Client) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Failure> + Send + 'static,
    {
        let gone = || Failure::local(Code::OutcomeUnknown, "the thread that drives this client has ended");
        wait(&self.runtime, operation(self.client.clone())).unwrap_or_else(|| Err(gone().into()))
    }
}

/// Runs the future on the runtime and waits for it; works inside of another runtime too, although it blocks its thread.
fn wait<T: Send + 'static>(runtime: &Handle, future: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        // The receiver waits for exactly this.
        drop(sender.send(future.await));
    });
    receiver.recv().ok()
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
