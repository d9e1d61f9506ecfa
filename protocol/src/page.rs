//! Pages that fit into a frame.
//!
//! Rows have different lengths. A page ends before [`PAGE_LEN_MAX`] even if fewer rows are in it than were asked for,
//! so that every client can read it.

use prost::Message;

use crate::limits::PAGE_LEN_MAX;
use crate::v1::{Template, TemplatePage};

/// How many rows from the front fit into one frame: at least one if there is one.
pub fn rows_that_fit<'a, M: Message + 'a>(rows: impl IntoIterator<Item = &'a M>) -> usize {
    let mut len = 0;
    let fits = rows.into_iter().take_while(|row| {
        let row_len = row.encoded_len();
        // One byte of tag: the rows of every page are a field below 16.
        len += 1 + prost::length_delimiter_len(row_len) + row_len;
        len <= PAGE_LEN_MAX
    });
    fits.count()
}

/// A page of templates, in the order of their ids. `more`: others come after the last one given.
pub fn template_page(mut templates: Vec<Template>, more: bool) -> TemplatePage {
    let fit = rows_that_fit(&templates).max(1);
    let more = more || fit < templates.len();
    templates.truncate(fit);
    let last = templates.last().map_or(0, |template| template.template_id);
    TemplatePage { templates, next_after_template_id: if more { last } else { 0 } }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::limits::{
        AMOUNT_MAX_MINOR, COMBINATION_COUPONS_MAX, DEFINITION_LEN_MAX, FRAME_LEN_MAX, ORDER_LEN_MAX, ORDER_LINES_MAX,
        PAGE_SIZE_MAX, QUOTE_COUPONS_MAX, QUOTE_DETAIL_LEN_MAX, RULE_TEXT_LEN_MAX, SUB_STOCKS_MAX,
        TEMPLATE_NAME_LEN_MAX,
    };
    use crate::v1::template_definition::{Benefit, Validity};
    use crate::v1::{
        ApplicableCoupon, Combination, CombinedCoupon, Coupon, CouponPage, FixedValidity, Gift, InapplicableCoupon,
        Quote, QuoteResult, Response, TemplateDefinition, response,
    };

    use super::*;

    fn template(template_id: u32, sub_stocks: usize) -> Template {
        let fixed = FixedValidity { from_ms: i64::MAX, until_ms: i64::MAX };
        let definition = TemplateDefinition {
            name: "\u{1F381}".repeat(TEMPLATE_NAME_LEN_MAX),
            total_stock: u64::MAX,
            per_user_limit: u32::MAX,
            claim_start_ms: i64::MAX,
            claim_end_ms: i64::MAX,
            validity: Some(Validity::Fixed(fixed)),
            ..TemplateDefinition::default()
        };
        let sub_stocks = vec![u32::MAX; sub_stocks];
        Template { template_id, definition: Some(definition), sub_stocks, revision: u64::MAX, ..Template::default() }
    }

    fn check(rows: u32, sub_stocks: usize, more: bool, expect: (usize, u32)) {
        let templates = (1..=rows).map(|id| template(id, sub_stocks)).collect();
        let page = template_page(templates, more);
        let (count, next) = (page.templates.len(), page.next_after_template_id);
        let result = Some(response::Result::TemplatePage(page));
        let response = Response { id: u64::MAX, code: 1, result, ..Response::default() };
        assert!(response.encoded_len() <= FRAME_LEN_MAX);
        assert_eq!((count, next), expect, "{rows} rows of {sub_stocks} sub-stocks, more: {more}");
    }

    #[test]
    fn template_pages() {
        check(0, 0, false, (0, 0));
        check(1, SUB_STOCKS_MAX, false, (1, 0));
        check(1, SUB_STOCKS_MAX, true, (1, 1));
        check(10, 12, false, (10, 0));
        check(10, 12, true, (10, 10));
        check(PAGE_SIZE_MAX, 12, false, (118, 118));
        check(PAGE_SIZE_MAX, SUB_STOCKS_MAX, true, (11, 11));
    }

    #[test]
    fn the_largest_template_fits() {
        let gift = Gift { product: "p".repeat(DEFINITION_LEN_MAX) };
        let definition = TemplateDefinition { benefit: Some(Benefit::Gift(gift)), ..TemplateDefinition::default() };
        let largest = Template { definition: Some(definition), ..template(1, SUB_STOCKS_MAX) };
        assert_eq!(rows_that_fit([&largest]), 1);
        let page = template_page(vec![largest.clone(), largest], false);
        assert_eq!((page.templates.len(), page.next_after_template_id), (1, 1));
    }

    #[test]
    fn the_largest_quote_fits() {
        let (coupon_id, text) = (Bytes::from(vec![0xff; 16]), "g".repeat(RULE_TEXT_LEN_MAX));
        let combined = CombinedCoupon {
            coupon_id: coupon_id.clone(),
            template_id: u32::MAX,
            discount_minor: AMOUNT_MAX_MINOR,
            line_discounts_minor: vec![AMOUNT_MAX_MINOR; ORDER_LINES_MAX],
            shipping_discount_minor: AMOUNT_MAX_MINOR,
            gift_product: text.clone(),
        };
        let best = Combination {
            coupons: vec![combined; COMBINATION_COUPONS_MAX],
            line_discounts_minor: vec![AMOUNT_MAX_MINOR; ORDER_LINES_MAX],
            ..Combination::default()
        };
        let applicable = ApplicableCoupon {
            coupon_id: coupon_id.clone(),
            template_id: u32::MAX,
            discount_minor: AMOUNT_MAX_MINOR,
            gift_product: text,
            valid_until_ms: i64::MAX,
        };
        let detail = "d".repeat(QUOTE_DETAIL_LEN_MAX);
        let inapplicable = InapplicableCoupon { coupon_id, template_id: u32::MAX, reason: i32::MAX, detail };
        for (applicable, inapplicable) in
            [(vec![applicable; QUOTE_COUPONS_MAX], Vec::new()), (Vec::new(), vec![inapplicable; QUOTE_COUPONS_MAX])]
        {
            let quote = QuoteResult { applicable, inapplicable, best: Some(best.clone()), ..QuoteResult::default() };
            assert!(quote.encoded_len() < PAGE_LEN_MAX, "{}", quote.encoded_len());
        }
        let coupon_ids = vec![Bytes::from(vec![0xff; 16]); QUOTE_COUPONS_MAX];
        let quote = Quote { user_id: u64::MAX, order: None, coupon_ids };
        assert!(quote.encoded_len() + ORDER_LEN_MAX < PAGE_LEN_MAX);
    }

    #[test]
    fn the_largest_page_of_coupons_fits() {
        let coupon = Coupon {
            coupon_id: vec![0xff; 16].into(),
            user_id: u64::MAX,
            template_id: u32::MAX,
            seq: u32::MAX,
            request_id: vec![0xff; 16].into(),
            status: 4,
            claimed_at_ms: i64::MAX,
            valid_from_ms: i64::MAX,
            valid_until_ms: i64::MAX,
            locked_until_ms: i64::MAX,
            replayed: true,
            number: String::new(),
        };
        let largest = Coupon { number: "A".repeat(49), ..coupon.clone() };
        assert_eq!(rows_that_fit(&vec![largest; PAGE_SIZE_MAX as usize]), 410);
        let usual = Coupon {
            user_id: (1 << 40) - 1,
            template_id: (1 << 20) - 1,
            seq: 9,
            claimed_at_ms: 1_769_860_800_000,
            valid_from_ms: 1_769_860_800_000,
            valid_until_ms: 1_769_860_800_000,
            locked_until_ms: 0,
            replayed: false,
            number: "A".repeat(39),
            ..coupon
        };
        let page = CouponPage { coupons: vec![usual; PAGE_SIZE_MAX as usize], next_cursor: vec![0; 128].into() };
        assert_eq!(rows_that_fit(&page.coupons), PAGE_SIZE_MAX as usize);
        let response = Response { result: Some(response::Result::CouponPage(page)), ..Response::default() };
        assert!(response.encoded_len() < FRAME_LEN_MAX);
    }
}
