//! Letting go of a store: sled writes until its last reference is dropped, so only then can a close be noted or a directory removed.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use crate::{
    error::Fault,
    shared::{Shared, lock},
    store::Store,
};

/// Drops a store and waits until sled has let go of its file. Answers whether nobody else still reads it.
pub(crate) fn drop_store(store: Arc<Store>) -> Result<bool, Fault> {
    let Some(store) = Arc::into_inner(store) else { return Ok(false) };
    let path = store.path().join("db");
    catch_unwind(AssertUnwindSafe(|| drop(store)))
        .map_err(|_| Fault::Panicked { what: "closing the store" })?;
    unlocked(&path).map_err(Fault::disk("wait for", path))?;
    Ok(true)
}

/// Waits for sled's lock on its file, which it may hold a little longer than its store on a thread of its own.
pub(crate) fn unlocked(path: &Path) -> std::io::Result<()> {
    File::open(path)?.lock()
}

impl Shared {
    /// Lets go of the store and notes that it was closed in order.
    pub(crate) fn release(&self) -> Result<(), Fault> {
        let store = self.log_mut()?.store.take();
        let (epoch, noted) = (self.epoch(), lock(&self.writing).buckets.to_bytes());
        match store.map(drop_store).transpose()? {
            Some(true) => {
                let marked = self.place.mark_closed(epoch, &noted);
                marked.map_err(Fault::disk("note the close in", self.place.dir()))
            }
            Some(false) | None => {
                tracing::warn!("a read was still under way: the next start will read the ledger in full");
                Ok(())
            }
        }
    }
}
