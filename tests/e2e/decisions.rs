//! The STS's record, read from its store by the STS's own library.

use std::path::Path;

use harness::{Result, topology::Topology};
use sts_backend::{
    audit::leaf::Leaf,
    store::{EmbeddedStore, Store},
};

/// Every decision of a topology's STS, the oldest first. It ends the STS.
pub async fn of(topology: &Topology) -> Result<Vec<Leaf>> {
    read(&topology.store()).await
}

/// Those in the store at `path`. A store that an STS has open is refused.
async fn read(path: &Path) -> Result<Vec<Leaf>> {
    if !path.is_file() {
        return Err(format!("{} is no store: an STS makes it when it starts", path.display()).into());
    }
    let store = EmbeddedStore::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut leaves = Vec::new();
    loop {
        let page = store.leaves(leaves.len() as u64, PAGE).await.map_err(|error| error.to_string())?;
        if page.is_empty() {
            return Ok(leaves);
        }
        for (_, bytes) in page {
            leaves.push(Leaf::from_bytes(&bytes)?);
        }
    }
}

const PAGE: usize = 1_000;

#[tokio::test]
async fn a_store_is_read_as_it_was_written_and_a_missing_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    assert!(read(&path).await.is_err());
    let leaf = r#"{"caller":"direct","decision_id":"d","outcome":"refused","policy_version":"p","time":7,"v":1}"#;
    let store = EmbeddedStore::open(&path).unwrap();
    store.append(leaf.into()).await.unwrap();
    drop(store);
    let leaves = read(&path).await.unwrap();
    assert_eq!((leaves.len(), leaves[0].time), (1, 7));
}
