//! One file, nothing to install.
//!
//! One thread writes. It takes whatever is waiting, commits it in one durable transaction, and answers each waiter: the
//! price of a disk flush is shared by all who wait for it.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    backends::{FileBackend, InMemoryBackend},
};
use tokio::sync::{mpsc, oneshot};

use super::{SealedKey, Store, StoreError, StoreFuture};

/// The most writes that may wait. Beyond it a caller is told at once.
const QUEUE: usize = 4096;

/// The most writes in one transaction.
const BATCH: usize = 1024;

const LEAVES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("record-v1");
const KEYS: TableDefinition<'_, u64, (&str, u64, &[u8])> = TableDefinition::new("signing-keys-v1");

/// A store in one file (redb), written by one thread that commits whatever is waiting at once.
pub struct EmbeddedStore {
    database: Arc<Database>,
    queue: Option<mpsc::Sender<Write>>,
    writer: Option<JoinHandle<()>>,
}

enum Write {
    Leaf(Vec<u8>, oneshot::Sender<Result<u64, StoreError>>),
    Key(SealedKey, usize, oneshot::Sender<Result<bool, StoreError>>),
}

/// What a committed transaction answers.
enum Answer {
    Leaf(u64, oneshot::Sender<Result<u64, StoreError>>),
    Key(bool, oneshot::Sender<Result<bool, StoreError>>),
}

impl EmbeddedStore {
    /// Opens the file at `path`, or makes it, for its owner alone. Only one process can have it open.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let refused =
            |error: &dyn std::fmt::Display| StoreError::Io(format!("`{}` cannot be opened: {error}", path.display()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| refused(&error))?;
        let backend = FileBackend::new(file).map_err(|error| refused(&error))?;
        Self::start(Database::builder().create_with_backend(backend).map_err(|error| refused(&error))?)
    }

    /// A store that forgets everything when dropped: for measuring what durability costs, and for tests.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::start(Database::builder().create_with_backend(InMemoryBackend::new()).map_err(io)?)
    }

    fn start(database: Database) -> Result<Self, StoreError> {
        let transaction = database.begin_write().map_err(io)?;
        transaction.open_table(LEAVES).map_err(io)?;
        transaction.open_table(KEYS).map_err(io)?;
        transaction.commit().map_err(io)?;
        let database = Arc::new(database);
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = thread::Builder::new()
            .name("store".to_owned())
            .spawn({
                let database = Arc::clone(&database);
                move || write_batches(&database, waiting)
            })
            .map_err(io)?;
        Ok(Self { database, queue: Some(queue), writer: Some(writer) })
    }

    async fn submit<T>(
        &self,
        write: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Write + Send,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(StoreError::Stopped)?;
        queue.try_send(write(answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Full,
            mpsc::error::TrySendError::Closed(_) => StoreError::Stopped,
        })?;
        answered.await.unwrap_or(Err(StoreError::Stopped))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.database);
        tokio::task::spawn_blocking(move || read(&database)).await.unwrap_or(Err(StoreError::Stopped))
    }
}

impl Store for EmbeddedStore {
    fn append(&self, leaf: Vec<u8>) -> StoreFuture<'_, u64> {
        Box::pin(self.submit(|answer| Write::Leaf(leaf, answer)))
    }

    fn leaves(&self, from: u64, limit: usize) -> StoreFuture<'_, Vec<(u64, Vec<u8>)>> {
        Box::pin(self.read(move |database| {
            let table = database.begin_read().map_err(io)?.open_table(LEAVES).map_err(io)?;
            let found = table.range(from..).map_err(io)?.take(limit);
            found.map(|entry| entry.map(|(number, leaf)| (number.value(), leaf.value().to_vec())).map_err(io)).collect()
        }))
    }

    fn signing_keys(&self) -> StoreFuture<'_, Vec<SealedKey>> {
        Box::pin(self.read(|database| {
            let table = database.begin_read().map_err(io)?.open_table(KEYS).map_err(io)?;
            let keys = table.iter().map_err(io)?;
            keys.map(|entry| {
                let (_, value) = entry.map_err(io)?;
                let (kid, created_at, sealed) = value.value();
                Ok(SealedKey { kid: kid.to_owned(), created_at, sealed: sealed.to_vec() })
            })
            .collect()
        }))
    }

    fn add_signing_key(&self, key: SealedKey, held: usize) -> StoreFuture<'_, bool> {
        Box::pin(self.submit(move |answer| Write::Key(key, held, answer)))
    }
}

impl Drop for EmbeddedStore {
    /// Ends the writer once what is waiting has been written.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            _ = writer.join();
        }
    }
}

fn write_batches(database: &Database, mut waiting: mpsc::Receiver<Write>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        commit(database, batch);
    }
}

/// Writes the batch whole or not at all; a waiter hears of success only after the commit.
fn commit(database: &Database, batch: Vec<Write>) {
    let mut answers = Vec::with_capacity(batch.len());
    let written = apply(database, batch, &mut answers);
    for answer in answers {
        match answer {
            Answer::Leaf(number, waiter) => _ = waiter.send(written.clone().map(|()| number)),
            Answer::Key(added, waiter) => _ = waiter.send(written.clone().map(|()| added)),
        }
    }
}

fn apply(database: &Database, batch: Vec<Write>, answers: &mut Vec<Answer>) -> Result<(), StoreError> {
    // A waiter whose write was not reached before an error hears of it by its dropped channel: "stopped".
    let transaction = database.begin_write().map_err(io)?;
    {
        let mut leaves = transaction.open_table(LEAVES).map_err(io)?;
        let mut keys = transaction.open_table(KEYS).map_err(io)?;
        let mut next = leaves.last().map_err(io)?.map_or(0, |(number, _)| number.value() + 1);
        for write in batch {
            match write {
                Write::Leaf(leaf, waiter) => {
                    answers.push(Answer::Leaf(next, waiter));
                    leaves.insert(next, leaf.as_slice()).map_err(io)?;
                    next += 1;
                }
                Write::Key(key, held, waiter) => {
                    let count = keys.len().map_err(io)?;
                    let fits = count == held as u64;
                    answers.push(Answer::Key(fits, waiter));
                    if fits {
                        keys.insert(count, (key.kid.as_str(), key.created_at, key.sealed.as_slice())).map_err(io)?;
                    }
                }
            }
        }
    }
    transaction.commit().map_err(io)
}

fn io(error: impl std::fmt::Display) -> StoreError {
    StoreError::Io(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[tokio::test]
    async fn a_file_conforms() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        conformance::suite(&EmbeddedStore::open(&path).unwrap()).await;
    }

    #[tokio::test]
    async fn a_new_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let _store = EmbeddedStore::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn memory_conforms() {
        conformance::suite(&EmbeddedStore::in_memory().unwrap()).await;
    }

    #[tokio::test]
    async fn what_was_answered_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        {
            let store = EmbeddedStore::open(&path).unwrap();
            assert_eq!(store.append(b"a".to_vec()).await, Ok(0));
            assert_eq!(store.append(b"b".to_vec()).await, Ok(1));
        }
        let store = EmbeddedStore::open(&path).unwrap();
        assert_eq!(store.leaves(0, 9).await.unwrap(), [(0, b"a".to_vec()), (1, b"b".to_vec())]);
        assert_eq!(store.append(b"c".to_vec()).await, Ok(2));
    }

    #[tokio::test]
    async fn a_file_that_is_in_use_or_no_store_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let _held = EmbeddedStore::open(&path).unwrap();
        let error = EmbeddedStore::open(&path).err().unwrap().to_string();
        assert!(error.contains("store.redb"), "{error}");
        let other = folder.path().join("other");
        std::fs::write(&other, vec![b'x'; 8192]).unwrap();
        assert!(matches!(EmbeddedStore::open(&other), Err(StoreError::Io(_))));
    }
}
