//! The request ids that the proxies derive, derived here once more: from the texts that the guides state, not from their code.

use std::collections::HashMap;

use scrip_client::{RequestId, TemplateId, UserId};
use sha2::{Digest, Sha256};

use super::view::{CodeBatchRow, StoresView};
use crate::history::CodeRef;

/// The request id of a user of a bulk job.
pub(super) fn of_job(job: RequestId, user: UserId) -> RequestId {
    first_half(&format!("scrip bulk {job} {user}"))
}

/// The request id of a use of a code.
pub(super) fn of_use(batch: RequestId, index: u32, use_no: u32) -> RequestId {
    first_half(&format!("scrip code {batch} {index} {use_no}"))
}

/// The request id of a coupon of a pack; the coupons of a template are numbered 1, 2, ...
pub(crate) fn of_pack(pack: RequestId, template: TemplateId, unit: u8) -> RequestId {
    first_half(&format!("scrip pack {pack} {template} {unit}"))
}

fn first_half(text: &str) -> RequestId {
    let digest = Sha256::digest(text);
    RequestId(std::array::from_fn(|at| digest[at]))
}

/// Every use that a code can have, by the request id of its claim.
pub(super) fn uses(view: &StoresView) -> HashMap<RequestId, (CodeRef, u32)> {
    let mut uses = HashMap::new();
    for CodeBatchRow { batch, request, count, uses: each, .. } in &view.code_batches {
        for index in 0..*count {
            let code = CodeRef { batch: *batch, index };
            uses.extend((1..=*each).map(|use_no| (of_use(*request, index, use_no), (code, use_no))));
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_the_guides_say() {
        // printf 'scrip bulk 07070707070707070707070707070707 42' | sha256sum
        assert_eq!(of_job(RequestId([7; 16]), UserId(42)).to_string(), "2c474e341148700f3b808fc33d9a2bcd");
        // printf 'scrip code 07070707070707070707070707070707 42 1' | sha256sum
        assert_eq!(of_use(RequestId([7; 16]), 42, 1).to_string(), "04215162d4dcc2b44bb20e56f816291a");
        // printf 'scrip pack 07070707070707070707070707070707 42 1' | sha256sum
        let template = TemplateId::try_new(42).expect("not zero");
        assert_eq!(of_pack(RequestId([7; 16]), template, 1).to_string(), "9bb6e5320fe4590cd76420c7502574fe");
    }
}
