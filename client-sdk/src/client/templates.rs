//! Operations on templates. They touch every primary, so their default deadline is `admin_deadline`.

use scrip_protocol::v1::request::Operation as Wire;
use scrip_protocol::v1::{self, TemplateAction};
use scrip_protocol::{RequestId, TemplateId};

use super::Client;
use crate::error::{CreateTemplateError, GetTemplateError, ListTemplatesError, ReplenishError, SetStatusError};
use crate::reply::{Answer, wrong_kind};
use crate::template::{StockChange, Template, TemplateDefinition, TemplatePage, TemplateQuery, TemplateStatus};
use crate::writes::Reads;

impl Client {
    /// Creates a template as a draft. The same request id gives the same template.
    ///
    /// # Errors
    /// [`CreateTemplateError::disposition`] says whether it may have taken effect.
    pub async fn create_template(
        &self,
        request_id: RequestId,
        definition: TemplateDefinition,
    ) -> Result<Template, CreateTemplateError> {
        let operation = v1::CreateTemplate { request_id: request_id.to_bytes(), definition: Some(definition.into()) };
        match self.ask_admin(Wire::CreateTemplate(Box::new(operation))).await? {
            Answer::Template(template) => Ok(*template),
            _ => Err(wrong_kind().into()),
        }
    }

    /// One template and its state.
    ///
    /// # Errors
    /// [`GetTemplateError::NotFound`], or no answer in time.
    pub async fn get_template(&self, template: TemplateId) -> Result<Template, GetTemplateError> {
        let max_staleness_ms = self.staleness_ms(Reads::Templates);
        match self.ask(Wire::GetTemplate(v1::GetTemplate { template_id: template.get(), max_staleness_ms })).await? {
            Answer::Template(template) => Ok(*template),
            _ => Err(wrong_kind().into()),
        }
    }

    /// One page of templates, in the order of their ids. For the next, put the page's `next` into the query's `after`.
    ///
    /// # Errors
    /// Nothing is changed by it: ask again.
    pub async fn list_templates(&self, query: &TemplateQuery) -> Result<TemplatePage, ListTemplatesError> {
        let operation = v1::ListTemplates {
            status: query.status.map_or(0, TemplateStatus::number),
            page_size: query.page_size,
            after_template_id: query.after.map_or(0, TemplateId::get),
            max_staleness_ms: self.staleness_ms(Reads::Templates),
        };
        match self.ask(Wire::ListTemplates(operation)).await? {
            Answer::TemplatePage(page) => Ok(page),
            _ => Err(wrong_kind().into()),
        }
    }

    /// From draft to published: creates the ledgers on every primary and fills the sub-stocks. Publishing twice is publishing once.
    ///
    /// # Errors
    /// [`SetStatusError::disposition`] says whether it may have taken effect.
    pub async fn publish(&self, template: TemplateId) -> Result<Template, SetStatusError> {
        self.set_status(template, TemplateAction::Publish).await
    }

    /// From published to paused: claims are refused until it is resumed.
    ///
    /// # Errors
    /// Those of [`Client::publish`].
    pub async fn pause(&self, template: TemplateId) -> Result<Template, SetStatusError> {
        self.set_status(template, TemplateAction::Pause).await
    }

    /// From paused to published.
    ///
    /// # Errors
    /// Those of [`Client::publish`].
    pub async fn resume(&self, template: TemplateId) -> Result<Template, SetStatusError> {
        self.set_status(template, TemplateAction::Resume).await
    }

    /// Closes the template for good.
    ///
    /// # Errors
    /// Those of [`Client::publish`].
    pub async fn close_template(&self, template: TemplateId) -> Result<Template, SetStatusError> {
        self.set_status(template, TemplateAction::Close).await
    }

    async fn set_status(&self, template: TemplateId, action: TemplateAction) -> Result<Template, SetStatusError> {
        let operation = v1::SetTemplateStatus { template_id: template.get(), action: action.into() };
        match self.ask_admin(Wire::SetTemplateStatus(operation)).await? {
            Answer::Template(template) => Ok(*template),
            _ => Err(wrong_kind().into()),
        }
    }

    /// Adds units of stock, or withdraws (negative) units that are not sold. The same request id changes the stock once.
    ///
    /// # Errors
    /// [`ReplenishError::disposition`] says whether it may have taken effect.
    pub async fn replenish(
        &self,
        template: TemplateId,
        request_id: RequestId,
        units: i64,
    ) -> Result<StockChange, ReplenishError> {
        let operation = v1::Replenish { template_id: template.get(), request_id: request_id.to_bytes(), units };
        match self.ask_admin(Wire::Replenish(operation)).await? {
            Answer::StockChange(change) => Ok(change),
            _ => Err(wrong_kind().into()),
        }
    }
}
