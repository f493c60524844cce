//! Everything that the process logs, kept so that tests can look for what must not be there.

use std::{
    io,
    sync::{Mutex, Once, PoisonError},
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static BEGIN: Once = Once::new();

/// Begins keeping, at DEBUG, in the form that the node logs in.
pub fn keep() {
    BEGIN.call_once(|| {
        let filter = EnvFilter::new("debug,hyper=info,hyper_util=info,h2=info,reqwest=info,tower=info,rustls=info,sled=info,openraft=info");
        // Another subscriber in the same process would be a second place to look in; there is none.
        let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(Keeper).try_init();
    });
}

/// What was logged so far, by every node of this process.
pub fn kept() -> Vec<u8> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Keeper;

impl io::Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Keeper {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}
