//! The second level of the template cache.

use std::time::Duration;

use bytes::Bytes;
use scrip_chaos::testbed::{RestartWith, Testbed};
use scrip_proxy::store::StoreError;
use scrip_proxy::store::cache::{CacheStore, CachedTemplate, Changes};
use scrip_proxy::store::redis::TemplateCache;

use super::{key, one_shard};

async fn cache() -> (Testbed, TemplateCache) {
    let (testbed, store) = one_shard().await;
    (testbed, store.template_cache().expect("a shard for it"))
}

fn template(id: u32, revision: u64, blob: &'static [u8]) -> CachedTemplate {
    CachedTemplate { template: key(id, 0).template, revision, blob: Bytes::from_static(blob) }
}

async fn changed(cache: &TemplateCache, revision: u64) -> Changes {
    cache.changed_since(revision, 100).await.expect("answered")
}

#[tokio::test]
async fn the_lock_has_one_owner_until_it_ends() {
    let (_testbed, cache) = cache().await;
    assert_eq!(cache.lock("a", Duration::from_millis(200)).await, Ok(true));
    assert_eq!(cache.lock("b", Duration::from_millis(200)).await, Ok(false));
    assert_eq!(cache.lock("a", Duration::from_millis(200)).await, Ok(false));
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(cache.lock("b", Duration::from_secs(60)).await, Ok(true));
}

#[tokio::test]
async fn what_was_put_is_found_by_revision_and_by_id() {
    let (_testbed, cache) = cache().await;
    assert_eq!(changed(&cache, 0).await, Changes { head: 0, templates: vec![] }, "no library yet");
    assert_eq!(cache.get(key(7, 0).template).await, Ok(None));
    let [seven, eight] = [template(7, 3, b"seven \x00\xff"), template(8, 5, b"")];
    assert_eq!(cache.put(0, &[seven.clone(), eight.clone()]).await, Ok(5));
    assert_eq!(changed(&cache, 0).await, Changes { head: 5, templates: vec![seven.clone(), eight.clone()] });
    assert_eq!(changed(&cache, 3).await, Changes { head: 5, templates: vec![eight.clone()] });
    assert_eq!(changed(&cache, 5).await, Changes { head: 5, templates: vec![] });
    let first = cache.changed_since(0, 1).await.expect("answered");
    assert_eq!(first.templates, std::slice::from_ref(&seven));
    assert_eq!(cache.get(seven.template).await, Ok(Some(seven)));
    assert_eq!(cache.get(key(9, 0).template).await, Ok(None));
}

#[tokio::test]
async fn an_older_revision_never_replaces_a_newer_one() {
    let (_testbed, cache) = cache().await;
    let (old, new) = (template(7, 3, b"old"), template(7, 9, b"new"));
    assert_eq!(cache.put(0, std::slice::from_ref(&new)).await, Ok(9));
    assert_eq!(cache.put(0, &[old, template(8, 4, b"other")]).await, Ok(9), "a slower refresh");
    assert_eq!(cache.get(new.template).await, Ok(Some(new.clone())));
    assert_eq!(changed(&cache, 4).await, Changes { head: 9, templates: vec![new] });
}

#[tokio::test]
async fn the_head_does_not_jump_over_a_gap() {
    let (_testbed, cache) = cache().await;
    assert_eq!(cache.put(5, &[template(7, 9, b"nine")]).await, Ok(0));
    assert_eq!(cache.put(0, &[template(8, 5, b"five")]).await, Ok(5));
    assert_eq!(cache.put(5, &[]).await, Ok(5));
    assert_eq!(cache.put(5, &[template(7, 9, b"nine")]).await, Ok(9));
}

#[tokio::test]
async fn a_cache_that_was_lost_or_came_back_old_is_empty() {
    let (testbed, cache) = cache().await;
    let seven = template(7, 3, b"seven");
    for loss in ["flush", "data", "empty"] {
        assert_eq!(cache.put(0, std::slice::from_ref(&seven)).await, Ok(3), "{loss}");
        let server = testbed.shard(0);
        match loss {
            "flush" => drop(server.command("FLUSHALL", &[]).await.expect("flushed")),
            "data" => server.restart(RestartWith::Data).await.expect("restarted"),
            _ => server.restart(RestartWith::Empty).await.expect("restarted"),
        }
        let head = loop {
            if let Ok(changes) = cache.changed_since(0, 10).await {
                break changes.head;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        assert_eq!(head, 0, "{loss}");
        assert_eq!(cache.get(seven.template).await, Ok(None), "{loss}");
        assert_eq!(cache.put(3, &[template(8, 4, b"eight")]).await, Ok(0), "{loss}: a refresh that began before");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let (_testbed, cache) = cache().await;
    for (since, templates) in
        [(1 << 53, vec![]), (0, vec![template(7, 1 << 53, b"")]), (0, vec![template(7, 1, b""); 1001])]
    {
        let refused = cache.put(since, &templates).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    assert_eq!(changed(&cache, 0).await.head, 0);
}
