//! One testbed for all tests of a binary.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::offload::offload;
use super::{Error, Testbed, TestbedSpec};

/// The testbed of this process with this specification: started by the first caller, shared by all others.
///
/// It lasts as long as the process. Statics are not dropped, so it is the kernel that kills its servers and the janitor
/// that removes its folder. Tests that share a testbed should each use a database of their own (`scrip_<test>`), or
/// templates and users of their own, and leave its servers alive.
///
/// ```no_run
/// # async fn example() -> Result<(), scrip_chaos::testbed::Error> {
/// use scrip_chaos::testbed::{TestbedSpec, shared};
/// let testbed = shared(TestbedSpec::new(3, 2)).await?;
/// # Ok(()) }
/// ```
pub async fn shared(spec: TestbedSpec) -> Result<Arc<Testbed>, Error> {
    static SHARED: Mutex<Option<HashMap<String, Arc<Testbed>>>> = Mutex::new(None);
    offload(move || {
        let mut shared = SHARED.lock();
        let testbeds = shared.get_or_insert_default();
        let key = format!("{spec:?}");
        if let Some(testbed) = testbeds.get(&key) {
            return Ok(Arc::clone(testbed));
        }
        let testbed = Arc::new(Testbed::start_blocking(&spec)?);
        testbeds.insert(key, Arc::clone(&testbed));
        Ok(testbed)
    })
    .await
}
