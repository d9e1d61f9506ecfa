//! Request ids.

use rand::TryRng;
use rand::rngs::SysRng;
use scrip_protocol::RequestId;

/// A new request id, from the randomness of the operating system.
///
/// Store it together with what it is for *before* sending it: with it, and only with it, the outcome of a request can be asked for
/// after anything has failed, this process included.
///
/// # Panics
/// If the operating system has no randomness to give. An id that somebody else has too would be worse.
pub fn mint_request_id() -> RequestId {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).expect("the operating system gives randomness");
    RequestId(bytes)
}
