//! What is wrong with a shard's configuration.

use std::fmt;

use fred::types::Value;
use scrip_shard_config::ShardId;

use super::link::Link;
use super::reply;

/// Something that an operator should set right. Nothing of it can make the count wrong by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The shard.
    pub shard: ShardId,
    /// What is wrong, and what to do; begins with the shard and its address.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

pub(super) async fn warning(link: &Link) -> Option<Warning> {
    let what = match policy(link).await {
        Ok(policy) if policy == "noeviction" => return None,
        Ok(policy) => format!(
            "maxmemory-policy is {policy}; set it to noeviction, or the shard may throw away stock that then has to be \
             settled again"
        ),
        Err(why) => format!("maxmemory-policy could not be read, and must be noeviction ({why})"),
    };
    Some(Warning { shard: link.shard(), what: link.say(&what) })
}

async fn policy(link: &Link) -> Result<String, String> {
    let args = vec![Value::from_static_str("GET"), Value::from_static_str("maxmemory-policy")];
    let frame = link.call("CONFIG", args, link.timeouts().call).await;
    let frame = frame.map_err(|error| crate::store::StoreError::from(error).to_string())?;
    let value = reply::array(frame).and_then(|frames| frames.get(1).and_then(reply::text));
    value.ok_or_else(|| String::from("the server does not tell"))
}
